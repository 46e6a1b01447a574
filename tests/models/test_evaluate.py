"""Evaluation: the readout on tokens whose answer is known, and the metrics on recordings made up here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap import quiet, write_takes
from numpy.random import default_rng
from scipy.io import loadmat, savemat
from typer.testing import CliRunner

from mobind_live.cli import app
from mobind_live.models import actions, checkpoint, pack
from mobind_live.models.datasets import bench5 as bench5_data
from mobind_live.models.datasets import utd_mhad as utd_data
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import DatasetError
from mobind_live.models.evaluate import bench5, bvh, card, readout, table, utd_mhad, worn_walk
from mobind_live.models.evaluate.peers import trained
from mobind_live.models.evaluate.peers.correlation import Correlation
from mobind_live.vocabulary import KEYPOINTS, PARTS


def no_tick(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("lags", [(-4, 7), (-100, 100)])
def test_evidence_is_a_slow_loop(lags: tuple[int, int]) -> None:
    rng = default_rng(0)
    imu, pose = rng.normal(size=(30, 5)), rng.normal(size=(2, 3, 40, 5))
    low, high = lags

    fast = readout.evidence(imu, pose, low, high)

    slow = np.zeros((2, 3, high - low + 1))
    met = np.zeros(high - low + 1)
    for index, lag in enumerate(range(low, high + 1)):
        for n in range(40):
            if 0 <= n + lag < 30:
                slow[..., index] += pose[..., n, :] @ imu[n + lag]
                met[index] += 1
    np.testing.assert_allclose(fast, slow, atol=1e-4)
    np.testing.assert_array_equal(readout.overlap(30, 40, low, high), met)


def test_the_peak_lies_between_tokens() -> None:
    lag = 3.3
    curve = -((np.arange(-10, 11) - lag) ** 2)

    assert readout.peak(curve, -10) == pytest.approx(lag)
    assert readout.peak(np.arange(5.0), 2) == 6
    assert readout.peak(np.zeros(5), 2) == 2


def test_the_lag_is_the_offset() -> None:
    """The IMU's stamps run ahead by 12 tokens: its first token is the motion of 12 tokens before."""
    motion = default_rng(0).normal(size=(200, 8))
    pose = np.stack([default_rng(9).normal(size=(150, 8)), motion[12:162]])

    curves = readout.evidence(motion[:150], pose, -40, 40)

    assert int(curves.max(axis=-1).argmax()) == 1
    assert readout.peak(curves[1], -40) == pytest.approx(12, abs=0.2)


def swing(rng: np.random.Generator, steps: int) -> np.ndarray:
    """An angle in rad that wanders as no other does, at 50 Hz."""
    time = np.arange(steps) / 50
    return sum(
        rng.uniform(0.3, 0.8) * np.sin(2 * np.pi * rng.uniform(0.3, 1.6) * time + rng.uniform(0, 6))
        for _ in range(4)
    )  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module")
