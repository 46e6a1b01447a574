"""Whether the offset steps in the middle of a recording, as where a clock is set or a video is cut.

Such a recording has one lag for most of it and another for the rest, and the evidence for the first hides
that for the second. But a stretch of the rest has its peak far from the whole recording's, and its neighbours
have theirs at the same lag, where chance peaks are low, alone, and anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mobind_live.recordings.sync.drift import REACH

_EACH = 3.0  # nats that a stretch's peak gains over the whole recording's, at least
_ALL = 20.0  # nats that neighbouring stretches gain together
_SAME = 2  # tokens between the peaks of one offset
_LEAST = 2  # stretches


@dataclass(frozen=True, slots=True)
class Step:
    """Between ``from_s`` and ``until_s`` of the camera's time the offset is another: ``offset_s``. None is
    the recording's begin or end."""

    offset_s: float
    from_s: float | None
    until_s: float | None

    def shifted(self, by_s: float) -> Step:
        """The same, the IMU's time counted from ``by_s`` earlier on."""
        return replace(self, offset_s=self.offset_s + by_s)

    def __str__(self) -> str:
        if self.from_s is None:
            when = "" if self.until_s is None else f" until about {self.until_s:.0f} s"
        elif self.until_s is None:
            when = f" from about {self.from_s:.0f} s on"
        else:
            when = f" from about {self.from_s:.0f} to {self.until_s:.0f} s"
        return f"the offset is {self.offset_s:+.2f} s{when}: split the recording there"


def find(curves: np.ndarray, borders_s: list[float], peak: int, token_s: float) -> Step | None:
    """The step, or None, by each stretch's evidence over lags, ``curves`` (K, L) in nats, the stretches'
    borders (K + 1) and ``peak``, an index of L, which is the whole recording's."""
    if not curves.size:
        return None
    compared = np.where(curves == 0, -np.inf, curves)  # at other lags there was nothing to compare
    lag = compared.argmax(axis=1)
    best = compared.max(axis=1)
    near = _near(compared, peak, REACH)
    known = np.isfinite(near)
    gain = np.where(known, best, 0) - np.where(known, near, 0)
    runs = [run for run in _runs(gain, lag) if gain[run].sum() > _ALL]
    if not runs:
        return None
    run = max(runs, key=lambda one: gain[one].sum())
    at = float(np.average(lag[run], weights=gain[run]))
    against = np.where(known, near, 0) > _EACH + _near(compared, round(at), _SAME)
    # Who hardly moves at the begin or the end tells nothing of either offset.
    first = run.start if against[: run.start].any() else 0
    stop = run.stop if against[run.stop :].any() else len(curves)
    return Step(
        (at - curves.shape[1] // 2) * token_s,
        borders_s[first] if first > 0 else None,
        borders_s[stop] if stop < len(curves) else None,
    )


def straightened(curves: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Each stretch's evidence (K, L) moved to lags smaller by its own of ``by`` (K,), whole tokens: where a
    drift leads over an hour is no step."""
    out = np.zeros_like(curves)
    lags = curves.shape[1]
    for row, curve, tokens in zip(out, curves, np.clip(by, -lags, lags).tolist(), strict=True):
        row[max(0, -tokens) : lags - max(0, tokens)] = curve[max(0, tokens) : lags - max(0, -tokens)]
    return out


def _near(curves: np.ndarray, lag: int, reach: int) -> np.ndarray:
    """The most (K,) at ``lag`` and what is at most ``reach`` from it."""
    return curves[:, max(0, lag - reach) : lag + reach + 1].max(axis=1)


def _runs(gain: np.ndarray, lag: np.ndarray) -> list[slice]:
    """The neighbouring stretches, at least two, that gain enough, all at about one lag."""
    breaks = [0]
    for n in range(1, len(gain)):
        one = slice(breaks[-1], n + 1)
        if gain[n - 1] <= _EACH or gain[n] <= _EACH or np.ptp(lag[one]) > _SAME:
            breaks.append(n)
    return [slice(a, b) for a, b in pairwise([*breaks, len(gain)]) if b - a >= _LEAST]
