"""The ``ok`` offsets of one sensor in one camera over a session, and where they contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mobind_live.client import OffsetMap
from mobind_live.recordings.session.course import Course
from mobind_live.schema import Offset

STEP_S, STEP_SIGMAS = 0.05, 3.0
# One offset is kept for so long, while it hardly changes: a session has hundreds of thousands.
_EVERY_NS, _SAME_S = 5_000_000_000, 0.001
_NOTHING = np.zeros(0, np.float32)


class Step(NamedTuple):
    """Between two times the offset has stepped, nobody knows when."""

    from_ns: int
    to_ns: int
    by_s: float


def step_s(before: Offset, after: Offset) -> float:
    """By how much an offset has stepped between two answers; 0 where drift and doubt explain it."""
    age_s = (after.reference_ns - before.reference_ns) * 1e-9
    by_s = after.offset_s - before.offset_s - before.rate_ppm * 1e-6 * age_s
    sigma_s = float(np.linalg.norm([before.sigma_s, after.sigma_s, before.rate_sigma_ppm * 1e-6 * age_s]))
    return by_s if abs(by_s) > max(STEP_S, STEP_SIGMAS * sigma_s) else 0.0


@dataclass(slots=True)
class Alignment:
    """Fed with ``ok`` offsets in their order. One that was only held on to (``held_s``) counts until one
    that was seen contradicts it."""

    _course: Course[OffsetMap] = field(default_factory=Course[OffsetMap])
    _seen: tuple[int, OffsetMap] | None = None  # the last that was not held

    def add(self, at_ns: int, offset: Offset) -> None:
        new = OffsetMap(replace(offset, lags_s=_NOTHING, weights=_NOTHING))
        if not offset.held_s:
            self._contradict(offset)
            self._seen = at_ns, new
        course = self._course
        lately = course.said and at_ns - course.times_ns[-1] < _EVERY_NS
        if not lately or abs(offset.offset_s - course.said[-1].offset.offset_s) >= _SAME_S:
            course.add(at_ns, new)

    def _contradict(self, offset: Offset) -> None:
        """Forget what was held on to since the last that was seen, if ``offset`` is another."""
        course = self._course
        if self._seen is None:
            if course.said and step_s(course.said[-1].offset, offset):
                self._course = Course()
        elif step_s(self._seen[1].offset, offset):
            course.cut(self._seen[0])
            course.add(*self._seen)

    def at(self, at_ns: int) -> tuple[int, OffsetMap | None]:
        """The offset nearest to ``at_ns``, none where it has stepped meanwhile, and how far that is in ns."""
        course = self._course
        around = course.around(at_ns)
        away_ns, nearest = min((abs(course.times_ns[n] - at_ns), n) for n in around)
        stepped = step_s(*(course.said[n].offset for n in around))
        return away_ns, None if stepped else course.said[nearest]

    def steps(self) -> Iterator[Step]:
        course = self._course
        for (from_ns, before), (to_ns, after) in pairwise(zip(course.times_ns, course.said, strict=True)):
            if by_s := step_s(before.offset, after.offset):
                yield Step(from_ns, to_ns, by_s)