def utd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two even subjects and an odd one who turn one forearm (or thigh) across the picture."""
    root = tmp_path_factory.mktemp("utd")
    (root / "Inertial").mkdir()
    (root / "Skeleton").mkdir()
    for subject in (1, 2, 4):
        for action in (1, 2, 3, 25):
            for trial in (1, 2, 3):
                write_clip(root, action, subject, trial)
    return root


def write_clip(root: Path, action: int, subject: int, trial: int) -> None:
    rng = default_rng((action, subject, trial))
    steps = int(rng.integers(150, 200))
    angle = swing(rng, steps)
    inertial = np.zeros((steps, 6))
    inertial[:, 1] = 1.0
    inertial[:, 5] = np.degrees(np.gradient(angle) * 50)
    skeleton = np.zeros((20, 3, steps))
    skeleton[:, 2] = 3.0
    skeleton[:, 0] = np.linspace(-0.5, 0.5, 20)[:, None]
    skeleton[:, 1] = (np.linspace(0.7, -0.8, 20) ** 3)[:, None]
    near, far = (9, 10) if action <= 21 else (16, 17)
    skeleton[far, :2] = skeleton[near, :2] + 0.3 * np.stack([np.cos(angle), np.sin(angle)])
    name = f"a{action}_s{subject}_t{trial}"
    savemat(root / "Inertial" / f"{name}_inertial.mat", {"d_iner": inertial})
    savemat(root / "Skeleton" / f"{name}_skeleton.mat", {"d_skel": skeleton})


def test_utd_mhad_metrics_of_motion_that_is_plain_to_see(utd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utd_mhad, "JOINED", 40)
    first = utd_mhad.measure([Correlation()], utd, (2, 4), 0, no_tick)[0]

    assert first["clip_sync_acc_0.2"] > 0.9
    assert first["clip_sync_acc_0.1_debiased"] > 0.85
    assert abs(first["clip_sync_bias_s"]) < 0.02
    assert abs(first["clip_sync_odd_bias_s"]) < 0.02
    assert first["sync_acc_0.1"] > 0.95
    assert first["sync_control_acc_0.1"] < 0.2
    assert first["part4_acc"] > 0.9
    assert first["part_acc"] > 0.8
    assert first["wearer4_random_acc"] > 0.9
    assert "wearer4_same_acc" in first
    assert first["retrieval_r1"] > 0.9
    assert first["retrieval_r5"] >= first["retrieval_r1"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "Inertial/a1_s2_t1_inertial.mat",
            b"no mat file",
            "a1_s2_t1_inertial.mat: not one of UTD-MHAD's files",
        ),
        ("Inertial/a1_s2_t1_inertial.mat", {"other": np.ones((9, 6))}, "d_iner cannot be read"),
        ("Inertial/a1_s2_t1_inertial.mat", {"d_iner": np.ones((9, 5))}, r"d_iner has the shape \(9, 5\)"),
        (
            "Inertial/a1_s2_t1_inertial.mat",
            {"d_iner": np.full((9, 6), np.nan)},
            "a number that is not finite",
        ),
        (
            "Skeleton/a1_s2_t1_skeleton.mat",
            {"d_skel": np.ones((20, 3, 1))},
            r"d_skel has the shape \(20, 3, 1\)",
        ),
    ],
)
def test_a_damaged_clip_is_named(tmp_path: Path, name: str, content: object, says: str) -> None:
    for folder in ("Inertial", "Skeleton"):
        (tmp_path / folder).mkdir()
    for trial in (1, 2):
        write_clip(tmp_path, 1, 2, trial)
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        savemat(tmp_path / name, content)
    with pytest.raises(DatasetError, match=says):
        utd_data.load(tmp_path, (2,))


def test_a_clip_without_a_skeleton_is_left_out_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("Inertial", "Skeleton"):
        (tmp_path / folder).mkdir()
    for trial in (1, 2):
        write_clip(tmp_path, 1, 2, trial)
    (tmp_path / "Inertial" / "ax_s2_t1_inertial.mat").touch()
    (tmp_path / "Skeleton" / "a1_s2_t1_skeleton.mat").unlink()
    assert [clip.trial for clip in utd_data.load(tmp_path, (2,))] == [2]
    assert "a1_s2_t1_inertial.mat: left out, since it has no skeleton" in caplog.text
    with pytest.raises(DatasetError, match="no UTD-MHAD clips of subjects 4"):
        utd_data.load(tmp_path, (2, 4))
    assert len(utd_data.load(tmp_path, (2, 4), some=True)) == 1
    assert utd_data.load(tmp_path, (4,), some=True) == []


def test_without_odd_subjects_what_ships_has_the_card_s_bias_taken_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("Inertial", "Skeleton"):
        (tmp_path / folder).mkdir()
    for action, subject in ((1, 2), (2, 2), (1, 4), (2, 4)):
        write_clip(tmp_path, action, subject, 1)
    methods = [Correlation(), Correlation()]
    own, other = utd_mhad.measure(methods, tmp_path, (2, 4), 0, no_tick, odd_bias_s=-0.03)
    assert own["clip_sync_odd_bias_s"] == -0.03
    assert "clip_sync_acc_0.1_debiased" in own
    assert "clip_sync_odd_bias_s" not in other
    assert "-0.0300 s of the weights that ship is taken instead" in caplog.text

    write_clip(tmp_path, 1, 3, 1)
    (tmp_path / "Inertial" / "a1_s3_t1_inertial.mat").write_bytes(b"no mat file")
    metrics = utd_mhad.measure([Correlation()], tmp_path, (2, 4), 0, no_tick)[0]
    assert "clip_sync_odd_bias_s" not in metrics
    assert "a1_s3_t1_inertial.mat: not one of UTD-MHAD's files" in caplog.text


def test_the_bias_of_what_ships_is_the_card_s(root: Path) -> None:
    card_text = (root / "models" / "weights" / "MODEL_CARD.md").read_text()
    row = next(line for line in card_text.splitlines() if line.startswith("| `clip_sync_odd_bias_s`"))
    assert float(row.split("|")[2]) == utd_mhad.SHIPPED_ODD_BIAS_S


def test_subjects_of_the_training_and_one_alone_are_said(utd: Path, caplog: pytest.LogCaptureFixture) -> None:
    both = utd_mhad.measure([Correlation()], utd, (1, 2), 0, no_tick, odd_bias_s=-0.03)[0]
    assert "subjects 1 were trained on" in caplog.text
    assert "clip_sync_odd_bias_s" not in both
    assert "wearer4_random_acc" in both
    caplog.clear()
    alone = utd_mhad.measure([Correlation()], utd, (4,), 0, no_tick)[0]
    assert "one subject alone: no figures of wearers" in caplog.text
    assert "trained on" not in caplog.text
    assert "wearer4_random_acc" not in alone
    caplog.clear()


def test_clips_are_found_below_and_in_capitals_but_not_twice(utd: Path, tmp_path: Path) -> None:
    below = tmp_path / "copy" / "INERTIAL"
    below.mkdir(parents=True)
    for path in utd.glob("*/*.mat"):
        (below / path.name.upper()).symlink_to(path)
    same = zip(utd_data.load(utd, (2, 4)), utd_data.load(tmp_path, (2, 4)), strict=True)
    assert all(
        (a.action, a.trial, a.acc_g.tolist()) == (b.action, b.trial, b.acc_g.tolist()) for a, b in same
    )
    (tmp_path / "a1_s2_t1_inertial.mat").touch()
    with pytest.raises(
        DatasetError, match=r"A1_S2_T1_INERTIAL\.MAT: the same clip as .*/a1_s2_t1_inertial\.mat"
    ):
        utd_data.load(tmp_path, (2, 4))


def test_a_skeleton_that_does_not_last_as_long_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("Inertial", "Skeleton"):
        (tmp_path / folder).mkdir()
    write_clip(tmp_path, 1, 2, 1)
    path = tmp_path / "Skeleton" / "a1_s2_t1_skeleton.mat"
    skeleton = loadmat(path)["d_skel"]
    utd_data.load(tmp_path, (2,))
    assert "1 clips, such as a1_s2_t1_inertial.mat (50 frames per second)" in caplog.text
    caplog.clear()
    savemat(path, {"d_skel": skeleton[..., ::3]})
    utd_data.load(tmp_path, (2,))
    assert not caplog.text


def test_other_units_and_skeletons_are_refused(tmp_path: Path) -> None:
    for folder in ("Inertial", "Skeleton"):
        (tmp_path / folder).mkdir()
    write_clip(tmp_path, 1, 2, 1)
    path = tmp_path / "Inertial" / "a1_s2_t1_inertial.mat"
    inertial = loadmat(path)["d_iner"]
    savemat(path, {"d_iner": inertial * ([9.8] * 3 + [1.0] * 3)})
    with pytest.raises(DatasetError, match=r"inertial\.mat: the acceleration is about 9\.8"):
        utd_data.load(tmp_path, (2,))
    savemat(path, {"d_iner": inertial * ([1.0] * 3 + [np.pi / 180] * 3)})
    with pytest.raises(DatasetError, match="no clip turns faster than 40; are they in deg/s"):
        utd_data.load(tmp_path, (2,))
    savemat(path, {"d_iner": inertial})
    savemat(tmp_path / "Skeleton" / "a1_s2_t1_skeleton.mat", {"d_skel": np.ones((25, 3, 90))})
    with pytest.raises(DatasetError, match=r"skeleton\.mat: 25 joints, not Kinect v1's 20"):
        utd_data.load(tmp_path, (2,))


class Deaf(Correlation):
    def score(self, imu: np.ndarray, pose: np.ndarray, low: int, high: int) -> np.ndarray:
        return np.full((*pose.shape[:-2], high - low + 1), np.nan)


def test_who_can_tell_nothing_finds_nobody(utd: Path) -> None:
    metrics = utd_mhad.measure([Deaf()], utd, (2, 4), 0, no_tick)[0]
    assert (metrics["retrieval_r1"], metrics["retrieval_r5"]) == (0.0, 0.0)


def test_utd_mhad_is_repeatable_and_seeded(utd: Path) -> None:
    def crops(seed: int) -> np.ndarray:
        clips = utd_mhad.utd_mhad.load(utd, (2,))
        return utd_mhad.clip_errors(Correlation(), clips, seed, no_tick, "")

    np.testing.assert_array_equal(crops(0), crops(0))
    assert not np.array_equal(crops(0), crops(1))


def test_signs_and_shares() -> None:
    metrics = utd_mhad.sync_metrics("x", np.array([-0.05, -0.15, -0.3, 0.01]), bias=True)

    assert metrics["x_bias_s"] == pytest.approx(-0.1)
    assert (metrics["x_acc_0.2"], metrics["x_acc_0.1"]) == (0.75, 0.5)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take of 40 s in which both forearms turn; the sensors' clocks are off as the table says."""
    root = tmp_path_factory.mktemp("bench")
    folder = root / "take_4"
    folder.mkdir()
    rng = default_rng(4)
    steps, extra = 2000, 100
    angles = {side: swing(rng, steps + 2 * extra) for side in ("left", "right")}
    points = np.tile(rng.uniform(100, 500, (17, 2)), (steps, 1, 1)) + rng.normal(0, 0.3, (steps, 17, 2))
    for side, angle in angles.items():
        elbow, wrist = (KEYPOINTS.index(f"{side}_{joint}") for joint in ("elbow", "wrist"))
        seen = angle[extra : extra + steps]
        points[:, wrist] = points[:, elbow] + 80 * np.stack([np.cos(seen), np.sin(seen)], axis=1)
        offset = round(bench5_data.OFFSETS_S["take_4"][f"{side}_forearm"] * 50)
        rate = np.degrees(np.gradient(angle) * 50)[extra - offset :][:steps]
        up = 1 + 0.01 * rng.standard_normal(steps)
        lines = [
            f"{20 * n}\t0\t0\t{g:.4f}\t0\t0\t{value:.3f}"  # about the vertical, along which gravity stays
            for n, (g, value) in enumerate(zip(up, rate, strict=True))
        ]
        header = "Millis\tAccelX\tAccelY\tAccelZ\tGyroX\tGyroY\tGyroZ"
        (folder / f"imu_{side}_arm.csv").write_text("\n".join([header, *lines]))
    names = ",".join(f"{name}_x,{name}_y" for name in KEYPOINTS)
    rows = [f"{n / 50:.2f}," + ",".join(f"{v:.2f}" for v in row.ravel()) for n, row in enumerate(points)]
    (folder / "keypoints.csv").write_text("\n".join([f"time_s,{names}", *rows]))
    return root


