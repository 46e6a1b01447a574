"""The engine's beliefs as messages: alarms, drift, and what an answer refers to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from messages import health
from rig import EPOCH_NS

from mobind_live.binding.belief import posterior
from mobind_live.binding.belief.drift import EVERY_S, Estimate, Line, Sure
from mobind_live.binding.belief.ties import Tie
from mobind_live.binding.engine import STALE_NS, Engine
from mobind_live.binding.output import bindings as bindings_module
from mobind_live.binding.output import offsets as offsets_module
from mobind_live.binding.output.alarms import with_alarms
from mobind_live.binding.output.answers import Answers
from mobind_live.driver import Clock, StreamSpec
from mobind_live.drivers.simulator import Config
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.schema import Action, Binding, Imu, Offset, Pose, StreamHealth, Verdict


def bound(imu: str, part: str, expected: str = "", **changes: object) -> Binding:
    given: dict[str, object] = {
        "stream": imu,
        "t_ns": 0,
        "wearer": "wearer_1",
        "tracks": {"cam": 1},
        "p_wearer": 0.99,
        "wearer_verdict": Verdict.OK,
        "part": part,
        "p_part": 0.99,
        "part_verdict": Verdict.OK,
        "p_none": 0.0,
        "candidates": (),
        "expected_part": expected,
    }
    return Binding(**(given | changes))  # type: ignore[arg-type]


def alarms(*bindings: Binding) -> list[str]:
    return [b.alarm for b in with_alarms(list(bindings))]


def test_no_alarm_where_all_is_as_expected_or_nothing_is() -> None:
    assert alarms(bound("a", "chest", "chest"), bound("b", "head")) == ["", ""]


def test_swapped_sensors_are_named_by_both() -> None:
    said = alarms(
        bound("a", "left_forearm", "right_forearm"),
        bound("b", "right_forearm", "left_forearm"),
        bound("c", "chest", "chest"),
    )
    assert said == [
        "a and b are swapped: a sits on left_forearm, b on right_forearm",
        "b and a are swapped: b sits on right_forearm, a on left_forearm",
        "",
    ]


def test_a_sensor_on_the_wrong_limb_is_named() -> None:
    assert alarms(bound("a", "left_shank", "left_forearm")) == ["a sits on left_shank, not on left_forearm"]
    # b sits where a should, but a does not sit where b should: they are not swapped.
    said = alarms(bound("a", "head", "left_forearm"), bound("b", "left_forearm", "chest"))
    assert said == ["a sits on head, not on left_forearm", "b sits on left_forearm, not on chest"]


def test_a_sensor_on_nobody_is_an_alarm_only_where_somebody_should_wear_it() -> None:
    lost = {"wearer_verdict": Verdict.UNBOUND, "part_verdict": Verdict.UNBOUND}
    assert alarms(bound("a", "chest", "chest", **lost)) == ["a is on nobody in view"]
    assert alarms(bound("a", "chest", "", **lost)) == [""]


def test_a_sensor_on_another_than_its_subject_is_named() -> None:
    annas = {"wearer": "anna", "expected_wearer": "anna"}
    assert alarms(bound("a", "chest", "chest", **annas), bound("b", "head", **annas)) == ["", ""]
    bens = {"wearer": "ben", "expected_wearer": "ben"}
    told = bound("a", "chest", "chest", wearer="ben", expected_wearer="anna")
    two = bound("b", "head", **bens), bound("c", "pelvis", **bens)
    assert alarms(told, *two)[0] == "a is on ben, not on anna"
    assert alarms(told, two[0]) == ["", ""], "one against one: whose body it is nobody can say"
    assert alarms(told, two[0], bound("d", "head", **annas))[0] == "a is on ben, not on anna", "anna is there"
    tie = bound("d", "head", **annas), bound("e", "head", wearer="anna", expected_wearer="ben")
    assert alarms(told, two[0], *tie) == [""] * 4, "one against one on both"
    other_number = bound("a", "chest", "chest", wearer="wearer_1", expected_wearer="anna")
    assert alarms(other_number, bound("b", "head", **annas)) == ["", ""], "the tracker's, perhaps"
    unsure = bound("a", "chest", "chest", wearer="", expected_wearer="anna", wearer_verdict=Verdict.AMBIGUOUS)
    assert alarms(unsure) == [""]
    lost = {"wearer_verdict": Verdict.UNBOUND, "part_verdict": Verdict.UNBOUND, "wearer": ""}
    assert alarms(bound("a", "chest", expected_wearer="anna", **lost)) == ["a is on nobody in view"]


@pytest.mark.parametrize("verdict", [Verdict.AMBIGUOUS, Verdict.NO_MOTION, Verdict.STALE])
def test_what_is_not_sure_is_no_alarm(verdict: Verdict) -> None:
    unsure = bound("a", "left_shank", "left_forearm", part_verdict=verdict)
    assert alarms(unsure) == [""]
    sure = bound("b", "left_forearm", "left_shank")
    assert alarms(unsure, sure)[1] == "b sits on left_forearm, not on left_shank"


# --- with an engine that has heard one IMU and one camera ---


@pytest.fixture
def answers() -> Answers:
    torch.manual_seed(0)
    imus = (StreamSpec(name="arm", kind="imu", nominal_hz=100.0, wears="left_forearm"),)
    return Answers(Engine(imus, Binder(Sizes(width=8, embedding=4)), 1.0, torch.device("cpu")))


def hear(answers: Answers, *, imu: bool = True, camera: bool = True) -> None:
    time_ns = EPOCH_NS + np.arange(200) * 10_000_000
    still = np.zeros((200, 3), np.float32)
    empty = np.empty(0, np.int64)
    if imu:
        quaternion = np.empty((0, 4), np.float32)
        message = Imu(
            stream="arm",
            t_ns=time_ns,
            received_ns=time_ns,
            device_ns=empty,
            acc_m_s2=still + np.float32(5.0),
            gyro_rad_s=still,
            quaternion=quaternion,
        )
        answers.engine.take(message, EPOCH_NS)
    for n in range(50 if camera else 0):
        keypoints = np.random.default_rng(0).uniform(100, 200, (1, 17, 3)).astype(np.float32)
        keypoints[..., 2] = 0.9
        pose = Pose(
            stream="cam",
            t_ns=EPOCH_NS + n * 40_000_000,
            received_ns=EPOCH_NS,
            image_size=(640, 480),
            track_ids=np.array([4], np.int32),
            boxes=np.zeros((1, 4), np.float32),
            keypoints=keypoints,
        )
        answers.engine.take(pose, EPOCH_NS)
    answers.engine.advance()


def offsets(answers: Answers, now_ns: int) -> list[Offset]:
    return [m for m in answers.messages(now_ns) if isinstance(m, Offset)]


def bindings(answers: Answers, now_ns: int) -> list[Binding]:
    return [m for m in answers.messages(now_ns) if isinstance(m, Binding)]


def test_an_answer_is_stale_once_one_of_its_streams_is(answers: Answers) -> None:
    hear(answers)
    for now_ns, stale in ((EPOCH_NS + STALE_NS, False), (EPOCH_NS + STALE_NS + 1, True)):
        (offset,), (binding,) = offsets(answers, now_ns), bindings(answers, now_ns)
        assert (offset.verdict is Verdict.STALE) is stale
        assert (binding.wearer_verdict is Verdict.STALE) is stale
        assert (binding.part_verdict is Verdict.STALE) is stale


def test_a_binding_is_stale_once_the_only_camera_is(answers: Answers) -> None:
    hear(answers)
    later_ns = EPOCH_NS + 2 * STALE_NS
    answers.engine.imus["arm"].arrived_ns = later_ns
    (said,) = bindings(answers, later_ns)
    assert (said.wearer_verdict, said.part_verdict) == (Verdict.STALE, Verdict.STALE)
    answers.engine.camera_arrived_ns["cam"] = later_ns
    (said,) = bindings(answers, later_ns)
    assert Verdict.STALE not in (said.wearer_verdict, said.part_verdict)


def test_an_imu_that_never_came_is_stale_and_no_offset_is_given_without_a_camera(answers: Answers) -> None:
    assert offsets(answers, EPOCH_NS) == []
    (binding,) = bindings(answers, EPOCH_NS)
    assert binding.wearer_verdict is Verdict.STALE
    assert (binding.p_none, binding.wearer, binding.alarm) == (1.0, "", "")
    hear(answers, imu=False)
    (offset,) = offsets(answers, EPOCH_NS)
    assert offset.verdict is Verdict.STALE


def test_the_first_answers_of_a_simulated_rig_say_that_it_is() -> None:
    """They come before any sample, which alone told so."""
    imus = tuple(s for s in Config(driver="simulator").streams("sim") if s.kind == "imu")
    made = Answers(Engine(imus, Binder(Sizes(width=8, embedding=4)), 1.0, torch.device("cpu")))
    first = bindings(made, EPOCH_NS)
    assert len(first) == len(imus)
    assert all(binding.simulated for binding in first)


def test_an_offset_says_what_it_refers_to_and_repeats_the_clocks_mapping(answers: Answers) -> None:
    hear(answers)
    stream = StreamHealth(
        stream="arm",
        kind="imu",
        rate_hz=100,
        nominal_hz=100,
        age_s=0,
        received=1,
        lost=0,
        shed=0,
        clock_offset_s=12.5,
        clock_drift_ppm=-33.0,
    )
    sent = replace(health(), streams=(stream,))
    answers.note_health(sent)
    (offset,) = offsets(answers, EPOCH_NS)
    assert (offset.clock_offset_s, offset.clock_drift_ppm) == (12.5, -33.0)
    assert offset.verdict is not Verdict.OK
    token_ns = answers.engine.imus["arm"].last_token_ns
    assert offset.reference_ns == token_ns - round(offset.offset_s * 1e9), "a camera's stamp"
    assert (offset.lags_s[0], offset.lags_s[-1]) == pytest.approx((-2.2, 2.2))
    assert offset.weights.sum() == pytest.approx(1, abs=1e-5)
    assert not offset.simulated
    assert not answers._doubted
    answers.note_health(replace(sent, streams=(replace(stream, doubt="gravity reads 0.98 m/s^2"),)))
    assert answers._doubted == {"arm"}
    answers.note_health(sent)
    assert not answers._doubted, "the numbers are right again"


def test_what_is_doubted_says_nothing_of_what_anybody_does(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard:
        def messages(self, bindings: list[Binding], offsets: list[Offset], now_ns: int) -> list[Action]:
            told.extend(binding.stream for binding in bindings)
            return []

    told: list[str] = []
    monkeypatch.setattr(answers, "actions", Heard())
    answers.messages(EPOCH_NS)
    assert told == ["arm"]
    answers._doubted.add("arm")
    answers.messages(EPOCH_NS)
    assert told == ["arm"]


def test_an_offset_grows_less_sure_while_nothing_moves(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear(answers)
    (fresh,) = offsets(answers, EPOCH_NS)
    answers.offsets.course("arm", "cam").line = Line(rate_ppm=30.0, sigma_ppm=40.0)
    monkeypatch.setattr(offsets_module, "evidence_age_s", lambda *_: 500.0)
    (rested,) = offsets(answers, EPOCH_NS)
    assert rested.offset_s - fresh.offset_s == pytest.approx(0.015)
    assert rested.sigma_s == pytest.approx(np.hypot(fresh.sigma_s, 0.02))
    monkeypatch.setattr(offsets_module, "verdict", lambda *_: Verdict.OK)
    answers.engine.view("cam").posteriors[0].wearer[:] = 1.0
    monkeypatch.setattr(offsets_module, "evidence_age_s", lambda *_: 2000.0)
    (long,) = offsets(answers, EPOCH_NS)
    assert long.verdict is Verdict.NO_MOTION, "by now its drift may have taken it anywhere"


def test_offsets_of_imus_and_of_cameras_go_on_where_they_were_left(answers: Answers) -> None:
    tie = Tie(tokens=5.0, sigma=0.25, p=1.0, ratio=0.0, motion_s=20.0, weights=np.full(51, 1 / 51))

    def said_of_cameras(by: Answers, tokens: float) -> str:
        return by.offsets.camera_message("cam", "other", replace(tie, tokens=tokens), EPOCH_NS).alarm

    hear(answers)
    answers.engine.camera_arrived_ns["other"] = EPOCH_NS
    answers.offsets.course("arm", "cam").line = Line(rate_ppm=30.0, sigma_ppm=40.0)
    assert said_of_cameras(answers, 5.0) == ""
    after = Answers(answers.engine)
    after.restore(answers.save())
    assert after.offsets.course("arm", "cam").line.rate_ppm == 30.0
    assert said_of_cameras(after, 15.0) == "stepped by +0.400 s, from +0.200 s to +0.600 s"
    assert said_of_cameras(Answers(answers.engine), 15.0) == ""


def test_candidates_are_the_likeliest_places(answers: Answers) -> None:
    hear(answers)
    (binding,) = bindings(answers, EPOCH_NS)
    ps = [c.p for c in binding.candidates]
    assert len(ps) == 5
    assert ps == sorted(ps, reverse=True)
    assert {(c.camera, c.track) for c in binding.candidates} == {("cam", 4)}
    assert binding.expected_part == "left_forearm"


def test_candidates_are_those_of_every_camera(answers: Answers) -> None:
    hear(answers)
    front = answers.engine.view("cam").posteriors[0]
    side = posterior.tilted(front, np.where(np.arange(11) < 3, 3.0, 0.0)[None])
    given = bindings_module._candidates({"front": front, "side": side})
    assert [c.camera for c in given].count("front") == [c.camera for c in given].count("side") == 5
    assert {c.part for c in given[:3]} == {"head", "chest", "pelvis"}
    assert [c.p for c in given] == sorted((c.p for c in given), reverse=True)


# --- whose drift an offset's is ---


def imu(name: str, clock: Clock = "host", group: str | None = None) -> StreamSpec:
    return StreamSpec(name=name, kind="imu", nominal_hz=100.0, clock=clock, clock_group=group)


def drifts(
    imus: tuple[StreamSpec, ...], ppm: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    """The drifts found after three minutes in which each IMU of ``ppm`` was sure and always moved."""
    made = Answers(Engine(imus, Binder(Sizes(width=8, embedding=4)), 1.0, torch.device("cpu")))
    for at_s in np.arange(0.0, 180.0, EVERY_S):
        for index, name in enumerate(ppm):
            found = Estimate(at_s, 0.5 + ppm[name] * 1e-6 * at_s, 0.01)
            made.engine.imus[name].moved_s = at_s
            monkeypatch.setattr(offsets_module, "recent_offset", lambda *_, found=found: found)
            made.offsets.follow(index, "cam", Sure(found, 0.97, 1, 0), round(at_s * 1e9))
    return {spec.name: made.offsets.course(spec.name, "cam").line.rate_ppm for spec in imus}


def test_imus_of_one_clock_share_their_drift_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    belt = (imu("a", group="belt"), imu("b", group="belt"))
    found = drifts((*belt, imu("c")), {"a": 40.0}, monkeypatch)
    assert found["a"] == pytest.approx(40.0, abs=4.0)
    assert (found["b"], found["c"]) == (found["a"], 0.0)
    both = drifts(belt, {"a": 30.0, "b": 50.0}, monkeypatch)
    assert both["a"] == both["b"] == pytest.approx(40.0, abs=4.0)


def test_of_a_clock_that_is_mapped_little_drift_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = drifts((imu("own"), imu("mapped", "device")), {"own": 40.0, "mapped": 40.0}, monkeypatch)
    assert abs(found["mapped"]) < 3 < found["own"]
