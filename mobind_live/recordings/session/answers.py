"""What the answers of a session say, to be looked up by when a message came in: stamps may be media time,
which runs at another rate, but messages come in the order of one clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np

from mobind_live.client import OffsetMap
from mobind_live.schema import Binding, Imu, Offset, Verdict

# One offset is kept for so long, while it hardly changes: a session has hundreds of thousands.
_EVERY_NS, _SAME_S = 5_000_000_000, 0.001
_SILENT_NS = 5_000_000_000  # without a binding, nobody says any more who is who
_NOTHING = np.zeros(0, np.float32)

T = TypeVar("T")
Seat = tuple[str, int, int]  # a camera, the life of the process that saw, and the track


@dataclass(slots=True)
class Course(Generic[T]):
    """What was said at which times, in their order."""

    times_ns: list[int] = field(default_factory=list)
    said: list[T] = field(default_factory=list)

    def add(self, at_ns: int, said: T) -> None:
        self.times_ns.append(at_ns)
        self.said.append(said)

    def until(self, at_ns: int) -> T | None:
        """What was said last at ``at_ns``."""
        before = bisect_right(self.times_ns, at_ns)
        return self.said[before - 1] if before else None

    def nearest(self, at_ns: int) -> T:
        """What was said nearest to ``at_ns``; something must have been."""
        after = min(bisect_left(self.times_ns, at_ns), len(self.said) - 1)
        return self.said[min(max(0, after - 1), after, key=lambda n: abs(self.times_ns[n] - at_ns))]


class Answers:
    """Fed in the order of the session. A track's number means a person only as long as its camera's process
    lives, and a name is on a track only while a binding is sure of it."""

    def __init__(self) -> None:
        self.turning: set[str] = set()  # the IMUs that ever told their orientation
        self._boots: dict[str, int] = {}
        self._offsets: dict[tuple[str, str], Course[OffsetMap]] = {}
        self._names: dict[Seat, Course[str]] = {}
        self._seats: dict[str, set[Seat]] = {}  # of each IMU, now
        self._told_ns: list[int] = []  # when any binding was said

    @property
    def cameras(self) -> Sequence[str]:
        return sorted(self._boots)

    def saw(self, camera: str, boot_ns: int) -> None:
        """A camera has sent people; ``boot_ns`` is its process's life."""
        self._boots[camera] = boot_ns

    def aligned(self, at_ns: int, offset: Offset) -> None:
        """An offset was ``ok``."""
        course = self._offsets.setdefault((offset.stream, offset.camera), Course())
        if course.said:
            last = course.said[-1].offset
            if at_ns - course.times_ns[-1] < _EVERY_NS and abs(offset.offset_s - last.offset_s) < _SAME_S:
                return
        course.add(at_ns, OffsetMap(replace(offset, lags_s=_NOTHING, weights=_NOTHING)))

    def bound(self, at_ns: int, binding: Binding) -> None:
        """A binding was said, sure or not."""
        self._told_ns.append(at_ns)
        sure = binding.wearer_verdict in (Verdict.OK, Verdict.NO_MOTION) and binding.wearer
        tracks = binding.tracks.items() if sure else ()
        seats = {(camera, self._boots.get(camera, 0), track) for camera, track in tracks}
        left = self._seats.get(binding.stream, set()) - seats
        self._seats[binding.stream] = seats
        for seat in left - set[Seat]().union(*self._seats.values()):
            self._names[seat].add(at_ns, "")
        for seat in seats:
            self._names.setdefault(seat, Course()).add(at_ns, binding.wearer)

    def knows(self, imu: str, camera: str) -> bool:
        """Whether an offset of the two was ever ``ok``."""
        return (imu, camera) in self._offsets

    def in_camera(self, imu: Imu, camera: str, at_ns: int) -> list[int]:
        """When a camera saw what the IMU felt, by the ``ok`` offset nearest to ``at_ns``: a stamp for each
        sample, or nothing where there is no such offset."""
        course = self._offsets.get((imu.stream, camera))
        return [] if course is None else list(map(course.nearest(at_ns).to_camera, imu.t_ns.tolist()))

    def wearer(self, camera: str, boot_ns: int, track: int, at_ns: int) -> str:
        """Who the person on ``track`` was; nothing where no binding said shortly before is sure of it."""
        course = self._names.get((camera, boot_ns, track))
        told = bisect_right(self._told_ns, at_ns)
        if course is None or not told or at_ns - self._told_ns[told - 1] > _SILENT_NS:
            return ""
        return course.until(at_ns) or ""
