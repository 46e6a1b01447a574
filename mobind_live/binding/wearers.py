"""Who is who across cameras and track breaks: the sensors a person wears are their identity."""

from __future__ import annotations

from dataclasses import dataclass, field

Seat = tuple[str, int]  # (camera, track)


@dataclass(slots=True)
class Wearers:
    """Names for wearers. IMUs found on one track belong to one wearer; a wearer keeps the name that most of
    its IMUs had before."""

    names: dict[str, str] = field(default_factory=dict)
    _made: int = 0

    def update(self, seats: dict[str, set[Seat]]) -> dict[str, str]:
        """The wearer's name of each IMU in ``seats`` (its sure tracks); IMUs with no sure track are left
        out."""
        taken: set[str] = set()
        found: dict[str, str] = {}
        for group in sorted(groups(seats), key=lambda g: (-len(g), min(g))):
            before = [self.names[imu] for imu in group if self.names.get(imu, "") not in ("", *taken)]
            name = max(sorted(set(before)), key=before.count) if before else self._new()
            taken.add(name)
            found |= dict.fromkeys(group, name)
        self.names |= found
        return found

    def _new(self) -> str:
        self._made += 1
        return f"wearer_{self._made}"


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
