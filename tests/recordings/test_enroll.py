"""Actions by example: one recording teaches what another is then known by, and nothing else."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from takes import Take, imu_text, take
from typer.testing import CliRunner, Result

from mobind_live.binding.engine import Engine
from mobind_live.binding.output.actions import Actions
from mobind_live.binding.output.example_windows import Channels, Samples, look, of_imus, of_person, starts
from mobind_live.cli import app
from mobind_live.config import load as load_rig
from mobind_live.driver import StreamSpec
from mobind_live.models import actions, example_file, examples
from mobind_live.models.actions import DAILY, WINDOW, ActionNet, ActionSizes
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.example_file import ExampleError, load_folder
from mobind_live.models.examples import MODALITIES, Example, Known, direction, thinned, with_known
from mobind_live.recordings.enroll import run as learning
from mobind_live.recordings.enroll import scene
from mobind_live.recordings.sync.recording import Recording
from mobind_live.recordings.sync.solve import Found
from mobind_live.runtime.worker import _actions
from mobind_live.schema import Action, Binding, Imu, Verdict

PARTS = {"left_forearm": ("left_forearm", 0.0), "right_shank": ("right_shank", 0.0)}
SECONDS = 18.0
SCRIPTS = {"jacks": ("jumping_jacks",), "walk": ("walking",), "punch": ("punching",)}


@pytest.fixture(scope="module")
def net() -> ActionNet:
    return actions.load()


def seen_in(net: ActionNet, made: Take) -> np.ndarray:
    """What is seen in all of a take's windows (N, 12, hidden)."""
    sensors = []
    for name, rows in made.imus.items():
        t_ns = (rows[:, 0] * 1e6).astype(np.int64)
        sensors.append(Samples(PARTS[name][0], t_ns, rows[:, 1:4] * 9.80665, np.radians(rows[:, 4:])))
    t_ns = np.array([frame.t_ns for frame in made.frames]) - made.frames[0].t_ns
    nobody = np.zeros((17, 3))
    person = np.stack([f.keypoints[0] if len(f.keypoints) else nobody for f in made.frames])
    return look(net, [*of_imus(sensors), of_person(t_ns, person)], starts(0.0, SECONDS - 0.5, 25))


@pytest.fixture(scope="module")
def takes() -> dict[str, Take]:
    """Each exercise by one person, and jumping jacks by another."""
    made = {name: take(PARTS, SECONDS, seed=11, script=script) for name, script in SCRIPTS.items()}
    return {**made, "others_jacks": take(PARTS, SECONDS, seed=13, script=SCRIPTS["jacks"])}


@pytest.fixture(scope="module")
def seen(net: ActionNet, takes: dict[str, Take]) -> dict[str, np.ndarray]:
    return {name: seen_in(net, made) for name, made in takes.items()}


def example(label: str, mine: np.ndarray, rest: np.ndarray, recording: str = "r") -> Example:
    both = np.concatenate([mine, rest])
    return Example(
        label=label,
        weights="w",
        seen=both,
        mine=np.arange(len(both)) < len(mine),
        recording=np.zeros(len(both), np.int64),
        start=np.arange(len(both)) * 25,
        recordings=(recording,),
    )


def only(windows: np.ndarray, *modalities: str) -> np.ndarray:
    keep = np.isin(MODALITIES, modalities)
    return np.where(keep[:, None], windows, np.nan)


def share(known: Known, windows: np.ndarray) -> float:
    """Of all windows, how many are taken for the first label."""
    return float(np.mean([known.probabilities(one)[0] > 0.5 for one in windows]))


# --- recognizing ---


@pytest.mark.parametrize(
    ("modalities", "strange"),
    [
        (MODALITIES, 0.2),
        (("left_forearm", "right_shank"), 0.2),
        (("left_forearm",), 0.6),  # arms alone: punches at the pace of the jacks look like them
    ],
    ids=["both", "imus", "imu"],
)
def test_an_example_is_known_again_in_another_person_and_nothing_else_is(
    seen: dict[str, np.ndarray], modalities: tuple[str, ...], strange: float
) -> None:
    known = Known([example("jack", seen["jacks"], seen["walk"])])
    assert share(known, only(seen["others_jacks"], *modalities)) > 0.8
    assert share(known, only(seen["walk"], *modalities)) < 0.05, "a counter-example"
    assert share(known, only(seen["punch"], *modalities)) < strange, "never seen before"


