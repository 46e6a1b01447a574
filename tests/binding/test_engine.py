"""The engine from messages to answers, without a clock and without a bus, with the shipped weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from rig import EPOCH_NS, SCENE, Arrival, Said, engine_of, play, record, specs, true_offsets

from mobind_live.binding.belief import drift
from mobind_live.binding.changes.contradiction import contradicted
from mobind_live.binding.engine import Engine
from mobind_live.binding.evidence.timeline import RESET_NS, unbroken
from mobind_live.binding.output.answers import Answers
from mobind_live.binding.output.latency import latencies_s
from mobind_live.binding.output.offsets import evidence_age_s
from mobind_live.driver import StreamSpec
from mobind_live.models import checkpoint
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.schema import Imu, Pose, Verdict
from mobind_live.vocabulary import PARTS

SECONDS = 28.0
SHIFT_S = 1.237
TRUTH = true_offsets(SCENE)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> Binder:
    return checkpoint.load()


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    return record(SCENE, SECONDS)


@pytest.fixture(scope="module")
def longer() -> list[Arrival]:
    return record(SCENE, 52.0)


@pytest.fixture(scope="module")
def said(arrivals: list[Arrival], model: Binder) -> list[Said]:
    return play(engine_of(specs(SCENE), model), arrivals)


def test_cameras_without_any_imu_are_no_error(arrivals: list[Arrival], model: Binder) -> None:
    engine = engine_of((), model)
    said = play(engine, [arrival for arrival in arrivals[:400] if isinstance(arrival.message, Pose)])
    assert len(engine.cameras) == 2
    assert all(engine.people(camera) for camera in engine.cameras)
    assert all(not moment.offsets and not moment.bindings for moment in said)


def test_an_offset_just_larger_than_any_that_is_looked_for_is_said_to_be_that(
    arrivals: list[Arrival], model: Binder
) -> None:
    said = play(engine_of(specs(SCENE), model, max_offset_s=3.3), arrivals)
    beyond = [moment.offset("leg", "front") for moment in said]
    assert all(offset.verdict is not Verdict.OK for offset in beyond)
    assert beyond[-1].alarm == "seems to be -3.4 s, or more: only up to 3.3 s is looked for"
    within = said[-1].offset("leg", "side")
    assert (within.verdict, within.alarm) == (Verdict.OK, "")
    assert within.offset_s == pytest.approx(TRUTH["leg", "side"], abs=0.05)


@pytest.mark.parametrize(("forgets_s", "stale"), [((40.0, 6.0), True), ((math.inf, math.inf), False)])
def test_what_is_said_of_a_whole_recording_is_not_about_its_end(
    arrivals: list[Arrival], model: Binder, forgets_s: tuple[float, float], stale: bool
) -> None:
    engine = Engine(specs(SCENE), model, 6.0, torch.device("cpu"), memories_s=forgets_s)
    play(engine, arrivals[: len(arrivals) // 2])
    ages_s = [
        evidence_age_s(engine, imu, camera) for imu in range(len(engine.names)) for camera in engine.cameras
    ]
    assert (max(ages_s) > 1.0) == stale
    assert min(ages_s) >= 0.0


def sure(said: list[Said]) -> dict[tuple[str, str], list[float]]:
    """The errors, in seconds, of all offsets called ok."""
    return {
        pair: [
            answer.offset_s - truth
            for answer in (moment.offset(*pair) for moment in said)
            if answer.verdict is Verdict.OK
        ]
        for pair, truth in TRUTH.items()
    }


def test_offsets_called_ok_are_right_and_some_are(said: list[Said]) -> None:
    errors = sure(said)
    assert all(abs(error) < 0.05 for each in errors.values() for error in each), errors
    assert sum(bool(each) for each in errors.values()) >= 2
    assert any(each and said[-1].offset(*pair).verdict is Verdict.OK for pair, each in errors.items())


def test_new_answers_go_on_from_what_those_before_have_left(longer: list[Arrival], model: Binder) -> None:
    """The worker is killed: the next one hears what comes from then on."""
    killed_s, seconds = 42.0, 1.5
    before, after = (Answers(engine_of(specs(SCENE), model)) for _ in range(2))
    last = play(before.engine, [a for a in longer if a.at_s <= killed_s], answers=before)[-1]
    after.restore(before.save())
    later = [a for a in longer if killed_s < a.at_s <= killed_s + seconds]
    found = play(after.engine, later, answers=after)[-1]
    known = [o for o in found.offsets if o.verdict is Verdict.OK]
    assert known
    assert all(o.held_s > 0 for o in known), "there was no time to find them anew"
    assert all(abs(o.offset_s - TRUTH[o.stream, o.camera]) < 0.05 for o in known)
    assert all(o.verdict is not Verdict.OK for o in play(engine_of(specs(SCENE), model), later)[-1].offsets)
    names = {b.stream: b.wearer for b in last.bindings}
    found = play(after.engine, [a for a in longer if a.at_s > killed_s + seconds], answers=after)[-1]
    assert any(b.wearer for b in found.bindings)
    assert all(b.wearer in ("", names[b.stream]) for b in found.bindings)


def test_a_camera_that_pauses_sees_the_same_people_afterwards(arrivals: list[Arrival], model: Binder) -> None:
    pause_s = (18.0, 18.0 + RESET_NS * 1e-9 + 0.5)
    heard = [a for a in arrivals if isinstance(a.message, Imu) or not pause_s[0] < a.at_s < pause_s[1]]
    engine = engine_of(specs(SCENE), model)
    play(engine, [a for a in heard if a.at_s <= pause_s[0]])
    before = engine.evidence.motion_s.clone()
    play(engine, [a for a in heard if pause_s[0] < a.at_s < pause_s[1] + 0.3])
    kept = engine.evidence.motion_s[0] / before[0]
    assert len(before[0, 0]) == 4, "two people in two cameras"
    assert float(kept.min()) > 0.85


def test_places_called_ok_are_right_and_some_are(longer: list[Arrival], model: Binder) -> None:
    said = play(engine_of(specs(SCENE), model), longer, every_s=4.0)
    worn = {imu.name: imu.part for imu in SCENE.imus}
    found = [
        binding
        for moment in said
        for binding in (moment.binding(name) for name in worn)
        if binding.part_verdict is Verdict.OK
    ]
    assert found
    assert all(b.part == worn[b.stream] for b in found)
    last = {name: said[-1].binding(name) for name in worn}
    assert {name: b.part for name, b in last.items()} == worn
    sure = [b for b in last.values() if b.wearer_verdict is Verdict.OK]
    assert {b.stream for b in sure} >= {"arm", "hand"}
    assert last["arm"].wearer != last["hand"].wearer, "two people, two names"


def test_how_limbs_stand_tells_a_wearers_side(longer: list[Arrival], model: Binder) -> None:
    engine = engine_of(specs(SCENE), model)
    play(engine, longer)
    view = engine.view("front")
    for imu, spec in enumerate(SCENE.imus):
        likelier = view.likelier[imu, view.posteriors[imu].wearer.argmax()]
        side, _, segment = spec.part.partition("_")
        twin = f"{'left' if side == 'right' else 'right'}_{segment}"
        assert likelier[PARTS.index(spec.part)] > likelier[PARTS.index(twin)] + 0.5, spec.name


def test_every_answer_is_a_distribution(said: list[Said]) -> None:
    for moment in said:
        for offset in moment.offsets:
            assert 0 <= offset.p <= 1
            assert offset.weights.sum() == pytest.approx(1, abs=1e-4)
            assert len(offset.lags_s) == len(offset.weights)
            assert offset.simulated
        for name in ("arm", "leg", "hand"):
            binding = moment.binding(name)
            assert 0 <= binding.p_wearer <= 1 + 1e-9
            assert sum(c.p for c in binding.candidates if c.camera == "front") + binding.p_none < 1 + 1e-6


def test_nothing_is_sure_at_once(said: list[Said]) -> None:
    assert all(o.verdict is not Verdict.OK for o in said[0].offsets)


@pytest.fixture(scope="module")
def changed(arrivals: list[Arrival], model: Binder) -> list[Said]:
    """As ``said``, but the IMUs have other names and another order, what arrives together comes in another
    order, and the stamps of the arm's run ahead by SHIFT_S."""
    rng = np.random.default_rng(0)
    streams = {a.message.stream for a in arrivals}
    names = {"arm": "z_arm", "leg": "b_leg", "hand": "a_hand"}
    mixed = []
    for at_s in sorted({a.at_s for a in arrivals}):
        lanes = {s: [a for a in arrivals if a.at_s == at_s and a.message.stream == s] for s in streams}
        turns = rng.permutation([s for s, own in sorted(lanes.items()) for _ in own])
        mixed += [lanes[s].pop(0) for s in turns]  # each stream's own order is kept, as on the bus
    renamed = []
    for arrival in mixed:
        message = arrival.message
        if isinstance(message, Imu):
            shift_ns = round(SHIFT_S * 1e9) if message.stream == "arm" else 0
            message = replace(message, stream=names[message.stream], t_ns=message.t_ns + shift_ns)
        renamed.append(Arrival(arrival.at_s, message))
    imus = tuple(replace(spec, name=names[spec.name]) for spec in reversed(specs(SCENE)))
    moments = play(engine_of(imus, model), renamed)
    back = {new: old for old, new in names.items()}
    return [
        Said(m.at_s, [replace(x, stream=back.get(x.stream, x.stream)) for x in m.messages]) for m in moments
    ]


