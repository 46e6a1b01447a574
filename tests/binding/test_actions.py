"""Action labels: the classifier's modalities, its honesty, its file, and the messages made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobind_live.binding.engine import BLOCK, Engine
from mobind_live.binding.output.actions import Actions, Subject, Worn, subjects, verdict, window
from mobind_live.driver import StreamSpec
from mobind_live.models import actions, checkpoint
from mobind_live.models.actions import DAILY, OTHER, STILL, UNKNOWN, WINDOW, ActionNet, ActionSizes, decide
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import CheckpointError, RecipeError
from mobind_live.models.features import PoseFeatures
from mobind_live.models.rolling import Recent
from mobind_live.models.train_actions import ActionRecipe, threshold
from mobind_live.schema import Binding, Candidate, Imu, Offset, Pose, Verdict

S = 1_000_000_000
SMALL = ActionSizes(width=8, hidden=8)


@pytest.fixture
def net() -> ActionNet:
    torch.manual_seed(1)
    return ActionNet(SMALL).eval()


def _binding(imu: str, **changes: object) -> Binding:
    plain: dict[str, object] = {
        "stream": imu,
        "t_ns": 0,
        "wearer": "wearer_1",
        "tracks": {"cam": 1},
        "p_wearer": 1.0,
        "wearer_verdict": Verdict.OK,
        "part": "left_shank",
        "p_part": 1.0,
        "part_verdict": Verdict.OK,
        "p_none": 0.0,
        "candidates": (),
    }
    return Binding(**{**plain, **changes})  # type: ignore[arg-type]


def _offset(imu: str, offset_s: float, worth: Verdict = Verdict.OK, camera: str = "cam") -> Offset:
    return Offset(
        stream=imu,
        camera=camera,
        t_ns=0,
        offset_s=offset_s,
        sigma_s=0.01,
        p=1.0,
        verdict=worth,
        reference_ns=0,
        rate_ppm=0.0,
        second_peak_ratio=0.0,
        evidence_s=10.0,
        lags_s=np.zeros(1, np.float32),
        weights=np.ones(1, np.float32),
    )


# --- windows ---


def test_a_window_holds_the_newest_steps_and_reaches_back() -> None:
    recent = Recent(1)
    recent.reset(0)
    for start in range(0, 300, BLOCK):
        recent.add([0], np.arange(start, start + BLOCK, dtype=np.float32)[None, :, None])
    values, counts = window(recent, 0, 0)
    np.testing.assert_array_equal(values[:, 0], np.arange(300 - WINDOW, 300))
    assert counts.all()
    values, counts = window(recent, 0, 50)
    np.testing.assert_array_equal(values[:, 0], np.arange(250 - WINDOW, 250))
    values, counts = window(recent, 0, 200)
    assert counts.sum() == 100, "only 100 steps lie before the last 200"
    assert window(recent, 0, recent.steps)[1].sum() == 0


def test_features_are_kept_for_streams_that_are_far_apart() -> None:
    recent = Recent(1, behind_s=60.0)
    recent.reset(0)
    for start in range(0, 4000, BLOCK):
        recent.add([0], np.arange(start, start + BLOCK, dtype=np.float32)[None, :, None])
    newest = int(recent.values[0, -1, 0])
    values, counts = window(recent, 0, 60 * 50)
    assert counts.all()
    assert values[-1, 0] == newest - 60 * 50


def test_a_row_that_starts_anew_has_no_past() -> None:
    recent = Recent(2)
    recent.reset(1)
    recent.add([0, 1], np.ones((2, BLOCK, 2), np.float32))
    recent.reset(1)
    assert window(recent, 0, 0)[1].sum() == BLOCK
    assert window(recent, 1, 0)[1].sum() == 0


# --- the classifier ---


def _people(steps: int = WINDOW, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).normal(0, 1, (1, steps, 75)), dtype=torch.float32)


def _sensors(count: int, seed: int = 0) -> torch.Tensor:
    noise = np.random.default_rng(seed).normal(0, 1, (1, count, WINDOW, 15))
    return torch.as_tensor(noise, dtype=torch.float32)


def test_steps_that_do_not_count_change_nothing_that_is_pooled(net: ActionNet) -> None:
    x = _people()
    counts = torch.ones(1, WINDOW)
    counts[:, :64] = 0
    other = x.clone()
    other[:, :64] = 9
    torch.testing.assert_close(net.from_pose(x, counts).daily, net.from_pose(other, counts).daily)


def test_sensors_not_worn_say_nothing_and_order_does_not_matter(net: ActionNet) -> None:
    x, counts = _sensors(3), torch.ones(1, WINDOW)
    part = torch.tensor([[3, 5, 7]])
    worn = torch.tensor([[True, True, False]])
    said = net.from_imus(x, part, worn, counts).daily
    louder = x.clone()
    louder[:, 2] = 5
    torch.testing.assert_close(said, net.from_imus(louder, part, worn, counts).daily)
    order = [1, 0, 2]
    torch.testing.assert_close(said, net.from_imus(x[:, order], part[:, order], worn, counts).daily)
    elsewhere = net.from_imus(x, torch.tensor([[4, 5, 7]]), worn, counts).daily
    assert not torch.allclose(said, elsewhere), "where a sensor sits must matter"


def test_modalities_add(net: ActionNet) -> None:
    counts = torch.ones(1, WINDOW)
    pose = net.from_pose(_people(), counts)
    imu = net.from_imus(_sensors(1), torch.tensor([[5]]), torch.tensor([[True]]), counts)
    torch.testing.assert_close((pose + imu).daily, pose.daily + imu.daily)
    assert (pose + imu).clip.shape == (1, 27)


def test_temperature_softens(net: ActionNet) -> None:
    logits = torch.tensor([[3.0, *[0.0] * (len(DAILY) - 1)]])
    sharp = net.probabilities(logits, "imu").max()
    net.temperature[1, actions.MODES.index("imu")] = 3.0
    assert net.probabilities(logits, "imu").max() < sharp
    assert net.probabilities(logits, "pose").max() == sharp


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ((0.7, 0.2, 0.1), "walking"),
        ((0.55, 0.35, 0.1), UNKNOWN),
        ((0.1, 0.2, 0.7), UNKNOWN),
    ],
    ids=["sure", "below the threshold", "no class covers it"],
)
def test_unknown_is_said_where_it_should(p: tuple[float, ...], expected: str) -> None:
    assert decide(np.array(p), ("walking", "jogging", OTHER), 0.6).label == expected


def test_the_threshold_keeps_nine_of_ten_answers_right() -> None:
    sure = np.linspace(0.99, 0.5, 100)
    right = np.where(np.arange(100) < 45, 1, 2)  # the less sure half is wrong
    p = np.zeros((100, len(DAILY)))
    p[:, 1], p[:, 2] = sure, 0.01
    found = threshold(p, right)
    given = sure >= found
    assert (right[given] == 1).mean() >= 0.9
    assert given.sum() == 50


def test_pose_inputs_take_each_joint_once() -> None:
    assert len(set(actions.POSE_PICK.tolist())) == 75
    features = PoseFeatures(1).step(np.ones((1, 2, 17, 3)))
    assert actions.pose_inputs(features).shape == (1, 2, 75)


# --- the file ---


def test_the_file_comes_back(tmp_path: Path, net: ActionNet) -> None:
    net.threshold[:] = torch.tensor([0.5, 0.6, 0.7])
    path = tmp_path / "a.safetensors"
    actions.save(path, net, {"seed": "1"})
    again = actions.load(path)
    assert again.sizes == SMALL
    assert again.threshold.tolist() == net.threshold.tolist()
    torch.testing.assert_close(
        again.from_pose(_people(), torch.ones(1, WINDOW)).daily,
        net.from_pose(_people(), torch.ones(1, WINDOW)).daily,
    )


def test_refusals_name_the_file(tmp_path: Path, net: ActionNet) -> None:
    missing = tmp_path / "none.safetensors"
    with pytest.raises(CheckpointError, match=r"none\.safetensors: no such"):
        actions.load(missing)
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"\x80\x04not tensors")
    with pytest.raises(CheckpointError, match=r"garbage\.safetensors: not usable"):
        actions.load(garbage)
    binder = tmp_path / "binder.safetensors"
    checkpoint.save(binder, Binder(Sizes(8, 8)), {})
    with pytest.raises(CheckpointError, match="mobind-live binder"):
        actions.load(binder)
    whole = tmp_path / "whole.safetensors"
    actions.save(whole, net, {})
    (tmp_path / "half.safetensors").write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"half\.safetensors: not usable"):
        actions.load(tmp_path / "half.safetensors")
    bare = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, bare, metadata={"kind": actions.KIND})
    with pytest.raises(CheckpointError, match=r"bare\.safetensors: not usable"):
        actions.load(bare)


SAMPLES = "motion_samples: {walking: 4}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SAMPLES + "stepz: 3\n", "stepz"),
        ("", "motion_samples: must be given"),
        ("motion_samples: {}\n", "motion_samples: Dictionary should have at least 1 item"),
        ("motion_samples: {walking: 0}\n", "motion_samples.walking: Input should be greater"),
        (SAMPLES + "held_samples: {walking: -4}\n", "held_samples.walking: Input should be greater"),
        (SAMPLES + "strange: -4\n", "strange: Input should be greater"),
        (SAMPLES + "still: -1\n", "still: Input should be greater"),
        (SAMPLES + "steps: 5\n", "steps: Input should be greater"),
        (SAMPLES + "subjects: [1]\n", "subjects: each is left out in turn"),
        (SAMPLES + "folds: false\nsubjects: []\n", "subjects: Tuple should have at least 1 item"),
    ],
)
def test_a_recipe_that_cannot_be_trained_by_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("motion: m\nutd_mhad: u\noutput: o\n" + text)
    with pytest.raises(RecipeError, match=says):
        ActionRecipe.read(path)


# --- subjects and messages ---


def test_bound_sensors_join_their_wearer_with_their_offset() -> None:
    found = subjects(
        [_binding("a"), _binding("b", part="chest")],
        [_offset("a", 0.4), _offset("b", -1.0)],
        {"a": 9, "b": 1},
    )
    (subject,) = found
    assert (subject.name, subject.tracks) == ("wearer_1", {("cam", 1)})
    assert subject.worn == [Worn("a", 9, 0.4), Worn("b", 1, -1.0)]


def test_cameras_whose_stamps_differ_are_put_on_one_time() -> None:
    """What happens at 0 on cam's stamps is at 4 on those of side, and at 1 on a's."""
    seen = {"tracks": {"cam": 1, "side": 2}}
    (subject,) = subjects(
        [_binding("a", **seen), _binding("b", part="chest", **seen)],
        [_offset("a", 1.0), _offset("a", -3.0, camera="side"), _offset("b", -5.0, camera="side")],
        {"a": 9, "b": 1},
    )
    at_s = {"cam": -subject.ahead_s["cam"], "side": 4.0 - subject.ahead_s["side"]}
    at_s |= {worn.imu: stamp - worn.offset_s for worn, stamp in zip(subject.worn, (1.0, -1.0), strict=True)}
    assert np.ptp(list(at_s.values())) == pytest.approx(0.0)


def test_cameras_that_show_a_wearer_by_different_sensors_are_put_on_one_time() -> None:
    """What is known of a sensor's offset in the camera that shows its wearer by another one counts, too."""
    (subject,) = subjects(
        [_binding("a", tracks={"cam": 1}), _binding("b", part="chest", tracks={"side": 2})],
        [_offset("a", 0.0), _offset("b", -2.0, camera="side"), _offset("b", 0.0)],
        {"a": 9, "b": 1},
    )
    assert subject.ahead_s == {"cam": 0.0, "side": 2.0}
    assert [worn.offset_s for worn in subject.worn] == [0.0, 0.0]


