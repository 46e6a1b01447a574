"""One motion as the BVH files of different programs: their names, trees, frames, units, axes and channels."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from mobind_live.kinematics.body import forward
from mobind_live.models.datasets import bvh
from mobind_live.models.datasets.body_frames import AHEAD, LEFT, STANDING, UP

_M = (*bvh.JOINTS, *bvh.ENDS)
_OFFSETS_CM = (
    (0, 0, 0), (11, 0, 0), (12, 0, 0), (25, 0, 0), (9, 0, 0), (18, 0, 4), (13, 0, 0), (27, 0, 0),
    (18, 0, -4), (-13, 0, 0), (-27, 0, 0), (-3, -9, 0), (41, 0, 0), (-3, 9, 0), (-41, 0, 0), (25, 0, 0),
    (-25, 0, 0), (42, 0, 0), (-42, 0, 0),
)  # fmt: skip

# Each line a joint, under the one above it that stands further left, and what it is: a joint of ours, nothing
# (it sits where its parent does), toes or a finger, or so far on the way between two of ours. ~ is a side.

CMU = """
Hips Hips
 ~HipJoint -
  ~~UpLeg UpperLeg
   ~~Leg LowerLeg
    ~~Foot Foot
     ~~ToeBase toes
 LowerBack Spine
  Spine Spine>Chest
   Spine1 Chest
    Neck Neck
     Neck1 Neck>Head
      Head Head
    ~~Shoulder Shoulder
     ~~Arm UpperArm
      ~~ForeArm LowerArm
       ~~Hand Hand
        ~~FingerBase -
         ~~HandIndex1 finger
        ~Thumb finger
"""
LAFAN = """
Hips Hips
 ~~UpLeg UpperLeg
  ~~Leg LowerLeg
   ~~Foot Foot
    ~~Toe toes
 Spine Spine
  Spine1 Spine>Chest
   Spine2 Chest
    Neck Neck
     Head Head
    ~~Shoulder Shoulder
     ~~Arm UpperArm
      ~~ForeArm LowerArm
       ~~Hand Hand
"""
STYLE100 = """
Hips Hips
 Chest Spine
  Chest2 Spine>Chest
   Chest3 Spine>Chest
    Chest4 Chest
     Neck Neck
      Head Head
     ~~Collar Shoulder
      ~~Shoulder UpperArm
       ~~Elbow LowerArm
        ~~Wrist Hand
 ~~Hip UpperLeg
  ~~Knee LowerLeg
   ~~Ankle Foot
    ~~Toe toes
"""
MVN = """
Pelvis Hips
 L5 Spine
  L3 Spine>Chest
   T8 Chest
    Neck Neck
     Head Head
    ~~Shoulder Shoulder
     ~~UpperArm UpperArm
      ~~ForeArm LowerArm
       ~~Hand Hand
 ~~UpperLeg UpperLeg
  ~~LowerLeg LowerLeg
   ~~Foot Foot
    ~~Toe toes
"""
OPTITRACK = """
Hip Hips
 Ab Spine
  Chest Chest
   Neck Neck
    Head Head
   ~Shoulder Shoulder
    ~UArm UpperArm
     ~FArm LowerArm
      ~Hand Hand
 ~Thigh UpperLeg
  ~Shin LowerLeg
   ~Foot Foot
    ~Toe toes
"""
ROKOKO = """
Root world
 Hips Hips
  Spine1 Spine
   Spine2 Spine>Chest
    Spine4 Chest
     Neck Neck
      Head Head
     ~~Shoulder Shoulder
      ~~Arm UpperArm
       ~~ForeArm LowerArm
        ~~Hand Hand
  ~~Thigh UpperLeg
   ~~Shin LowerLeg
    ~~Foot Foot
     ~~Toe toes
"""
BIPED = """
Bip01 Hips
 Bip01 Pelvis -
  Bip01 ~ Thigh UpperLeg
   Bip01 ~ Calf LowerLeg
    Bip01 ~ Foot Foot
     Bip01 ~ Toe0 toes
  Bip01 Spine Spine
   Bip01 Spine1 Chest
    Bip01 Neck Neck
     Bip01 Head Head
     Bip01 ~ Clavicle Shoulder
      Bip01 ~ UpperArm UpperArm
       Bip01 ~ Forearm LowerArm
        Bip01 ~ Hand Hand
