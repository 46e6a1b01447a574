"""How the frames of a file's joints lie in the body: what turns them into ours.

A joint's numbers mean turns against a pose in which all are zero, and each program has its own: mostly a
person who stands along the file's axes with the arms out or down, but with some a figure whose bones all
point along one axis. In the first, the pose itself says which way each frame looks. In the second only the
trunk's does; limbs are then taken to lie straight in that pose, along the body's axes after a number of right
angles, and which these are is told from how they are turned while the person moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.models.errors import DatasetError

AHEAD, LEFT, UP = np.eye(3)  # the body's own axes
# Our frames in a body that stands with its arms out: where x, y and z look. Those of a right limb are the
# left one's turned by half a turn, so that x looks from its end to the trunk.
_STANDING = {
    "Hips": (UP, -LEFT, AHEAD),
    **dict.fromkeys(("Spine", "Chest", "Neck", "Head"), (UP, AHEAD, LEFT)),
    **dict.fromkeys(("Shoulder_L", "UpperArm_L", "LowerArm_L"), (LEFT, UP, AHEAD)),
    **dict.fromkeys(("Shoulder_R", "UpperArm_R", "LowerArm_R"), (LEFT, -UP, -AHEAD)),
    **dict.fromkeys(("UpperLeg_L", "LowerLeg_L"), (-UP, LEFT, AHEAD)),
    **dict.fromkeys(("UpperLeg_R", "LowerLeg_R"), (UP, LEFT, -AHEAD)),
}
STANDING = {joint: np.stack(axes, axis=1) for joint, axes in _STANDING.items()}
CHILD = {
    f"{joint}_{side}": f"{child}_{side}"
    for side in "LR"
    for joint, child in (
        ("Shoulder", "UpperArm"), ("UpperArm", "LowerArm"), ("LowerArm", "Hand"), ("UpperLeg", "LowerLeg"),
        ("LowerLeg", "Foot"),
    )
}  # fmt: skip
_TOP = ("Spine", "Chest", "Neck", "Head")
_ALIKE = np.cos(np.radians(35))  # of axes and bones that are taken to be the same
_STRAIGHT = np.cos(np.radians(15))  # of a body and the file's axes it is taken to stand along
_QUARTERS = Rotation.create_group("O").as_matrix()  # all 24 turns by right angles
_FAR = 1 + 2 * np.cos(np.radians(60))  # the trace of a rotation
_DOWN = 0.6  # a cosine: legs in a pose of somebody who stands


@dataclass(frozen=True, slots=True)
class Motion:
    """A person in a file. ``zero`` has the places (3,) of joints and ends where all turns are zero, in the
    file's unit, and ``turned`` the frames (T, 3, 3) of our 15 joints in the world, by our names."""

    zero: Mapping[str, np.ndarray]
    turned: Mapping[str, np.ndarray]


def ours(name: str, motion: Motion) -> dict[str, np.ndarray]:
    """What turns each joint's frame in the file ``name`` into ours (3, 3). Raises DatasetError."""
    low, top = _trunk_axes(name, motion.zero)
    if _stands(motion.zero, low, top):
        bodies = dict.fromkeys(STANDING, low)
    else:
        bodies = {"Hips": low, **dict.fromkeys(_TOP, top), **_limbs_as_they_move(name, motion, low, top)}
    # These carry nothing by which to tell, and have frames of their own in some files.
    for joint, body in (("Spine", "Hips"), ("Neck", "Chest"), ("Head", "Chest")):
        bodies[joint] = _as_it_moves(motion, joint, body, bodies)
    return {joint: _calibrated(joint, to_body, motion.zero) for joint, to_body in bodies.items()}


def _as_it_moves(motion: Motion, joint: str, body: str, bodies: dict[str, np.ndarray]) -> np.ndarray:
    """The axes of a joint of the trunk: those it should have, if it is mostly not turned far from the
    ``body``, else those after the nearest right angles."""
    seen = _mean_turn(motion, joint, body, bodies[body])
    if np.trace(bodies[joint].T @ seen) > _FAR:
        return bodies[joint]
    return _QUARTERS[np.argmax(np.einsum("nij,ij->n", _QUARTERS, seen))]


def _mean_turn(motion: Motion, joint: str, body: str, axes: np.ndarray) -> np.ndarray:
    """The mean rotation (3, 3) from a joint's frame to the body's axes, which ``axes`` gives of ``body``."""
    frames = motion.turned[body] @ axes.T
    return Rotation.from_matrix(np.swapaxes(frames, -1, -2) @ motion.turned[joint]).mean().as_matrix()


def bone(joint: str, zero: Mapping[str, np.ndarray]) -> np.ndarray:
    """From a limb's joint to the next one (3,), where all turns are zero."""
    return zero[CHILD[joint]] - zero[joint]


