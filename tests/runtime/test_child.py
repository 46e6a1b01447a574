"""One process in its supervisor's hands, on a clock of the test's."""

from __future__ import annotations

import logging
import multiprocessing
from types import SimpleNamespace

import children
import pytest
from memory_bus import MemoryBus

from mobind_live.runtime.child import Child, ProcessSpec, RestartPolicy
from mobind_live.runtime.process import NEW_LIFE_EXIT, Boot, LogLine

SECOND = 1_000_000_000


class Immortal:
    """A process that not even SIGKILL ends: it hangs in the kernel."""

    pid, exitcode = 1, None

    def kill(self) -> None:
        pass

    def join(self, timeout_s: float) -> None:
        pass

    def close(self) -> None:
        raise ValueError("Cannot close a process while it is still running")


def immortal() -> Child:
    spec = ProcessSpec(name="a", target=children.beat)
    child = Child(spec, Boot(name="a", publish="", subscribe=""), MemoryBus().publisher())
    child._process = Immortal()  # type: ignore[assignment]
    child._beat_ns = 0
    return child


def test_a_process_that_even_a_kill_does_not_end_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    child = immortal()
    child.watch(181 * SECOND)
    assert (child.pid, child.restarts, child.start_at_ns) == (None, 1, 181 * SECOND)
    assert "was killed but has not exited yet" in caplog.text


@pytest.mark.parametrize(
    ("exitcode", "heard", "kept"), [(-9, False, b"known"), (-9, True, None), (1, False, None)]
)
def test_a_state_that_was_not_come_to_is_kept_for_the_next_life(
    exitcode: int, heard: bool, kept: bytes | None
) -> None:
    """Whoever was heard, or crashed, may have died of restoring it."""
    child = immortal()
    child._process = SimpleNamespace(exitcode=exitcode, close=lambda: None)  # type: ignore[assignment]
    child._handed, child.heard_from = b"known", heard
    child.watch(SECOND)
    assert child._saved == kept


def test_who_asks_for_a_new_life_has_it_at_once_however_often() -> None:
    child = immortal()
    for life in range(1, 20):
        child._process = SimpleNamespace(exitcode=NEW_LIFE_EXIT, close=lambda: None)  # type: ignore[assignment]
        child.watch(SECOND)
        assert (child.restarts, child.start_at_ns, child.failed) == (life, SECOND, False)


def test_a_device_is_named_once_in_its_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    child = immortal()
    child._connection, theirs = multiprocessing.Pipe()
    for text in ("a: 2 bad lines", "opened"):
        theirs.send(LogLine(logging.WARNING, text))
    child.watch(SECOND)
    assert caplog.messages == ["a: 2 bad lines", "a: opened"]


def test_time_in_which_the_supervisor_stood_still_is_not_held_against_others() -> None:
    child = immortal()
    child.excuse(30 * SECOND)
    child.watch(181 * SECOND)
    assert child.restarts == 0
    child.watch(211 * SECOND)
    assert child.restarts == 1


def test_the_first_restart_is_at_once_and_the_sixth_is_none() -> None:
    policy = RestartPolicy()
    assert [policy.after_death(now) for now in range(6)] == [
        0,
        SECOND // 2,
        SECOND,
        2 * SECOND,
        4 * SECOND,
        None,
    ]


def test_old_deaths_are_forgiven() -> None:
    policy = RestartPolicy()
    assert all(policy.after_death(minute * 61 * SECOND) == 0 for minute in range(20))