def test_bench5_finds_part_and_offset(bench: Path) -> None:
    metrics = bench5.measure([Correlation()], bench, 0, no_tick)[0]

    assert metrics["part_acc_take"] == 1
    assert metrics["forearm_err_median_s"] < 0.02
    assert metrics["forearm_acc_0.1_20s"] == 1
    assert (metrics["count_sensors"], metrics["count_excerpts"]) == (2, 8)


def test_a_take_without_sensors_is_refused(tmp_path: Path, bench: Path) -> None:
    (tmp_path / "take_4").mkdir()
    (tmp_path / "take_4" / "keypoints.csv").write_bytes((bench / "take_4" / "keypoints.csv").read_bytes())
    with pytest.raises(DatasetError, match=r"take_4: no imu_\*\.csv beside keypoints\.csv"):
        bench5_data.load(tmp_path)


def test_a_take_may_have_any_name_and_place(
    tmp_path: Path, bench: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "Monday" / "Take 9"
    folder.mkdir(parents=True)
    names = {"keypoints": "Keypoints", "imu_left_arm": "IMU_LeftWrist", "imu_right_arm": "imu_lower_arm_R"}
    for old, new in names.items():
        (folder / f"{new}.csv").write_bytes((bench / "take_4" / f"{old}.csv").read_bytes())
    (folder / "notes.csv").touch()

    untold = bench5.measure([Correlation()], tmp_path, 0, no_tick)[0]
    assert (untold["part_acc_take"], untold["count_forearm_excerpts"]) == (1, 0)
    assert "forearm_err_median_s" not in untold
    assert "no true offsets are known of Take 9" in caplog.text
    assert "not read, since its name does not begin with imu_: notes.csv" in caplog.text

    (tmp_path / "offsets.csv").write_text(
        "take,part,offset_s\nTake 9,left_arm,0.53\nTake 9,right_forearm,0.55\n"
    )
    told = bench5.measure([Correlation()], tmp_path, 0, no_tick)[0]
    assert told == bench5.measure([Correlation()], bench, 0, no_tick)[0]
    assert [take.name for take in bench5_data.load(folder)] == ["Take 9"]


def test_takes_of_one_name_are_told_apart(
    tmp_path: Path, bench: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "unseen").mkdir()
    (tmp_path / "unseen" / "imu_chest.csv").touch()
    for person in ("anna", "ben"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "take_4").symlink_to(bench / "take_4")
    takes = bench5_data.load(tmp_path)
    assert [(take.name, take.offsets_s) for take in takes] == [("anna/take_4", {}), ("ben/take_4", {})]
    assert f"{tmp_path / 'unseen'}: left out, since it has no keypoints.csv" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("take,part\ntake_4,left_arm", "not lines of take,part,offset_s"),
        ("take,part,offset_s\ntake_4,left_arm,soon", "could not convert string to float: 'soon'"),
        ("take,part,offset_s\ntake_4,left_foot,1", "'left_foot' says no body part"),
        ("take,part,offset_s\ntake_4,chest,nan", "not lines of take,part,offset_s"),
        ("take,part,offset_s\ntake_5,chest,1", "there is no take take_5; there are take_4"),
    ],
)
def test_offsets_that_cannot_be_meant_are_refused(tmp_path: Path, bench: Path, text: str, says: str) -> None:
    (tmp_path / "take_4").symlink_to(bench / "take_4")
    (tmp_path / "offsets.csv").write_text(text)
    with pytest.raises(DatasetError, match=f"offsets.csv: .*{says}"):
        bench5_data.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("left_arm", "left_forearm"),
        ("right_leg", "right_shank"),
        ("left_upper_arm", "left_upper_arm"),
        ("RightLowerLeg", "right_shank"),
        ("thigh_l", "left_thigh"),
        ("Sternum", "chest"),
        ("arm", ""),
        ("left_right_arm", ""),
        ("left_foot", ""),
    ],
)
def test_a_file_s_name_says_the_part(text: str, part: str) -> None:
    if part:
        assert bench5_data._part(text) == part
    else:
        with pytest.raises(ValueError, match="says no body part"):
            bench5_data._part(text)


