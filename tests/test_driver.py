"""What a driver's file builds on: the section of an IMU, and the example that the documents give."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mobind_live import registry
from mobind_live.config import load
from mobind_live.driver import Clock, Context, DeviceError, ImuConfig, StreamSpec


class Section(ImuConfig):
    """The least that a driver's section says."""

    @property
    def clock(self) -> Clock:
        return "arrival"


def test_an_imu_s_section_makes_its_stream() -> None:
    section = Section(driver="x", nominal_hz=60, wears="chest", clock_group="receiver", subject="anna")

    assert section.streams("imu") == (
        StreamSpec(
            name="imu",
            kind="imu",
            nominal_hz=60,
            clock="arrival",
            wears="chest",
            clock_group="receiver",
            subject="anna",
        ),
    )


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"axes": ("x", "-y", "z")}, "mirror the frame"),
        ({"axes": ("x", "x", "z")}, "each once"),
        ({"nominal_hz": 0}, "greater than 0"),
        ({"wears": "nose"}, "left_forearm"),
        ({"weighs": 3}, "Extra inputs"),
    ],
)
def test_an_imu_s_section_refuses_what_no_imu_has(keys: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Section.model_validate({"driver": "x", **keys})


@pytest.fixture
def port() -> int:
    """A UDP port that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def example(root: Path, tmp_path: Path, port: int, write_rig: Callable[[str], Path]) -> Path:
    """The rig of ``docs/devices.md`` with a driver of one's own, as it stands there, on a free port."""
    chapter = (root / "docs" / "devices.md").read_text().partition("## Any other sensor")[2]
    code, section = re.findall(r"```(?:python|yaml)\n(.*?)```", chapter, re.DOTALL)[:2]
    (tmp_path / "my_driver.py").write_text(code)
    indented = "".join(f"  {line}\n" for line in section.splitlines())
    return write_rig("devices:\n" + indented.replace("port: 5005", f"port: {port}\n    axes: [y, z, x]"))


def test_the_documents_driver_reads_what_is_sent(example: Path, port: int) -> None:
    section = load(example).devices["phone"]
    with (
        registry.create(section, Context(name="phone", epoch_ns=0)) as driver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
    ):
        phone.sendto(b"too short", ("127.0.0.1", port))
        assert list(driver.read()) == []
        phone.sendto(struct.pack("<7d", 2.5, 1, 2, 3, 4, 5, 6), ("127.0.0.1", port))
        (reading,) = driver.read()

    assert section.streams("phone")[0].wears == "pelvis"
    assert driver.counters.values == {"bad_packets": 1}
    assert reading.stream == "phone"
    np.testing.assert_array_equal(reading.device_ns, [2_500_000_000])
    assert reading.acc_m_s2.dtype == reading.gyro_rad_s.dtype == np.float32
    np.testing.assert_array_equal(reading.acc_m_s2, [[2, 3, 1]])
    np.testing.assert_array_equal(reading.gyro_rad_s, [[5, 6, 4]])


def test_the_documents_driver_says_that_its_port_is_taken(example: Path, port: int) -> None:
    driver = registry.create(load(example).devices["phone"], Context(name="phone", epoch_ns=0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", port))
        with pytest.raises(DeviceError, match=f"UDP port {port}: .*set another one"), driver:
            pass
