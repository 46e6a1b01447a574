"""Motion capture of other programs: the same motion in their names, frames, axes, units and channels is the
same take."""

from __future__ import annotations

import io
import re
from pathlib import Path

import foreign_bvh
import numpy as np
import pytest
from foreign_bvh import (
    A_POSE,
    ALONG_X,
    AS_OURS,
    ASTRIDE,
    BIPED,
    CMU,
    I_POSE,
    LAFAN,
    MIXED,
    MVN,
    OPTITRACK,
    OURS,
    ROKOKO,
    STYLE100,
    T_POSE,
    UP,
    Form,
    Person,
    of_take,
    text,
    walker,
)
from mocap import quiet
from rich.console import Console
from scipy.spatial.transform import Rotation

from mobind_live.models import pack as packing
from mobind_live.models.datasets import bvh, bvh_text, reels
from mobind_live.models.errors import DatasetError

WALKER = walker()
TREES = [CMU, LAFAN, STYLE100, MVN, OPTITRACK, ROKOKO, BIPED, OURS]
TREE_IDS = ["cmu", "lafan", "100style", "mvn", "optitrack", "rokoko", "biped", "ours"]


def apart(take: bvh.Take, person: Person) -> tuple[float, float]:
    """How far joints are from where they should be (m), and turned from how they should be (rad), at most."""
    got = of_take(take)
    assert abs(len(got.turns) - len(person.turns)) <= 2
    n = min(len(got.turns), len(person.turns))
    away = np.linalg.norm(got.places_m[:n] - person.places_m[:n], axis=-1).max()
    turn = np.swapaxes(got.turns[:n], -1, -2) @ person.turns[:n]
    return float(away), float(Rotation.from_matrix(turn.reshape(-1, 3, 3)).magnitude().max())


def assert_same(written: str, person: Person = WALKER, m: float = 2e-3, rad: float = 1e-3) -> None:
    away, turned = apart(bvh.parse("take", written), person)
    assert away < m
    assert turned < rad


@pytest.mark.parametrize("rest", [T_POSE, A_POSE, I_POSE, ASTRIDE, ALONG_X, MIXED, AS_OURS])
@pytest.mark.parametrize("tree", TREES, ids=TREE_IDS)
def test_other_names_and_frames_are_the_same_motion(tree: str, rest: str) -> None:
    if tree == OURS and rest == ALONG_X:
        rest = AS_OURS  # our names with a trunk like ours are taken as they are
    assert_same(text(WALKER, Form(tree, rest)))


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("metres", [1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45])
def test_units_and_z_up(up: str, metres: float) -> None:
    assert_same(text(WALKER, Form(CMU, metres=metres, up=up)))


@pytest.mark.parametrize("six", ["", "places", "deltas"])
@pytest.mark.parametrize("order", ["XYZ", "ZXY", "ZYX", "YXZ", "YZX"])
def test_angles_in_any_order_with_and_without_positions(order: str, six: str) -> None:
    assert_same(text(WALKER, Form(LAFAN, ALONG_X, order=order, six=six)))
    assert_same(text(WALKER, Form(STYLE100, order=order, six=six)))


@pytest.mark.parametrize("hz", [24, 50, 60, 100, 120])
def test_frames_at_any_rate(hz: float) -> None:
    """The file's frames are straight lines between ours."""
    assert_same(text(WALKER, Form(MVN, hz=hz)), m=5e-3, rad=0.01)


@pytest.mark.parametrize(
    "prefix", ["mixamorig:", "mixamorig", "Robot_", "Skeleton_001:", "Actor 1:", "Character1_", "a|b:"]
)
def test_characters_names_before_joints(prefix: str) -> None:
    assert_same(text(WALKER, Form(LAFAN, prefix=prefix)))


def test_other_ways_of_writing_the_same_file() -> None:
    plain = text(WALKER, Form(CMU))
    assert_same(plain.replace("\n", "\r\n"))
    assert_same(
        plain.replace("\n{", " {").replace("Xrotation", "XROTATION").replace("Zposition", "ZPosition")
    )
    assert_same("\ufeff" + plain.replace("Frame Time: ", "Frame Time:\t"))


@pytest.mark.parametrize("degrees", [0.0, 40.0])
def test_a_pose_before_the_motion_is_left_out(degrees: float) -> None:
    assert_same(text(WALKER, Form(CMU, pose_first=degrees)))


def test_who_starts_fast_loses_no_frame() -> None:
    fast = Person(WALKER.places_m[::6], WALKER.turns[::6])
    assert len(bvh.parse("take", text(fast, Form(CMU))).root_m) == len(fast.turns)