def test_names_order_and_arrival_do_not_matter(said: list[Said], changed: list[Said]) -> None:
    for name in ("leg", "hand"):
        for camera in ("front", "side"):
            one, other = (s[-1].offset(name, camera) for s in (said, changed))
            assert other.verdict is one.verdict
            assert other.p == pytest.approx(one.p, abs=0.05)
            if one.verdict is Verdict.OK:
                assert other.offset_s == pytest.approx(one.offset_s, abs=0.002)
        one, other = (s[-1].binding(name) for s in (said, changed))
        assert (other.part, other.tracks) == (one.part, one.tracks)


def test_shifting_an_imu_in_time_shifts_its_offset(said: list[Said], changed: list[Said]) -> None:
    for camera in ("front", "side"):
        one, other = (s[-1].offset("arm", camera) for s in (said, changed))
        assert one.verdict is other.verdict is Verdict.OK
        assert other.offset_s - one.offset_s == pytest.approx(SHIFT_S, abs=0.005)
        assert other.p == pytest.approx(one.p, abs=0.05)


# --- people who come and go, sensors that fall silent ---

BREAK_S, BACK_S, SILENT_S = 12.0, 14.3, 20.0


def absent(arrival: Arrival, track: int, new: int) -> Arrival:
    """``arrival`` without ``track`` during the break; after it, under the id ``new``."""
    message = arrival.message
    if not isinstance(message, Pose) or arrival.at_s < BREAK_S:
        return arrival
    if arrival.at_s >= BACK_S:
        ids = np.where(message.track_ids == track, new, message.track_ids).astype(np.int32)
        return Arrival(arrival.at_s, replace(message, track_ids=ids))
    kept = message.track_ids != track
    return Arrival(
        arrival.at_s,
        replace(
            message,
            track_ids=message.track_ids[kept],
            boxes=message.boxes[kept],
            keypoints=message.keypoints[kept],
        ),
    )


@dataclass(frozen=True)
class Broken:
    said: list[Said]
    engine: Engine
    track: int

    def between(self, start_s: float, end_s: float) -> list[Said]:
        return [moment for moment in self.said if start_s < moment.at_s <= end_s]


@pytest.fixture(scope="module")
def broken(arrivals: list[Arrival], model: Binder, said: list[Said]) -> Broken:
    """One camera; the arm's wearer leaves the picture and returns as number 77; the leg's sensor stops."""
    track = said[-1].binding("arm").tracks["front"]
    engine = engine_of(specs(SCENE), model)
    heard = [
        absent(a, track, 77)
        for a in arrivals
        if a.message.stream != "side" and not (a.message.stream == "leg" and a.at_s > SILENT_S)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drift, "STEADY_S", 2.0)  # the recording is short
        return Broken(play(engine, heard, every_s=0.5), engine, track)


def test_a_wearer_who_returns_under_a_new_id_is_soon_known_again(broken: Broken) -> None:
    before = [m.binding("arm") for m in broken.between(0, BREAK_S)][-1]
    assert before.wearer_verdict is Verdict.OK
    assert before.tracks == {"front": broken.track}
    away = [m.binding("arm") for m in broken.between(BREAK_S + 1.7, BACK_S)]
    assert away
    assert all(b.tracks.get("front") != broken.track for b in away)
    back = [m.binding("arm") for m in broken.between(BACK_S, SECONDS)]
    assert back[-1].tracks == {"front": 77}
    assert back[-1].wearer_verdict is Verdict.OK
    assert back[-1].wearer == before.wearer, "the same name"


def test_who_has_just_come_in_is_not_taken_for_the_wearer_at_once(broken: Broken) -> None:
    """Whoever it is: an earlier track's end makes them likely, but they have not moved yet."""
    for moment in broken.between(BACK_S, BACK_S + 1.5):
        assert moment.binding("arm").wearer_verdict is not Verdict.OK
        assert moment.binding("arm").tracks == {}


def test_nobody_else_is_taken_for_one_who_left(broken: Broken) -> None:
    for moment in broken.between(BREAK_S + 1.0, SECONDS):
        binding = moment.binding("arm")
        assert binding.wearer_verdict is not Verdict.OK or binding.tracks in ({"front": 77}, {})
        offset = moment.offset("arm", "front")
        if offset.verdict is Verdict.OK:
            assert offset.offset_s == pytest.approx(TRUTH["arm", "front"], abs=0.05)


def test_an_offset_once_sure_is_held_while_its_wearer_is_away(broken: Broken) -> None:
    """The wearer of arm and hand leaves; what was sure for long enough stays so."""
    held = [
        (imu, m.offset(imu, "front"))
        for m in broken.between(BREAK_S + 1.7, BACK_S)
        for imu in ("arm", "hand")
        if m.offset(imu, "front").held_s > 0
    ]
    assert held
    for imu, offset in held:
        assert offset.verdict is Verdict.OK
        assert offset.offset_s == pytest.approx(TRUTH[imu, "front"], abs=0.05)
        assert float(offset.weights.sum()) == pytest.approx(1.0, abs=1e-3)
        assert offset.lags_s[int(offset.weights.argmax())] == pytest.approx(offset.offset_s, abs=0.041)


def test_a_track_that_ended_leaves_its_place_to_the_next(broken: Broken) -> None:
    assert ("front", broken.track) not in broken.engine.tracks
    assert broken.engine.evidence.pose.head.shape[0] == 2


def test_answers_of_a_silent_sensor_are_stale(broken: Broken) -> None:
    last = broken.said[-1]
    assert last.offset("leg", "front").verdict is Verdict.STALE
    assert last.binding("leg").wearer_verdict is Verdict.STALE
    assert last.binding("leg").part_verdict is Verdict.STALE
    assert last.offset("hand", "front").verdict is not Verdict.STALE
    before = broken.between(SILENT_S - 2.0, SILENT_S)[-1]
    assert before.offset("leg", "front").verdict is not Verdict.STALE


# --- a sensor that is taken off ---

TABLE_S = 14.0


def on_the_table(arrival: Arrival) -> Arrival:
    """What the arm's sensor sends from the table that it was put on."""
    message = arrival.message
    if message.stream != "arm" or not isinstance(message, Imu) or arrival.at_s < TABLE_S:
        return arrival
    rng = np.random.default_rng(len(message.t_ns))
    down = np.array([0.0, 0.0, 9.81]) + rng.normal(0, 0.02, message.acc_m_s2.shape)
    noise = rng.normal(0, 0.005, message.gyro_rad_s.shape)
    return replace(
        arrival,
        message=replace(message, acc_m_s2=down.astype(np.float32), gyro_rad_s=noise.astype(np.float32)),
    )


