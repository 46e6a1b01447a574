"""Which joints of a BVH file are a person's, by the names that programs give them and by what hangs from
what.

Names tell limbs and the head, with and without a character's name before them: ``LeftUpLeg``, ``RightHip``,
``mixamorig:LeftArm``, ``Skeleton_001_LThigh``, ``UpperLeg_L``. They differ most in the trunk, where the tree
itself tells: the hips are what carries legs and head, the chest what carries arms and head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mobind_live.models.datasets.bvh_text import BvhText
from mobind_live.models.errors import DatasetError

# In the order of preference: with a LeftUpLeg the LeftHip is not the thigh, nor is the LeftLeg; with a
# LeftArm the LeftShoulder is the collar bone.
_THIGH = ("upleg", "upperleg", "thigh", "femur", "hip", "hipjoint", "leg")
_SHANK = ("knee", "lowerleg", "lowleg", "loleg", "shin", "shank", "calf", "tibia", "leg")
_FOOT = ("ankle", "foot")
_UPPER_ARM = ("upperarm", "uparm", "uarm", "humerus", "arm", "shoulder", "shldr", "shoulderjoint")
_FOREARM = ("elbow", "forearm", "lowerarm", "lowarm", "loarm", "farm", "radius")
_HAND = ("wrist", "hand")
_LIMBS = {
    "Leg": {"UpperLeg": ("hip", _THIGH), "LowerLeg": ("knee", _SHANK), "Foot": ("ankle", _FOOT)},
    "Arm": {
        "UpperArm": ("shoulder", _UPPER_ARM),
        "LowerArm": ("elbow", _FOREARM),
        "Hand": ("wrist", _HAND),
    },
}
_LIMB_NAMES = frozenset(name for limb in _LIMBS.values() for _, names in limb.values() for name in names)
_SIDES = {"L": ("left", "l"), "R": ("right", "r")}
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Person:
    """The file's joints by our names. ``turns`` has each of ``bvh.JOINTS``, ``stands`` those and the ends:
    whose rotation and whose position are taken; they differ where a file has no such joint. ``toes`` has L
    and R, where the file has them."""

    turns: dict[str, str]
    stands: dict[str, str]
    toes: dict[str, str]


def people(name: str, file: BvhText) -> list[Person]:
    """Everybody in the file called ``name``: who hangs from a root of their own. Raises DatasetError if
    nobody is found, saying what the best root lacks."""
    found, lacking = [], []
    for root in (key for key, joint in file.joints.items() if joint.parent < 0):
        below = [key for key in file.joints if root in file.above(key)]
        limbs, missing = _limbs(file, below)
        if missing:
            lacking.append((missing, below))
        else:
            found.append(_person(name, file, limbs))
    if not found:
        missing, below = min(lacking, key=lambda one: len(one[0]), default=(["joint"], []))
        names = [file.joints[key].name for key in below if file.joints[key].name]
        more = ", ..." if len(names) > _SHOWN else ""
        raise DatasetError(
            f"{name}: not a skeleton whose names are known; it lacks {', '.join(missing)} "
            f"(its joints: {', '.join(names[:_SHOWN]) or 'none'}{more})"
        )
    return found


def _limbs(file: BvhText, below: list[str]) -> tuple[dict[str, str], list[str]]:
    """The joints of limbs and the head among ``below`` by our names, and what is missing in plain words."""
    meant = _meanings(file, below)
    found: dict[str, str] = {}
    missing = []
    if ("", "head") in meant:
        found["Head"] = meant["", "head"][0]
    else:
        missing.append("head")
    for side, word in (("L", "left"), ("R", "right")):
        for limb in _LIMBS.values():
            above = None
            for ours, (plain, names) in limb.items():
                # What is further down cannot be further up: the leg that is no thigh is a shank.
                keys = [key for each in names for key in meant.get((side, each), ())]
                keys = [key for key in keys if key not in found.values()]
                if above is not None:
                    keys = [key for key in keys if above in file.above(key)] or _end_of(file, above, ours)
                if keys:
                    found[f"{ours}_{side}"] = above = keys[0]
                else:
                    missing.append(f"{word} {plain}")
                    break
    return found, missing


def _end_of(file: BvhText, above: str, ours: str) -> list[str]:
    """The end site of a limb whose last joint is ``above``, which is where its hand or foot begins."""
    ends = [key for key in _children(file, above) if not file.joints[key].name]
    return ends if ours in ("Hand", "Foot") else []


def _children(file: BvhText, name: str) -> list[str]:
    index = list(file.joints).index(name)
    return [key for key, joint in file.joints.items() if joint.parent == index]


def _meanings(file: BvhText, below: list[str]) -> dict[tuple[str, str], list[str]]:
    """The joints among ``below`` by side (L, R or none) and what they are called without it."""
    named = {key: re.split(r"[:|]", file.joints[key].name)[-1] for key in below if file.joints[key].name}
    same = _same_letters(list(named.values())) if len(named) > 1 else 0
    meant: dict[tuple[str, str], list[str]] = {}
    for key, name in named.items():
        for bare in (*_without_prefix(name), *_without_prefix(name[same:])):
            if meaning := _meaning(bare):
                meant.setdefault(meaning, []).append(key)
                break
    return meant


def _same_letters(names: list[str]) -> int:
    """With how many same letters all names start."""
    letters = zip(*names, strict=False)
    return next((n for n, each in enumerate(letters) if len(set(each)) > 1), min(map(len, names)))


def _without_prefix(name: str) -> Iterator[str]:
    """``name`` in small letters without separators, and the same without one, two, ... pieces before them."""
    pieces = [piece for piece in re.split(r"[\s_.\-]+", name.lower()) if piece]
    for first in range(len(pieces)):
        yield re.sub(r"^mixamorig\d*", "", "".join(pieces[first:]))


def _meaning(bare: str) -> tuple[str, str] | None:
    if bare in ("head", "neck"):
        return "", bare
    for side, marks in _SIDES.items():
        for mark in marks:
            for rest in (bare.removeprefix(mark), bare.removesuffix(mark)):
                if rest != bare and rest in _LIMB_NAMES:
                    return side, rest
    return None


def _person(name: str, file: BvhText, limbs: dict[str, str]) -> Person:
    """Limbs and head with the trunk that carries them. Raises DatasetError."""
    found = dict(limbs)
    hips = _common(file, limbs["UpperLeg_L"], limbs["UpperLeg_R"], limbs["Head"])
    chest = _common(file, limbs["UpperArm_L"], limbs["UpperArm_R"], limbs["Head"])
    if chest is not None and _called(file, chest, "neck"):  # arms hang from it in some programs
        chest = file.above(chest)[1] if file.joints[chest].parent >= 0 else None
    arms = {limbs["UpperArm_L"], limbs["UpperArm_R"]}.isdisjoint(file.above(limbs["Head"]))
    if not arms or hips is None or chest is None or hips == chest or hips not in file.above(chest):
        raise DatasetError(f"{name}: no trunk from which legs hang at one end, arms and head at the other")
    turns = found | {"Hips": hips, "Chest": chest, "Spine": _between(file, hips, chest)[0]}
    turns["Neck"] = _between(file, chest, limbs["Head"])[0]
    stands = dict(turns)
    for side in "LR":
        line = _between(file, chest, limbs[f"UpperArm_{side}"])
        collar = next(key for key in line if key not in file.above(limbs["Head"]))
        stands[f"Shoulder_{side}"] = collar
        turns[f"Shoulder_{side}"] = collar if collar != limbs[f"UpperArm_{side}"] else chest
    toes = {side: keys[0] for side in "LR" if (keys := _children(file, limbs[f"Foot_{side}"]))}
    return Person(turns, stands, toes)


def _called(file: BvhText, key: str, word: str) -> bool:
    return any(bare == word for bare in _without_prefix(re.split(r"[:|]", file.joints[key].name)[-1]))


def _common(file: BvhText, *keys: str) -> str | None:
    """The nearest joint from which all of ``keys`` hang; none of them itself."""
    lines = [file.above(key)[1:] for key in keys]
    return next((key for key in lines[0] if all(key in line for line in lines)), None)


def _between(file: BvhText, above: str, below: str) -> list[str]:
    """The joints on the way from ``above``, which is left out, down to ``below``."""
    line = file.above(below)
    return line[: line.index(above)][::-1]
