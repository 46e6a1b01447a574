"""Preflight: each stream passes or fails for the reason there is, in words a technician can act on."""

from __future__ import annotations

import io
import logging
import threading
from dataclasses import replace

import pytest
from memory_bus import brought
from messages import binding, health, offset
from rich.console import Console

from mobind_live.driver import StreamSpec
from mobind_live.schema import Binding, Candidate, Health, Message, Offset, StreamHealth, Verdict
from mobind_live.terminal import output, preflight
from mobind_live.terminal.findings import Finding, State, judge
from mobind_live.terminal.lasting import Passed
from mobind_live.terminal.preflight import Preflight
from mobind_live.terminal.view import RigView

SECOND = 1_000_000_000
IMU = StreamSpec(name="left", kind="imu", nominal_hz=50, clock="device", wears="left_forearm")
CAM = StreamSpec(name="front", kind="cam", nominal_hz=30)
LINE = StreamHealth(
    stream="left", kind="imu", rate_hz=49.6, nominal_hz=50, age_s=0.04, received=990, lost=10, shed=0
)
PICTURES = replace(LINE, stream="front", kind="cam", rate_hz=29.9, nominal_hz=30, lost=0)
BOUND = replace(binding(), alarm="", wearer_verdict=Verdict.OK, expected_part="left_forearm")


def heard(imu: StreamHealth = LINE, camera: StreamHealth = PICTURES) -> Health:
    return replace(health(), streams=(imu, camera))


def test_what_cannot_be_read_is_not_called_silent() -> None:
    """A wrong baud rate sends nobody to the battery; what its other sensors send is no matter."""
    silent = replace(LINE, received=0, age_s=-1)
    for counters, words in (
        ({}, "nothing arrives: is it switched on, charged and near?"),
        (
            {"bad_lines": 133.0, "bad_bytes": 0.0},
            "what comes cannot be read (bad lines 133): look at its baud",
        ),
        ({"bad_samples/left": 7.0}, "what comes cannot be read (bad samples 7)"),
        ({"bad_samples/right": 7.0}, "nothing arrives"),
    ):
        state, text = findings(replace(heard(silent), counters=counters))["left"]
        assert state is State.WAIT
        assert text.startswith(words)


def test_without_a_camera_only_the_sensors_are_checked() -> None:
    """Not before whatever can be wrong with their numbers would have been told."""
    for seconds, state in ((3, State.WAIT), (30, State.PASS)):
        view = RigView(title="", streams=(IMU,), started_ns=0)
        view.feed(brought(replace(heard(), streams=(replace(LINE, received=50 * seconds, lost=0),))), 0)
        (finding,) = judge(view, SECOND // 2)
        assert finding.state is state
        assert "no camera in this rig: offset, wearer and body part cannot be found" in finding.text


def findings(
    state: Health | None = None,
    bound: Binding | None = BOUND,
    found: Offset | None = None,
    now_s: float = 0.5,
) -> dict[str, tuple[State, str]]:
    view = RigView(title="", streams=(IMU, CAM), started_ns=0)
    messages: list[Message] = [found or offset()]
    view.feed(brought(*messages, *[m for m in (state or heard(), bound) if m is not None]), 0)
    return {item.stream: (item.state, item.text) for item in judge(view, int(now_s * 1e9))}


def test_only_what_was_lost_lately_counts() -> None:
    """A dropout of a minute ago is no reason to bring a sensor nearer."""
    view = RigView(title="", streams=(IMU, CAM), started_ns=0)
    shares = []
    for second, lost in ((0, 0), (1, 500), (8, 500), (12, 500)):
        line = replace(LINE, received=50 * (second + 1), lost=lost)
        view.feed(brought(heard(line)), second * SECOND)
        shares.append(view.lost("left"))
    assert shares == [0.0, pytest.approx(500 / 600), pytest.approx(500 / 950), 0.0]
    view.feed(brought(heard(replace(LINE, received=10, lost=90))), 13 * SECOND)
    assert view.lost("left") == pytest.approx(0.9), "a process that began anew counts from zero"


@pytest.mark.parametrize("known", [True, False])
def test_why_a_device_failed_stands_beside_it(known: bool) -> None:
    """The supervisor says so, who does not know of streams; the process may have died before it told."""
    view = RigView(title="", streams=(IMU,), started_ns=0)
    own = replace(health(), stream="left", streams=(replace(LINE, received=0),))
    failed = replace(own, state="failed", detail="given up: firmware 1.2 is too old", streams=())
    view.feed(brought(*([own] if known else []), failed), 0)
    (finding,) = judge(view, SECOND)
    assert "firmware 1.2 is too old" in finding.text


def test_a_rig_that_is_right_passes() -> None:
    said = findings()

    assert {state for state, _ in said.values()} == {State.PASS}
    for piece in (
        "left forearm of person_1, as configured",
        "-0.250 ±0.010 s to front",
        "49.6 Hz, 1.0 % lost",
    ):
        assert piece in said["left"][1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (replace(LINE, doubt="gravity reads 94 m/s^2"), "gravity reads 94 m/s^2"),
        (replace(LINE, age_s=7.5), "silent for 7.50 s"),
        (replace(LINE, rate_hz=30.0), "slow: 30.0 Hz of 50"),
        (replace(LINE, lost=110), "10.0 % lost"),
    ],
)
def test_a_stream_that_is_not_well_waits(line: StreamHealth, words: str) -> None:
    state, text = findings(heard(line))["left"]

    assert state is State.WAIT
    assert words in text


@pytest.mark.parametrize(
    ("bound", "state", "words"),
    [
        (replace(BOUND, alarm="left and right are swapped"), State.FAIL, "left and right are swapped"),
        (replace(BOUND, wearer_verdict=Verdict.UNBOUND), State.FAIL, "on nobody in view"),
        (replace(BOUND, part_verdict=Verdict.NO_MOTION), State.WAIT, "has not moved enough"),
        (replace(BOUND, wearer_verdict=Verdict.AMBIGUOUS), State.WAIT, "one person at a time"),
        (replace(BOUND, part_verdict=Verdict.AMBIGUOUS), State.WAIT, "perhaps on the left forearm (80 %)"),
        (None, State.WAIT, "no answer about it yet"),
    ],
)
def test_where_it_sits_decides(bound: Binding | None, state: State, words: str) -> None:
    said = findings(bound=bound)["left"]

    assert said[0] is state
    assert words in said[1]


def test_an_answer_of_long_ago_is_none() -> None:
    """As from a worker that has died: its devices go on."""
    view = RigView(title="", streams=(IMU, CAM), started_ns=0)
    view.feed(brought(offset(), BOUND), 0)
    view.feed(brought(heard()), 600 * SECOND)
    said = {item.stream: (item.state, item.text) for item in judge(view, 600 * SECOND)}
    assert said["left"][0] is State.WAIT
    assert "no answer about it now" in said["left"][1]


def test_a_device_that_says_why_nothing_comes_is_quoted() -> None:
    nothing = replace(LINE, received=0, age_s=-1)
    why = replace(heard(nothing), state="waiting", detail="no port /dev/ttyNOPE")
    assert findings(why)["left"] == (State.WAIT, "no port /dev/ttyNOPE")