def test_a_sensor_taken_off_is_no_longer_on_its_wearer(arrivals: list[Arrival], model: Binder) -> None:
    said = play(engine_of(specs(SCENE), model), [on_the_table(a) for a in arrivals])
    worn = [m.at_s for m in said if m.binding("arm").wearer_verdict is Verdict.OK]
    assert min(worn) < TABLE_S
    assert max(worn) < SECONDS - 2.0
    last = said[-1].binding("arm")
    assert (last.wearer_verdict, last.part_verdict) == (Verdict.NO_MOTION, Verdict.NO_MOTION)
    assert said[-1].binding("hand").wearer_verdict is Verdict.OK


# --- what must never be fatal: a network of no use is enough ---


@pytest.fixture
def small() -> Engine:
    torch.manual_seed(0)
    return engine_of(
        tuple(StreamSpec(name=name, kind="imu", nominal_hz=100.0) for name in ("arm", "leg")),
        Binder(Sizes(width=8, embedding=4)),
        1.0,
    )


def imu(stream: str, start_s: float, count: int = 20, **changes: object) -> Imu:
    rng = np.random.default_rng(round(start_s * 1e3))
    time_ns = EPOCH_NS + round(start_s * 1e9) + np.arange(count) * 10_000_000
    given: dict[str, object] = {
        "stream": stream,
        "t_ns": time_ns,
        "received_ns": time_ns,
        "device_ns": np.empty(0, np.int64),
        "acc_m_s2": rng.normal(0, 5, (count, 3)).astype(np.float32),
        "gyro_rad_s": rng.normal(0, 2, (count, 3)).astype(np.float32),
        "quaternion": np.empty((0, 4), np.float32),
    }
    return Imu(**(given | changes))  # type: ignore[arg-type]


def pose(at_s: float, *tracks: int, value: float = 300.0, stream: str = "cam") -> Pose:
    rng = np.random.default_rng(round(at_s * 1e3))
    keypoints = rng.normal(value, 40.0, (len(tracks), 17, 3)).astype(np.float32)
    keypoints[..., 2] = 0.9
    return Pose(
        stream=stream,
        t_ns=EPOCH_NS + round(at_s * 1e9),
        received_ns=EPOCH_NS + round(at_s * 1e9),
        image_size=(640, 480),
        track_ids=np.array(tracks, np.int32),
        boxes=np.zeros((len(tracks), 4), np.float32),
        keypoints=keypoints,
    )


def calm(start_s: float, end_s: float) -> list[Arrival]:
    """Two IMUs and two people, nothing wrong."""
    heard = []
    for tick in range(round(start_s * 5), round(end_s * 5)):
        at_s = tick / 5
        heard += [Arrival(at_s + 0.2, imu(name, at_s)) for name in ("arm", "leg")]
        heard += [Arrival(at_s + 0.2, pose(at_s + n / 25, 1, 2)) for n in range(5)]
    return heard


def wild(stream: str) -> Imu:
    """A message whose last stamp is in another year."""
    message = imu(stream, 2.0)
    message.t_ns[-1] += 10**16
    return message


BAD: dict[str, Callable[[], Imu | Pose]] = {
    "of an unknown IMU": lambda: imu("nobody's", 2.0),
    "empty": lambda: imu("arm", 2.0, 0),
    "not numbers": lambda: imu("arm", 2.0, acc_m_s2=np.full((20, 3), np.nan, np.float32)),
    "infinite": lambda: imu("arm", 2.0, gyro_rad_s=np.full((20, 3), np.inf, np.float32)),
    "huge": lambda: imu("arm", 2.0, gyro_rad_s=np.full((20, 3), 3e38, np.float32)),
    "too late": lambda: imu("arm", 0.5),
    "from long ago": lambda: imu("arm", 2.0, t_ns=imu("arm", 2.0).t_ns - 10**11),
    "a wild stamp inside": lambda: wild("arm"),
    "a wild stamp alone": lambda: imu("arm", 1e9, 1),
    "at the end of time": lambda: imu("arm", 2.0, 1, t_ns=np.array([2**63 - 1])),
    "backwards": lambda: imu("arm", 2.0, t_ns=imu("arm", 2.0).t_ns[::-1].copy()),
    "all at one instant": lambda: imu("arm", 2.0, t_ns=np.full(20, EPOCH_NS + 2 * 10**9)),
    "of nobody": lambda: pose(2.0),
    "of one person twice": lambda: pose(2.0, 1, 1),
    "of joints that are not numbers": lambda: pose(2.0, 1, 2, value=np.nan),
    "of joints that are nowhere": lambda: pose(2.0, 1, 2, value=1e30),
    "of a frame in another year": lambda: pose(1e8, 1, 2),
    "of a late frame": lambda: pose(0.5, 1, 2),
    "of a new camera": lambda: pose(2.0, 5, stream="other"),
}


