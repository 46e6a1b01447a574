"""What a person can check an answer by: how fast a sensor turns, and how fast a limb does in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.body import limb_joints
from mobind_live.models.features import SEEN
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.sync.recording import Recording
from mobind_live.vocabulary import KEYPOINT, KEYPOINTS

HZ = 50.0
_SMOOTH_S = 0.16
_GAP_S = 0.4  # no line is drawn over a longer one
_WINDOW_S = 10.0
_SEEN_SHARE = 0.8

_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
_TRUNK = {
    "head": (("left_ear", "right_ear"), _SHOULDERS),
    "chest": (_SHOULDERS, _HIPS),
    "pelvis": (_SHOULDERS, _HIPS),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """``values`` (N,) at ``at_s`` (N,), an even grid of 50 Hz; NaN where there are none."""

    at_s: np.ndarray
    values: np.ndarray

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """The values (M,) at ``times_s`` (M,), NaN outside."""
        return np.interp(times_s, self.at_s, self.values, left=np.nan, right=np.nan)


def ends_of(part: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keypoints between whose middles ``part`` lies in the picture."""
    joints = limb_joints(part)
    if joints is None:
        return _TRUNK[part]
    near, far = joints
    return (KEYPOINTS[near],), (KEYPOINTS[far],)


def sensor_turning(file: ImuFile) -> Trace:
    """|gyro| in deg/s over the IMU's time from its first sample."""
    at_s = (file.t_ns - file.start_ns) * 1e-9
    return _trace(at_s, np.degrees(np.linalg.norm(file.gyro_rad_s, axis=1)))


def limb_turning(people: Recording, tracks: tuple[int, ...], part: str) -> Trace:
    """How fast ``part`` of the one of ``tracks`` turns in the picture, in deg/s, over the camera's time."""
    points = people.keypoints_of(*tracks).astype(np.float64)
    (a, seen_a), (b, seen_b) = (_middle(points, names) for names in ends_of(part))
    seen = seen_a & seen_b
    at_s = people.t_ns[seen] * 1e-9
    if len(at_s) < 3 or at_s[-1] - at_s[0] < 2 / HZ:
        grid = np.arange(0.0, max(people.length_s, 1 / HZ), 1 / HZ)
        return Trace(grid, np.full(len(grid), np.nan))
    reach = (b - a)[seen]
    angle = np.unwrap(np.arctan2(reach[:, 1], reach[:, 0]))
    even = _trace(at_s, np.degrees(angle))
    return Trace(even.at_s, np.abs(np.gradient(even.values, 1 / HZ)))


def _middle(points: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    own = points[:, [KEYPOINT[name] for name in names]]
    return own[..., :2].mean(axis=1), np.all(own[..., 2] >= SEEN, axis=1)


def _trace(at_s: np.ndarray, values: np.ndarray) -> Trace:
    """``values`` (N,) at rising ``at_s`` (N,), smoothed, on the grid, with the samples' own holes."""
    grid = np.arange(at_s[0], at_s[-1], 1 / HZ)
    kernel = np.hanning(round(_SMOOTH_S * HZ) + 2)[1:-1]
    even = np.interp(grid, at_s, values)
    smooth = np.convolve(np.pad(even, len(kernel) // 2, mode="edge"), kernel / kernel.sum(), "valid")[
        : len(grid)
    ]
    after = np.clip(np.searchsorted(at_s, grid), 1, len(at_s) - 1)
    smooth[at_s[after] - at_s[after - 1] > _GAP_S] = np.nan
    return Trace(grid, smooth)


def likeness(sensor: Trace, limb: Trace, offset_s: float | np.ndarray) -> float:
    """The correlation of the two over all of the camera's time, the sensor's moved by ``offset_s``, one for
    all or for each of the limb's times; NaN if they hardly meet."""
    own = sensor.at(limb.at_s + offset_s)
    both = np.isfinite(own) & np.isfinite(limb.values)
    if both.sum() < 2 * HZ or not own[both].std() or not limb.values[both].std():
        return float("nan")
    return float(np.corrcoef(np.sqrt(own[both]), np.sqrt(np.maximum(limb.values[both], 0)))[0, 1])


def busiest_s(sensor: Trace, limb: Trace, offset_s: float) -> tuple[float, float]:
    """The stretch of camera time to show: that in which the sensor's turning varies most, among those in
    which the limb is seen, if it ever is. Chosen by the sensor alone, so that no stretch is picked because
    it fits."""
    own = sensor.at(limb.at_s + offset_s)
    seen = np.isfinite(limb.values)
    seen |= not seen.any()
    count = round(_WINDOW_S * HZ)
    best, first = -1.0, 0
    for start in range(0, max(1, len(own) - count), round(HZ)):
        part = slice(start, start + count)
        both = np.isfinite(own[part]) & seen[part]
        vary = float(own[part][both].std()) if both.mean() >= _SEEN_SHARE else -0.5
        if vary > best:
            best, first = vary, start
    return float(limb.at_s[first]), float(limb.at_s[min(len(own) - 1, first + count)])