def test_what_a_sensor_says_of_its_place_counts_for_the_part_alone(bench: Path, utd: Path) -> None:
    class Stubborn(Correlation):
        def parts(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
            return np.where(np.arange(len(PARTS)) == 0, 10.0, 0.0)

    metrics = bench5.measure([Stubborn()], bench, 0, no_tick)[0]
    assert (metrics["part_acc_take"], metrics["part_acc_20s"]) == (0, 0)
    assert metrics["forearm_err_median_s"] < 0.02
    streams = utd_mhad.encode(Stubborn(), utd_data.load(utd, (2, 4)), no_tick)
    assert utd_mhad.part_metrics(Stubborn(), streams)["part_acc"] == 0


def test_a_resting_sensor_is_not_asked() -> None:
    zeros = np.zeros((2000, 3))
    still = bench5_data.Worn("chest", zeros, zeros + 0.1, np.ones(2000))
    moving = bench5_data.Worn("chest", zeros, zeros + 1.0, np.ones(2000))

    assert bench5._excerpts(still, 40) == []
    assert bench5._excerpts(moving, 40) == [0, 5, 10, 15]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "small.safetensors"
    checkpoint.save(path, Binder(Sizes(width=8, embedding=4)), {})
    return path


def test_the_command_writes_the_table_and_the_same_numbers(
    utd: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "DEFAULT", tmp_path / "none")
    monkeypatch.setattr(utd_mhad, "JOINED", 10)
    recipe = tmp_path / "mobind.yaml"
    recipe.write_text("form: mobind\nmotion: m.npz\noutput: never.safetensors\n")
    monkeypatch.setattr(trained, "RECIPES", (recipe,))
    path = tmp_path / "out.json"
    words = ["eval", "utd-mhad", "--root", str(utd), "--subjects", "4", "--checkpoint", str(small)]

    result = CliRunner().invoke(app, [*words, "--json", str(path), "--peers"])

    assert result.exit_code == 0, result.output
    document = json.loads(path.read_text())
    assert document["subjects"] == [4]
    assert {"clip_sync_mae_s", "clip_sync_acc_0.2", "sync_acc_0.1", "part4_acc", "retrieval_r5"} <= set(
        document["metrics"]
    )
    assert all(0 <= v <= 1 for k, v in document["metrics"].items() if "acc" in k)
    assert document["peers"]["correlation"]["clip_sync_acc_0.2"] > 0.9
    assert "never.safetensors is not there; train it with: mobind-live train-peer" in result.stdout
    assert all(name in result.stdout for name in document["metrics"])


def test_held_out_motion(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bvh, "REELS", 2)
    monkeypatch.setattr(bvh, "LENGTHS", {"": bvh.Length(40, 1, 8, 2), "long_": bvh.Length(30, 2, 9, 3)})
    folder = write_takes(tmp_path / "bvh", ["d_walk_normal_001", "d_kick_normal_001", "d_walk_old_001"])
    packed = pack.pack(folder, tmp_path / "m.npz", 1, quiet()).path

    from_folder, from_packed = (
        bvh.measure([Correlation()], root, 0, no_tick)[0] for root in (folder, packed)
    )

    assert from_folder["count_sensors"] == from_folder["clear_count_sensors"] == bvh.PEOPLE * bvh.WORN
    assert from_folder["clear_sync_mae_s"] < from_folder["sync_mae_s"]
    assert from_folder["long_clear_count_sensors"] == 2 * bvh.PEOPLE * bvh.WORN
    assert set(from_folder) == set(from_packed)
    assert [take.name for take in bvh._held_out(folder, no_tick)] == ["d_kick_normal_001", "d_walk_old_001"]


def test_other_motion_capture_is_held_out_and_short_takes_are_left_out_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_normal_001", "d_dance-long_normal_001", "05_01"])
    long = (folder / "05_01.bvh").read_text()
    first = "\n".join(long[long.index("Frame Time") :].splitlines()[1:31])
    (folder / "brief.bvh").write_text(
        long[: long.index("MOTION")] + f"MOTION\nFrames: 30\nFrame Time: 0.033333\n{first}\n"
    )
    assert [take.name for take in bvh._held_out(folder, no_tick)] == ["05_01", "d_dance-long_normal_001"]
    assert "2 of 2 takes, such as 05_01, are not of the motion" in caplog.text
    assert "1 takes under 1.1 s left out" in caplog.text

    (folder / "05_01.bvh").unlink()
    (folder / "d_dance-long_normal_001.bvh").unlink()
    with pytest.raises(DatasetError, match="nor other motion capture; 1 are under"):
        bvh._held_out(folder, no_tick)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["utd"], "utd: no such data set; one of utd-mhad, bench5, bvh"),
        (["utd-mhad"], "no UTD-MHAD clips of subjects 2, 4 in"),
        (["utd-mhad", "--subjects", "two"], "--subjects two: give numbers"),
        (["bench5"], "no folder with a keypoints.csv"),
        (["bvh"], "holds no .bvh files"),
        (["bench5", "--checkpoint", "absent.safetensors"], "absent.safetensors: no such weights file"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["eval", *words, "--root", str(tmp_path)])
    nowhere = CliRunner().invoke(app, ["eval", "bvh", "--root", str(tmp_path / "no")])

    assert result.exit_code == (2 if "such data set" in said or "--subjects" in said else 1)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "no such file or folder" in nowhere.stderr