def test_a_sensor_without_a_sure_offset_or_part_is_left_out_of_its_wearer() -> None:
    (subject,) = subjects([_binding("a"), _binding("b")], [_offset("a", 0, Verdict.AMBIGUOUS)], {"a": 9})
    assert subject == Subject("wearer_1", {("cam", 1)}, [])


def test_a_sensor_on_nobody_speaks_for_itself_if_its_part_is_known() -> None:
    nobody: dict[str, object] = {"wearer": "", "tracks": {}, "wearer_verdict": Verdict.UNBOUND}
    bindings = [
        _binding("a", **nobody),
        _binding("b", **nobody, expected_part="chest"),
        _binding("c", **nobody),
    ]
    assert subjects(bindings, [], {"a": 9}) == [
        Subject("a", worn=[Worn("a", 9)]),
        Subject("b", worn=[Worn("b", 1)]),
    ]


def test_a_sensor_that_may_be_on_somebody_in_view_does_not_speak_for_itself() -> None:
    seen = (Candidate(camera="cam", track=1, part="left_forearm", p=0.6),)
    open_: dict[str, object] = {"wearer": "", "wearer_verdict": Verdict.AMBIGUOUS}
    assert subjects([_binding("a", **open_, candidates=seen)], [], {"a": 9}) == []
    assert subjects([_binding("a", **open_, candidates=())], [], {"a": 9}) == [
        Subject("a", worn=[Worn("a", 9)])
    ]


