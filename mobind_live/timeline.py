"""Streams onto the common 50 Hz grid: step n stands at ``n * STEP_NS`` of the streams' stamps.

A step is complete once a sample at or after it has come; what is taken is never changed afterwards. Gaps
become steps marked as missing, so that every timeline goes on as long as its stream does.
"""

from __future__ import annotations

import numpy as np

from mobind_live.kinematics.imu import GRAVITY_M_S2

STEP_NS = 20_000_000
_STEPS_PER_TOKEN = 2
IMU_GAP_NS = 150_000_000
POSE_GAP_NS = 400_000_000
SEEN = 0.3
RESET_STEPS = 150  # a stream silent for 3 s starts anew instead of filling the hole


class _Timeline:
    """Samples with stamps in a growing buffer, and the step to be taken next."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self.time = np.empty(0, dtype=np.int64)
        self.values = [np.empty((0, *shape)) for shape in shapes]
        self.next: int | None = None
        self.late = 0

    def push(self, time_ns: np.ndarray, *values: np.ndarray) -> bool:
        """Add samples; those not newer than the newest are counted in ``late`` and left out.

        Returns True if the timeline had to start anew after a long silence.
        """
        last = self.time[-1] if len(self.time) else np.iinfo(np.int64).min
        newest = np.maximum.accumulate(np.concatenate([[last], time_ns]))
        fresh = time_ns > newest[:-1]
        self.late += int((~fresh).sum())
        if not fresh.any():
            return False
        time_ns = time_ns[fresh]
        anew = self.next is None or time_ns[0] > (self.next + RESET_STEPS) * STEP_NS
        if anew:
            self.time = self.time[:0]
            self.values = [value[:0] for value in self.values]
            token = -(-int(time_ns[0]) // (STEP_NS * _STEPS_PER_TOKEN))
            self.next = token * _STEPS_PER_TOKEN
        self.time = np.concatenate([self.time, time_ns])
        self.values = [np.concatenate([a, b[fresh]]) for a, b in zip(self.values, values, strict=True)]
        return anew

    @property
    def ready(self) -> int:
        """How many complete steps wait to be taken."""
        if self.next is None or not len(self.time):
            return 0
        return max(0, int(self.time[-1]) // STEP_NS - self.next + 1)

    def _neighbours(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows before and after each of the next ``steps``, the share of the second, and their distance."""
        assert self.next is not None
        grid = (self.next + np.arange(steps)) * STEP_NS
        after = np.clip(np.searchsorted(self.time, grid), 1, max(1, len(self.time) - 1))
        after = np.minimum(after, len(self.time) - 1)
        before = np.maximum(after - 1, 0)
        gap = self.time[after] - self.time[before]
        share = np.clip((grid - self.time[before]) / np.maximum(gap, 1), 0.0, 1.0)
        return before, after, share, gap

    def _drop(self, steps: int) -> None:
        """Forget the samples that no later step can need."""
        assert self.next is not None
        self.next += steps
        keep = max(0, int(np.searchsorted(self.time, self.next * STEP_NS)) - 4)
        self.time = self.time[keep:]
        self.values = [value[keep:] for value in self.values]


class ImuTimeline(_Timeline):
    """One IMU. Push stamps (N,), acc in m/s^2 and gyro in rad/s (N, 3)."""

    def __init__(self) -> None:
        super().__init__((3,), (3,))

    def take(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The next ``steps``: acc in g (n, 3), gyro in rad/s (n, 3), and 1 where there were samples (n,).

        Streams faster than the grid are low-passed by a symmetric mean as wide as a step.
        """
        before, after, share, gap = self._neighbours(steps)
        acc, gyro = (self._smooth(value) for value in self.values)
        weight = share[:, None]
        taken = [(1 - weight) * value[before] + weight * value[after] for value in (acc, gyro)]
        valid = (gap <= IMU_GAP_NS).astype(float)
        lost = valid < 0.5
        taken = [
            np.where(lost[:, None], value[before], new) for value, new in zip((acc, gyro), taken, strict=True)
        ]
        self._drop(steps)
        return taken[0] / GRAVITY_M_S2, taken[1], valid

    def _smooth(self, values: np.ndarray) -> np.ndarray:
        if len(self.time) < 5:
            return values
        half = int(STEP_NS / 2 / max(1.0, float(np.median(np.diff(self.time)))) + 0.25)
        if half == 0:
            return values
        padded = np.concatenate([np.repeat(values[:1], half, 0), values, np.repeat(values[-1:], half, 0)])
        total = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), axis=0)
        return (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)


class PoseTimeline(_Timeline):
    """One tracked person in one camera. Push stamps (N,) and keypoints (N, 17, 3); a frame in which the
    person is not found is pushed with zero scores."""

    def __init__(self) -> None:
        super().__init__((17, 3))

    def take(self, steps: int) -> np.ndarray:
        """Keypoints (n, 17, 3) of the next ``steps``; the score is 0 where a joint was not seen.

        Between two frames that both see a joint its place is on the line between; where only one does, that
        one stands for the half of the gap next to it.
        """
        before, after, share, gap = self._neighbours(steps)
        (frames,) = self.values
        a, b = frames[before], frames[after]
        weight = share[:, None]
        seen_a, seen_b = a[..., 2] >= SEEN, b[..., 2] >= SEEN
        weight = np.where(seen_a & seen_b, weight, np.where(seen_b, 1.0, np.where(seen_a, 0.0, weight)))
        alone_far = (seen_a & ~seen_b & (share[:, None] > 0.5)) | (~seen_a & seen_b & (share[:, None] < 0.5))
        taken = (1 - weight[..., None]) * a + weight[..., None] * b
        hidden = alone_far | ~(seen_a | seen_b) | (gap > POSE_GAP_NS)[:, None]
        taken[..., 2] = np.where(hidden, 0.0, taken[..., 2])
        self._drop(steps)
        return taken
