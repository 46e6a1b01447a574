"""What devices call their values."""

from __future__ import annotations

import pytest

from mobind_live.devices.samples.names import field_name, time_unit


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("AccelX", "ax"), ("acc_y", "ay"), ("az", "az"), ("Gyro Z (deg/s)", "gz"), ("gx", "gx"),
        ("t_ms", "t"), ("Millis", "t"), ("quat_w", "qw"), ("mag_x", None), ("", None), ("battery", None),
    ],
)  # fmt: skip
def test_names_of_columns(name: str, means: str | None) -> None:
    assert field_name(name) == means


def test_the_time_columns_name_gives_its_unit() -> None:
    names = ("t", "t_us", "time_s", "micros", "Millis", "time (s)", "Time [us]")

    assert [time_unit(name) for name in names] == ["ms", "us", "s", "us", "ms", "s", "us"]
