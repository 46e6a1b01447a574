"""The text of a BVH file: its joints, and the numbers of its frames by what they mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.models.errors import DatasetError

_POSITION, _ROTATION = "position", "rotation"
_SECONDS = (1e-4, 1.0)  # between two frames


@dataclass(frozen=True, slots=True)
class Joint:
    """``parent`` is an index, -1 for the root; ``offset`` (3,) from it, in the file's unit; ``channels`` such
    as Xposition; ``first`` is the column of the first of these."""

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    first: int


@dataclass(frozen=True, slots=True)
class BvhText:
    """``values`` (T, columns) are the frames, ``step_s`` apart."""

    joints: dict[str, Joint]
    values: np.ndarray
    step_s: float

    def position(self, name: str) -> np.ndarray:
        """Where a joint is in its parent's frame (T, 3): its offset, or its own channels."""
        joint = self.joints[name]
        where = np.tile(joint.offset, (len(self.values), 1))
        for column, channel in enumerate(joint.channels, start=joint.first):
            if channel.endswith(_POSITION):
                where[:, "XYZ".index(channel[0])] = self.values[:, column]
        return where

    def rotation(self, name: str) -> np.ndarray:
        """How a joint is turned against its parent (T, 3, 3), by its own order of angles."""
        joint = self.joints[name]
        turns = [(c[0], n) for n, c in enumerate(joint.channels, start=joint.first) if c.endswith(_ROTATION)]
        if not turns:
            return np.tile(np.eye(3), (len(self.values), 1, 1))
        angles = self.values[:, [column for _, column in turns]]
        return Rotation.from_euler("".join(axis for axis, _ in turns), angles, degrees=True).as_matrix()

    def in_the_world(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """``position`` and ``rotation`` with those of all joints that it hangs from."""
        where, turned = self.position(name), self.rotation(name)
        names = list(self.joints)
        above = self.joints[name].parent
        while above >= 0:
            own = self.rotation(names[above])
            where = self.position(names[above]) + (own @ where[..., None])[..., 0]
            turned = own @ turned
            above = self.joints[names[above]].parent
        return where, turned


def read(name: str, text: str) -> BvhText:
    """The BVH file called ``name``. Raises DatasetError, naming it."""
    head, _, motion = text.partition("MOTION")
    joints = _joints(name, head)
    words = motion.split()
    try:
        count, step_s = int(words[1]), float(words[4])
        values = np.array(words[5:], dtype=np.float64)
    except (IndexError, ValueError) as error:
        raise DatasetError(f"{name}: not a BVH file: `MOTION`, `Frames:`, `Frame Time:`, numbers") from error
    columns = sum(len(joint.channels) for joint in joints.values())
    if not columns or count < 1 or values.size != count * columns:
        raise DatasetError(
            f"{name}: {count} frames of {columns} channels are said, {values.size} numbers there"
        )
    if not np.isfinite(values).all():
        raise DatasetError(f"{name}: a number is not finite")
    if not _SECONDS[0] <= step_s <= _SECONDS[1]:
        raise DatasetError(f"{name}: {step_s:g} s from frame to frame")
    return BvhText(joints, values.reshape(count, columns), step_s)


def _joints(name: str, head: str) -> dict[str, Joint]:
    joints: dict[str, Joint] = {}
    above: list[str] = []  # what the line's braces are in; "" for an end site
    column, latest, offset = 0, "", np.zeros(3)
    for line in head.splitlines():
        words = line.split()
        try:
            if words[:1] in (["ROOT"], ["JOINT"]):
                latest = words[1]
            elif words[:1] == ["End"]:
                latest = ""
            elif words[:1] == ["{"]:
                above.append(latest)
            elif words[:1] == ["}"]:
                above.pop()
            elif words[:1] == ["OFFSET"]:
                offset = np.array(words[1:4], dtype=np.float64)
            elif words[:1] == ["CHANNELS"]:
                channels = tuple(words[2 : 2 + int(words[1])])
                parent = list(joints).index(above[-2]) if len(above) > 1 else -1
                joints[above[-1]] = Joint(above[-1], parent, offset, channels, column)
                column += len(channels)
        except (IndexError, ValueError) as error:
            raise DatasetError(f"{name}: its hierarchy cannot be read at `{line.strip():.60}`") from error
    return joints
