"""Axes of an accelerometer and a gyroscope that belong together, and those that cannot."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from mobind_live.devices.samples import axes
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.sync.run import doubt_axes
from mobind_live.runtime.doubts import doubt

HZ, G = 50, 9.81
Series = tuple[np.ndarray, np.ndarray, np.ndarray]


def swayed(seconds: float = 40.0, shaken: float = 0.5) -> Series:
    """Gravity (N, 3) in a sensor that slowly sways about all axes, its turn rate (N, 3) and stamps (N,)."""
    rng = np.random.default_rng(0)
    t_s = np.arange(0, seconds, 1 / HZ)
    angles = [0.6 * np.sin(2 * np.pi * hz * t_s + at) for hz, at in ((0.11, 0.0), (0.17, 1.0), (0.23, 2.0))]
    turned = Rotation.from_rotvec(np.column_stack(angles))
    rate = (turned[:-1].inv() * turned[1:]).as_rotvec() * HZ
    acc = turned.inv().apply([0.3 * G, 0.5 * G, 0.81 * G]) + rng.normal(0, shaken, (len(t_s), 3))
    return acc[:-1], rate, (t_s[:-1] * 1e9).astype(np.int64)


def test_axes_as_they_are_belong_together() -> None:
    acc, gyro, t_ns = swayed()
    assert axes.against(acc, gyro, t_ns) is False
    assert not axes.mostly_against(acc, gyro, t_ns)
    assert doubt(acc, gyro, t_ns) == ""


@pytest.mark.parametrize(
    ("acc_by", "gyro_by"),
    [
        (np.eye(3), np.eye(3)[[1, 0, 2]]),
        (np.eye(3), np.eye(3)[[2, 0, 1]]),
        (np.eye(3), np.diag([1, -1, -1])),
        (np.diag([-1, 1, 1]), np.eye(3)),
        (np.eye(3)[[0, 2, 1]], np.eye(3)),
    ],
    ids=["x and y", "round about", "two signs", "a sign of acceleration", "y and z of acceleration"],
)
def test_another_order_and_other_signs_are_told(acc_by: np.ndarray, gyro_by: np.ndarray) -> None:
    acc, gyro, t_ns = swayed()
    acc, gyro = acc @ acc_by.T, gyro @ gyro_by.T
    assert axes.against(acc, gyro, t_ns) is True
    assert axes.mostly_against(acc, 1000 * gyro, t_ns), "whatever the unit"
    assert axes.AGAINST in doubt(acc, gyro, t_ns)


def test_both_turned_alike_still_belong_together() -> None:
    acc, gyro, t_ns = swayed()
    mounted = Rotation.from_rotvec([0.4, -1.1, 0.7])
    assert axes.against(mounted.apply(acc), mounted.apply(gyro), t_ns) is False


def test_rest_and_shaking_tell_nothing() -> None:
    acc, gyro, t_ns = swayed()
    exchanged = gyro[:, [1, 0, 2]]
    assert axes.against(np.full_like(acc, 5.0), exchanged, t_ns) is None
    shaken, *_ = swayed(shaken=200.0)
    assert axes.against(shaken, exchanged, t_ns) is None
    assert not axes.mostly_against(shaken, exchanged, t_ns)


def test_most_of_what_tells_decides() -> None:
    acc, gyro, t_ns = swayed(100.0)
    exchanged = gyro.copy()
    exchanged[: 20 * HZ] = gyro[: 20 * HZ, [1, 0, 2]]
    assert not axes.mostly_against(acc, exchanged, t_ns)


def test_a_file_whose_columns_are_exchanged_is_told_by_name(tmp_path: Path) -> None:
    acc, gyro, t_ns = swayed()
    said = {}
    for name, order in (("chest", [0, 1, 2]), ("shank", [1, 0, 2])):
        rows = np.column_stack([t_ns * 1e-6, acc / G, np.degrees(gyro[:, order])])
        path = tmp_path / f"{name}.csv"
        np.savetxt(path, rows, delimiter=",", header="Millis,ax,ay,az,gx,gy,gz", comments="")
        said[name] = read_imu(path)
    out = io.StringIO()
    doubt_axes(said, Console(file=out, width=80))
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().startswith("shank: it turns against gravity")


def test_real_sensors_are_not_doubted_unless_something_is_wrong(shared_data: Path) -> None:
    paths = sorted((shared_data / "bench5").glob("*/imu_*.csv"))
    assert len(paths) == 22
    files = {f"{path.parent.name}/{path.stem}": read_imu(path) for path in paths}
    for name, file in files.items():
        assert not axes.mostly_against(file.acc_m_s2, file.gyro_rad_s, file.t_ns), name
    leg, chest = files["take_8/imu_left_leg"], files["take_1/imu_chest"]
    assert axes.mostly_against(leg.acc_m_s2 * [-1, 1, 1], leg.gyro_rad_s, leg.t_ns)
    assert axes.mostly_against(chest.acc_m_s2, chest.gyro_rad_s[:, [1, 0, 2]], chest.t_ns)
