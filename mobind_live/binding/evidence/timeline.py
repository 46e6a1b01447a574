"""Streams onto the common 50 Hz grid: step n stands at ``n * STEP_NS`` of the streams' stamps.

A step is complete once every sample that it depends on has come; what is taken is never changed afterwards.
Gaps become steps marked as missing, so that every timeline goes on as long as its stream does.
"""

from __future__ import annotations

import numpy as np

from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.kinematics.imu import GRAVITY_M_S2
from mobind_live.models.features import SEEN, STEP_HZ, STEPS_PER_TOKEN

STEP_NS = round(1e9 / STEP_HZ)
STEP_S = STEP_NS * 1e-9
IMU_GAP_NS = 150_000_000
POSE_GAP_NS = 400_000_000
RESET_NS = 3_000_000_000  # a stream silent for so long starts anew instead of filling the hole


class _Timeline:
    """Samples with stamps in a growing buffer, and the step to be taken next."""

    reach_ns = 0  # how far beyond a step its value depends on samples
    most: tuple[float, ...] = ()  # that each of the values can be

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self.time = np.empty(0, dtype=np.int64)
        self.values = [np.empty((0, *shape)) for shape in shapes]
        self.next = 0
        self.late = 0
        self.broken = 0
        self._late_since: int | None = None

    def push(self, time_ns: np.ndarray, *values: np.ndarray) -> bool:
        """Add samples, in any order. Those not newer than what an earlier push brought, and doubles, are
        counted in ``late`` and left out; those with values that are no numbers, or beyond ``most``, in
        ``broken``.

        Returns True if the timeline starts here, for the first time or anew: after a long silence, or when
        the stamps went back and stayed there.
        """
        within = [np.isfinite(v) & (np.abs(v) <= most) for v, most in zip(values, self.most, strict=True)]
        whole = np.all([v.all(axis=tuple(range(1, v.ndim))) for v in within], axis=0)
        self.broken += int((~whole).sum())
        kept, first = np.unique(time_ns[whole], return_index=True)
        rows = np.flatnonzero(whole)[first]
        last = int(self.time[-1]) if self.started else None
        back = last is not None and self._went_back(kept, last)
        fresh = np.ones(len(kept), dtype=bool) if last is None or back else kept > last
        self.late += int(whole.sum() - fresh.sum())
        if not fresh.any():
            return False
        kept, rows = kept[fresh], rows[fresh]
        anew = last is None or back or int(kept[0]) - last > RESET_NS
        if anew:
            self.time = self.time[:0]
            self.values = [value[:0] for value in self.values]
            token = -(-int(kept[0]) // (STEP_NS * STEPS_PER_TOKEN))
            self.next = token * STEPS_PER_TOKEN
        self.time = np.concatenate([self.time, kept])
        self.values = [np.concatenate([a, b[rows]]) for a, b in zip(self.values, values, strict=True)]
        return anew

    def _went_back(self, time_ns: np.ndarray, last: int) -> bool:
        """Whether nothing but late samples has come for a while: one wild stamp must not silence a stream
        for good. ``time_ns`` (N,) rise; ``last`` is the newest stamp there is."""
        if not len(time_ns):
            return False
        newest = int(time_ns[-1])
        if newest > last:
            self._late_since = None
            return False
        if self._late_since is None or newest < self._late_since:
            self._late_since = int(time_ns[0])
        back = newest - self._late_since > RESET_NS
        if back:
            self._late_since = None
        return back

    @property
    def started(self) -> bool:
        """Whether anything has come; before that there is no ``next`` step."""
        return len(self.time) > 0

    @property
    def newest_ns(self) -> int:
        """The stamp of the newest sample; 0 before there is one."""
        return int(self.time[-1]) if self.started else 0

    @property
    def last_token(self) -> int:
        """The token of the last step that was taken."""
        return self.next // STEPS_PER_TOKEN - 1

    @property
    def ready(self) -> int:
        """How many complete steps wait to be taken."""
        if not self.started:
            return 0
        return max(0, (int(self.time[-1]) - self.reach_ns) // STEP_NS - self.next + 1)

    def _neighbours(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows before and after each of the next ``steps``, the share of the second, and their distance."""
        grid = (self.next + np.arange(steps)) * STEP_NS
        after = np.clip(np.searchsorted(self.time, grid), 1, max(1, len(self.time) - 1))
        after = np.minimum(after, len(self.time) - 1)
        before = np.maximum(after - 1, 0)
        gap = self.time[after] - self.time[before]
        share = np.clip((grid - self.time[before]) / np.maximum(gap, 1), 0.0, 1.0)
        return before, after, share, gap

    def _drop(self, steps: int) -> None:
        """Forget the samples that no later step can need."""
        self.next += steps
        keep = max(0, int(np.searchsorted(self.time, self.next * STEP_NS - self.reach_ns)) - 2)
        self.time = self.time[keep:]
        self.values = [value[keep:] for value in self.values]


class ImuTimeline(_Timeline):
    """One IMU. Push stamps (N,), acc in m/s^2 and gyro in rad/s (N, 3)."""

    reach_ns = STEP_NS // 2
    most = (MOST_M_S2, MOST_RAD_S)

    def __init__(self) -> None:
        super().__init__((3,), (3,))

    def take(self, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The next ``steps``: acc in g (n, 3), gyro in rad/s (n, 3), and 1 where there were samples (n,).

        In a gap the last sample before it stays.
        """
        grid = (self.next + np.arange(steps)) * STEP_NS
        before, _, _, gap = self._neighbours(steps)
        samples = np.concatenate(self.values, axis=1)
        # Streams faster than the grid are averaged over up to a whole step; slower ones are not blurred.
        half = np.clip(STEP_NS - gap, 0, self.reach_ns)
        lost = gap > IMU_GAP_NS
        taken = np.where(lost[:, None], samples[before], _mean_around(self.time, samples, grid, half))
        self._drop(steps)
        return taken[:, :3] / GRAVITY_M_S2, taken[:, 3:], (~lost).astype(float)


def _mean_around(time_ns: np.ndarray, values: np.ndarray, grid: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Means (n, C) over ``grid`` (n,) +- ``half`` (n,) of the straight lines that join the samples (N, C);
    narrower at the ends, so that the mean never leans to one side."""
    if len(time_ns) < 2:
        return values[np.zeros(len(grid), dtype=int)]
    half = np.minimum(half, np.minimum(grid - time_ns[0], time_ns[-1] - grid))
    half_s = np.maximum(half, 1_000) * 1e-9  # a microsecond: the value itself
    at_s, grid_s = (time_ns - time_ns[0]) * 1e-9, (grid - time_ns[0]) * 1e-9
    step_s = np.diff(at_s)[:, None]
    slope = np.diff(values, axis=0) / step_s
    areas = np.cumsum((values[1:] + values[:-1]) / 2 * step_s, axis=0)
    areas = np.concatenate([np.zeros((1, values.shape[1])), areas])

    def area(until_s: np.ndarray) -> np.ndarray:
        row = np.clip(np.searchsorted(at_s, until_s, side="right") - 1, 0, len(slope) - 1)
        on_s = (until_s - at_s[row])[:, None]
        return areas[row] + (values[row] + slope[row] * on_s / 2) * on_s

    return (area(grid_s + half_s) - area(grid_s - half_s)) / (2 * half_s[:, None])


class PoseTimeline(_Timeline):
    """One tracked person in one camera. Push stamps (N,) and keypoints (N, 17, 3); a frame in which the
    person is not found is pushed with zero scores."""

    most = (np.inf,)

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


def unbroken(time_ns: np.ndarray) -> list[np.ndarray]:
    """The rows of stamps (N,), oldest first, cut where a stream would start anew: a stamp far ahead must not
    have the engine fill all the time until then."""
    rows = np.argsort(time_ns, kind="stable")
    return np.split(rows, np.flatnonzero(np.diff(time_ns[rows]) > RESET_NS) + 1)
