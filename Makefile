# make run   everything up to the daemon on the default rig (RIG=rigs/video.yaml for another)
# make test  everything up to format, lint, types, import contracts and tests
#
# PYTHON must be 3.11 or newer: make run PYTHON=python3.12

PYTHON ?= python3
RIG ?= config.yaml
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: run test install install-dev format clean

run: install
	$(BIN)/mobind-live run $(RIG)

test: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

install: .venv/.installed

install-dev: .venv/.installed-dev

format: install-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamps are newer than what they were made from, or pip runs again.
.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into .venv; the first time fetches PyTorch and takes some minutes."
	$(PIP) --editable ".[openvino]"
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) --editable ".[openvino,dev]"
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mobind-live needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no venv (on Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }
