from __future__ import annotations

import io
import logging
import multiprocessing
import threading

import pytest

from mobind_live.process import Boot, Go, Link, LogLine, PipeHandler, Stop, one_line

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
    handler = PipeHandler(theirs, traces)
    for name, level, text in (
        ("mobind_live.x", logging.INFO, "opened\n  the port"),
        ("chatty", logging.INFO, "hello"),
        ("chatty", logging.WARNING, "careful"),
    ):
        handler.handle(logging.LogRecord(name, level, "", 0, text, None, None))
    assert [ours.recv() for _ in range(2)] == [
        LogLine(logging.INFO, "mobind_live.x", "opened the port"),
        LogLine(logging.WARNING, "chatty", "careful"),
    ]
    assert not ours.poll()
    assert traces.getvalue() == ""


def test_a_traceback_goes_to_its_own_place() -> None:
    ours, theirs = multiprocessing.Pipe()
    traces = io.StringIO()
    error = ValueError("wrong")
    info = (ValueError, error, None)
    PipeHandler(theirs, traces).handle(logging.LogRecord("x", logging.ERROR, "", 0, "bad", None, info))
    assert ours.recv().text == "bad"
    assert "ValueError: wrong" in traces.getvalue()


def test_a_supervisor_that_is_gone_is_no_error() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    PipeHandler(theirs).handle(logging.LogRecord("x", logging.ERROR, "", 0, "bad", None, None))


def test_an_error_is_one_line_with_its_place() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError("a\n b")
    assert one_line(caught.value).startswith("KeyError: 'a\\n b' (test_process.py:")
    assert one_line(ValueError("two\n lines")) == "ValueError: two lines"
    assert one_line(ValueError()) == "ValueError"