"""
OURS = """
joint_Root world
 Hips Hips
  Spine Spine
   Chest Chest
    Neck Neck
     Head Head
    Shoulder_~ Shoulder
     UpperArm_~ UpperArm
      LowerArm_~ LowerArm
       Hand_~ Hand
  UpperLeg_~ UpperLeg
   LowerLeg_~ LowerLeg
    Foot_~ Foot
     Toes_~ toes
"""

# The frames of zero turns: the file's axes in a body that stands, arms out, down or between, or legs astride;
# all bones along x; the same but for hips and head, which are upright; ours.
T_POSE, A_POSE, I_POSE, ASTRIDE, ALONG_X, MIXED, AS_OURS = "T", "A", "I", "astride", "x", "mixed", "ours"
_ARMS_DEG = {T_POSE: 0.0, A_POSE: 45.0, I_POSE: 90.0, ASTRIDE: 0.0}


@dataclass(frozen=True)
class Form:
    """How a file is written. ``metres`` is its unit; ``up`` its axis."""

    tree: str
    rest: str = T_POSE
    metres: float = 0.01
    up: str = "y"
    order: str = "ZXY"
    six: str = ""  # positions for every joint: "places" or, counted from the offsets, "deltas"
    hz: float = 30.0
    prefix: str = ""
    pose_first: float | None = None  # so many degrees of turn at each joint in a frame before the motion
    changes: tuple[tuple[str, str], ...] = ()  # of the hierarchy's text


@dataclass(frozen=True)
class Person:
    """``places_m`` (T, 19, 3) and ``turns`` (T, 15, 3, 3) in the world, z up."""

    places_m: np.ndarray
    turns: np.ndarray


def walker(frames: int = 90, size: float = 1.0) -> Person:
    """Somebody who goes in a curve and moves everything, in our joints."""
    t = np.arange(frames) / bvh.RATE_HZ
    body = {joint: np.tile(STANDING[joint], (frames, 1, 1)) for joint in bvh.JOINTS}
    local = {}
    for joint, parent in zip(bvh.JOINTS, bvh.PARENTS, strict=False):
        above = np.eye(3) if parent < 0 else np.swapaxes(body[bvh.JOINTS[parent]], -1, -2)
        local[joint] = above @ body[joint]

    def turn(joint: str, axes: str, *degrees: np.ndarray) -> None:
        turns = Rotation.from_euler(axes, np.stack(degrees, axis=1), degrees=True).as_matrix()
        local[joint] = local[joint] @ turns

    swing = np.sin(2 * np.pi * t)
    for side, sign in (("L", 1), ("R", -1)):
        out = sign * swing
        turn(f"Shoulder_{side}", "yz", 4 * out, -5 + 3 * out)
        turn(f"UpperArm_{side}", "zyx", -60 + 8 * swing, 25 * out, 15 * out)
        turn(f"LowerArm_{side}", "yx", -40 - 20 * out, 20 * swing)
        turn(f"UpperLeg_{side}", "yzx", -10 + 25 * out, 4 * swing + 2, 6 * out)
        turn(f"LowerLeg_{side}", "yx", 30 + 20 * out, 3 * swing)
    turn("Spine", "zyx", 6 + 3 * swing, 5 * swing, 3 * out)
    turn("Chest", "zyx", 4 * swing, 6 * swing, 4 * out)
    turn("Neck", "zx", -4 + 5 * swing, 8 * out)
    turn("Head", "zyx", 5 * swing, 6 * out, 15 * swing)
    heading = Rotation.from_euler("zyx", np.stack([20 * t - 60, 4 * swing, 3 * out], axis=1), degrees=True)
    local["Hips"] = heading.as_matrix() @ local["Hips"]
    root = np.stack([0.3 * t, 0.9 * np.sin(t) - 0.4, 0.89 + 0.02 * swing], axis=1) * size
    turns = np.stack([local[joint] for joint in bvh.JOINTS], axis=1)
    return posed(turns, root, np.array(_OFFSETS_CM) * 0.01 * size)


def posed(local: np.ndarray, root_m: np.ndarray, offset_m: np.ndarray) -> Person:
    ends = np.broadcast_to(np.eye(3), (len(local), len(bvh.ENDS), 3, 3))
    places, turns = forward(bvh.PARENTS, offset_m, np.concatenate([local, ends], axis=1), root_m)
    return Person(places, turns[:, : len(bvh.JOINTS)])


def of_take(take: bvh.Take) -> Person:
    local = Rotation.from_rotvec(take.rotation.reshape(-1, 3)).as_matrix()
    return posed(local.reshape(*take.rotation.shape, 3), take.root_m, take.offset_m)


def at_rate(person: Person, hz: float) -> Person:
    """The same, seen more or less often."""
    t = np.arange(len(person.turns)) / bvh.RATE_HZ
    wanted = np.arange(0, t[-1] + 1e-9, 1 / hz)
    take = bvh.Take("", np.zeros((len(t), 15, 3)), person.places_m[:, 0], np.zeros((19, 3)))
    local = np.stack([_against(person.turns, n, parent) for n, parent in enumerate(bvh.PARENTS[:15])], axis=1)
    turns = np.stack(
        [Slerp(t, Rotation.from_matrix(local[:, n]))(wanted).as_matrix() for n in range(15)], axis=1
    )
    root = np.stack([np.interp(wanted, t, x) for x in take.root_m.T], axis=1)
    offsets = np.stack(
        [np.zeros(3)]
        + [
            person.turns[0, parent].T @ (person.places_m[0, n] - person.places_m[0, parent])
            for n, parent in enumerate(bvh.PARENTS)
            if parent >= 0
        ]
    )
    return posed(turns, root, offsets)


def _against(turns: np.ndarray, joint: int, parent: int) -> np.ndarray:
    return turns[:, joint] if parent < 0 else np.swapaxes(turns[:, parent], -1, -2) @ turns[:, joint]


# The file's axes by the body's, who looks along z where y is up and along -y where z is.
_AXES = {
    "y": np.stack([[0, 0, 1], [1, 0, 0], [0, 1, 0]], 1),
    "z": np.stack([[0, -1, 0], [1, 0, 0], [0, 0, 1]], 1),
}
_TO_FILE = {"y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), "z": np.eye(3)}


def text(person: Person, form: Form) -> str:
    """The person's motion in a file of that form."""
    person = person if form.hz == bvh.RATE_HZ else at_rate(person, form.hz)
    lines = _tree(form.tree)
    names = [name for name, _, _ in lines]
    parents = [parent for _, _, parent in lines]
    places, turns = [], []
    for _, meaning, parent in lines:
        where, turned = _joint(
            person, form, meaning, (places[parent], turns[parent]) if parent >= 0 else None
        )
        places.append(where)
        turns.append(turned)
    to_file = _TO_FILE[form.up]
    places = [where @ to_file.T / form.metres for where in places]
    turns = [to_file @ turned for turned in turns]
    frames, head, columns = len(places[0]), {}, []
    for n, parent in enumerate(parents):
        way, turned = places[n], turns[n]
        if parent >= 0:
            back = np.swapaxes(turns[parent], -1, -2)
            way, turned = (back @ (way - places[parent])[..., None])[..., 0], back @ turned
        offset = np.median(way, axis=0) if parent >= 0 else np.zeros(3)
        channels = [f"{axis}rotation" for axis in form.order]
        with warnings.catch_warnings(action="ignore"):  # of gimbal lock: other angles for the same turn
            angles = Rotation.from_matrix(turned).as_euler(form.order, degrees=True)
        if parent < 0 or form.six or lines[n][1] == "Hips":
            channels = ["Xposition", "Yposition", "Zposition", *channels]
            columns.append(way - (offset if form.six == "deltas" and parent >= 0 else 0))
        columns.append(angles)
        if form.six == "places" and parent >= 0:
            offset = np.zeros(3)
        head[n] = (offset, channels)
    values = np.concatenate(columns, axis=1)
    if form.pose_first is not None:
        still = values[:1] * 0 + form.pose_first
        still[:, :3] = values[:1, :3]
        values = np.concatenate([still, values])
        frames += 1
    rows = "\n".join(" ".join(f"{v:.5f}" for v in row) for row in values)
    hierarchy = "\n".join(_hierarchy(0, names, parents, head, form.prefix))
    for pattern, new in form.changes:
        hierarchy = re.sub(pattern, new, hierarchy)
    return f"HIERARCHY\n{hierarchy}\nMOTION\nFrames: {frames}\nFrame Time: {1 / form.hz:.7f}\n{rows}\n"


