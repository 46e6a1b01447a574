"""Values in the order of the times at which they were said, to be looked up by time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Course(Generic[T]):
    """What was said, in the order of its times."""

    times_ns: list[int] = field(default_factory=list)
    said: list[T] = field(default_factory=list)

    def add(self, at_ns: int, said: T) -> None:
        self.times_ns.append(at_ns)
        self.said.append(said)

    def cut(self, at_ns: int) -> None:
        """Forget what was said after ``at_ns``."""
        end = bisect_right(self.times_ns, at_ns)
        del self.times_ns[end:], self.said[end:]

    def until(self, at_ns: int) -> T | None:
        """What was said last at ``at_ns``."""
        before = bisect_right(self.times_ns, at_ns)
        return self.said[before - 1] if before else None

    def around(self, at_ns: int) -> tuple[int, int]:
        """The places of what was said last up to ``at_ns`` and first from then on, of which one may be
        missing and is the other; something must have been said."""
        before, after = bisect_right(self.times_ns, at_ns) - 1, bisect_left(self.times_ns, at_ns)
        return (before if before >= 0 else after), (after if after < len(self.said) else before)
