"""One process as its supervisor sees it: started, heard, watched, restarted, given up.

``process.py`` is the same process from its own side.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.process
import signal
from collections import deque
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any

from mobind_live.bus import Sender
from mobind_live.clock import host_now_ns
from mobind_live.runtime.health import Heartbeat
from mobind_live.runtime.process import (
    HOPELESS_EXIT,
    NEW_LIFE_EXIT,
    Boot,
    Go,
    LogLine,
    SaveState,
    StateSaved,
    Stop,
    Target,
    child_main,
    start_process,
)
from mobind_live.schema import Health

_log = logging.getLogger(__name__)

STALL_NS = 10_000_000_000
# Importing a network, opening a radio or a camera: no heartbeat can come meanwhile, and a small or busy
# machine takes minutes.
STARTING_STALL_NS = 180_000_000_000
KILLED_WITHIN_S = 1.0
_MAX_LOG_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process: ``target(link, *args)`` runs in it (both must pickle). The rig starts once every
    ``gate`` is ready, or after 20 s."""

    name: str
    target: Target
    args: tuple[Any, ...] = ()
    gate: bool = False


_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM)  # exit codes of a process that did not end by itself


@dataclass(slots=True)
class RestartPolicy:
    """When to restart what died: at once, then after 0.5 s, doubling; never again after 5 in 60 s."""

    limit: int = 5
    window_ns: int = 60_000_000_000
    first_delay_ns: int = 500_000_000
    _restarts_ns: deque[int] = field(default_factory=deque)

    def after_death(self, now_ns: int) -> int | None:
        """Nanoseconds to wait before the restart, or None if there shall be none."""
        while self._restarts_ns and now_ns - self._restarts_ns[0] > self.window_ns:
            self._restarts_ns.popleft()
        earlier = len(self._restarts_ns)
        if earlier >= self.limit:
            return None
        self._restarts_ns.append(now_ns)
        return self.first_delay_ns << (earlier - 1) if earlier else 0


