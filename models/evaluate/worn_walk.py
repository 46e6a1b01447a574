"""How near a virtual IMU comes to a worn one: a walk with Xsens IMUs and Vicon joints, sample by sample.

``python -m mobind_live.models.evaluate.worn_walk FOLDER`` prints the table of the model card. The virtual
sensor sits half-way down its segment and takes part in its rotation; its mounting (one rotation, from the
gyro) and its place on the segment (three numbers, from the acceleration) are fitted, as a wearer's strap
would have chosen them. Both sides are low-passed at 10 Hz, Vicon's own noise being what it is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.imu import virtual_imu
from mobind_live.models.errors import DatasetError, answered

RATE_HZ, CUT_HZ, _EDGE = 100.0, 10.0, 20
# The sensor's file: its segment's quaternion and the joints at its ends.
SEGMENTS = {
    "Pelvis": ("qRPV", "PELV", "PELV"),
    "L_UpLeg": ("qLTH", "LFEP", "LFEO"),
    "L_LowLeg": ("qLSK", "LFEO", "LTIO"),
    "R_LowLeg": ("qRSK", "RFEO", "RTIO"),
    "L_Foot": ("qLFT", "LTIO", "LTOE"),
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """Pearson's r of virtual and worn for each axis of the worn sensor, and of |gyro|."""

    sensor: str
    acc: np.ndarray
    gyro: np.ndarray
    turning: float


def compare(folder: Path) -> list[Likeness]:
    """Each sensor's likeness. Raises DatasetError."""
    vicon = _columns(folder / "vicon.csv")
    return [_compare(folder, name, vicon) for name in SEGMENTS]


def _compare(folder: Path, name: str, vicon: dict[str, np.ndarray]) -> Likeness:
    quaternion, near, far = SEGMENTS[name]
    worn = _columns(folder / f"imu_{name}.csv")
    acc, gyro = _group(worn, "acc", 3), _group(worn, "gyr", 3)
    place = _low((_group(vicon, near, 3) + _group(vicon, far, 3)) / 2)
    turned = Rotation.from_quat(_group(vicon, quaternion, 4), scalar_first=True).as_matrix()
    sides = [virtual_imu(place + turned @ arm, turned, RATE_HZ) for arm in (np.zeros(3), *np.eye(3))]
    acc, gyro, rate, *forces = (
        _low(x)[_EDGE:-_EDGE] for x in (acc, gyro, sides[0][1], *(force for force, _ in sides))
    )
    mounting = Rotation.align_vectors(gyro, rate)[0]
    # The force is linear in the place on the segment: what one metre along each axis would add.
    middle, *along = (mounting.apply(force) for force in forces)
    added = np.stack([(force - middle).ravel() for force in along], axis=1)
    arm = np.linalg.lstsq(added, (acc - middle).ravel(), rcond=None)[0]
    virtual = middle + (added @ arm).reshape(middle.shape)
    return Likeness(
        name,
        _r(acc, virtual),
        _r(gyro, mounting.apply(rate)),
        float(np.corrcoef(np.linalg.norm(gyro, axis=1), np.linalg.norm(rate, axis=1))[0, 1]),
    )


def _r(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(a.shape[1])])


def _low(values: np.ndarray) -> np.ndarray:
    return sosfiltfilt(butter(4, CUT_HZ, fs=RATE_HZ, output="sos"), values, axis=0)


def _group(columns: dict[str, np.ndarray], name: str, size: int) -> np.ndarray:
    return np.stack([columns[f"{name}_{k + 1}"] for k in range(size)], axis=1)


def _columns(path: Path) -> dict[str, np.ndarray]:
    """The named columns of a file whose first lines begin with //."""
    try:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("//")]
        values = np.array([line.split(",") for line in lines[1:]], dtype=float)
        return {name: values[:, index] for index, name in enumerate(lines[0].split(","))}
    except (OSError, ValueError, IndexError) as error:
        raise DatasetError(f"{path}: not a recording of the walk") from error


def table(found: list[Likeness]) -> str:
    """The likenesses in Markdown."""
    lines = ["| sensor | acc x, y, z | gyro x, y, z | \\|gyro\\| |", "| --- | --- | --- | ---: |"]
    for item in found:
        axes = [", ".join(f"{r:.2f}" for r in values) for values in (item.acc, item.gyro)]
        lines.append(f"| {item.sensor} | {axes[0]} | {axes[1]} | {item.turning:.2f} |")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """The command: 0, or 2 and one line on stderr."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m mobind_live.models.evaluate.worn_walk FOLDER\n")
        return 2
    return answered(lambda: sys.stdout.write(table(compare(Path(words[0])))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