@pytest.mark.parametrize("bad", BAD)
def test_no_message_is_fatal_and_the_stream_goes_on(small: Engine, bad: str) -> None:
    heard = [*calm(0.0, 2.0), Arrival(2.1, BAD[bad]()), *calm(2.0, 7.0)]
    moments = play(small, heard)
    for moment in moments:
        for offset in moment.offsets:
            assert np.isfinite([offset.offset_s, offset.sigma_s, offset.p]).all()
            assert np.isfinite(offset.weights).all()
    assert np.isfinite(small.evidence.sums.numpy()).all()
    # Wild stamps set the stream back for RESET_NS; by now everything is read as before.
    for row in (*small.imus.values(), small.tracks["cam", 1], small.tracks["cam", 2]):
        assert row.last_token_ns > EPOCH_NS + 6 * 10**9
        assert row.last_token_ns < EPOCH_NS + 7 * 10**9


def test_broken_and_late_samples_are_counted(small: Engine) -> None:
    heard = [
        *calm(0.0, 1.0),
        Arrival(1.1, imu("arm", 1.0, 3, acc_m_s2=np.full((3, 3), np.nan, np.float32))),
        Arrival(1.2, imu("leg", 0.2, 7)),
        Arrival(1.3, imu("leg", 1.0, 2, gyro_rad_s=np.full((2, 3), 501.0, np.float32))),
    ]
    play(small, heard)
    assert (small.broken, small.late) == (5, 7)


def later(arrival: Arrival, imu_s: float) -> Arrival:
    """The same, the arm's stamps being so much later than they were; not when they were received."""
    message = arrival.message
    if not isinstance(message, Imu) or message.stream != "arm":
        return arrival
    return replace(arrival, message=replace(message, t_ns=message.t_ns + round(imu_s * 1e9)))


def test_offsets_go_with_a_camera_whose_stamps_step(longer: list[Arrival], model: Binder) -> None:
    """All that is shown from then on is 0.4 s later than its stamp says; nothing else tells it."""
    stepped_s, by_s = 30.0, 0.4
    heard = [
        replace(a, message=replace(a.message, t_ns=a.message.t_ns + round(by_s * 1e9)))
        if a.message.stream == "front" and isinstance(a.message, Pose) and a.at_s >= stepped_s
        else a
        for a in longer
    ]
    engine = engine_of(specs(SCENE), model)
    said = play(engine, heard)
    for (imu, camera), truth in TRUTH.items():
        found = engine.stepped_s[engine.names.index(imu), camera]
        assert found == pytest.approx(-by_s if camera == "front" else 0.0, abs=0.03)
        now = truth - (by_s if camera == "front" else 0.0)
        late = [moment.offset(imu, camera) for moment in said if moment.at_s > stepped_s + 10.0]
        assert all(abs(o.offset_s - now) < 0.06 for o in late if o.verdict is Verdict.OK)
    alarms = {o.alarm for moment in said for o in moment.offsets if o.camera == "front" and o.alarm}
    assert any(alarm.startswith("stepped by -0.4") or alarm.startswith("stepped by -0.3") for alarm in alarms)