def _tree(tree: str) -> list[tuple[str, str, int]]:
    """Name, meaning and parent of each joint, both sides written out, parents first."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in tree.strip("\n").splitlines()]
    found: list[tuple[str, str, int]] = []

    def add(at: int, parent: int, side: str) -> None:
        depth, line = lines[at]
        sides = [side] if side or "~" not in line else ["L", "R"]
        for own in sides:
            name, _, meaning = line.rpartition(" ")
            name = name.replace("~~", {"L": "Left", "R": "Right"}.get(own, "")).replace("~", own)
            limb = {"Hand", "Foot"} | {x[:-2] for x in bvh.JOINTS if x.endswith("_L")}
            found.append((name, f"{meaning}_{own}" if meaning in limb else meaning, parent))
            number = len(found) - 1
            for below in range(at + 1, len(lines)):
                if lines[below][0] <= depth:
                    break
                if lines[below][0] == depth + 1:
                    add(below, number, own)

    add(0, -1, "")
    return found


def _joint(
    person: Person, form: Form, meaning: str, above: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Where a joint of the file is (T, 3) and how its frame is turned (T, 3, 3), in our world."""
    if meaning in _M:
        n = _M.index(meaning)
        if meaning in bvh.JOINTS:
            return person.places_m[:, n], person.turns[:, n] @ _frame(meaning, form)
        assert above is not None
        return person.places_m[:, n], above[1]
    if meaning == "world":
        still = np.zeros((len(person.turns), 3))
        return still, np.tile(_TO_FILE[form.up].T, (len(person.turns), 1, 1))
    assert above is not None
    where, turned = above
    if ">" in meaning:
        first, last = (person.places_m[:, _M.index(joint)] for joint in meaning.split(">"))
        return (first + last) / 2, turned
    if meaning == "toes":
        # Ahead of the ankle, in the shank's frame: what is ahead there is by the nearer knee.
        side = "L" if np.array_equal(where, person.places_m[:, _M.index("Foot_L")]) else "R"
        shank = person.turns[:, _M.index(f"LowerLeg_{side}")]
        return where + shank @ (STANDING[f"LowerLeg_{side}"].T @ (0.15 * AHEAD - 0.03 * UP)), turned
    return where + (turned @ np.array([0.05, 0.01, 0.02]) if meaning == "finger" else 0), turned


