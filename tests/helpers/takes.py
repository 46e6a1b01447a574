"""Simulated recordings in files, as somebody without the daemon would have made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.kinematics.devices import CameraSpec, ImuPacket, ImuSpec
from mobind_live.kinematics.scene import Scene, SceneConfig
from mobind_live.schema import Pose
from mobind_live.vocabulary import KEYPOINTS

IMU_HEADER = "Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ"
G = 9.80665


@dataclass(frozen=True)
class Take:
    """One person with sensors. ``imus`` (N, 7) by name: ms from the first sample, g, deg/s; ``offsets_s`` are
    the true t_imu - t_cam, each time counted from its own first sample."""

    frames: list[Pose]
    imus: dict[str, np.ndarray]
    offsets_s: dict[str, float]

    def write(self, folder: Path) -> dict[str, Path]:
        """``keypoints.csv`` and ``imu_NAME.csv`` in ``folder``; the IMUs' paths by name."""
        header = ",".join(["time_s", *(f"{k}_{axis}" for k in KEYPOINTS for axis in ("x", "y", "score"))])
        lines = [header]
        for frame in self.frames:
            seen = frame.keypoints[0].ravel() if len(frame.keypoints) else np.zeros(3 * len(KEYPOINTS))
            lines.append(
                f"{(frame.t_ns - self.frames[0].t_ns) * 1e-9:.4f}," + ",".join(f"{v:.2f}" for v in seen)
            )
        (folder / "keypoints.csv").write_text("\n".join(lines) + "\n")
        paths = {name: folder / f"imu_{name}.csv" for name in self.imus}
        for name, path in paths.items():
            path.write_text(imu_text(self.imus[name]))
        return paths


def imu_text(rows: np.ndarray, header: str = IMU_HEADER) -> str:
    return "\n".join([header, *(",".join(f"{v:.4f}" for v in row) for row in rows)]) + "\n"


def take(
    parts: dict[str, tuple[str, float]], seconds: float, seed: int = 3, script: tuple[str, ...] = ()
) -> Take:
    """``parts`` are, by the sensor's name, its part and its hidden delay in seconds; ``script`` limits what
    the person does."""
    imus = tuple(
        ImuSpec(name=name, person=0, part=part, delay_s=delay_s, rate_hz=60.0, loss=0.0)
        for name, (part, delay_s) in parts.items()
    )
    scene = Scene(
        SceneConfig(
            seed=seed,
            people=1,
            cameras=(CameraSpec(name="cam"),),
            imus=imus,
            script=script,
            absence_every_s=0.0,
        )
    )
    frames: list[Pose] = []
    packets: dict[str, list[ImuPacket]] = {name: [] for name in parts}
    for item in scene.chunk(0.0, seconds):
        if isinstance(item, Pose):
            frames.append(item)
        elif isinstance(item, ImuPacket):
            packets[item.stream].append(item)
    rows, offsets_s = {}, {}
    for name, own in packets.items():
        device_ns = np.concatenate([p.device_ns for p in own])
        acc = np.concatenate([p.acc_m_s2 for p in own]) / G
        gyro = np.degrees(np.concatenate([p.gyro_rad_s for p in own]))
        rows[name] = np.column_stack([(device_ns - device_ns[0]) * 1e-6, acc, gyro])
        offsets_s[name] = parts[name][1] - (int(device_ns[0]) - frames[0].t_ns) * 1e-9
    return Take(frames, rows, offsets_s)