@pytest.mark.parametrize(("second", "state"), [(0.46, State.WAIT), (0.95, State.PASS)])
def test_a_trunk_sensor_must_be_on_the_trunk_in_each_camera(second: float, state: State) -> None:
    told = [("front", 0.95, "pelvis"), ("side", second, "pelvis"), ("side", 1 - second, "left_upper_arm")]
    chest = replace(
        BOUND,
        expected_part="chest",
        part_verdict=Verdict.AMBIGUOUS,
        tracks={"front": 1, "side": 2},
        candidates=tuple(
            Candidate(camera=c, track=1 if c == "front" else 2, part=part, p=p) for c, p, part in told
        ),
    )
    assert findings(bound=chest)["left"][0] is state


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([("front", 1, 0.55), ("front", 4, 0.4)], "1 and 4 in front move alike: is one a mirror image?"),
        ([("front", 1, 0.75), ("front", 4, 0.15)], "one person at a time"),
        ([("front", 1, 0.4), ("front", 4, 0.3), ("front", 5, 0.3)], "one person at a time"),
        ([("front", 1, 0.55), ("side", 4, 0.4)], "one person at a time"),
    ],
)
def test_of_two_who_move_alike_it_says_so(places: list[tuple[str, int, float]], words: str) -> None:
    told = tuple(Candidate(camera=c, track=track, part="left_forearm", p=p) for c, track, p in places)
    open_ = replace(BOUND, wearer_verdict=Verdict.AMBIGUOUS, candidates=told)
    state, text = findings(bound=open_)["left"]
    assert state is State.WAIT
    assert words in text


def test_an_offset_that_is_too_large_is_said_to_be() -> None:
    beyond = replace(offset(), verdict=Verdict.AMBIGUOUS, alarm="seems to be +10.4 s, or more")
    state, text = findings(found=beyond)["left"]
    assert state is State.WAIT
    assert "offset to front seems to be +10.4 s, or more" in text


def test_without_an_offset_it_waits() -> None:
    state, text = findings(found=replace(offset(), verdict=Verdict.AMBIGUOUS))["left"]

    assert state is State.WAIT
    assert "offset not known yet" in text


def test_a_camera_that_sees_nobody_waits() -> None:
    state, text = findings(found=replace(offset(), evidence_s=0.0))["front"]

    assert state is State.WAIT
    assert "no moving person in view" in text


def test_a_rig_of_cameras_alone_can_pass() -> None:
    view = RigView(title="", streams=(CAM,), started_ns=0)
    view.feed(brought(heard()), 0)
    assert [item.state for item in judge(view, SECOND // 2)] == [State.PASS]


def session(limit_s: float = 60.0) -> tuple[Preflight, threading.Event, io.StringIO]:
    stop, out = threading.Event(), io.StringIO()
    console = Console(file=out, width=120, force_terminal=False)
    return Preflight((IMU, CAM), limit_s, stop, console), stop, out


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    for module in (preflight, output):
        monkeypatch.setattr(module, "host_now_ns", lambda: int(seconds * 1e9))


def test_it_ends_once_all_has_passed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1.0)
    watch, stop, out = session()
    with watch:
        ended = []
        for seconds in (1.5, 2.5, 4.0, 5.0):
            at(monkeypatch, seconds)
            watch.feed(brought(heard(), offset(), BOUND))
            ended.append(stop.is_set())

    assert ended == [False, False, False, True]
    assert watch.passed
    assert "ready: all 2 streams pass" in out.getvalue()


def test_what_does_not_pass_on_end_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1.0)
    watch, stop, _ = session()
    slow = heard(replace(LINE, rate_hz=20.0))
    with watch:
        for seconds, state in ((1.5, heard()), (3.0, slow), (4.0, heard()), (5.5, heard())):
            at(monkeypatch, seconds)
            watch.feed(brought(state, offset(), BOUND))
            assert not stop.is_set()
        at(monkeypatch, 6.5)
        watch.feed(brought(heard(), offset(), BOUND))
    assert stop.is_set()


def test_who_has_passed_need_not_go_on_moving() -> None:
    passed, well = Passed(), Finding("left", State.PASS, "on the left forearm")
    open_, wrong = (Finding("left", State.WAIT, "?", open_only=is_open) for is_open in (True, False))
    assert passed(well, 0) is well
    assert passed(open_, SECOND) is open_, "for a moment only"
    for second in range(2, 8):
        passed(well, second * SECOND)
    assert passed(open_, 10 * SECOND) == Finding("left", State.PASS, "3 s ago: on the left forearm")
    assert passed(Finding("right", State.WAIT, "?", open_only=True), 10 * SECOND).state is State.WAIT
    assert passed(wrong, 11 * SECOND) is wrong
    assert passed(open_, 12 * SECOND) is open_, "a stream that was not well is asked again"


