"""The supervisor, with real processes that do next to nothing."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import children
import pytest
from stages import SECOND, Stage, nothing, stage

from mobind_live.bus import Intake, TopicCount
from mobind_live.runtime.child import ProcessSpec, RestartPolicy
from mobind_live.runtime.supervisor import Supervisor
from mobind_live.schema import Received

__all__ = ["stage"]  # the fixture


def test_a_killed_process_comes_back_and_the_rest_goes_on(stage: Stage) -> None:
    specs = [ProcessSpec(name=name, target=children.beat) for name in ("a", "b")]

    def boots() -> int:
        return stage.intake.topics.get("v1/sim/truth/", TopicCount()).restarts

    known: list[int] = []

    def kill() -> None:
        known.append(boots())
        os.kill(stage.pid("a"), signal.SIGKILL)

    stage.play(
        specs,
        # On the one topic they share the second sender may count as a restart, if it came after the first.
        (lambda: stage.of("a") and stage.of("b"), kill),
        # Its messages go on under a new boot, which the reader counts.
        (lambda: boots() > known[0] and stage.of("a", restarts=1), nothing),
    )
    before, after = stage.of("a")[-1], stage.of("a", restarts=1)[0]
    assert before.pid != after.pid
    assert {item.restarts for item in stage.heard if item.stream == "b"} == {0}
    assert any("SIGKILL" in item.detail for item in stage.heard if item.stream == "a")


def test_what_a_process_has_left_is_given_to_its_next_life(stage: Stage) -> None:
    def lives(restarts: int) -> bool:
        return len(stage.of("a", restarts=restarts)) > 5

    stage.play(
        [ProcessSpec(name="a", target=children.leave)],
        (lambda: lives(0), lambda: os.kill(stage.pid("a"), signal.SIGKILL)),
        (lambda: lives(1), lambda: os.kill(stage.pid("a"), signal.SIGKILL)),
        (lambda: lives(2), nothing),
    )
    assert [{item.detail for item in stage.of("a", restarts=n)} for n in range(3)] == [{""}, {"x"}, {"xx"}]


def test_what_a_process_dies_of_is_given_to_it_once(stage: Stage) -> None:
    stage.play(
        [ProcessSpec(name="a", target=children.leave, args=("x",))],
        (lambda: len(stage.of("a")) > 5, lambda: os.kill(stage.pid("a"), signal.SIGKILL)),
        (lambda: stage.of("a", restarts=2), nothing),
    )
    assert {item.detail for item in stage.of("a", restarts=2)} == {""}


def test_what_dies_again_and_again_is_given_up(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    specs = [ProcessSpec(name="bad", target=children.crash), ProcessSpec(name="good", target=children.beat)]

    def quick() -> None:
        stage.supervisor.children["bad"].policy = RestartPolicy(first_delay_ns=1)

    stage.play(
        specs,
        (lambda: True, quick),
        (lambda: any(item.state == "failed" for item in stage.heard), stage.heard.clear),
        (lambda: len(stage.of("good")) > 3, nothing),
    )
    bad = stage.supervisor.children["bad"]
    assert (bad.failed, bad.restarts) == (True, 5)
    assert bad.start_at_ns is None
    assert "bad: RuntimeError: a bug, on two lines (children.py:" in caplog.text
    assert "given up after 5 restarts in 60 s; ended with exit code 1: RuntimeError: a bug" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_process_that_stalls_is_killed_and_restarted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobind_live.runtime.child.STALL_NS", SECOND // 2)
    monkeypatch.setattr("mobind_live.runtime.supervisor.STOP_GRACE_S", 0.1)
    stage.play(
        [ProcessSpec(name="a", target=children.beat_once_then_hang)],
        (lambda: stage.of("a", restarts=1), nothing),
    )
    assert any("no heartbeat" in item.detail for item in stage.heard)


def test_the_stop_is_heard_by_all_and_the_deaf_are_killed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mobind_live.runtime.supervisor.STOP_GRACE_S", 1.0)
    specs = [
        ProcessSpec(name="good", target=children.beat),
        ProcessSpec(name="deaf", target=children.beat_once_then_hang),
    ]
    pids: list[int] = []
    stage.play(
        specs,
        (
            lambda: stage.of("good") and stage.of("deaf"),
            lambda: pids.extend(stage.pid(name) for name in ("good", "deaf")),
        ),
    )
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert "deaf did not stop" in caplog.text
    assert "good did not stop" not in caplog.text


def test_the_rig_starts_when_its_gate_is_ready_and_restarts_keep_the_epoch(stage: Stage) -> None:
    specs = [
        ProcessSpec(name="device", target=children.beat_after_go),
        ProcessSpec(name="worker", target=children.beat, gate=True),
    ]
    stage.play(
        specs,
        (lambda: stage.of("device"), lambda: os.kill(stage.pid("device"), signal.SIGKILL)),
        (lambda: stage.of("device", restarts=1), nothing),
    )
    epoch = str(stage.supervisor.epoch_ns)
    assert {item.detail for item in stage.of("device") + stage.of("device", restarts=1)} == {epoch}


def test_a_gate_that_never_opens_is_not_waited_for_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobind_live.runtime.supervisor.GO_AFTER_NS", SECOND // 2)
    specs = [
        ProcessSpec(name="device", target=children.beat_after_go),
        ProcessSpec(name="worker", target=children.beat, args=("starting",), gate=True),
    ]
    stage.play(specs, (lambda: stage.of("device"), nothing))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_the_terminal_sends_does_not_end_a_process_importing_or_running(
    stage: Stage, number: signal.Signals
) -> None:
    stage.play(
        [ProcessSpec(name="a", target=children.beat)],
        # Heard from the supervisor alone: the child was just spawned, and its Python is not up yet.
        (lambda: True, lambda: os.kill(stage.pid("a"), number)),
        (lambda: stage.of("a"), lambda: os.kill(stage.pid("a"), number)),
        (lambda: len(stage.of("a")) > 2, nothing),
    )
    assert stage.supervisor.children["a"].restarts == 0


def test_what_a_signal_to_all_of_us_ended_is_not_started_anew(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The child is dead already when the supervisor's own signal comes."""
    stop = threading.Event()

    class Receiver:
        intake = Intake()

        def poll(self, timeout_ms: int) -> list[Received]:
            child = supervisor.children["a"]
            if child.alive:
                child.kill()
                stop.set()
            return []

    supervisor = Supervisor(
        [ProcessSpec(name="a", target=children.beat)],
        stage.sender,
        Receiver(),  # type: ignore[arg-type]
        stage.endpoints,
    )
    supervisor.run(stop)
    assert (supervisor.children["a"].restarts, supervisor.children["a"].pid) == (0, None)
    assert "restarting" not in caplog.text


