"""Motion capture files: read, pack, load, and the body they become."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from mocap import FRAMES, bvh_text, quiet, write_takes

from mobind_live.kinematics.body import limb_joints
from mobind_live.models import pack as packing
from mobind_live.models.datasets import bvh, reels
from mobind_live.models.errors import DatasetError
from mobind_live.schema import KEYPOINTS, PARTS


def test_parse_turns_the_world_and_the_units() -> None:
    take = bvh.parse("d_walk_plain_001", bvh_text(arm_swing=30.0))

    assert take.rotation.shape == (FRAMES, len(bvh.JOINTS), 3)
    # 90 cm up in the file (y) is 0.9 m up in our world (z); it goes ahead (file's z) along our -y.
    np.testing.assert_allclose(take.root_m[0], [0, 0, 0.9], atol=1e-6)
    assert take.root_m[-1, 1] < -0.3
    assert np.abs(take.rotation[:, bvh.JOINTS.index("UpperArm_L")]).max() == pytest.approx(
        np.radians(30), rel=0.02
    )


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


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_old_001"])
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(folder, "bvh")

    assert sorted(bvh.texts(tmp_path / "a.tar.xz")) == sorted(bvh.texts(folder))


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
    assert "no takes" in refused(tmp_path / "empty")
    assert "neither a folder of .bvh files nor an archive" in refused(tmp_path / "text.tar.xz")
    assert ".npz" in refused(folder, "motion.bin")
    monkeypatch.setattr(packing, "MOST_BYTES", 10)
    assert "--most-repeats" in refused(folder)
    assert not list(tmp_path.glob("*.npz"))


@pytest.mark.parametrize("text", ["", "HIERARCHY\nROOT Hips\nMOTION\nFrames: 1\nFrame Time: 0.03\n1 2 x\n"])
def test_other_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(DatasetError, match="d_a_b_001"):
        bvh.parse("d_a_b_001", text)


def test_a_file_that_is_not_packed_motion_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and no more")
    np.savez(tmp_path / "b.npz", other=np.zeros(3))

    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(DatasetError, match=name):
            bvh.load(tmp_path / name)


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
