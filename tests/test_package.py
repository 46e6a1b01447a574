"""The wheel: what it puts in site-packages, and that it runs from there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobind_live import __version__

UNPACKAGED = (".git", ".venv", "build", "dist", "data", "runs", "*.egg-info", "__pycache__", ".*_cache")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project's wheel, built from a copy: setuptools leaves its own folders in the source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(root, source, symlinks=True, ignore=shutil.ignore_patterns(*UNPACKAGED))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield next(folder.glob("*.whl"))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def relative(root: Path, *patterns: str) -> set[str]:
    found = {path for pattern in patterns for path in root.glob(pattern) if "__pycache__" not in path.parts}
    return {path.relative_to(root).as_posix() for path in found if path.is_file()}


def test_only_mobind_live_lands_in_site_packages(files: set[str]) -> None:
    assert {name.split("/")[0] for name in files} == {"mobind_live", f"mobind_live-{__version__}.dist-info"}


def test_every_module_is_inside(root: Path, files: set[str]) -> None:
    own = relative(root, "mobind_live/**/*.py")
    linked = {f"mobind_live/{name}" for name in relative(root, "drivers/**/*.py", "models/**/*.py")}

    assert {"mobind_live/drivers/simulator.py", "mobind_live/models/encoders.py"} <= linked
    assert own | linked <= files


def test_weights_demo_and_licence_are_inside(root: Path, files: set[str]) -> None:
    data = {f"mobind_live/{name}" for name in relative(root, "models/weights/*", "models/recipes/*")}
    data.add("mobind_live/demo.yaml")

    assert any(name.endswith(".safetensors") for name in data)
    assert data <= files
    assert f"mobind_live-{__version__}.dist-info/licenses/LICENSE" in files


def test_it_runs_from_where_it_was_installed(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--target",
        str(site),
    ]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, capture_output=True)
    # -S -P would lose the dependencies: put the copy first instead, and check that it is the one that ran.
    script = (
        f"import sys; sys.path.insert(0, {str(site)!r});"
        "import mobind_live; from mobind_live import registry;"
        "print(mobind_live.__file__); print(*registry.names());"
        "from mobind_live.cli import app; app(['--version'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )

    where, drivers, version = done.stdout.splitlines()
    assert where == str(site / "mobind_live" / "__init__.py")
    assert "simulator" in drivers.split()
    assert version == f"mobind-live {__version__}"
    assert (site / "bin" / "mobind-live").exists()
