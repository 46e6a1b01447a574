from __future__ import annotations

import io
import logging
import multiprocessing
import threading

import pytest

from mobind_live.runtime.process import (
    Boot,
    Go,
    Link,
    LogLine,
    PipeHandler,
    SaveState,
    StateSaved,
    Stop,
    one_line,
)

BOOT = Boot(name="a", publish="", subscribe="")


def test_commands_reach_the_work_loop() -> None:
    ours, theirs = multiprocessing.Pipe()
    ended: list[int] = []
    link = Link(BOOT, theirs, orphan_grace_s=0, end=ended.append)
    assert link.wait(0) is None
    thread = threading.Thread(target=link.listen)
    thread.start()
    ours.send(Go(77))
    assert link.wait(10) == 77
    assert not link.stop.is_set()
    ours.send(Stop())
    assert link.stop.wait(10)
    assert ended == []
    ours.close()
    thread.join()
    assert ended == [1]


def test_a_saved_state_waits_until_the_one_before_it_is_taken() -> None:
    ours, theirs = multiprocessing.Pipe()
    link = Link(BOOT, theirs, orphan_grace_s=0, end=lambda _: None)
    link.save_state(lambda: b"1")
    link.save_state(lambda: b"2")
    assert ours.recv() == SaveState(b"1")
    assert not ours.poll()
    thread = threading.Thread(target=link.listen)
    thread.start()
    ours.send(StateSaved())
    ours.send(Go(7))
    assert link.wait(10) == 7
    link.save_state(lambda: b"3")
    assert ours.recv() == SaveState(b"3")
    ours.close()
    thread.join()
    link.save_state(lambda: b"4")  # nobody is there any more


def test_a_supervisor_that_is_gone_stops_the_work_first_and_then_the_process() -> None:
    ours, theirs = multiprocessing.Pipe()
    stopped: list[bool] = []
    link = Link(BOOT, theirs, orphan_grace_s=0, end=lambda _: stopped.append(link.stop.is_set()))
    ours.close()
    link.listen()
    assert stopped == [True]


def test_log_lines_travel_as_single_lines_without_other_peoples_chatter() -> None:
    ours, theirs = multiprocessing.Pipe()
    traces = io.StringIO()
    handler = PipeHandler(Link(BOOT, theirs).send, traces)
    for name, level, text in (
        ("mobind_live.x", logging.INFO, "opened\n  the port"),
        ("chatty", logging.INFO, "hello"),
        ("chatty", logging.WARNING, "careful"),
    ):
        handler.handle(logging.LogRecord(name, level, "", 0, text, None, None))
    assert [ours.recv() for _ in range(2)] == [
        LogLine(logging.INFO, "opened the port"),
        LogLine(logging.WARNING, "careful"),
    ]
    assert not ours.poll()
    assert traces.getvalue() == ""


def test_a_traceback_goes_to_its_own_place() -> None:
    ours, theirs = multiprocessing.Pipe()
    traces = io.StringIO()
    error = ValueError("wrong")
    info = (ValueError, error, None)
    PipeHandler(Link(BOOT, theirs).send, traces).handle(
        logging.LogRecord("x", logging.ERROR, "", 0, "bad", None, info)
    )
    assert ours.recv().text == "bad"
    assert "ValueError: wrong" in traces.getvalue()


def test_a_supervisor_that_is_gone_is_no_error() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    PipeHandler(Link(BOOT, theirs).send).handle(
        logging.LogRecord("x", logging.ERROR, "", 0, "bad", None, None)
    )


def test_an_error_is_one_line_with_its_place() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError("a\n b")
    assert one_line(caught.value).startswith("KeyError: 'a\\n b' (test_process.py:")
    assert one_line(ValueError("two\n lines")) == "ValueError: two lines"
    assert one_line(ValueError()) == "ValueError"
