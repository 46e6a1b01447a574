"""The text of a BVH file: its joints, and the numbers of its frames by what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.models.errors import DatasetError

_POSITION, _ROTATION = "position", "rotation"
_SECONDS = (1e-4, 1.0)  # between two frames
_MOST = 1e9  # in any unit, and of degrees
_DELTA = 0.1  # of an offset: positions that stay smaller than that are counted from it


@dataclass(frozen=True, slots=True)
class Joint:
    """``parent`` is an index, -1 for a root; ``offset`` (3,) from it, in the file's unit; ``channels`` such
    as Xposition; ``first`` is the column of the first of these. An end site has the name ``""``."""

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    first: int


@dataclass(frozen=True, slots=True)
class BvhText:
    """``joints`` by their names, numbered where one occurs again; ``values`` (T, columns) are the frames,
    ``step_s`` apart."""

    joints: dict[str, Joint]
    values: np.ndarray
    step_s: float

    def position(self, name: str) -> np.ndarray:
        """Where a joint is in its parent's frame (T, 3): its offset, or its own channels. Some programs count
        these from the offset, which shows in their being next to nothing."""
        joint = self.joints[name]
        where = np.tile(joint.offset, (len(self.values), 1))
        for column, channel in enumerate(joint.channels, start=joint.first):
            if channel.endswith(_POSITION):
                where[:, "XYZ".index(channel[0])] = self.values[:, column]
        own = np.linalg.norm(where, axis=1).max()
        if joint.parent >= 0 and own < _DELTA * np.linalg.norm(joint.offset):
            where += joint.offset
        return where

    def rotation(self, name: str) -> np.ndarray:
        """How a joint is turned against its parent (T, 3, 3), by its own order of angles."""
        joint = self.joints[name]
        turns = [(c[0], n) for n, c in enumerate(joint.channels, start=joint.first) if c.endswith(_ROTATION)]
        if not turns:
            return np.tile(np.eye(3), (len(self.values), 1, 1))
        angles = self.values[:, [column for _, column in turns]]
        return Rotation.from_euler("".join(axis for axis, _ in turns), angles, degrees=True).as_matrix()

    def above(self, name: str) -> list[str]:
        """A joint and all that it hangs from, the root last."""
        names = list(self.joints)
        line = [name]
        while (parent := self.joints[line[-1]].parent) >= 0:
            line.append(names[parent])
        return line

    def in_the_world(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """``position`` and ``rotation`` with those of all joints that it hangs from."""
        return World(self).of(name)

    def from_frame(self, first: int) -> BvhText:
        """The same without the frames before ``first``."""
        return replace(self, values=self.values[first:])


class World:
    """Where the joints of a file are in the world, each found once."""

    def __init__(self, file: BvhText) -> None:
        self._file, self._names = file, list(file.joints)
        self._known: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Places (T, 3) and turns (T, 3, 3)."""
        if name not in self._known:
            where, turned = self._file.position(name), self._file.rotation(name)
            if (parent := self._file.joints[name].parent) >= 0:
                above, turns = self.of(self._names[parent])
                where, turned = above + (turns @ where[..., None])[..., 0], turns @ turned
            self._known[name] = where, turned
        return self._known[name]


def read(name: str, text: str) -> BvhText:
    """The BVH file called ``name``. Raises DatasetError, naming it."""
    head, _, motion = text.partition("MOTION")
    joints = _joints(name, head)
    said = re.match(r"\s*Frames:\s*(\d+)(\s+Frame\s+Time:\s*(\S+))?", motion, re.IGNORECASE)
    try:
        if said is None:
            raise ValueError("no number of frames")
        if said[2] is None:
            raise DatasetError(f"{name}: says no `Frame Time:`, the seconds from frame to frame")
        count, step_s = int(said[1]), float(said[3])
        values = np.array(motion[said.end() :].split(), dtype=np.float64)
    except ValueError as error:
        raise DatasetError(f"{name}: not a BVH file: `MOTION`, `Frames:`, `Frame Time:`, numbers") from error
    columns = sum(len(joint.channels) for joint in joints.values())
    if not columns or count < 1 or values.size != count * columns:
        raise DatasetError(
            f"{name}: {count} frames of {columns} channels are said, {values.size} numbers there"
        )
    if not (np.abs(values) < _MOST).all():
        raise DatasetError(f"{name}: a number is not finite, or far too large")
    if not _SECONDS[0] <= step_s <= _SECONDS[1]:
        raise DatasetError(f"{name}: {step_s:g} s from frame to frame")
    return BvhText(joints, values.reshape(count, columns), step_s)


def _joints(name: str, head: str) -> dict[str, Joint]:
    joints: dict[str, Joint] = {}
    open_: list[str] = []  # whose braces the line is in
    column, latest = 0, ""
    for line in re.sub(r"([{}])", r"\n\1\n", head).splitlines():
        words = line.split()
        try:
            if words[:1] in (["ROOT"], ["JOINT"]):
                latest = " ".join(words[1:])
            elif words[:1] == ["End"]:
                latest = ""
            elif words[:1] == ["{"]:
                parent = list(joints).index(open_[-1]) if open_ else -1
                open_.append(_unused(latest or f"{open_[-1]} end", joints))
                joints[open_[-1]] = Joint(latest, parent, np.zeros(3), (), column)
            elif words[:1] == ["}"]:
                open_.pop()
            elif words[:1] == ["OFFSET"]:
                joints[open_[-1]] = replace(joints[open_[-1]], offset=_offset(words))
            elif words[:1] == ["CHANNELS"]:
                joints[open_[-1]] = replace(joints[open_[-1]], channels=_channels(words), first=column)
                column += int(words[1])
        except (IndexError, ValueError) as error:
            raise DatasetError(f"{name}: its hierarchy cannot be read at `{line.strip():.60}`") from error
    return joints


def _unused(name: str, joints: dict[str, Joint]) -> str:
    count = sum(key.partition("#")[0] == name for key in joints)
    return f"{name}#{count + 1}" if count else name


def _offset(words: list[str]) -> np.ndarray:
    """Of a line such as ``OFFSET 0 1.5 -3``. Raises ValueError."""
    offset = np.array([float(word) for word in words[1:4]]).reshape(3)
    if not (np.abs(offset) < _MOST).all():
        raise ValueError(f"no offset: {words}")
    return offset


def _channels(words: list[str]) -> tuple[str, ...]:
    """Of a line such as ``CHANNELS 3 Zrotation XRotation yrotation``. Raises ValueError."""
    channels = tuple(word.capitalize() for word in words[2:])
    turns = [channel[0] for channel in channels if channel.endswith(_ROTATION)]
    known = {f"{axis}{kind}" for axis in "XYZ" for kind in (_POSITION, _ROTATION)}
    alike = any(a == b for a, b in pairwise(turns))
    if len(channels) != int(words[1]) or not known.issuperset(channels) or len(turns) > 3 or alike:
        raise ValueError(f"no channels: {words}")
    return channels