def test_what_is_not_alike_is_refused_even_without_counter_examples(seen: dict[str, np.ndarray]) -> None:
    known = Known([example("jack", seen["jacks"], seen["walk"][:0])])
    assert share(known, seen["others_jacks"]) > 0.8
    assert share(known, seen["walk"]) < 0.2
    assert share(known, seen["punch"]) < 0.2


def test_nothing_in_common_says_nothing(seen: dict[str, np.ndarray]) -> None:
    known = Known([example("jack", only(seen["jacks"], "left_forearm"), seen["walk"][:0])])
    assert share(known, only(seen["jacks"], "pose")) == 0.0
    assert known.probabilities(only(seen["jacks"], "pose")[0]).tolist() == [0.0]


def test_labels_compete(seen: dict[str, np.ndarray]) -> None:
    """Two labels taught by the same motion share it; another's own motion goes to it."""
    jack, walk = (example(n, seen[k], seen[k][:0]) for n, k in (("jack", "jacks"), ("stroll", "walk")))
    found = np.array([Known([jack, walk]).probabilities(one) for one in seen["walk"]])
    assert (found[:, 1] > found[:, 0]).all()
    twin = replace(jack, label="again")
    posterior = with_known(np.ones(3) / 3, Known([jack, twin]).probabilities(seen["others_jacks"][5]))
    assert posterior[3] == pytest.approx(posterior[4])
    assert posterior.max() < 0.75


@given(
    st.lists(st.floats(0.001, 1.0), min_size=2, max_size=25),
    st.lists(st.floats(0.0, 1.0), max_size=4),
)
@settings(max_examples=50, deadline=None)
def test_posteriors_sum_to_one(closed: list[float], known: list[float]) -> None:
    found = with_known(np.array(closed) / sum(closed), np.array(known))
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    assert len(found) == len(closed) + len(known)


def test_a_direction_does_not_know_how_strong() -> None:
    hidden = np.abs(np.random.default_rng(0).normal(0, 1, (3, 8)))
    np.testing.assert_allclose(direction(hidden), direction(7 * hidden), atol=1e-4)


# --- adding up ---


def test_examples_of_one_recording_do_not_contradict_each_other(seen: dict[str, np.ndarray]) -> None:
    """What the second example covers is no counter-example of the first, and nothing counts twice."""
    first = example("jack", seen["jacks"][:8], seen["jacks"][8:])
    second = replace(first, mine=np.arange(len(first.mine)) >= 8)
    both = first + second
    assert both.mine.all()
    assert len(both.mine) == len(first.mine)
    spread = replace(first, start=np.arange(len(first.mine)) * WINDOW)
    assert len((spread + spread).seen) == len(spread.seen)
    apart = first + replace(second, recordings=("another",))
    assert len(apart.mine) == 2 * len(first.mine)
    assert apart.recordings == ("r", "another")


# --- a lot of it ---


def numbered(label: str, *lengths: int, recording: str = "r", begin: int = 0) -> Example:
    """Windows of which only the begins tell them apart: so many of the action, then so many that are not, and
    so on."""
    mine = np.concatenate([np.full(n, k % 2 == 0) for k, n in enumerate(lengths)])
    return Example(
        label=label,
        weights="w",
        seen=np.ones((len(mine), len(MODALITIES), 1), np.float32),
        mine=mine,
        recording=np.zeros(len(mine), np.int64),
        start=begin + np.arange(len(mine)) * 12,
        recordings=(recording,),
    )