def test_limbs_that_end_in_an_end_site_end_there() -> None:
    line = r"[^\n]*\n"
    cut = rf"JOINT (?:Left|Right)Hand\n\{{\n(OFFSET [^\n]*)\n{line}End Site\n\{{\n{line}\}}\n\}}"
    whole = text(WALKER, Form(LAFAN, changes=((cut, r"End Site\n{\n\1\n}"),)))
    head, motion = whole.split("MOTION\n")
    names = [
        line.split()[1] for line in text(WALKER, Form(LAFAN)).splitlines() if re.match("ROOT|JOINT", line)
    ]
    columns = np.repeat(names, [6 if name == "Hips" else 3 for name in names])
    rows = np.array([line.split() for line in motion.splitlines()[2:]])[:, ~np.char.endswith(columns, "Hand")]
    lines = [*motion.splitlines()[:2], *(" ".join(row) for row in rows)]
    assert "LeftHand" not in head
    assert_same(head + "MOTION\n" + "\n".join(lines) + "\n")


def test_a_spine_that_bends_within_keeps_the_head_where_it_is() -> None:
    """Spine1, between what we take, bends by 25 degrees: the bone is a little shorter, and that is all."""
    head, motion = text(WALKER, Form(LAFAN)).split("MOTION\n")
    file = bvh_text.read("a", f"{head}MOTION\n{motion}")
    values = file.values.copy()
    values[:, file.joints["Spine1"].first + 1] += 25 * np.sin(np.arange(len(values)) / 8)  # Xrotation
    rows = "\n".join(" ".join(f"{v:.5f}" for v in row) for row in values)
    bent = f"{head}MOTION\n" + "\n".join(motion.splitlines()[:2]) + f"\n{rows}\n"

    got = of_take(bvh.parse("a", bent))

    names = (*bvh.JOINTS, *bvh.ENDS)
    truth = bvh_text.read("a", bent)
    for joint, theirs in (("Chest", "Spine2"), ("Head", "Head"), ("Hand_L", "LeftHand")):
        where = truth.in_the_world(theirs)[0] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) * 0.01
        away = np.linalg.norm(got.places_m[:, names.index(joint)] - where, axis=1)
        assert away.max() < 0.006
        moved = np.linalg.norm(WALKER.places_m[:, names.index(joint)] - where, axis=1)
        assert moved.max() > 0.02


def test_everybody_in_a_file_is_a_take_and_a_thing_is_none(tmp_path: Path) -> None:
    tall = walker(size=1.2)
    heads, motions = zip(*(text(who, Form(CMU)).split("MOTION\n") for who in (WALKER, tall)), strict=True)
    thing = "ROOT Box\n{\nOFFSET 0 0 0\nCHANNELS 1 Xposition\n}\n"
    rows = [f"{a} 3.5 {b}" for a, b in zip(*(m.splitlines()[2:] for m in motions), strict=True)]
    start = motions[0].splitlines()[:2]
    both = heads[0] + thing + heads[1].removeprefix("HIERARCHY\n") + "\n".join(["MOTION", *start, *rows])

    first, second = bvh.everybody("two_1", both)

    assert (first.name, second.name) == ("two_1", "two_1-2")
    assert max(apart(first, WALKER)) < 2e-3
    assert max(apart(second, tall)) < 2e-3
    (tmp_path / "two_1.bvh").write_text(both)
    takes = bvh.load(packing.pack(tmp_path, tmp_path / "m.npz", 2, quiet()).path)
    assert [take.name for take in takes] == ["two_1", "two_1-2"]


def turned(by: Rotation, height_m: float) -> Person:
    """The walker fallen over, about the hips, which are brought to one height and over the origin."""
    away = WALKER.places_m - WALKER.places_m[:, :1].mean(axis=0)
    return Person(
        by.apply(away.reshape(-1, 3)).reshape(away.shape) + height_m * UP, by.as_matrix() @ WALKER.turns
    )