def test_a_contradiction_stays_until_it_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wearer has moved enough and walks away: to be on nobody in view is not what is to be mended."""
    swapped = "left and right are swapped"
    elsewhere = replace(BOUND, part="right_forearm", alarm=swapped)
    gone = replace(elsewhere, wearer_verdict=Verdict.UNBOUND, alarm="left is on nobody in view")
    early = ((1, elsewhere), (2, gone), (3, elsewhere), (7, elsewhere), (20, gone))
    late = ((25, BOUND), (26, gone), (27, elsewhere), (31, elsewhere), (41, gone), (101, gone))
    told = []
    at(monkeypatch, 0.0)
    watch, _, out = session(limit_s=40.0)
    with watch:
        for seconds, bound in (*early, *late):
            at(monkeypatch, float(seconds))
            watch.feed(brought(heard(), offset(), bound))
            told.append(next(f.text for f in watch.findings if f.stream == "left"))

    assert told[1].startswith("left is on nobody in view"), "it had not stood for three seconds"
    assert told[4].startswith(f"13 s ago: {swapped}; now: left is on nobody in view")
    assert told[5].startswith("on the left forearm of person_1, as configured")
    assert told[6].startswith("left is on nobody in view"), "it was mended"
    assert f"70 s ago: {swapped}" in out.getvalue()
    assert "not ready: left" in out.getvalue()


def test_a_sensor_that_is_well_and_unclear_is_open_only() -> None:
    unclear = replace(BOUND, wearer_verdict=Verdict.AMBIGUOUS)
    for state, bound, is_open in (
        (heard(), unclear, True),
        (heard(), replace(unclear, part="head"), False),
        (heard(), replace(BOUND, alarm="left and right are swapped"), False),
        (heard(replace(LINE, rate_hz=20.0)), unclear, False),
    ):
        view = RigView(title="", streams=(IMU, CAM), started_ns=0)
        view.feed(brought(state, offset(), bound), 0)
        assert judge(view, SECOND // 2)[0].open_only is is_open


def test_it_gives_up_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0.0)
    watch, stop, out = session(limit_s=10.0)
    with watch:
        for second in (1.0, 11.5):
            at(monkeypatch, second)
            watch.feed(brought(heard(replace(LINE, rate_hz=20.0)), offset(), BOUND))

    assert stop.is_set()
    assert not watch.passed
    assert "not ready: left" in out.getvalue()
    assert "fail  left" in out.getvalue()


def test_the_time_counts_from_when_the_devices_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 0.0)
    watch, stop, out = session(limit_s=10.0)
    waiting = replace(heard(replace(LINE, received=0)), state="starting", detail="loading")
    with watch:
        for second, message in ((11.0, waiting), (12.0, heard(replace(LINE, rate_hz=20.0))), (21.0, waiting)):
            at(monkeypatch, second)
            watch.feed(brought(message))
            assert not stop.is_set()
        at(monkeypatch, 22.5)
        watch.feed(brought(waiting))
    assert stop.is_set()
    assert "not ready: left" in out.getvalue()


def test_warnings_are_heard_while_it_lasts() -> None:
    watch, _, out = session()
    before = list(logging.getLogger().handlers)
    with watch:
        logging.getLogger("x").warning("scene: \x1b[2Jlost")
        logging.getLogger("x").info("scene: fine")
    logging.getLogger("x").warning("afterwards")

    assert "scene:  [2Jlost\n" in out.getvalue()
    assert "fine" not in out.getvalue()
    assert "afterwards" not in out.getvalue()
    assert logging.getLogger().handlers == before


def test_ctrl_c_at_once_is_not_ready_and_accuses_no_device() -> None:
    watch, _, out = session()
    with watch:
        pass

    assert watch.stopped
    assert not watch.passed
    assert "stopped before the end" in out.getvalue()
    assert "fail" not in out.getvalue()
