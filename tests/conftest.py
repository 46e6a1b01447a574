"""What several tests share. Tests lie as the modules that they test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

# The same examples in every run, so that a red CI is about the change; to look for new ones:
# pytest --hypothesis-profile=explore. No deadlines: a busy machine is no bug, and a hang times out.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile("same")

# Before numpy or torch loads: the tests' matrices are small, and threads only fight over the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]

# Before anything loads liblsl: streams of this machine and of this process's tests only, no multicast.
_SETTINGS = TemporaryDirectory()
_LSL = Path(_SETTINGS.name) / "lsl_api.cfg"
_FORM = (ROOT / "tests" / "helpers" / "lsl_api.cfg").read_text()
_LSL.write_text(_FORM.replace("mobind-live-tests", f"mobind-live-{os.getpid()}"))
os.environ["LSLAPICFG"] = str(_LSL)

OWN_DRIVER = """
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mobind_live.clock import host_now_ns
from mobind_live.driver import Counters, DriverConfig, EndOfStream, ImuReading, RigPath, StreamSpec


class Filter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    gain: float = 1.0


class Config(DriverConfig):
    mode: Literal["fast", "slow"] = "fast"
    count: int | Filter = 3
    filters: dict[str, Filter] = {}
    file: RigPath | None = None
    emit: tuple[str, ...] = ()

    def streams(self, name):
        names = self.emit or (name,)
        return tuple(StreamSpec(name=n, kind="imu", nominal_hz=50, clock="arrival") for n in names)


class Driver:
    def __init__(self, config, context):
        self.counters = Counters()
        self._config = config
        self._context = context
        self._left = 5

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass

    def read(self):
        if not self._left:
            raise EndOfStream
        self._left -= 1
        one = np.ones((1, 3), np.float32)
        for spec in self._config.streams(self._context.name):
            now = np.array([host_now_ns()])
            yield ImuReading(
                stream=spec.name, received_ns=now, device_ns=None, acc_m_s2=one, gyro_rad_s=one
            )
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-cases", type=int, default=18_000, help="damaged frames for serial parsers")


@pytest.fixture(scope="session")
def fuzz_cases(request: pytest.FixtureRequest) -> int:
    """How many cases the fuzz tests share."""
    return request.config.getoption("--fuzz-cases")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recordings for development, which are not part of the project: skips where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the recordings in ../shared/data")
    return folder


@pytest.fixture
def own_driver(tmp_path: Path) -> Path:
    """A user's driver in a file of its own, beside the rig's YAML: five samples, then the end."""
    path = tmp_path / "my_driver.py"
    path.write_text(OWN_DRIVER)
    return path


@pytest.fixture
def write_rig(tmp_path: Path) -> Callable[[str], Path]:
    """Writes ``rig.yaml`` and says where it is."""

    def write(text: str) -> Path:
        path = tmp_path / "rig.yaml"
        path.write_text(text)
        return path

    return write