def test_who_lies_or_is_mirrored_or_has_no_leg_is_refused() -> None:
    for degrees in (-90, 90):
        lying = turned(Rotation.from_euler("x", degrees, degrees=True), 0.12)
        with pytest.raises(DatasetError, match=r"take: its body lies along -?Z"):
            bvh.parse("take", text(lying, Form(CMU)))
    far = Person(lying.places_m - np.array([0.0, 3.0, 0.0]), lying.turns)  # its ankles not at z = 0
    for person in (lying, far):
        with pytest.raises(
            DatasetError, match="its body lies along Z, and its feet are not on a floor at z = 0"
        ):
            bvh.parse("take", text(person, Form(CMU)))
    plain = text(WALKER, Form(STYLE100))
    other = plain.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
    with pytest.raises(DatasetError, match="take: its toes look backwards: left and right are exchanged"):
        bvh.parse("take", other)
    with pytest.raises(
        DatasetError, match=r"take: not a skeleton .* lacks right knee \(its joints: Hips, Chest,"
    ):
        bvh.parse("take", plain.replace("RightKnee", "Joint7"))
    loose = plain.replace("RightAnkle", "?").replace("LeftAnkle", "RightAnkle").replace("?", "LeftAnkle")
    with pytest.raises(DatasetError, match=r"take: not a skeleton .* lacks left ankle, right ankle"):
        bvh.parse("take", loose)


def test_a_head_at_the_end_of_an_arm_is_no_trunk() -> None:
    plain = text(WALKER, Form(CMU))
    other = plain.replace("JOINT Head\n", "JOINT Hat\n").replace("JOINT LThumb\n", "JOINT Head\n")
    with pytest.raises(
        DatasetError, match="take: no trunk from which legs hang at one end, arms and head at"
    ):
        bvh.parse("take", other)


def test_a_rest_pose_that_says_nothing_is_refused() -> None:
    """Bones along no axis, in a pose in which nobody stands."""
    askew = Rotation.from_rotvec([0.5, 0.5, 0.5]).as_matrix()
    person = Person(WALKER.places_m, WALKER.turns.copy())
    for n, joint in enumerate(bvh.JOINTS):
        if "Leg" in joint:
            person.turns[:, n] = WALKER.turns[:, n] @ askew
    with pytest.raises(DatasetError, match=r"take: UpperLeg_. does not point along an axis"):
        bvh.parse("take", text(person, Form(LAFAN, ALONG_X)))


def test_who_seems_to_be_a_child_is_named(tmp_path: Path) -> None:
    said = io.StringIO()
    for name, size in (("tall", 1.0), ("small", 0.7)):
        (tmp_path / f"{name}.bvh").write_text(text(walker(size=size), Form(CMU)))
    packing.pack(tmp_path, tmp_path / "m.npz", 5, Console(file=said, width=300))
    assert "legs are under 0.65 m: 1, such as small: they are children, or their" in said.getvalue()


def test_people_keep_their_bones_and_a_reel_has_one_body(tmp_path: Path) -> None:
    tall = walker(size=1.25)
    (tmp_path / "anna_1.bvh").write_text(text(WALKER, Form(CMU)))
    (tmp_path / "bert_1.bvh").write_text(text(tall, Form(STYLE100)))
    path = packing.pack(tmp_path, tmp_path / "m.npz", 5, quiet()).path

    takes = bvh.load(path)

    assert [bvh.leg(take.offset_m) for take in takes] == pytest.approx([0.83, 1.0375], abs=1e-3)
    legs = set()
    for seed in range(6):
        reel = reels.make_reel(np.random.default_rng(seed), takes, 5.0, reels.PLAIN)
        points = reel.keypoints_m.astype(float)
        shank = np.linalg.norm(points[:, 13] - points[:, 15], axis=1)
        assert np.ptp(shank) < 1e-4
        hips = np.median(points[:, 11, 2])
        # Whoever's body it is stands on the ground.
        assert points[..., 15:, 2].min() == pytest.approx(0.06 * hips, abs=0.08)
        legs.add(round(float(shank[0]), 2))
    assert legs == {0.42, 0.53} or legs == {0.42, 0.52}


@pytest.mark.parametrize("rest", [ALONG_X, A_POSE])
def test_captured_people_are_the_same_in_another_form(rest: str) -> None:
    archive = Path(__file__).parents[3] / "shared/data/bandai_bvh.tar.xz"
    if not archive.is_file():
        pytest.skip(f"needs {archive.name} in ../shared/data")
    import tarfile

    with tarfile.open(archive) as files:
        member = next(m for m in files if m.name.endswith(".bvh"))
        stream = files.extractfile(member)
        assert stream is not None
        known = of_take(bvh.parse("known", stream.read().decode()))
    # Of its right leg the knee is 0.06 degrees beside the axis.
    assert_same(foreign_bvh.text(known, Form(CMU, rest, metres=0.0254 / 0.45, up="z")), known, rad=2e-3)
