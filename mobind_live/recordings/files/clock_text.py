"""Times as people read them: a date with a clock time, or the clock time alone, also as one number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)")
_LONE_DIGIT = re.compile(r"(?<=[: T])\d(?!\d)")  # 10:8:5.5 is 10:08:05.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86400.0
_ALL = 0.99  # of the rows; a corrupted stamp is none of either kind
_STEP_S = 1.0  # hardly a logger's are longer, be it from packet to packet


def microseconds(texts: Iterable[str]) -> np.ndarray:
    """``2026-11-22T10:15:30.5`` since 1970, ``10:15:30.5`` since midnight, (rows,); NaN for others."""
    return np.array([_microseconds(text) for text in texts])


def _microseconds(text: str) -> float:
    text = _LONE_DIGIT.sub(r"0\g<0>", text)
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = match[1], match[2], match[3].replace(",", ".")
        return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1e6
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) / timedelta(microseconds=1)


def run_together(numbers: np.ndarray, per_s: float) -> np.ndarray | None:
    """Numbers (rows,) such as 102354.02, or 102354020 where ``per_s`` is 1000, as 10:23:54.02: microseconds
    since midnight. None where they are no clock times, or, in less than a minute, cannot be told from others.

    Their seconds and minutes go up to 59 only, so 102359.98 is followed by 102400.00. Of a time that simply
    counts, 60 to 99 would be missing, by chance, again and again just there.
    """
    there = np.isfinite(numbers)
    minutes, second = np.divmod(np.where(there, numbers, 0.0) / per_s, 100)
    hour, minute = np.divmod(minutes, 100)
    fits = (hour >= 0) & (hour < 24) & (minute < 60) & (second <= 60)  # 59.9996 may be written 60.000
    since_s = hour * 3600 + minute * 60 + second
    steps_s, turns = np.diff(since_s[there]) % _DAY_S, np.diff(minutes[there]) != 0
    if not steps_s.any() or fits[there].mean() < _ALL or np.median(steps_s[steps_s > 0]) > _STEP_S:
        return None
    return np.where(there, since_s * 1e6, np.nan) if (turns & (steps_s <= _STEP_S)).any() else None