def _frame(joint: str, form: Form) -> np.ndarray:
    """The file's frame of a joint in ours (3, 3)."""
    if form.rest == AS_OURS:
        return np.eye(3)
    own = STANDING[joint]
    left = -1 if joint.endswith("R") else 1
    if form.rest == ALONG_X or (form.rest == MIXED and joint not in ("Hips", "Head")):
        if "Leg" in joint:
            return own.T @ np.stack([-UP, -AHEAD, LEFT], axis=1)
        if joint[-2:] in ("_L", "_R"):
            return own.T @ np.stack([LEFT * left, AHEAD, -UP * left], axis=1)
        return own.T @ np.stack([UP, AHEAD, LEFT], axis=1)
    turned = np.eye(3)  # from our standing body to that of the file's zero pose
    if form.rest in _ARMS_DEG and "Arm" in joint:
        turned = Rotation.from_rotvec(AHEAD * left * np.radians(_ARMS_DEG[form.rest])).as_matrix()
    if form.rest == ASTRIDE and "Leg" in joint:
        turned = Rotation.from_rotvec(-AHEAD * left * np.radians(20)).as_matrix()
    return (turned @ own).T @ _AXES[form.up].T


def _hierarchy(
    n: int, names: list[str], parents: list[int], head: dict[int, tuple[np.ndarray, list[str]]], prefix: str
) -> list[str]:
    offset, channels = head[n]
    below = [m for m, parent in enumerate(parents) if parent == n]
    lines = [
        f"{'JOINT' if parents[n] >= 0 else 'ROOT'} {prefix}{names[n]}", "{",
        "OFFSET " + " ".join(f"{v:.6f}" for v in offset),
        f"CHANNELS {len(channels)} {' '.join(channels)}",
    ]  # fmt: skip
    for m in below:
        lines += _hierarchy(m, names, parents, head, prefix)
    if not below:
        lines += ["End Site", "{", "OFFSET 0 0 1", "}"]
    return [*lines, "}"]
