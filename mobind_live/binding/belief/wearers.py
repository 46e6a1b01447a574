"""Who is who across cameras and track breaks: the sensors a person wears are their identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

Seat = tuple[str, int]  # (camera, track)


@dataclass(slots=True)
class Wearers:
    """Names for wearers. IMUs found on one track belong to one wearer.

    ``subjects`` are the names that IMUs' wearers have by the YAML, ``names`` those of IMUs that are believed
    to be where they were found, ``before`` what an IMU had before that or before it may have been moved,
    ``seen`` the names that live tracks bore. A name lasts as long as any of these.
    """

    subjects: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    seen: dict[Seat, str] = field(default_factory=dict)
    _made: int = 0

    def moved(self, imu: str) -> None:
        """It is not known any more who wears ``imu``."""
        if imu in self.names:
            self.before[imu] = self.names.pop(imu)

    def ended(self, seat: Seat) -> None:
        """There is no such track any more; its number may come back with somebody else."""
        self.seen.pop(seat, None)

    def update(self, seats: dict[str, set[Seat]]) -> dict[str, str]:
        """The wearer's name of each IMU in ``seats`` (its sure tracks); IMUs with no sure track are left
        out."""
        self._untangle(seats)
        found: dict[str, str] = {}
        taken: dict[str, set[str]] = {}  # names, and the cameras they are in
        for group in sorted(groups(seats), key=self._turn):
            tracks = set[Seat]().union(*(seats[imu] for imu in group))
            cameras = {camera for camera, _ in tracks}
            free = (
                [name for name in said if self._may_be(name, taken.get(name), cameras)]
                for said in self._said(group, tracks)
            )
            name = next((_most(names) for names in free if names), None) or self._new()
            taken[name] = taken.get(name, set()) | cameras
            found |= dict.fromkeys(group, name)
            self._note(name, tracks)
        for imu, name in found.items():
            if self.names.get(imu) != name:
                self.moved(imu)
        self.names |= found
        return found

    def _untangle(self, seats: dict[str, set[Seat]]) -> None:
        """Where the sensors of two subjects are on each other's tracks, the tracker has taken one person for
        the other: two who exchange sensors meanwhile are far rarer."""
        at: dict[str, set[Seat]] = {}
        for imu, own in seats.items():
            if imu in self.subjects:
                at[self.subjects[imu]] = at.get(self.subjects[imu], set()) | own
        bore = {name: {self.seen[seat] for seat in own if seat in self.seen} for name, own in at.items()}
        for name, own in at.items():
            other = next(iter(bore[name]), name)
            if other != name and bore[name] == {other} and bore.get(other) == {name}:
                self.seen |= dict.fromkeys(own, name)

    def _may_be(self, name: str, taken: set[str] | None, cameras: set[str]) -> bool:
        """Whether somebody in ``cameras`` may bear a name that was ``taken`` in others: two cameras may show
        one subject, by different sensors."""
        return taken is None or (name in self.subjects.values() and not taken & cameras)

    def _turn(self, group: set[str]) -> tuple[int, int, int, str]:
        """Who has most sensors of one subject chooses first, then who has stayed where they were, then who
        has more sensors."""
        declared = self._declared(group)
        stayed = len(group & self.names.keys())
        return -max(declared.values(), default=0), -stayed, -len(group), min(group)

    def _said(self, group: set[str], tracks: set[Seat]) -> Iterator[list[str]]:
        """The names that speak for being the wearer's of ``group`` on ``tracks``, the strongest first."""
        declared = self._declared(group)
        most = [name for name, count in declared.items() if count == max(declared.values())]
        if max(declared.values(), default=0) < 2:  # one sensor alone may be anybody's
            yield [self.seen[seat] for seat in tracks if self.seen.get(seat) in self.subjects.values()]
        yield [self.names[imu] for imu in group if self.names.get(imu) in most]
        yield list(declared.elements())
        yield [self.names[imu] for imu in group if imu in self.names]
        once = [self.before[imu] for imu in group if imu in self.before]
        # Sensors that are found together again are on whom they were on, whatever number the tracker gives.
        yield [name for name in once if once.count(name) > 1]
        yield [self.seen[seat] for seat in tracks if seat in self.seen]
        # A single one was handed over if whoever wore it is still in view, somewhere else.
        yield [name for name in once if name not in self.seen.values()]

    def _declared(self, group: set[str]) -> Counter[str]:
        """How many of ``group`` are each subject's."""
        return Counter(self.subjects[imu] for imu in group & self.subjects.keys())

    def _note(self, name: str, tracks: set[Seat]) -> None:
        """``name`` is on ``tracks`` now, and on no other of their cameras."""
        cameras = {camera for camera, _ in tracks}
        kept = {seat: n for seat, n in self.seen.items() if n != name or seat[0] not in cameras}
        self.seen = kept | dict.fromkeys(tracks, name)

    def _new(self) -> str:
        self._made += 1
        return f"wearer_{self._made}"


def _most(names: list[str]) -> str:
    """The most frequent one."""
    return max(sorted(set(names)), key=names.count)


def groups(seats: dict[str, set[Seat]]) -> list[set[str]]:
    """The IMUs joined where they share a track, directly or through others."""
    joined: list[tuple[set[str], set[Seat]]] = []
    for imu, own in seats.items():
        if not own:
            continue
        imus, tracks = {imu}, set(own)
        apart = []
        for other_imus, other_tracks in joined:
            if tracks & other_tracks:
                imus, tracks = imus | other_imus, tracks | other_tracks
            else:
                apart.append((other_imus, other_tracks))
        joined = [*apart, (imus, tracks)]
    return [imus for imus, _ in joined]