def test_verdicts() -> None:
    assert verdict("walking") is Verdict.OK
    assert verdict(STILL) is Verdict.NO_MOTION
    assert verdict(UNKNOWN) is Verdict.AMBIGUOUS


def _engine(seconds: float, imu_ahead_s: float = 0.0) -> Engine:
    """An engine that has seen one person and one IMU move for a while."""
    torch.manual_seed(0)
    spec = StreamSpec(name="imu", kind="imu", nominal_hz=50.0)
    engine = Engine((spec,), Binder(Sizes(8, 8)), 2.0, torch.device("cpu"))
    rng = np.random.default_rng(0)
    for n in range(round(seconds * 10)):
        t_ns = S + n * S // 10 + np.arange(5, dtype=np.int64) * S // 50
        imu = Imu(
            stream="imu",
            t_ns=t_ns + round(imu_ahead_s * 1e9),
            received_ns=t_ns,
            device_ns=np.empty(0, np.int64),
            acc_m_s2=rng.normal(0, 9, (5, 3)).astype(np.float32),
            gyro_rad_s=rng.normal(0, 2, (5, 3)).astype(np.float32),
            quaternion=np.empty((0, 4), np.float32),
        )
        engine.take(imu, int(t_ns[-1]))
        for stamp in t_ns[::2]:
            points = rng.uniform(100, 400, (1, 17, 3)).astype(np.float32)
            points[..., 2] = 0.9
            pose = Pose(
                stream="cam",
                t_ns=int(stamp),
                received_ns=int(stamp),
                image_size=(640, 480),
                track_ids=np.array([1], np.int32),
                boxes=np.zeros((1, 4), np.float32),
                keypoints=points,
            )
            engine.take(pose, int(stamp))
        engine.advance()
    return engine