@pytest.mark.parametrize("jump_s", [4.0, -9.0])
def test_what_is_known_of_a_clock_ends_where_its_stamps_jump(small: Engine, jump_s: float) -> None:
    play(small, calm(0.0, 12.0))
    before = small.evidence.motion_s[0].max(dim=1).values
    small.beliefs.learned.lag = {(n, "cam"): np.zeros(small.lags) for n in (0, 1)}
    play(small, [later(a, jump_s) for a in calm(12.0, 17.0)])
    assert [small.life(imu, camera) for imu in ("arm", "leg") for camera in ("cam", "not seen yet")] == [
        1,
        1,
        0,
        0,
    ]
    after = small.evidence.motion_s[0].max(dim=1).values
    assert after[0] < before[0]
    assert after[1] > before[1]
    assert list(small.beliefs.learned.lag) == [(1, "cam")]


def test_silence_and_one_wild_stamp_end_nothing(small: Engine) -> None:
    play(small, calm(0.0, 6.0))
    heard = [a for a in calm(6.0, 14.0) if not (6.0 < a.at_s < 11.0 and a.message.stream == "arm")]
    wild = Arrival(14.0, imu("arm", 1e6, 1, received_ns=np.array([EPOCH_NS + 14 * 10**9])))
    play(small, [*heard, wild, *calm(14.0, 20.0)])
    assert not small.life("arm", "cam")
    assert small.imus["arm"].last_token_ns < EPOCH_NS + 20 * 10**9


@pytest.mark.parametrize(
    "useless",
    [
        lambda message: replace(message, gyro_rad_s=np.full_like(message.gyro_rad_s, np.nan)),
        lambda message: replace(message, t_ns=np.full_like(message.t_ns, EPOCH_NS + 10**9)),
    ],
)
def test_a_sensor_that_sends_nothing_of_use_is_stale(small: Engine, useless: Callable[[Imu], Imu]) -> None:
    heard = [
        replace(a, message=useless(a.message))
        if a.at_s > 3.0 and a.message.stream == "arm" and isinstance(a.message, Imu)
        else a
        for a in calm(0.0, 9.0)
    ]
    last = play(small, heard)[-1]
    assert last.offset("arm", "cam").verdict is Verdict.STALE
    assert last.offset("leg", "cam").verdict is not Verdict.STALE


def test_a_camera_that_repeats_one_picture_is_stale(small: Engine) -> None:
    heard = [
        replace(a, message=replace(a.message, t_ns=EPOCH_NS + 3 * 10**9))
        if a.at_s > 3.0 and isinstance(a.message, Pose)
        else a
        for a in calm(0.0, 9.0)
    ]
    assert play(small, heard)[-1].offset("arm", "cam").verdict is Verdict.STALE


def test_after_a_cameras_outage_a_number_may_be_anybodys(small: Engine) -> None:
    play(small, calm(0.0, 6.0))
    known = small.evidence.motion_s[0, 0].max()
    play(small, [a for a in calm(6.0, 12.4) if not (a.at_s < 12.0 and isinstance(a.message, Pose))])
    assert small.evidence.motion_s[0, 0].max() < known / 2
    assert set(small.tracks) == {("cam", 1), ("cam", 2)}


def test_a_crowd_that_has_left_costs_nothing_and_changes_nothing(small: Engine) -> None:
    crowd = tuple(range(10, 40))
    for arrival in calm(0.0, 2.0):
        small.take(arrival.message, EPOCH_NS)
    for n in range(5):
        small.take(pose(2.0 + n / 25, 1, 2, *crowd), EPOCH_NS)
    small.advance()
    for arrival in calm(2.4, 8.0):
        small.take(arrival.message, EPOCH_NS)
    small.advance()
    assert small.evidence.sums.shape[2] == 2
    assert {row.slot for row in small.tracks.values()} == {0, 1}
    small.take(pose(8.1, 1, 2, 3), EPOCH_NS)
    small.advance()
    assert small.tracks["cam", 3].slot == 2


