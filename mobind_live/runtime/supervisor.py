"""The supervisor: starts the processes of a rig, watches their heartbeats, restarts and stops them.

It knows nothing of devices or networks, and imports neither: what runs in a process is a ``ProcessSpec``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mobind_live.bus import Receiver, Sender
from mobind_live.clock import host_now_ns
from mobind_live.runtime.child import Child, ProcessSpec
from mobind_live.runtime.health import Heartbeat
from mobind_live.runtime.process import Boot, Go, Stop
from mobind_live.schema import Health, Received

_log = logging.getLogger(__name__)

GO_AFTER_NS = 20_000_000_000
STOP_GRACE_S = 3.5
# A loop of ours that took longer than this was not ours: the machine slept, or had no time for us.
OWN_PAUSE_NS = 2_000_000_000
_POLL_MS = 100


class Supervisor:
    """Runs processes until told to stop. ``run`` must be called from the main thread: on Linux the
    children are killed when the thread that started them ends."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        sender: Sender,
        receiver: Receiver,
        endpoints: tuple[str, str],
        output: Path | None = None,
    ) -> None:
        """``endpoints``: the proxy's (publish, subscribe). ``output``: see ``Boot``."""
        publish, subscribe = endpoints
        self.children = {
            spec.name: Child(
                spec, Boot(name=spec.name, publish=publish, subscribe=subscribe, output=output), sender
            )
            for spec in specs
        }
        self.epoch_ns: int | None = None
        self._receiver = receiver
        self._heartbeat = Heartbeat("supervisor", sender)

    @property
    def hopeless(self) -> str:
        """Why there is no use in going on, if there is none: every process has failed, or one that the rig
        waits for can never be there."""
        if self.children and all(child.failed for child in self.children.values()):
            return "nothing is left to run: every process has failed"
        for name, child in self.children.items():
            if child.spec.gate and child.failed and not child.ready:
                return f"the rig does not run without the {name}"
        return ""

    def run(
        self,
        stop: threading.Event,
        listener: Callable[[list[Received]], None] = lambda batch: None,
    ) -> None:
        """Supervise until ``stop`` is set or it is ``hopeless``, then stop every process, within 5 s.

        ``listener`` is called about ten times a second with the messages that came.
        """
        started_ns = last_ns = host_now_ns()
        try:
            while not stop.is_set():
                batch = self._receiver.poll(_POLL_MS)
                if stop.is_set():
                    break  # what the same signal has ended is not missed
                now_ns = host_now_ns()
                self._excuse(now_ns - last_ns)
                last_ns = now_ns
                self._hear(batch, now_ns)
                for child in self.children.values():
                    # Start before watching: a child that a signal to the whole process group has just ended
                    # must not be restarted, and that signal may reach us last.
                    if child.start_at_ns is not None and now_ns >= child.start_at_ns:
                        child.start(self.epoch_ns)
                    child.watch(now_ns)
                    child.report()
                self._go_if_ready(now_ns, started_ns)
                if self._heartbeat.due():
                    self._heartbeat.send("running", counters=self._counters())
                listener(batch)
                if self.hopeless:
                    _log.error("%s", self.hopeless)
                    break
        finally:
            self.stop_all()

    def stop_all(self) -> None:
        """Ask every process to end, wait 3.5 s, kill what is left; at once what still imports and holds
        nothing."""
        deadline_ns = host_now_ns() + int(STOP_GRACE_S * 1e9)
        for child in self.children.values():
            if child.heard_from:
                child.tell(Stop())
            else:
                child.kill()
        for child in self.children.values():
            child.join((deadline_ns - host_now_ns()) * 1e-9)
        for name, child in self.children.items():
            if child.alive:
                _log.warning("%s did not stop in %.1f s: killed", name, STOP_GRACE_S)
                child.kill()
            child.close()

    def _counters(self) -> dict[str, float]:
        """What was received, and how often each process was restarted."""
        restarts: dict[str, float] = {
            f"restarts/{name}": child.restarts for name, child in self.children.items() if child.restarts
        }
        return self._receiver.intake.counters() | restarts

    def _excuse(self, pause_ns: int) -> None:
        if pause_ns > OWN_PAUSE_NS:
            _log.warning("the supervisor itself stood still for %.1f s", pause_ns * 1e-9)
            for child in self.children.values():
                child.excuse(pause_ns)

    def _hear(self, batch: list[Received], now_ns: int) -> None:
        for received in batch:
            if isinstance(received.message, Health):
                child = self.children.get(received.message.stream)
                if child is not None:
                    child.heard(received.message, now_ns)

    def _go_if_ready(self, now_ns: int, started_ns: int) -> None:
        if self.epoch_ns is not None:
            return
        gates = [child for child in self.children.values() if child.spec.gate]
        late = now_ns - started_ns > GO_AFTER_NS
        if late or all(child.ready or child.failed for child in gates):
            self.epoch_ns = now_ns
            for child in self.children.values():
                child.tell(Go(now_ns))