def _trunk_axes(name: str, zero: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (3, 3) from the zero pose to the body's axes, by the hips and by the shoulders."""
    up = zero["Head"] - zero["Hips"]
    first = zero["Spine"] - zero["Hips"]
    if first.any() and _unit(first) @ _unit(up) < _ALIKE:  # the frames above the hips are other ones
        up = first
    low = _axes(zero["UpperLeg_L"] - zero["UpperLeg_R"], up)
    top = _axes(zero["UpperArm_L"] - zero["UpperArm_R"], zero["Head"] - zero["Chest"])
    if low is None:
        raise DatasetError(f"{name}: its joints' offsets do not say where the hips' left and the head are")
    return low, low if top is None else top


def _axes(left: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """The turn to the body's axes of a frame in which the body's left and up are so; None if they are not
    apart."""
    size = float(np.linalg.norm(up))
    up = up / max(size, 1e-9)
    left = left - up * (left @ up)
    if np.linalg.norm(left) < 0.02 * size or size == 0:
        return None
    left = left / np.linalg.norm(left)
    exact = np.stack([np.cross(left, up), left, up])
    # People hardly ever stand askew in their own file; their hips may lie a little before their head.
    near = _QUARTERS[np.argmax(np.einsum("nij,ij->n", _QUARTERS, exact))]
    return near if np.min(np.sum(near * exact, axis=1)) > _STRAIGHT else exact


def _stands(zero: Mapping[str, np.ndarray], low: np.ndarray, top: np.ndarray) -> bool:
    """Whether the zero pose is a person who stands, with the arms anywhere from out to down."""
    for joint in CHILD:
        along = _unit(low @ bone(joint, zero))
        outward = along @ LEFT * (1 if joint.endswith("L") else -1)
        if "Leg" in joint:
            fits = along @ -UP > _DOWN
        elif "Shoulder" in joint:
            fits = not along.any() or outward > 0
        else:
            fits = outward > -0.35 and along @ UP < 0.6 and abs(along @ AHEAD) < 0.75
        if not fits:
            return False
    return bool(np.min(np.sum(low * top, axis=1)) > _ALIKE)


def _limbs_as_they_move(name: str, motion: Motion, low: np.ndarray, top: np.ndarray) -> dict[str, np.ndarray]:
    """Each limb's axes by its mean turn against the trunk: the nearest right angles with which its first bone
    is where it is in a body that stands."""
    found: dict[str, np.ndarray] = {}
    for side, outward in (("L", LEFT), ("R", -LEFT)):
        first = f"Shoulder_{side}"
        if not _unit(bone(first, motion.zero)).any():  # no collar bone: it is the chest's
            found[first], first = top, f"UpperArm_{side}"
        for joint, trunk, axes, along in (
            (first, "Chest", top, outward),
            (f"UpperLeg_{side}", "Hips", low, -UP),
        ):
            seen = _mean_turn(motion, joint, trunk, axes)
            fit = _QUARTERS[_QUARTERS @ _unit(bone(joint, motion.zero)) @ along > _ALIKE]
            if not len(fit):
                raise DatasetError(
                    f"{name}: {joint} does not point along an axis where all turns are zero, nor does that "
                    "pose stand; write the file with a T-pose as its rest pose"
                )
            nearest = fit[np.argmax(np.einsum("nij,ij->n", fit, seen))]
            limb = ("Shoulder", "UpperArm", "LowerArm") if trunk == "Chest" else ("UpperLeg", "LowerLeg")
            found = {f"{part}_{side}": nearest for part in limb} | found
    return found


def _calibrated(joint: str, to_body: np.ndarray, zero: Mapping[str, np.ndarray]) -> np.ndarray:
    """From a frame that ``to_body`` turns to the body's axes in the zero pose to ours, which goes with the
    bone: arms that hang or legs astride have turned from our pose by the shortest way."""
    frame = STANDING[joint]
    if joint in CHILD:
        along = _unit(to_body @ bone(joint, zero))
        if along.any():
            frame = shortest(frame[:, 0] * (1 if joint.endswith("L") else -1), along) @ frame
    return to_body.T @ frame


def shortest(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations (..., 3, 3) of unit vectors ``start`` to ``end`` (..., 3), not opposite."""
    start, end = np.broadcast_arrays(start, end)
    axis = np.cross(start, end)
    x, y, z = np.moveaxis(axis, -1, 0)
    o = np.zeros_like(x)
    cross = np.stack([o, -z, y, z, o, -x, -y, x, o], axis=-1).reshape(*x.shape, 3, 3)
    share = 1 / np.maximum(1 + np.sum(start * end, axis=-1), 1e-9)
    return np.eye(3) + cross + cross @ cross * share[..., None, None]


def _unit(vector: np.ndarray) -> np.ndarray:
    """A vector's direction; nothing for one without a length."""
    size = np.linalg.norm(vector)
    return vector / size if size > 1e-6 else np.zeros(3)