def test_a_backlog_gives_the_same_evidence_as_live(small: Engine) -> None:
    """Even where one stream began long before another, farther than the rings reach."""
    torch.manual_seed(0)
    other = engine_of(tuple(small.specs.values()), Binder(Sizes(width=8, embedding=4)), 1.0)
    heard = [a for a in calm(0.0, 12.0) if a.message.stream != "cam" or a.at_s > 8.0]
    play(small, heard)
    for arrival in sorted(heard, key=lambda a: a.message.stream):
        other.take(arrival.message, arrival.now_ns)
    other.advance()
    assert small.evidence.sums.abs().max() > 0
    torch.testing.assert_close(other.evidence.sums, small.evidence.sums, atol=0.05, rtol=0.02)


def test_with_nobody_in_view_there_are_answers_all_the_same(small: Engine) -> None:
    assert play(small, [])[-1].messages
    alone = [a for a in calm(0.0, 3.0) if isinstance(a.message, Imu)]
    empty = [Arrival(n / 25, pose(n / 25)) for n in range(75)]
    last = play(small, sorted([*alone, *empty], key=lambda a: a.at_s))[-1]
    assert last.offset("arm", "cam").verdict is not Verdict.OK
    assert last.offset("arm", "cam").p == 0
    assert last.binding("arm").p_none == 1
    assert last.binding("arm").candidates == ()


def test_a_camera_whose_first_picture_is_empty_is_known_at_once(small: Engine) -> None:
    assert small.views() == {}
    small.take(pose(0.0, stream="other"), EPOCH_NS)
    assert list(small.views()) == ["other"]


def test_latencies_are_those_of_pairs_that_have_both(small: Engine) -> None:
    assert latencies_s(small, EPOCH_NS) == []
    play(small, calm(0.0, 2.0))
    ages = latencies_s(small, EPOCH_NS + 2 * 10**9)
    assert len(ages) == 2
    assert all(0.3 < age < 1.0 for age in ages)
    assert latencies_s(small, EPOCH_NS) == [], "stamps ahead of the clock say nothing"


def test_a_message_is_cut_where_the_stream_begins_anew() -> None:
    stamps = np.array([5, 0, 10, RESET_NS + 11, RESET_NS + 12, 4 * RESET_NS])
    assert [list(rows) for rows in unbroken(stamps)] == [[1, 0, 2], [3, 4], [5]]
    assert [list(rows) for rows in unbroken(stamps[:0])] == [[]]


def tip(place: tuple[int, int], lag: int, height: float) -> np.ndarray:
    logits = np.random.default_rng(0).normal(0, 0.5, (2, 11, 101))
    logits[place] += np.maximum(height - (np.arange(101) - lag) ** 2, 0)
    return logits


CHANCE = 10.0


def test_a_step_and_a_move_contradict_what_was_believed_and_noise_does_not() -> None:
    slow, believed = tip((0, 4), 30, 60.0), (0, 30)
    for low in (0.0, -30.0):
        for fast, expected, what in (
            (tip((0, 4), 31, 12.0), False, "the same"),
            (tip((0, 4), 30, 0.0), False, "the last seconds say nothing"),
            (tip((0, 4), 30, 6.0) + tip((0, 4), 80, 20.0), True, "another lag"),
            (tip((1, 6), 80, 20.0), True, "another lag and wearer"),
            (tip((0, 4), 30, 20.0) + tip((0, 4), 80, 20.0), False, "not yet"),
            (tip((0, 6), 30, 20.0), True, "another limb"),
        ):
            assert contradicted(slow + low, fast + low, *believed, CHANCE) is expected, what
        assert not contradicted(low + tip((0, 4), 30, 5.0), tip((1, 6), 80, 20.0), *believed, CHANCE), (
            "hardly believed"
        )


@pytest.mark.parametrize("edge", [0, 1, 99, 100])
def test_a_belief_at_the_edge_of_the_lags_can_be_contradicted(edge: int) -> None:
    slow = tip((0, 4), edge, 60.0)
    assert contradicted(slow, tip((0, 4), 50, 20.0), 0, edge, CHANCE)
    assert not contradicted(slow, tip((0, 4), edge, 20.0), 0, edge, CHANCE)