def test_what_is_hopeless_is_not_tried_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    specs = [ProcessSpec(name="a", target=children.hopeless), ProcessSpec(name="b", target=children.beat)]
    stage.play(specs, (lambda: any(item.state == "failed" for item in stage.heard), nothing))
    assert stage.supervisor.children["a"].restarts == 0
    assert not stage.supervisor.hopeless
    assert [item.detail for item in stage.heard if item.state == "failed"] == ["w.bin: not weights"]
    assert "a has failed for good: w.bin: not weights" in caplog.text


def test_where_nothing_is_left_to_run_the_supervisor_ends(stage: Stage) -> None:
    stage.play([ProcessSpec(name="a", target=children.hopeless)], (lambda: False, nothing))
    assert "every process has failed" in stage.supervisor.hopeless


def test_a_rig_does_not_run_without_what_it_waits_for(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    specs = [
        ProcessSpec(name="device", target=children.beat),
        ProcessSpec(name="worker", target=children.hopeless, gate=True),
    ]
    stage.play(specs, (lambda: False, nothing))
    assert "worker has failed for good: w.bin: not weights" in caplog.text
    assert "the rig does not run without the worker" in caplog.text


def test_a_process_that_still_imports_is_spoken_for(stage: Stage) -> None:
    stage.play(
        [ProcessSpec(name="a", target=children.beat)],
        (lambda: any((item.state, item.detail) == ("starting", "loading") for item in stage.heard), nothing),
    )


_PARENT = """
import sys, threading
sys.path.insert(0, {tests!r})
import children
from memory_bus import MemoryBus
from mobind_live.runtime.child import ProcessSpec
from mobind_live.runtime.supervisor import Supervisor
if __name__ == "__main__":
    bus = MemoryBus()
    spec = ProcessSpec(name="a", target=children.orphan, args=({pid_file!r},))
    Supervisor([spec], bus.publisher(), bus.subscriber(), ("", "")).run(threading.Event())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way is Linux's")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    pid_file, script = tmp_path / "pid", tmp_path / "parent.py"
    script.write_text(_PARENT.format(tests=str(Path(children.__file__).parent), pid_file=str(pid_file)))
    parent = subprocess.Popen([sys.executable, str(script)])
    pause = threading.Event()
    while not (pid_file.exists() and pid_file.read_text()):
        assert parent.poll() is None
        pause.wait(0.05)
    child = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    while _runs(child):
        pause.wait(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_neither_torch_nor_cv2_is_loaded_with_the_supervisor() -> None:
    code = "import sys, mobind_live.runtime.launch; print({'torch', 'cv2', 'ultralytics'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
