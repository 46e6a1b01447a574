"""What the answers of a session say, to be looked up by when a message was sent: stamps may be media time,
which runs at another rate, but all senders have one clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from mobind_live.recordings.session.alignment import Alignment, Step
from mobind_live.recordings.session.course import Course
from mobind_live.schema import Binding, Imu, Offset, Verdict

_SILENT_NS = 5_000_000_000  # without a binding, nobody says any more who is who

Seat = tuple[str, int, int]  # a camera, the life of the process that saw, and the track


class Lookup:
    """Fed in the order of the session. A process that begins anew (``boot_ns``) begins another life: a
    track's number means a person only in one life of its camera, and an offset holds only between one life of
    the sensor and one of the camera. Which worker found it does not matter. A name is on a track only while a
    binding is sure of it."""

    def __init__(self) -> None:
        self.turning: set[str] = set()  # the IMUs that ever told their orientation
        self._sensors: dict[str, int] = {}  # the life of each IMU, now
        self._boots: dict[str, int] = {}  # and of each camera
        self._lives: dict[str, dict[int, tuple[int, int]]] = {}  # of each camera: the first and last message
        self._aligned: dict[tuple[str, int, str], dict[int, Alignment]] = {}
        self._names: dict[Seat, Course[str]] = {}
        self._seats: dict[str, set[Seat]] = {}  # of each IMU, now
        self._told_ns: list[int] = []  # when any binding was said

    @property
    def cameras(self) -> Sequence[str]:
        return sorted(self._boots)

    def saw(self, at_ns: int, camera: str, boot_ns: int) -> None:
        """A camera has sent people; ``boot_ns`` is its process's life."""
        self._boots[camera] = boot_ns
        lives = self._lives.setdefault(camera, {})
        first_ns, _ = lives.get(boot_ns, (at_ns, at_ns))
        lives[boot_ns] = first_ns, at_ns

    def felt(self, imu: Imu, boot_ns: int) -> None:
        """An IMU has sent samples."""
        self._sensors[imu.stream] = boot_ns
        if len(imu.quaternion):
            self.turning.add(imu.stream)

    def aligned(self, at_ns: int, offset: Offset) -> None:
        """An offset was ``ok``."""
        imu, camera = offset.stream, offset.camera
        if imu in self._sensors and camera in self._boots:
            known = self._aligned.setdefault((imu, self._sensors[imu], camera), {})
            known.setdefault(self._boots[camera], Alignment()).add(at_ns, offset)

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

    def in_camera(self, at_ns: int, imu: Imu, boot_ns: int, camera: str) -> list[int]:
        """When a camera saw what the IMU felt, by the ``ok`` offset nearest to ``at_ns``: a stamp for each
        sample, or nothing where there is no such offset, or where it has stepped."""
        known = self._aligned.get((imu.stream, boot_ns, camera), {})
        lives = self._lives[camera].items()
        now = next((life for life, (first_ns, last_ns) in lives if first_ns <= at_ns <= last_ns), None)
        # While no camera sees, the offset of the life before is as good as that of the next.
        usable = [one.at(at_ns) for life, one in known.items() if now in (life, None)]
        nearest = min(usable, key=lambda found: found[0], default=(0, None))[1]
        return [] if nearest is None else list(map(nearest.to_camera, imu.t_ns.tolist()))

    def steps(self) -> Iterator[tuple[str, str, Step]]:
        """Where an IMU's offset to a camera has stepped."""
        for (imu, _, camera), lives in self._aligned.items():
            yield from ((imu, camera, step) for one in lives.values() for step in one.steps())

    def wearer(self, at_ns: int, camera: str, boot_ns: int, track: int) -> str:
        """Who the person on ``track`` was; nothing where no binding said shortly before is sure of it."""
        course = self._names.get((camera, boot_ns, track))
        told = bisect_right(self._told_ns, at_ns)
        if course is None or not told or at_ns - self._told_ns[told - 1] > _SILENT_NS:
            return ""
        return course.until(at_ns) or ""