def test_of_an_hour_a_bounded_part_is_kept_evenly() -> None:
    kept = thinned(numbered("jack", 15_000, 256))
    assert (kept.mine.sum(), (~kept.mine).sum()) == (examples._MOST_MINE, examples._MOST_REST)
    gaps = np.diff(kept.start[kept.mine]) / 12
    assert {gaps.min(), gaps.max()} <= {15_000 // examples._MOST_MINE, 15_000 // examples._MOST_MINE + 1}
    assert np.diff(kept.start[~kept.mine]).tolist() == [12 * 2] * (examples._MOST_REST - 1)


def test_every_enrolment_keeps_its_share_however_long_another_is() -> None:
    hour = numbered("jack", 3_000, 256)
    short = numbered("jack", 10, 0, recording="s")
    later = numbered("jack", 20, 0, begin=10**6)  # of the same recording as the hour
    whole = hour + short + later
    kept = thinned(whole)
    assert kept.mine.sum() == examples._MOST_MINE
    assert (kept.recording[kept.mine] == 1).sum() == 10
    assert (kept.start[kept.mine] >= 10**6).sum() == 20
    many = thinned(replace(numbered("jack", 1_000), recording=np.arange(1_000)))
    assert len(many.recording) == examples._MOST_MINE
    assert np.diff(many.recording).max() <= 8


def test_a_short_example_is_kept_whole(seen: dict[str, np.ndarray]) -> None:
    one = example("jack", seen["jacks"], seen["walk"])
    kept = thinned(one)
    for name in ("seen", "mine", "recording", "start"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(one, name))


def test_thinning_changes_little(seen: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """With half of its windows an example is known again, and refuses, as with all of them."""
    one = example("jack", seen["jacks"], seen["walk"])
    whole = Known([one])
    monkeypatch.setattr(examples, "_MOST_MINE", len(seen["jacks"]) // 2)
    monkeypatch.setattr(examples, "_MOST_REST", len(seen["walk"]) // 2)
    half = Known([one])
    for name in ("others_jacks", "walk", "punch"):
        assert share(half, seen[name]) == pytest.approx(share(whole, seen[name]), abs=0.15)


def test_of_a_thinned_example_moments_are_still_left_out_whole() -> None:
    """40 moments that are nothing like each other, each in five windows: none is known again by the rest."""
    moments = np.repeat(np.eye(48, dtype=np.float32)[:, None], len(MODALITIES), axis=1)
    one = example("jack", moments[:40].repeat(5, axis=0), moments[40:])
    begins = (np.arange(40)[:, None] * 2 * WINDOW + np.arange(5) * 12).ravel()
    known = Known([replace(one, start=np.concatenate([begins, 10**6 + np.arange(8) * WINDOW]))])
    own, _ = examples.held_out(known._classes[0], known._windows)
    assert len(own) == examples._MOST_MINE
    assert (own < 0).all()


# --- files ---


def test_a_file_comes_back(tmp_path: Path, seen: dict[str, np.ndarray]) -> None:
    one = example("my jack", seen["jacks"], seen["walk"])
    path = example_file.path_of(tmp_path / "actions", one.label)
    example_file.save(path, one)
    assert path.name == "my_jack.safetensors"
    again = example_file.load(path, "w")
    np.testing.assert_allclose(again.seen, one.seen, atol=1e-3)
    assert (again.label, again.recordings, again.modalities) == (one.label, one.recordings, one.modalities)
    np.testing.assert_array_equal(again.mine, one.mine)


def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, seen: dict[str, np.ndarray]) -> None:
    one = example("jack", seen["jacks"], seen["walk"])
    example_file.save(tmp_path / "a.safetensors", one)
    example_file.save(tmp_path / "b.safetensors", one)
    example_file.save(tmp_path / "c.safetensors", replace(one, label="walking"))
    example_file.save(tmp_path / "d.safetensors", replace(one, label="old", weights="others"))
    (tmp_path / "e.safetensors").write_bytes(b"no tensors")
    (tmp_path / "f.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-50])
    actions.save(tmp_path / "g.safetensors", ActionNet(ActionSizes(8, 8)), {})
    found = load_folder(tmp_path, "w", DAILY)
    assert [example.label for example in found.examples] == ["jack"]
    said = dict(zip("bcdefg", found.refused, strict=True))
    for name, line in said.items():
        assert line.startswith(str(tmp_path / f"{name}.safetensors"))
        assert "\n" not in line
    assert "already an action 'jack'" in said["b"]
    assert "already an action 'walking'" in said["c"]
    assert "other action weights" in said["d"]
    assert "damaged" in said["e"]
    assert "damaged" in said["f"]
    assert "not an action by example" in said["g"]
    with pytest.raises(ExampleError, match="delete it and enroll again"):
        example_file.load(tmp_path / "d.safetensors", "w")


def test_the_fingerprint_is_of_what_sees_and_not_of_what_decides(net: ActionNet) -> None:
    torch.manual_seed(0)
    small = ActionNet(ActionSizes(8, 8))
    before = small.fingerprint()
    small.threshold += 0.1
    assert small.fingerprint() == before
    with torch.no_grad():
        small.part.weight += 0.1
    assert small.fingerprint() != before != net.fingerprint()


# --- in the worker ---


def test_the_worker_finds_the_folder_beside_the_yaml(
    tmp_path: Path, net: ActionNet, seen: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    rig = tmp_path / "rig.yaml"
    rig.write_text("devices:\n  sim:\n    driver: simulator\n")
    assert load_rig(rig).worker.actions is None
    one = replace(example("jack", seen["jacks"], seen["walk"]), weights=net.fingerprint())
    example_file.save(tmp_path / "actions" / "jack.safetensors", one)
    (tmp_path / "actions" / "bad.safetensors").write_bytes(b"")
    folder = load_rig(rig).worker.actions
    assert folder == tmp_path / "actions"
    with caplog.at_level(logging.INFO):
        found = _actions(_engine(), folder)
    assert found is not None
    assert found.labels == (*DAILY, "jack")
    assert [line for line in caplog.messages if "bad.safetensors: damaged" in line]
    assert [line for line in caplog.messages if line.endswith("actions: jack")]


def _engine() -> Engine:
    torch.manual_seed(0)
    specs = tuple(StreamSpec(name=name, kind="imu", nominal_hz=60.0, wears=name) for name in PARTS)
    return Engine(specs, Binder(Sizes(8, 8)), 2.0, torch.device("cpu"))


def test_it_is_said_live(net: ActionNet, takes: dict[str, Take], seen: dict[str, np.ndarray]) -> None:
    """Sensors on nobody in view say what the example taught, through the engine's own features."""
    known = Known([example("jack", only(seen["jacks"], "left_forearm"), seen["walk"])])
    for name, expected in (("others_jacks", True), ("walk", False)):
        engine = _engine()
        answers = Actions(engine, net, known)
        said: list[Action] = []
        rows = takes[name].imus["left_forearm"]
        for part in np.array_split(rows[rows[:, 0] < 12_000], 24):
            engine.take(_imu("left_forearm", part), 0)
            engine.advance()
            said += answers.messages([_alone("left_forearm")], [], 0)
        assert (sum(one.label == "jack" for one in said[8:]) > 10) is expected
        for one in said:
            assert sum(one.probabilities) <= 1 + 1e-6


def _imu(name: str, rows: np.ndarray) -> Imu:
    t_ns = (rows[:, 0] * 1e6).astype(np.int64)
    return Imu(
        stream=name,
        t_ns=t_ns,
        received_ns=t_ns,
        device_ns=np.empty(0, np.int64),
        acc_m_s2=(rows[:, 1:4] * 9.80665).astype(np.float32),
        gyro_rad_s=np.radians(rows[:, 4:]).astype(np.float32),
        quaternion=np.empty((0, 4), np.float32),
    )


def _alone(name: str) -> Binding:
    return Binding(
        stream=name, t_ns=0, wearer="", tracks={}, p_wearer=0.0, wearer_verdict=Verdict.UNBOUND, part="",
        p_part=0.0, part_verdict=Verdict.UNBOUND, p_none=1.0, candidates=(), expected_part=name,
    )  # fmt: skip


# --- the verb ---


def enroll(*words: object) -> Result:
    return CliRunner().invoke(app, ["enroll", *(str(word) for word in words)])


@pytest.fixture(scope="module")
def folder(takes: dict[str, Take], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("take")
    takes["walk"].write(path)
    return path


def test_sensors_alone_teach_and_the_same_label_adds_up(tmp_path: Path, folder: Path, net: ActionNet) -> None:
    arm = f"left_forearm={folder / 'imu_left_forearm.csv'}"
    out = tmp_path / "actions"
    result = enroll("jack", "--imu", arm, "--from", "2", "--to", "8", "--output", out)
    assert result.exit_code == 0, result.output
    assert "by left forearm" in result.output
    assert "delete this file" in result.output
    first = example_file.load(out / "jack.safetensors", net.fingerprint())
    assert not (first.mine & (first.start * 0.02 < 2 - 0.02)).any()
    assert (~first.mine).any()
    assert not (~first.mine & (first.start * 0.02 + WINDOW * 0.02 > 2.02) & (first.start * 0.02 < 8)).any()
    again = enroll("jack", "--imu", arm, "--from", "10", "--to", "16", "--output", out)
    assert again.exit_code == 0, again.output
    both = example_file.load(out / "jack.safetensors", net.fingerprint())
    assert both.mine.sum() == 2 * first.mine.sum()
    assert len(both.recordings) == 1


@pytest.mark.parametrize(("since_ms", "late_s"), [(1.7e12, 4.0), (0.0, 0.0)])
def test_sensors_of_one_clock_alone_are_joined_by_it(
    since_ms: float, late_s: float, tmp_path: Path, takes: dict[str, Take], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right shank's file begins 4 s later: known by its dates; without any it is said that it is not."""
    given: dict[str, Samples] = {}

    def spy(sensors: list[Samples]) -> list[Channels]:
        given.update({one.part: one for one in sensors})
        return of_imus(sensors)

    monkeypatch.setattr(learning, "of_imus", spy)
    words: list[object] = []
    for name, rows in takes["walk"].imus.items():
        own = rows[rows[:, 0] >= rows[0, 0] + 4000] if name == "right_shank" else rows
        path = tmp_path / f"{name}.csv"
        path.write_text(imu_text(np.column_stack([own[:, 0] + since_ms, own[:, 1:]])))
        words += ["--imu", f"{name}={path}"]
    result = enroll("jack", *words, "--from", "2", "--to", "8", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert ("each IMU's time counts from its own first row" in result.output) == (late_s == 0)
    arm, shank = (given[name].t_ns * 1e-9 for name in ("left_forearm", "right_shank"))
    assert (arm[0], shank[0]) == pytest.approx((-late_s, 0.0), abs=0.02)


def test_labels_that_differ_by_capitals_are_no_two(tmp_path: Path, folder: Path, net: ActionNet) -> None:
    assert enroll("jack", "--keypoints", folder / "keypoints.csv", "--output", tmp_path).exit_code == 0
    result = enroll("JACK", "--keypoints", folder / "keypoints.csv", "--output", tmp_path)
    assert result.exit_code == 2
    assert "holds the label 'jack'" in result.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pose_alone_teaches(tmp_path: Path, folder: Path, net: ActionNet) -> None:
    result = enroll("jack", "--keypoints", folder / "keypoints.csv", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert "no counter-examples" in result.output
    found = example_file.load(tmp_path / "jack.safetensors", net.fingerprint())
    assert found.modalities == ("pose",)
    assert found.mine.all()


def test_sensors_whose_offset_is_not_sure_are_left_out(
    tmp_path: Path, folder: Path, takes: dict[str, Take]
) -> None:
    """A sensor that lies still has no offset: the pose alone is learned from, and that is said."""
    rows = takes["walk"].imus["left_forearm"].copy()
    rows[:, 1:] = np.random.default_rng(0).normal((0, 0, 1, 0, 0, 0), 0.004, (len(rows), 6))
    still = tmp_path / "still.csv"
    header = "Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ"
    still.write_text("\n".join([header, *(",".join(f"{v:.4f}" for v in row) for row in rows)]) + "\n")
    result = enroll(
        "jack", "--keypoints", folder / "keypoints.csv", "--imu", f"a={still}", "--max-offset", "2",
        "--output", tmp_path / "actions",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "a is left out: its offset is not sure" in result.output
    assert "learning from the pose alone" in result.output
    assert "offsets up to 2 s were searched" not in result.output, "its recording is as long as the camera's"


def test_that_a_sensor_may_lie_beyond_what_was_searched_is_said(
    tmp_path: Path, folder: Path, takes: dict[str, Take]
) -> None:
    """A sensor that lies still, and was on for 45 s more."""
    n = len(takes["walk"].imus["left_forearm"])
    rest = np.random.default_rng(0).normal((0, 0, 1, 0, 0, 0), 0.004, (n, 6))
    step_ms = (takes["walk"].imus["left_forearm"][-1, 0] + 45_000) / (n - 1)
    still = tmp_path / "still.csv"
    still.write_text(imu_text(np.column_stack([np.arange(n) * step_ms, rest])))
    result = enroll(
        "jack", "--keypoints", folder / "keypoints.csv", "--imu", f"a={still}", "--max-offset", "2",
        "--output", tmp_path / "actions",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if "--max-offset" in line]
    assert line == (
        "only offsets up to 2 s were searched, and a's is 45 s longer than the camera's recording: "
        "try --max-offset 60"
    )


def test_who_comes_back_under_another_number_is_learned_from_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The frames of 1 and 2 are one person's, as one sensor says; 3 is somebody else."""
    frame = np.arange(40, dtype=np.int32)
    people = Recording(
        t_ns=frame.astype(np.int64) * 40_000_000,
        frame=np.append(frame, frame[:9]),
        track_ids=np.append(np.where(frame < 10, 1, 2), np.full(9, 3)).astype(np.int32),
        keypoints=np.ones((49, 17, 3), np.float32),
    )
    sure = Found(
        offset_s=0.1, verdict=Verdict.OK, part="chest", part_verdict=Verdict.OK,
        lags_s=np.empty(0), weights=np.empty(0),
    )  # fmt: skip
    found = {"a": replace(sure, tracks=(2, 1)), "b": replace(sure, tracks=(1,)), "c": sure}
    kept = scene.placed(found, Console())
    said = capsys.readouterr().out
    assert list(kept) == ["a", "b"]
    assert "chest of tracks 2, 1, offset" in said
    assert "c is left out: it is not sure who wears it" in said
    worn = {name: one.tracks for name, one in kept.items()}
    for track, whose in ((None, (2, 1)), (1, (2, 1)), (3, (3,))):
        assert scene.whose(track, people, worn) == whose
    assert people.keypoints_of(2, 1).all()


@pytest.mark.parametrize(
    ("label", "words", "expected"),
    [
        ("jack", ("--from", "9", "--to", "4"), "--to 4 is not after --from 9"),
        ("jack", ("--from", "4", "--to", "5.5"), "at least 2 s are needed"),
        ("jack", ("--from", "-1"), "--from -1"),
        ("jack", ("--from", "17"), "at least 2 s of the recording must be left"),
        ("jack", ("--to", "99"), "the recording is only"),
        ("ja/ck", (), "allowed are a to z"),
        ("..", (), "allowed are a to z"),
        ("Walking", (), "is taken"),
        ("unknown", (), "is taken"),
        ("Seitbeuge ü", (), "allowed are a to z"),
        ("jack", ("--track", "7"), "--track 7: there are 1"),
        ("jack", ("--video", "v.mp4"), "one of --video and --keypoints"),
    ],
)
def test_requests_that_make_no_sense_are_one_line(
    tmp_path: Path, folder: Path, label: str, words: tuple[str, ...], expected: str
) -> None:
    result = enroll(label, "--keypoints", folder / "keypoints.csv", *words, "--output", tmp_path / "out")
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    assert expected in line
    assert not (tmp_path / "out").exists()


def test_a_recording_is_needed_and_sensors_alone_are_named_by_their_part(
    folder: Path, tmp_path: Path
) -> None:
    result = enroll("jack", "--output", tmp_path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "nothing to learn from" in result.stderr
    result = enroll("jack", "--imu", f"arm={folder / 'imu_left_forearm.csv'}", "--output", tmp_path)
    assert result.exit_code == 2
    assert "without a camera an IMU's name must be the part" in result.stderr


def test_nobody_seen_between_the_times(tmp_path: Path, folder: Path) -> None:
    lines = (folder / "keypoints.csv").read_text().splitlines()
    hidden = [
        line if not 5 <= float(line.split(",")[0]) <= 11 else line.split(",")[0] + "," + ",".join(["0"] * 51)
        for line in lines[1:]
    ]
    path = tmp_path / "k.csv"
    path.write_text("\n".join([lines[0], *hidden]) + "\n")
    result = enroll("jack", "--keypoints", path, "--from", "6", "--to", "10", "--output", tmp_path)
    assert result.exit_code == 1, result.output
    assert "from 6 to 10 s: nobody is seen there" in result.stderr


def test_a_hole_teaches_nothing(tmp_path: Path, folder: Path) -> None:
    """A sensor that sends nothing for less than 3 s goes on where it was, with steps that hold no sample."""
    header, *rows = (folder / "imu_left_forearm.csv").read_text().splitlines()
    path = tmp_path / "hole.csv"
    path.write_text(
        "\n".join([header, *(r for r in rows if not 5e3 < float(r.split(",")[0]) < 7.9e3)]) + "\n"
    )
    words = ("--imu", f"left_forearm={path}", "--output", tmp_path)
    result = enroll("jack", *words, "--from", "5.2", "--to", "7.8")
    assert result.exit_code == 1, result.output
    assert "from 5.2 to 7.8 s: no IMU has samples there" in result.stderr
    assert enroll("jack", *words, "--from", "3", "--to", "10").exit_code == 0


def test_a_label_of_other_weights_is_not_added_to(tmp_path: Path, folder: Path) -> None:
    seen = np.ones((3, len(MODALITIES), 4), np.float32)
    example_file.save(tmp_path / "jack.safetensors", example("jack", seen, seen))
    result = enroll("jack", "--keypoints", folder / "keypoints.csv", "--output", tmp_path)
    assert result.exit_code == 1
    assert "enrolled with other action weights" in result.stderr