class Child:
    """One process as the supervisor sees it."""

    def __init__(self, spec: ProcessSpec, boot: Boot, sender: Sender) -> None:
        self.spec = spec
        self.policy = RestartPolicy()
        self.restarts = 0
        self.failed = False
        self.ready = False
        self.heard_from = False  # in its present life
        self.start_at_ns: int | None = host_now_ns()
        self._boot = boot
        self._sender = sender
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._state = "starting"
        self._beat_ns = 0
        self._detail = "loading"  # what is said of it while it cannot speak
        self._last_words = ""
        self._saved: bytes | None = None
        self._handed: bytes | None = None  # of it, what its present life began with
        self._report = Heartbeat(spec.name, sender, speaks_for_another=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.exitcode is None

    def start(self, epoch_ns: int | None) -> None:
        """Spawn the process, and tell it the epoch if the rig has started."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        boot = replace(self._boot, restarts=self.restarts, saved=self._saved)
        # If restoring this state crashes the process, it does so only once.
        self._handed, self._saved = self._saved, None
        args = (boot, theirs, self.spec.target, self.spec.args)
        process = context.Process(target=child_main, args=args, name=self.spec.name, daemon=True)
        start_process(process)
        self._process = process
        theirs.close()
        self._connection = ours
        self.start_at_ns = None
        self._state, self._beat_ns, self.heard_from = "starting", host_now_ns(), False
        if epoch_ns is not None:
            self.tell(Go(epoch_ns))

    def tell(self, command: Go | Stop | StateSaved) -> None:
        if self._connection is not None:
            try:
                self._connection.send(command)
            except OSError:
                _log.debug("%s is gone; it cannot be told %s", self.spec.name, command)

    def heard(self, health: Health, now_ns: int) -> None:
        """A heartbeat came. One from an earlier life of this process, or from us, does not count."""
        if health.pid == self.pid:
            self._state, self._beat_ns, self.heard_from = health.state, now_ns, True
            self.ready = self.ready or health.state != "starting"

    def watch(self, now_ns: int) -> None:
        """Read its pipe; if it died or stalled, plan its restart or give it up."""
        self._read_pipe()
        if self._process is None:
            return
        if self._process.exitcode is not None:
            self._ended(self._process.exitcode, now_ns)
            return
        limit_ns = STARTING_STALL_NS if self._state in ("starting", "waiting") else STALL_NS
        if now_ns - self._beat_ns > limit_ns:
            self.kill()
            self._died(f"no heartbeat for {limit_ns // 10**9} s", now_ns)

    def _ended(self, code: int, now_ns: int) -> None:
        if code == HOPELESS_EXIT:
            self._read_pipe()
            self._give_up(self._last_words)
        elif code == NEW_LIFE_EXIT:
            self._begin_anew(now_ns)
        else:
            if not self.heard_from and code in _BY_OTHERS:
                self._saved = self._saved or self._handed  # it has not come to restoring it
            self._died(f"ended with {_exit_text(code)}", now_ns)

    def report(self) -> None:
        """Speak for the process while it cannot: it is given up, or still imports."""
        if self._report.due() and (self.failed or not self.heard_from):
            self._say(self._detail)

    def excuse(self, ns: int) -> None:
        """Time in which nobody could be heard is not held against it."""
        self._beat_ns += ns

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(KILLED_WITHIN_S)

    def join(self, timeout_s: float) -> None:
        if self._process is not None:
            self._process.join(max(0.0, timeout_s))

    def close(self) -> None:
        """Let go of a process that has ended, or of one that even SIGKILL does not end (it hangs in the
        kernel, or the machine is far too busy): it is reaped when it can be."""
        if self._process is not None:
            self._read_pipe()
            if self._process.exitcode is None:
                _log.warning("%s (process %s) was killed but has not exited yet", self.spec.name, self.pid)
            else:
                self._process.close()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _died(self, how: str, now_ns: int) -> None:
        self.close()
        reason = f"{how}: {self._last_words}" if self._last_words else how
        self._last_words = ""
        delay_ns = self.policy.after_death(now_ns)
        if delay_ns is None:
            self._give_up(f"given up after {self.policy.limit} restarts in 60 s; {reason}")
            return
        self._plan(now_ns + delay_ns, f"restarting; {reason}")
        when = f"in {delay_ns * 1e-9:.1f} s" if delay_ns else "now"
        _log.warning("%s: %s; restarting %s", self.spec.name, how, when)

    def _begin_anew(self, now_ns: int) -> None:
        """It asked for another life: no death, so that none is counted, and it has said why itself."""
        self.close()
        self._saved = None
        self._plan(now_ns, "beginning anew")

    def _plan(self, start_at_ns: int, meanwhile: str) -> None:
        """Have it started again at ``start_at_ns``, and say what it does ``meanwhile``."""
        self.restarts += 1
        self.heard_from = False
        self.start_at_ns = start_at_ns
        self._say(meanwhile)

    def _give_up(self, reason: str) -> None:
        self.close()
        self.failed = True
        _log.error("%s has failed for good: %s", self.spec.name, reason)
        self._say(reason)

    def _say(self, detail: str) -> None:
        self._detail = detail
        self._report = Heartbeat(self.spec.name, self._sender, self.restarts, speaks_for_another=True)
        self._report.send("failed" if self.failed else "starting", detail)

    def _read_pipe(self) -> None:
        """Pass its log lines on, and keep the state that it saves."""
        if self._connection is None:
            return
        try:
            for _ in range(_MAX_LOG_LINES):
                if not self._connection.poll():
                    return
                line = self._connection.recv()
                if isinstance(line, SaveState):
                    self._saved = line.state
                    self.tell(StateSaved())
                elif isinstance(line, LogLine):
                    if line.level >= logging.ERROR:
                        self._last_words = line.text
                    text = line.text.removeprefix(f"{self.spec.name}: ")  # a driver may name its device, too
                    logging.getLogger(self.spec.name).log(line.level, "%s: %s", self.spec.name, text)
        except (EOFError, OSError):
            return  # it died; ``watch`` sees to that


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
