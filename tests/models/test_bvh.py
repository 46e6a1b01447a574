"""Motion capture files: read, pack, load, and the body they become."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mocap import FRAMES, bvh_text, quiet, write_takes
from rich.console import Console
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import limb_joints
from mobind_live.models import pack as packing
from mobind_live.models.datasets import bvh, bvh_files, reels, skeleton
from mobind_live.models.datasets import bvh_text as bvh_text_
from mobind_live.models.errors import DatasetError, OutputError
from mobind_live.vocabulary import KEYPOINTS, PARTS


def test_parse_turns_the_world_and_the_units() -> None:
    take = bvh.parse("d_walk_plain_001", bvh_text(arm_swing=30.0))

    assert take.rotation.shape == (FRAMES, len(bvh.JOINTS), 3)
    # 90 cm up in the file (y) is 0.9 m up in our world (z); it goes ahead (file's z) along our -y.
    np.testing.assert_allclose(take.root_m[0], [0, 0, 0.9], atol=1e-6)
    assert take.root_m[-1, 1] < -0.3
    assert np.abs(take.rotation[:, bvh.JOINTS.index("UpperArm_L")]).max() == pytest.approx(
        np.radians(30), rel=0.02
    )


def turns(take: bvh.Take) -> np.ndarray:
    return Rotation.from_rotvec(take.rotation.reshape(-1, 3)).as_matrix().reshape(*take.rotation.shape, 3)


@pytest.mark.filterwarnings("ignore:Gimbal lock")  # other angles for the same turn
def test_angles_in_another_order_and_frames_at_another_rate_are_the_same_motion() -> None:
    text = bvh_text(arm_swing=30.0, seed=3)
    known = bvh.parse("a", text)
    head, motion = text.split("MOTION")
    values = np.array(motion.split()[5:], dtype=float).reshape(FRAMES, -1, 6)
    turned = Rotation.from_euler("ZXY", values[..., 3:].reshape(-1, 3), degrees=True)
    xyz = np.concatenate([values[..., :3].reshape(-1, 3), turned.as_euler("XYZ", degrees=True)], axis=1)
    rows = "\n".join(" ".join(f"{v:.6f}" for v in row) for row in xyz.reshape(FRAMES, -1))
    other = head.replace("Zrotation Xrotation Yrotation", "Xrotation Yrotation Zrotation")
    same = bvh.parse("b", f"{other}MOTION\nFrames: {FRAMES}\nFrame Time: 0.033333\n{rows}\n")
    np.testing.assert_allclose(turns(same), turns(known), atol=1e-4)

    slow = bvh.parse("c", text.replace("Frame Time: 0.033333", "Frame Time: 0.066667"))
    assert len(slow.root_m) == pytest.approx(2 * FRAMES, abs=2)
    np.testing.assert_allclose(turns(slow)[: 2 * FRAMES - 2 : 2], turns(known)[: FRAMES - 1], atol=1e-3)
    np.testing.assert_allclose(slow.root_m[: 2 * FRAMES - 2 : 2], known.root_m[: FRAMES - 1], atol=1e-3)


def changed(text: str, scale: float = 1.0, turn: Rotation | None = None, joint: str = "joint_Root") -> str:
    """The same take with all lengths times ``scale``, and one joint, which has only this child, turned."""
    head, motion = text.split("MOTION")
    values = np.array(motion.split()[5:], dtype=float).reshape(FRAMES, -1, 6)
    values[..., :3] *= scale
    if turn is not None:
        names = [line.split()[1] for line in head.splitlines() if line.startswith(("ROOT", "JOINT"))]
        own = values[:, names.index(joint)]
        turned = Rotation.from_euler("ZXY", own[:, 3:], degrees=True)
        own[:, 3:] = (turn * turned if joint == "Hips" else turned * turn).as_euler("ZXY", degrees=True)
        own[:, :3] = turn.apply(own[:, :3]) if joint == "Hips" else own[:, :3]
    rows = "\n".join(" ".join(f"{v:.6f}" for v in row) for row in values.reshape(FRAMES, -1))
    return f"{head}MOTION\nFrames: {FRAMES}\nFrame Time: 0.033333\n{rows}\n"


@pytest.mark.parametrize("per_cm", [0.01, 1 / 2.54, 10.0])
def test_metres_inches_and_millimetres_are_told_by_the_legs(per_cm: float) -> None:
    text = bvh_text(arm_swing=30.0)
    known, same = bvh.parse("a", text), bvh.parse("b", changed(text, per_cm))
    np.testing.assert_allclose(same.root_m, known.root_m, atol=1e-4)
    np.testing.assert_allclose(same.offset_m, known.offset_m, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Gimbal lock")  # other angles for the same turn
def test_who_is_of_another_size_or_lies_is_refused_and_z_up_is_turned() -> None:
    text = bvh_text(arm_swing=30.0)
    with pytest.raises(DatasetError, match=r"tall: its legs are 3\.2 long, which nobody's are"):
        bvh.parse("tall", changed(text, 0.04))
    z_up = Rotation.from_euler("x", 90, degrees=True)
    known, same = bvh.parse("a", text), bvh.parse("zup", changed(text, turn=z_up, joint="Hips"))
    np.testing.assert_allclose(same.root_m, known.root_m, atol=1e-4)
    np.testing.assert_allclose(turns(same), turns(known), atol=1e-4)
    on_back = Rotation.from_euler("x", -90, degrees=True)
    with pytest.raises(DatasetError, match="back: its body lies along -Z; motion capture is read with Y up"):
        bvh.parse("back", changed(text, turn=on_back, joint="Hips"))


@pytest.mark.filterwarnings("ignore:Gimbal lock")
def test_a_head_with_a_frame_of_its_own_looks_the_same_way() -> None:
    text = bvh_text(arm_swing=30.0)
    half = Rotation.from_euler("y", 180, degrees=True)
    heads = [
        bvh.body_motion(turns(take), take.root_m, take.offset_m, 30.0).rotation[:, PARTS.index("head")]
        for take in (bvh.parse("a", text), bvh.parse("b", changed(text, turn=half, joint="Head")))
    ]
    np.testing.assert_allclose(heads[1], heads[0], atol=1e-4)


def test_a_joint_that_is_turned_otherwise_is_named() -> None:
    spine, left = np.tile([0.0, 1, 0], (3, 1)), np.tile([1.0, 0, 0], (3, 1))
    ours = np.tile(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), (3, 1, 1))
    skeleton.refuse_others("take", spine, left, {"Chest": ours, "Head": ours})
    with pytest.raises(DatasetError, match="take: not the expected skeleton; Head has not its x axis up"):
        skeleton.refuse_others("take", spine, left, {"Chest": ours, "Head": -ours})


def test_joints_without_positions_have_their_offsets_and_hips_hang_from_what_is_above_them() -> None:
    text = (
        "HIERARCHY\nROOT World\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
        "JOINT Hips\n{\nOFFSET 0 90 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        "End Site\n{\nOFFSET 0 1 0\n}\n}\n}\nMOTION\nFrames: 1\nFrame Time: 0.01\n10 0 5 90 0 0\n"
    )
    file = bvh_text_.read("a", text)
    where, turned = file.in_the_world("Hips")
    np.testing.assert_allclose(where, [[10, 90, 5]])
    np.testing.assert_allclose(turned[0] @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_a_long_way_is_packed_whole(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001"])
    path = folder / "d_walk_plain_001.bvh"
    head, motion = path.read_text().split("MOTION")
    values = np.array(motion.split()[5:], dtype=float).reshape(FRAMES, -1)
    values[:, 2] *= 40
    rows = "\n".join(" ".join(f"{v:.3f}" for v in row) for row in values)
    path.write_text(f"{head}MOTION\nFrames: {FRAMES}\nFrame Time: 0.033333\n{rows}\n")
    (take,) = bvh.load(packing.pack(folder, tmp_path / "m.npz", 1, quiet()).path)
    assert np.ptp(take.root_m[:, 1]) > 20
    assert np.abs(np.diff(take.root_m, axis=0)).max() < 0.5


def test_a_standing_body_is_one() -> None:
    take = bvh.parse("d_walk_plain_001", bvh_text(arm_swing=0.0))
    local, root = bvh.resampled(take, 60.0)

    body = bvh.body_motion(local, root, take.offset_m, 60.0)

    height = {name: float(body.keypoints_m[0, index, 2]) for index, name in enumerate(KEYPOINTS)}
    assert (
        height["nose"]
        > height["left_shoulder"]
        > height["left_hip"]
        > height["left_knee"]
        > height["left_ankle"]
    )
    assert (
        body.keypoints_m[0, KEYPOINTS.index("left_wrist"), 0]
        * body.keypoints_m[0, KEYPOINTS.index("right_wrist"), 0]
        < 0
    )
    for index, part in enumerate(PARTS):
        if joints := limb_joints(part):
            a, b = (body.keypoints_m[0, joint] for joint in joints)
            away = np.linalg.norm(np.cross(body.mount_m[0, index] - a, b - a)) / np.linalg.norm(b - a)
            assert away < 1e-6
    np.testing.assert_allclose(
        body.rotation @ np.swapaxes(body.rotation, -1, -2),
        np.broadcast_to(np.eye(3), body.rotation.shape),
        atol=1e-9,
    )


def test_bones_keep_their_lengths_at_any_speed() -> None:
    take = bvh.parse("d_walk_plain_001", bvh_text(arm_swing=60.0))
    local, root = bvh.resampled(take, 50.0, speed=1.3)

    points = bvh.body_motion(local, root, take.offset_m, 50.0).keypoints_m

    assert len(points) == pytest.approx(FRAMES / 30 / 1.3 * 50, abs=3)
    forearm = np.linalg.norm(
        points[:, KEYPOINTS.index("left_wrist")] - points[:, KEYPOINTS.index("left_elbow")], axis=-1
    )
    np.testing.assert_allclose(forearm, 0.25, atol=1e-6)


def test_pack_and_load_keep_the_motion(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_walk_plain_002", "d_wave_old_001"])
    done = packing.pack(folder, tmp_path / "out" / "motion.npz", 1, quiet())

    takes = bvh.load(done.path)

    assert done.takes == 2
    assert [take.name for take in takes] == ["d_walk_plain_001", "d_wave_old_001"]
    whole = bvh.parse("d_walk_plain_001", (folder / "d_walk_plain_001.bvh").read_text())
    np.testing.assert_allclose(takes[0].rotation, whole.rotation, atol=1e-4)
    np.testing.assert_allclose(np.diff(takes[0].root_m, axis=0), np.diff(whole.root_m, axis=0), atol=3e-4)
    np.testing.assert_allclose(takes[0].root_m[:, 2], whole.root_m[:, 2], atol=3e-4)


def test_takes_too_short_for_a_reel_are_left_out_aloud(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_walk_plain_002"])
    first = folder / "d_walk_plain_001.bvh"
    head, motion = first.read_text().split("MOTION")
    first.write_text(f"{head}MOTION\nFrames: 10\n" + "\n".join(motion.strip().splitlines()[1:12]) + "\n")
    said = io.StringIO()

    done = packing.pack(folder, tmp_path / "motion.npz", 1, Console(file=said))

    assert [take.name for take in bvh.load(done.path)] == ["d_walk_plain_002"]
    assert "takes left out: 1, such as d_walk_plain_001: under 1.1 s" in said.getvalue()
    (folder / "d_walk_plain_002.bvh").unlink()
    with pytest.raises(DatasetError, match="no takes to pack"):
        packing.pack(folder, tmp_path / "none.npz", 1, quiet())


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_old_001"])
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(folder, "bvh")

    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("subject 1/day/d_walk_plain_001.bvh", (folder / "d_walk_plain_001.bvh").read_text())
        archive.writestr("subject 1\\d_wave_old_001.bvh", (folder / "d_wave_old_001.bvh").read_text())
        archive.writestr("subject 1/readme.txt", "none")
    assert len(texts(folder)) == 2
    assert texts(tmp_path / "a.tar.xz") == texts(tmp_path / "a.zip") == texts(folder)
    assert texts(folder / "d_wave_old_001.bvh") == texts(folder)[1:]


def texts(root: Path) -> list[tuple[str, str]]:
    return sorted((file.name, file.text()) for file in bvh_files.entries(root))


def test_a_damaged_member_is_named_and_a_damaged_archive_refused(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_old_001"])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"in/{path.name}")
    data = (tmp_path / "a.zip").read_bytes()
    middle = data.index(b"JOINT LowerLeg_R")
    (tmp_path / "b.zip").write_bytes(data[:middle] + b"?" + data[middle + 1 :])
    said = io.StringIO()
    done = packing.pack(tmp_path / "b.zip", tmp_path / "m.npz", 1, Console(file=said, width=300))
    assert [take.name for take in bvh.load(done.path)] == ["d_wave_old_001"]
    assert "take left out: in/d_walk_plain_001.bvh: cannot be read (Bad CRC-32" in said.getvalue()

    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(folder, "bvh")
    (tmp_path / "c.tar.xz").write_bytes((tmp_path / "a.tar.xz").read_bytes()[:-400])
    with pytest.raises(DatasetError, match=r"c\.tar\.xz: the archive is damaged or cut short"):
        packing.pack(tmp_path / "c.tar.xz", tmp_path / "n.npz", 1, quiet())


def test_files_that_cannot_be_used_are_named_and_left_out(tmp_path: Path) -> None:
    names = ["d_walk_plain_001", "d_walk_plain_002", "d_wave_old_001"]
    folder = write_takes(tmp_path / "bvh", names)
    cut = folder / "d_walk_plain_001.bvh"
    cut.write_text(cut.read_text()[:-200])
    (folder / "below").mkdir()
    (folder / "below" / "other.bvh").write_text(HIPS + "Frame Time: 0.03\n1 2 3\n")
    said = io.StringIO()

    done = packing.pack(folder, tmp_path / "m.npz", 1, Console(file=said, width=300))

    assert [take.name for take in bvh.load(done.path)] == names[1:]
    assert "take left out: below/other.bvh: not a skeleton whose names are known; it lacks" in said.getvalue()
    assert "take left out: d_walk_plain_001.bvh: 90 frames of 114 channels are said, 10" in said.getvalue()
    for name in names[1:]:
        (folder / f"{name}.bvh").unlink()
    with pytest.raises(
        DatasetError, match=r"bvh: below/other\.bvh: not a .* and 1 more file cannot be used$"
    ):
        packing.pack(folder, tmp_path / "none.npz", 1, quiet())


def test_repeats_that_are_left_out_are_counted_and_other_numbers_are_none(tmp_path: Path) -> None:
    names = [f"{start}_{n}" for n in range(5) for start in ("d_walk_plain", "take")]
    folder = write_takes(tmp_path / "bvh", names)
    said = io.StringIO()
    assert packing.pack(folder, tmp_path / "m.npz", 3, Console(file=said, width=300)).takes == 8
    assert "left out: 2, such as d_walk_plain_3: there are 3 of d_walk_plain; --most" in said.getvalue()


def test_a_name_may_be_in_capitals_and_what_macos_leaves_is_no_take(tmp_path: Path) -> None:
    (tmp_path / "One.BVH").write_text("text")
    (tmp_path / "._One.bvh").write_bytes(b"\0\xff")
    assert texts(tmp_path) == [("One", "text")]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "One.BVH", "takes/One.BVH")
        archive.add(tmp_path / "._One.bvh", "takes/._One.bvh")
    assert texts(tmp_path / "a.tar") == [("One", "text")]
    (tmp_path / "two.bvh").write_bytes(b"\xff")
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        archive.add(tmp_path / "two.bvh", "takes/two.bvh")
    with pytest.raises(DatasetError, match=r"b.tar: takes/two.bvh: cannot be read as text"):
        packing.pack(tmp_path / "b.tar", tmp_path / "m.npz", 1, quiet())


def test_what_cannot_be_packed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar.xz").write_text("no archive")
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001"])

    def refused(root: Path, output: str = "o.npz") -> str:
        with pytest.raises(DatasetError) as caught:
            packing.pack(root, tmp_path / output, 1, quiet())
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "empty: holds no .bvh files" in refused(tmp_path / "empty")
    assert "neither a folder of .bvh files nor an archive" in refused(tmp_path / "text.tar.xz")
    assert ".npz" in refused(folder, "motion.bin")
    monkeypatch.setattr(packing, "MOST_BYTES", 10)
    assert "--most-repeats" in refused(folder)
    with pytest.raises(OutputError, match=r"/proc/m\.npz: cannot be written"):
        packing.pack(folder, Path("/proc/m.npz"), 1, quiet())
    assert not list(tmp_path.glob("*.npz*"))


HIPS = (
    "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n}\nMOTION\nFrames: 1\n"
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a BVH file"),
        (HIPS + "Frame Time: 0.03\n1 2 x\n", "not a BVH file"),
        (HIPS + "Frame Time: 0.03\n1 2\n", "1 frames of 3 channels are said, 2 numbers there"),
        (HIPS + "Frame Time: 0.03\n1 2 nan\n", "a number is not finite"),
        (
            HIPS.replace("0 0 0", "0 inf 0") + "Frame Time: 0.03\n1 2 3\n",
            "its hierarchy cannot be read at `OFF",
        ),
        (HIPS + "1 2 3\n", "says no `Frame Time:`"),
        (
            HIPS.replace("Xrot", "Zrot") + "Frame Time: 0.03\n1 2 3\n",
            "its hierarchy cannot be read at `CHANNELS",
        ),
        (HIPS + "Frame Time: 3\n1 2 3\n", "3 s from frame to frame"),
        (
            HIPS + "Frame Time: 0.03\n1 2 3\n",
            "not a skeleton whose names are known; it lacks head, left hip, ",
        ),
        ("HIERARCHY\n}\nMOTION\n", "its hierarchy cannot be read at `}`"),
    ],
)
def test_other_text_is_refused_by_name(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=f"d_a_b_001: {says}"):
        bvh.parse("d_a_b_001", text)


def test_a_file_that_is_not_packed_motion_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "b.npz", other=np.zeros(3))

    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(DatasetError, match=name):
            bvh.load(tmp_path / name)


def test_packed_motion_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_walk_plain_002"])
    with np.load(packing.pack(folder, tmp_path / "m.npz", 2, quiet()).path) as file:
        good = dict(file)
    wrong = {
        "start": (good["start"][:-1], good["start"] * 2, good["start"][::-1], good["start"] * 1.0),
        "name": (good["name"][:-1], good["name"][:, None]),
        "root": (good["root"][:100], good["root"][:, :2], np.full(good["root"].shape, np.inf)),
        "rotation": (good["rotation"][:, :3], np.full(good["rotation"].shape, np.nan)),
        "offset_m": (good["offset_m"][:3], good["offset_m"] * np.nan),
    }
    for name, others in wrong.items():
        for other in others:
            np.savez(tmp_path / "bad.npz", **{**good, name: other})
            with pytest.raises(DatasetError, match=r"bad\.npz: not a packed motion file"):
                bvh.load(tmp_path / "bad.npz")


def test_left_and_right_are_one_content_and_whole_styles_are_held_out() -> None:
    assert bvh.content_of("d_walk-turn-left_active_001") == bvh.content_of("d_walk-turn-right_active_009")
    assert bvh.style_of("d_walk_active_001") == "active"
    style, content = min(reels.HELD_OUT_STYLES), min(reels.HELD_OUT_CONTENTS)
    assert reels.held_out(f"d_walk_{style}_001")
    assert reels.held_out(f"d_{content}_normal_001")
    assert not reels.held_out("d_walk_normal_001")
    assert not reels.held_out("mine")


def test_a_reel_is_long_smooth_and_repeatable(tmp_path: Path) -> None:
    takes = [bvh.parse(f"d_walk_plain_00{n}", bvh_text(arm_swing=20.0 * n)) for n in (1, 2, 3)]

    def make(seed: int) -> np.ndarray:
        return reels.make_reel(np.random.default_rng(seed), takes, 12.0, reels.Variation()).keypoints_m

    reel = make(1)
    assert len(reel) >= 12 * reels.REEL_HZ
    np.testing.assert_array_equal(reel, make(1))
    assert not np.array_equal(reel[:100], make(2)[:100])
    speed = np.linalg.norm(np.diff(reel, axis=0), axis=-1) * reels.REEL_HZ
    assert speed.max() < 15