def test_figures_that_cannot_be_written_are_told_before_the_work(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "bench5", "--root", str(tmp_path), "--json", str(tmp_path)])

    assert result.exit_code == 1
    assert result.stderr == f"mobind-live: {tmp_path}: cannot be written: a folder\n"


def test_markdown_is_the_table() -> None:
    text = table.markdown(
        "bench5", {"part_acc": 0.5, "x_s": 0.0123, "b_bias_s": 0.01}, {"rival": {"part_acc": 0.25}}
    )

    assert "| `part_acc` | 0.500 | 0.250 |" in text
    assert "| `x_s` | 0.0123 |  |" in text
    assert "| `b_bias_s` | +0.0100 |  |" in text


def test_parts_of_the_rival_are_all_there() -> None:
    points = default_rng(0).normal(300, 50, (80, 17, 3))

    assert Correlation().pose(points).shape == (len(PARTS), 80, 1)
    assert not Correlation().pose(points[:1]).any(), "in one frame nothing turns"


def test_the_card_takes_the_tables(tmp_path: Path) -> None:
    path, made = tmp_path / "CARD.md", tmp_path / "a.json"
    path.write_text(f"before\n{card.BEGIN}\nold\n{card.END}\nafter\n")
    document = {
        "dataset": "utd-mhad",
        "subjects": [2, 4],
        "seed": 0,
        "checkpoint": "shipped",
        "metrics": {"part_acc": 0.5},
        "peers": {"correlation": {"part_acc": 0.25}},
    }
    made.write_text(json.dumps(document))

    assert card.main([str(path), str(made)]) == 0

    text = path.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "utd-mhad, subjects 2, 4" in text
    assert "| `part_acc` | 0.500 | 0.250 |" in text
    made.write_text("{}")
    assert card.main([str(path), str(made)]) == 2
    assert card.main([str(path)]) == 2


