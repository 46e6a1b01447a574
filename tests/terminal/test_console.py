"""The terminal: what was received, to text."""

from __future__ import annotations

import errno
import io
import logging
import logging.handlers
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_bus import MemoryBus, brought
from messages import binding, health, imu, offset
from rich.console import Console
from terminals import Held

from mobind_live.driver import StreamSpec
from mobind_live.schema import Action, Message, StreamHealth, Truth, Verdict, WornTruth
from mobind_live.terminal import console as terminal
from mobind_live.terminal.answers import sparkline
from mobind_live.terminal.lines import lines as as_lines
from mobind_live.terminal.table import render
from mobind_live.terminal.view import Note, RigView

SECOND = 1_000_000_000
STREAMS = (
    StreamSpec(name="left", kind="imu", nominal_hz=50, clock="device"),
    StreamSpec(name="front", kind="cam", nominal_hz=30),
    StreamSpec(name="side", kind="cam", nominal_hz=30),
)
TRUTH = Truth(
    stream="sim",
    t_ns=0,
    worn=(WornTruth(imu="left", person="anna", part="left_forearm", delay_s=1.5),),
    tracks={"front": {"3": "anna"}, "side": {"1": "anna"}},
    delays_s={"front": 1.75, "side": 0.5},
    actions={"anna": "jumping_jacks"},
)
ACTION = Action(
    stream="person_1",
    t_ns=0,
    label="squat",
    p=0.5,
    verdict=Verdict.OK,
    labels=("squat",),
    probabilities=(0.5,),
)
LINE = StreamHealth(
    stream="left",
    kind="imu",
    rate_hz=49.6,
    nominal_hz=50,
    age_s=0.04,
    received=990,
    lost=10,
    shed=3,
    clock_offset_s=12.5,
    clock_drift_ppm=-7.25,
    clock_residual_ms=0.9,
    jitter_ms=2.5,
)
DEVICE = replace(
    health(), stream="left", streams=(LINE,), counters={"bad_lines": 4, "rss_mb": 55, "cpu_s": 1}
)
WORKER = replace(
    health(),
    stream="worker",
    streams=(),
    counters={"latency_p50_ms": 130, "latency_p95_ms": 245, "missed/v1/imu/left/": 6},
)
ANSWERS: tuple[Message, ...] = (DEVICE, WORKER, offset(), replace(offset(), camera="side"), binding(), ACTION)


def view_of(*messages: Message, now_ns: int = 0) -> RigView:
    view = RigView(title="rig.yaml", streams=STREAMS, started_ns=0)
    view.feed(brought(*messages), now_ns)
    return view


