"""Times as people read them: a date with a clock time, or the clock time alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np

_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d(?:[.,]\d+)?)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(texts: Iterable[str]) -> np.ndarray:
    """``2026-11-22T10:15:30.5`` since 1970, ``10:15:30.5`` since midnight, (rows,); NaN for others."""
    return np.array([_microseconds(text) for text in texts])


def _microseconds(text: str) -> float:
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = match[1], match[2], match[3].replace(",", ".")
        return (int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1e6
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) / timedelta(microseconds=1)