def test_the_shipped_card_has_the_marks(root: Path) -> None:
    assert "tables here" in card.filled((root / "models/weights/MODEL_CARD.md").read_text(), "tables here")


def test_a_virtual_sensor_is_like_the_worn_one(shared_data: Path) -> None:
    found = worn_walk.compare(shared_data / "gait" / "xsens_vicon_walk")

    assert [item.sensor for item in found] == list(worn_walk.SEGMENTS)
    assert np.median([item.acc.max() for item in found]) > 0.85
    assert np.median([item.gyro.max() for item in found]) > 0.93
    assert np.median([item.turning for item in found]) > 0.9
    assert "| L_Foot |" in worn_walk.table(found)


def test_a_walk_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert worn_walk.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'vicon.csv'}: not a recording of the walk\n"


def test_a_walk_without_rows_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "PELV_1,PELV_2\n"):
        (tmp_path / "vicon.csv").write_text(text)
        assert worn_walk.main([str(tmp_path)]) == 2
        assert capsys.readouterr().err == f"{tmp_path / 'vicon.csv'}: not a recording of the walk\n"


@pytest.mark.parametrize("words", [[], ["one", "two"]])
def test_a_walk_asked_for_wrongly_says_how(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert worn_walk.main(words) == 2
    assert capsys.readouterr().err == "usage: python -m mobind_live.models.evaluate.worn_walk FOLDER\n"