def test_messages_for_a_wearer(net: ActionNet) -> None:
    engine = _engine(4.0)
    answers = Actions(engine, net)
    now = S * 5
    (message,) = answers.messages([_binding("imu")], [_offset("imu", 0.0)], now)
    assert message.topic == "v1/out/action/wearer_1/"
    assert message.t_ns == now
    assert len(message.labels) == len(message.probabilities) == 3
    assert message.probabilities[0] >= message.probabilities[1] > 0
    net.threshold[:] = 1.1
    (message,) = answers.messages([_binding("imu")], [_offset("imu", 0.0)], now)
    assert (message.label, message.verdict) == (UNKNOWN, Verdict.AMBIGUOUS)


def test_the_imu_is_read_at_the_pose_s_moment(net: ActionNet) -> None:
    """An IMU whose stamps run a second ahead gives, with that offset, what it gives without either."""
    bindings = [_binding("imu")]
    said = []
    for ahead in (0.0, 1.0):
        given = Actions(_engine(4.0, ahead), net).messages(bindings, [_offset("imu", ahead)], S * 5)[0]
        said.append(given.probabilities)
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)
    wrong = Actions(_engine(4.0, 1.0), net).messages(bindings, [_offset("imu", 0.4)], S * 5)[0]
    assert not np.allclose(said[0], wrong.probabilities, atol=1e-5)


def test_streams_that_stopped_are_stale(net: ActionNet) -> None:
    (message,) = Actions(_engine(4.0), net).messages([_binding("imu")], [_offset("imu", 0.0)], S * 60)
    assert (message.label, message.verdict) == (UNKNOWN, Verdict.STALE)


def test_too_little_says_nothing(net: ActionNet) -> None:
    assert Actions(_engine(0.8), net).messages([_binding("imu")], [_offset("imu", 0.0)], S * 2) == []


def test_a_sensor_that_sent_nothing_for_most_of_the_window_says_nothing(net: ActionNet) -> None:
    """Its hole is filled once it sends again, with steps that hold no sample."""
    engine = _engine(4.0)
    t_ns = 5 * S + round(2.9 * S) + np.arange(5, dtype=np.int64) * S // 50
    again = Imu(
        stream="imu",
        t_ns=t_ns,
        received_ns=t_ns,
        device_ns=np.empty(0, np.int64),
        acc_m_s2=np.ones((5, 3), np.float32),
        gyro_rad_s=np.ones((5, 3), np.float32),
        quaternion=np.empty((0, 4), np.float32),
    )
    answers = Actions(engine, net)
    alone = _binding("imu", wearer="", tracks={}, wearer_verdict=Verdict.UNBOUND, expected_part="chest")
    assert len(answers.messages([alone], [], 5 * S)) == 1
    engine.take(again, int(t_ns[-1]))
    engine.advance()
    assert answers.messages([alone], [], 8 * S) == []


def test_a_part_is_forgotten_once_the_sensor_is_taken_off(net: ActionNet) -> None:
    engine = _engine(4.0)
    answers = Actions(engine, net)
    nobody = _binding("imu", wearer="", tracks={}, wearer_verdict=Verdict.UNBOUND)
    assert answers.messages([_binding("imu")], [_offset("imu", 0.0)], S * 5)
    unsure = replace(nobody, part_verdict=Verdict.AMBIGUOUS)
    assert [m.stream for m in answers.messages([unsure], [], S * 5)] == ["imu"], "it speaks for itself"
    engine.take_off(0)
    assert answers.messages([unsure], [], S * 5) == []


def test_labels_go_on_where_another_camera_s_time_is_behind(net: ActionNet) -> None:
    answers = Actions(_engine(4.0), net)
    first, then = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    answers._smoothed("a", first, 1000)
    answers._smoothed("a", then, 750)
    assert answers._smoothed("a", then, 800)[1] > 0.3