def shown(view: RigView, now_ns: int = SECOND, width: int = 100, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(render(view, now_ns, width, height))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def row(lines: list[str], start: str, nth: int = 0) -> str:
    return [line for line in lines if line.startswith(f"│ {start}")][nth]


def test_a_stream_shows_rate_age_loss_gaps_and_clock() -> None:
    cells = row(shown(view_of(*ANSWERS)), "left").split()
    text = " ".join(cells)
    assert "49.6 / 50 Hz 0.04 s 1.0 % 6 3 +12.5000 s -7.2 ppm 0.9 ms" in text


def test_stamps_that_were_mapped_when_they_were_recorded_have_no_clock_to_show() -> None:
    played = replace(
        DEVICE, streams=(replace(LINE, clock_offset_s=0.0, clock_drift_ppm=0.0, clock_residual_ms=0.0),)
    )
    cells = row(shown(view_of(played)), "left").split()
    assert "host" in cells
    assert "ppm" not in cells


def test_a_wide_table_shows_jitter_and_the_clocks_error_and_resets() -> None:
    line = replace(LINE, clock_uncertainty_ms=0.31, clock_resets=2)
    view = view_of(replace(DEVICE, streams=(line,)))
    text = " ".join(row(shown(view, width=124), "left").split())
    assert "+12.5000 s ↺2 -7.2 ppm 0.9 ms 2.5 ms ±0.31 ms" in text


@pytest.mark.parametrize("width", [80, 100, 106, 124])
def test_a_long_name_and_large_numbers_fit(width: int) -> None:
    line = replace(
        LINE, stream="left_forearm", rate_hz=200.1, nominal_hz=48.55, age_s=0.55, jitter_ms=600.2,
        clock_offset_s=-28682.9, clock_resets=2, clock_drift_ppm=-438.0, clock_residual_ms=130.3,
    )  # fmt: skip
    view = view_of(replace(DEVICE, streams=(line,)))
    view.streams = (replace(STREAMS[0], name="left_forearm", kind="imu", clock="device"),)
    assert "…" not in row(shown(view, width=width), "left_forearm")


def test_a_stream_that_never_spoke_is_there_all_the_same() -> None:
    assert "- / 30 Hz" in row(shown(view_of()), "front")


def test_an_answer_shows_offset_wearer_part_and_action_with_their_verdicts() -> None:
    lines = shown(view_of(*ANSWERS))
    above, below = row(lines, "left", 1), lines[lines.index(row(lines, "left", 1)) + 1]
    for piece in ("front", "-0.250 ±0.010", "ok", "person 1", "left forearm", "squat"):
        assert piece in above
    for piece in ("side", "-0.250 ±0.010", "90% ambiguous", "80% ok", "50% ok"):
        assert piece in below
    assert lines[1].strip() == "! on the other arm", "on top, where a small terminal shows it"
    assert "SIMULATED" not in "\n".join(lines)


def test_the_truth_stands_beside_the_answers_of_a_simulator() -> None:
    lines = [" ".join(line.split()) for line in shown(view_of(*ANSWERS, TRUTH))]
    above, below = row(lines, "left", 1), lines[lines.index(row(lines, "left", 1)) + 1]
    assert "-0.250 ±0.010 -0.250 ok" in above
    assert "-0.250 ±0.010 +1.000 ok" in below
    assert "person 1 ✓" in above
    assert "left forearm ✓" in above
    assert "squat ✗" in above
    assert "50%, is jumping jacks" in below
    assert "SIMULATED" in lines[1]


def test_simulated_messages_raise_the_banner_even_without_truth() -> None:
    assert "SIMULATED" in shown(view_of(replace(offset(), simulated=True)))[1]


def test_what_the_yaml_expects_is_compared_when_there_is_no_truth() -> None:
    lines = shown(view_of(offset(), replace(binding(), expected_part="right_forearm")))
    assert "80% ok, not right forearm" in "\n".join(lines), "it is the rig that may be wrong"
    assert not any("✗" in line or "✓" in line for line in lines)
    assert "left forearm ✓" in row(
        shown(view_of(offset(), replace(binding(), expected_part="left_forearm"))), "left", 1
    )


def test_a_small_screen_says_how_many_sensors_it_does_not_show() -> None:
    every = [
        message
        for name in ("left", "right", "back")
        for message in (replace(offset(), stream=name), replace(binding(), stream=name))
    ]
    view = view_of(*every)
    view.streams = (*STREAMS, *(replace(STREAMS[0], name=name, kind="imu") for name in ("right", "back")))
    small, large = (shown(view, width=80, height=height) for height in (18, 40))
    assert len(small) <= 18
    assert small[-1].startswith("╰")
    assert "2 more in a larger window" in small[-1]
    assert not any("more in a larger" in line for line in large)
    assert all("Ctrl-C stops" in lines[0] for lines in (small, large))


def test_an_answer_that_is_none_shows_no_number() -> None:
    mute = replace(binding(), wearer_verdict=Verdict.NO_MOTION, p_wearer=0.1, part_verdict=Verdict.UNBOUND)
    line = row(shown(view_of(offset(), mute)), "left", 1)
    assert "no motion" in line
    assert "unbound" in line
    assert "person" not in line


def test_an_answer_that_stopped_coming_is_stale() -> None:
    sure = replace(binding(), alarm="left is on nobody", wearer_verdict=Verdict.OK)
    screen = shown(view_of(offset(), sure, ACTION), now_ns=20 * SECOND)
    assert "stale" in row(screen, "left", 1)
    assert not any(word in line for line in screen for word in ("ok", "on nobody"))
    assert not any("ok" in line.split() for line in as_lines(view_of(offset(), sure, ACTION), 20 * SECOND))


def test_what_is_odd_about_an_offset_is_told_while_it_comes() -> None:
    stepped = replace(offset(), alarm="stepped by +0.200 s")
    told = "left: its offset to front stepped by +0.200 s"
    assert any(told in line for line in shown(view_of(stepped)))
    assert any(line.endswith("ALARM stepped by +0.200 s") for line in as_lines(view_of(stepped), 0))
    assert not any("stepped" in line for line in shown(view_of(stepped), now_ns=20 * SECOND))


def test_what_was_known_before_a_recording_ended_stays_readable() -> None:
    ended = replace(binding(), part_verdict=Verdict.STALE, p_part=0.9)
    screen = shown(view_of(offset(), ended))
    assert "left forearm" in row(screen, "left", 1)
    assert any("stale" in line for line in screen)


def test_what_could_be_anything_is_a_question_mark() -> None:
    unsure = replace(offset(), offset_s=-10.0, sigma_s=20.0, verdict=Verdict.AMBIGUOUS)
    guess = replace(binding(), part="head", p_part=0.08, part_verdict=Verdict.AMBIGUOUS)
    screen = shown(view_of(unsure, guess))
    assert "?" in row(screen, "left", 1)
    assert not any("-10.000" in line for line in screen)
    assert not any("head" in line for line in screen)


def test_what_the_worker_left_out_stands_beside_its_stream_and_in_its_row() -> None:
    told = {"shed/v1/imu/left/": 40, "shed_s": 12.4, "shed_spans": 2}
    view = view_of(DEVICE, replace(WORKER, counters=told))
    assert view.shed(next(spec for spec in STREAMS if spec.name == "left")) == 43
    lines = shown(view)
    assert "43" in row(lines, "left")
    assert "too slow: left out 12 s, 2 times" in row(lines, "worker")
    assert "shed 43" in "\n".join(as_lines(view, 0))


def test_processes_show_state_memory_latency_and_counts() -> None:
    view = view_of(*ANSWERS)
    view.cpu["worker"] = 31.4
    lines = shown(view)
    worker = " ".join(row(lines, "worker").split())
    assert worker.startswith("│ worker running 0 31 % 0 MB latency p50 130 ms, p95 245 ms")
    assert "bad lines 4" in "\n".join(lines)


def test_a_process_that_went_silent_is_said_to_be() -> None:
    assert "silent" in row(shown(view_of(WORKER), now_ns=10 * SECOND), "worker")


def test_cpu_is_seconds_used_over_seconds_passed() -> None:
    view = view_of()
    for index in range(40):
        used = replace(WORKER, t_ns=index * SECOND, counters={"cpu_s": 0.25 * index})
        bus = MemoryBus()
        subscriber = bus.subscriber()
        bus.publisher().send(used)
        view.feed(subscriber.poll(0), index * SECOND)
    assert view.cpu["worker"] == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize(("width", "height"), [(100, 40), (80, 24), (60, 30), (40, 20), (200, 60)])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    view = view_of(*ANSWERS, TRUTH)
    for index in range(50):
        view.notes.append(Note(0, logging.WARNING, f"note {index} " + "x" * 300))
    lines = shown(view, width=width, height=height)
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert "left forearm" in "\n".join(lines) or width < 60


def test_the_newest_notes_are_shown() -> None:
    view = view_of()
    view.notes.extend(Note(index * SECOND, logging.INFO, f"note {index}") for index in range(70))
    assert "01:09  note 69" in "\n".join(shown(view))


def test_what_failed_for_good_is_named_on_the_smallest_screen() -> None:
    failed = replace(WORKER, state="failed", detail="given up")
    screen = shown(view_of(failed, offset()), width=80, height=12)
    assert "worker failed" in screen[0]


def test_why_something_is_missing_is_on_the_smallest_screen() -> None:
    gone = replace(DEVICE, state="waiting", detail="port /dev/ttyUSB0 is not there: plug it in " + "x " * 80)
    dead = replace(DEVICE, streams=(replace(LINE, doubt="its accelerometer never changes"),))
    deaf = replace(DEVICE, streams=(replace(LINE, received=0),), counters={"bad_lines": 8})
    for device, words in (
        (gone, "! left waiting: port /dev/ttyUSB0 is not there: plug it in"),
        (dead, "! left: its accelerometer never changes"),
        (deaf, "! left: what comes cannot be read (bad lines 8)"),
    ):
        lines = shown(view_of(device, WORKER, offset()), width=80, height=24)
        assert sum(line.startswith(("! left", "  x ")) for line in lines) in (1, 2)
        assert any(line.startswith(words) for line in lines)
    assert not any(line.startswith("!") for line in shown(view_of(DEVICE, WORKER), width=80, height=24))


def test_troubles_leave_room_for_the_rest() -> None:
    gone = [replace(DEVICE, stream=f"imu{n}", state="waiting", detail="x " * 200) for n in range(9)]
    lines = shown(view_of(*gone), width=80, height=24)
    assert sum(line.startswith(("! imu", "  x ")) for line in lines) == 7
    assert any(line.startswith("  and more: in a higher window") for line in lines)


def test_restarts_are_the_supervisors_count_where_a_process_does_not_know() -> None:
    boss = replace(health(), stream="supervisor", counters={"restarts/worker": 2})
    assert row(shown(view_of(WORKER, boss)), "worker").split()[2:4] == ["running", "2"]


def test_what_a_device_says_cannot_command_the_terminal() -> None:
    rude = replace(DEVICE, detail="\x1b[2J[bold]x[/red]\nsecond line")
    lines = shown(view_of(rude, replace(binding(), alarm="\x1b[0m\n")))
    assert not any("\x1b" in line for line in lines)
    assert "[2J[bold]x[/red] second line" in row(lines, "left", 2)


def test_the_histogram_has_its_peak_where_it_is() -> None:
    weights = np.zeros(161, np.float32)
    weights[80] = 1
    bars = sparkline(replace(offset(), lags_s=np.arange(161), weights=weights), width=16)
    assert (len(bars), bars.index("█")) == (16, 8)
    assert sparkline(replace(offset(), lags_s=np.empty(0), weights=np.empty(0))) == ""


def test_without_a_terminal_the_same_is_written_as_lines() -> None:
    lines = as_lines(view_of(*ANSWERS, TRUTH), SECOND)
    text = "\n".join(lines)
    assert lines[0].startswith("SIMULATED")
    assert "49.6 of 50 Hz  age 0.04 s  loss 1.0 %  gaps 6  shed 3" in text
    assert "-0.250 ±0.010 s  ok  (truth +1.000)" in text
    assert "person_1 90 % ambiguous  part left_forearm 80 % ok  action squat 50 % ok" in text
    assert "(truth anna left_forearm)" in text
    assert "ALARM on the other arm" in text
    assert "latency p50 130 ms, p95 245 ms" in text


def feed(output: Any, *messages: Message) -> None:
    output.feed(brought(*messages))


def test_lines_and_log_go_to_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LINES_EVERY_NS", 0)
    stream = io.StringIO()
    with terminal.LogLines(RigView(title="t", streams=STREAMS, started_ns=0), stream) as output:
        logging.getLogger("x").warning("camera: lost")
        feed(output, imu(), offset())
    handlers = len(logging.getLogger().handlers)
    assert "WARNING camera: lost" in stream.getvalue()
    assert "offset  left" in stream.getvalue()
    logging.getLogger("x").warning("after")
    assert "after" not in stream.getvalue()
    assert len(logging.getLogger().handlers) == handlers


def test_a_terminal_that_takes_nothing_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would be all: the supervisor restarts nothing while it waits."""
    monkeypatch.setattr(terminal, "TABLE_EVERY_NS", 0)
    file = Held()
    console = Console(file=file, force_terminal=True, width=100, height=40, legacy_windows=False)
    view = RigView(title="t", streams=STREAMS, started_ns=0)
    with terminal.LiveTable(view, tmp_path / "log", console) as output:
        file.hold()
        feed(output, health())
        file.tries.wait()
        for n in range(20):
            logging.getLogger("x").warning("camera: lost %d", n)
            feed(output, health())
        held = file.getvalue()
        file.takes.set()
    assert "camera: lost" not in held
    assert "camera: lost 19" in file.getvalue()


def test_lines_that_nobody_takes_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_MOST_LINES", 5)
    stream = Held()
    log = logging.getLogger("x")
    with terminal.LogLines(RigView(title="t", streams=STREAMS, started_ns=0), stream):
        stream.hold()
        log.warning("first")
        stream.tries.wait()
        for n in range(20):
            log.warning("line %d", n)
        stream.takes.set()
    text = stream.getvalue()
    assert [n for n in range(20) if f"line {n}\n" in text] == [15, 16, 17, 18, 19]
    assert "WARNING 15 lines are left out" in text


def test_a_terminal_that_is_gone_ends_nothing(tmp_path: Path) -> None:
    """Closed, it fails at each write."""
    file = Held()
    console = Console(file=file, force_terminal=True, width=100, height=40, legacy_windows=False)
    with terminal.LiveTable(RigView(title="t", streams=STREAMS, started_ns=0), None, console) as output:
        file.write = _gone  # type: ignore[method-assign]
        feed(output, health())
        feed(output, health())


def _gone(text: str) -> int:
    raise OSError(errno.EIO, "Input/output error")


def test_a_log_that_cannot_be_written_is_said_once(tmp_path: Any) -> None:
    """As on a full disk; logging's own way is a traceback over the table for each line."""
    heard = logging.handlers.BufferingHandler(10)
    root, log = logging.getLogger(), terminal.LogFile("/dev/full")
    root.addHandler(heard)
    root.addHandler(log)
    try:
        for text in ("one", "two"):
            logging.getLogger("x").warning(text)
    finally:
        root.removeHandler(heard)
        root.removeHandler(log)
        log.close()
    said = [record.getMessage() for record in heard.buffer]
    assert sorted(said) == [
        "one",
        "the log /dev/full ends here, it cannot be written: No space left on device",
        "two",
    ]


def test_the_live_table_leaves_the_terminal_as_it_found_it(tmp_path: Any) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, height=40, legacy_windows=False)
    view = RigView(title="t", streams=STREAMS, started_ns=0, log="the.log")

    def crash() -> None:
        with terminal.LiveTable(view, tmp_path / "log", console) as output:
            logging.getLogger("x").warning("camera: lost")
            feed(output, offset())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    text = file.getvalue()
    assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") == 1
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")
    after = text.split("\x1b[?1049l")[1]
    assert "camera: lost" in after
    assert "the log is in the.log" in after
