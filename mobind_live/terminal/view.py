"""What the terminal shows, as plain state: the latest of each answer, each process and each stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mobind_live.driver import StreamSpec
from mobind_live.schema import (
    Action,
    Binding,
    Health,
    Offset,
    Received,
    StreamHealth,
    Truth,
    Verdict,
    WornTruth,
)
from mobind_live.terminal import words

STALE_ANSWER_NS = 5_000_000_000
SILENT_PROCESS_NS = 3_000_000_000
RECENT_NS = 10_000_000_000  # losses longer ago are no longer in ``RigView.lost``
MIN_RATE = 0.9  # of the nominal rate; a stream below is slow

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Seen(Generic[M]):
    """A message and the host time at which it came here."""

    message: M
    at_ns: int

    def fresh(self, now_ns: int) -> bool:
        return now_ns - self.at_ns <= STALE_ANSWER_NS


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the log. ``level`` as in ``logging``."""

    at_ns: int
    level: int
    text: str


@dataclass(slots=True)
class RigView:
    """Everything the table shows, fed by messages. ``streams`` are the rig's own, in the YAML's order."""

    title: str
    streams: tuple[StreamSpec, ...]
    started_ns: int
    log: str = ""
    offsets: dict[tuple[str, str], Seen[Offset]] = field(default_factory=dict)
    bindings: dict[str, Seen[Binding]] = field(default_factory=dict)
    actions: dict[str, Seen[Action]] = field(default_factory=dict)
    processes: dict[str, Seen[Health]] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    _cpu_since: dict[str, Health] = field(default_factory=dict)
    truth: Seen[Truth] | None = None
    _sources: dict[str, str] = field(default_factory=dict)  # the process that each stream comes from
    _counts: dict[str, deque[tuple[int, int, int]]] = field(default_factory=dict)  # ns, received, lost
    simulated: bool = False
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=200))

    def feed(self, batch: Sequence[Received], now_ns: int) -> None:
        """Take in what came at ``now_ns``."""
        for received in batch:
            message = received.message
            if isinstance(message, Health):
                self._health(message, now_ns)
            elif isinstance(message, Offset):
                self.offsets[message.stream, message.camera] = Seen(message, now_ns)
            elif isinstance(message, Binding):
                self.bindings[message.stream] = Seen(message, now_ns)
            elif isinstance(message, Action):
                self.actions[message.stream] = Seen(message, now_ns)
            elif isinstance(message, Truth):
                self.truth = Seen(message, now_ns)
            self.simulated = self.simulated or getattr(message, "simulated", False)

    def offset(self, imu: str, camera: str, now_ns: int) -> Offset:
        """The last offset; stale if no newer one has come for a while, as from a worker that died."""
        seen = self.offsets[imu, camera]
        if seen.fresh(now_ns):
            return seen.message
        return replace(seen.message, verdict=Verdict.STALE, held_s=0.0, alarm="")

    def binding(self, imu: str, now_ns: int) -> Binding | None:
        """The last binding, if there is one; stale in the same way."""
        seen = self.bindings.get(imu)
        if seen is None or seen.fresh(now_ns):
            return seen and seen.message
        stale = Verdict.STALE
        return replace(seen.message, wearer_verdict=stale, part_verdict=stale, alarm="")

    def action(self, imu: str, now_ns: int) -> Action | None:
        """What the wearer of an IMU is doing, or what the IMU alone tells; stale in the same way."""
        binding = self.bindings.get(imu)
        wearer = binding.message.wearer if binding else ""
        seen = self.actions.get(wearer) or self.actions.get(imu)
        if seen is None or seen.fresh(now_ns):
            return seen and seen.message
        return replace(seen.message, verdict=Verdict.STALE)

    def names(self, kind: str) -> list[str]:
        """The rig's streams of one kind, then any that answers name and the rig does not."""
        known = [spec.name for spec in self.streams if spec.kind == kind]
        at = 0 if kind == "imu" else 1
        return known + sorted({pair[at] for pair in self.offsets} - set(known))

    def stream(self, name: str) -> tuple[StreamHealth, int] | None:
        """The latest health of one stream, and when it came."""
        seen = self.device(name)
        if seen is None:
            return None
        health = next((health for health in seen.message.streams if health.stream == name), None)
        return None if health is None else (health, seen.at_ns)

    def device(self, name: str) -> Seen[Health] | None:
        """The latest health of the process that a stream comes from; one that never told of its streams is
        known by its name, which is most streams' own."""
        return self.processes.get(self._sources.get(name, name))

    def doubt(self, name: str) -> str:
        """What is the matter with what a stream sends, or that what comes is none; empty if nothing is."""
        known, device = self.stream(name), self.device(name)
        if known is not None and known[0].received:
            return known[0].doubt
        return "" if device is None else words.unread(device.message, name)

    def lost(self, name: str) -> float:
        """The share of a stream's samples that were lost in the last seconds."""
        counts = self._counts.get(name)
        if not counts:
            return 0.0
        received, lost = counts[-1][1] - counts[0][1], counts[-1][2] - counts[0][2]
        return lost / max(1, received + lost)

    def gaps(self, spec: StreamSpec) -> int:
        """Messages of a stream that the worker missed: holes in ``seq``."""
        return self._of_worker("missed", spec)

    def shed(self, spec: StreamSpec) -> int:
        """What was dropped of a stream on purpose: by its device, and messages by a worker that cannot
        follow."""
        known = self.stream(spec.name)
        return (known[0].shed if known else 0) + self._of_worker("shed", spec)

    def _of_worker(self, counter: str, spec: StreamSpec) -> int:
        worker = self.processes.get("worker")
        return 0 if worker is None else int(worker.message.counters.get(f"{counter}/{spec.topic}", 0))

    def restarts(self, process: str) -> int:
        """How often a process was restarted: the supervisor knows, and a process itself if it says so."""
        own, boss = self.processes.get(process), self.processes.get("supervisor")
        told = 0 if boss is None else int(boss.message.counters.get(f"restarts/{process}", 0))
        return max(told, 0 if own is None else own.message.restarts)

    def worn(self, imu: str) -> WornTruth | None:
        """The simulator's truth about one IMU."""
        if self.truth is None:
            return None
        return next((worn for worn in self.truth.message.worn if worn.imu == imu), None)

    def true_offset_s(self, imu: str, camera: str) -> float | None:
        """The offset that the simulator hid between an IMU and a camera."""
        worn = self.worn(imu)
        if worn is None or self.truth is None or camera not in self.truth.message.delays_s:
            return None
        return worn.delay_s - self.truth.message.delays_s[camera]

    def true_wearer(self, binding: Binding) -> str | None:
        """Who, in truth, the person is that ``binding`` names, by its tracks; None if that is unknown."""
        if self.truth is None:
            return None
        people = {
            self.truth.message.tracks.get(camera, {}).get(str(track))
            for camera, track in binding.tracks.items()
        } - {None}
        return people.pop() if len(people) == 1 else None

    def _health(self, message: Health, now_ns: int) -> None:
        name = message.stream
        self.processes[name] = Seen(message, now_ns)
        for health in message.streams:
            self._sources[health.stream] = name
            self._count(health, now_ns)
        since = self._cpu_since.get(name)
        if since is None or since.pid != message.pid:
            self._cpu_since[name] = message
            return
        seconds = (message.t_ns - since.t_ns) * 1e-9
        if seconds > 0.4:  # a change of state is told at once: too soon to measure anything
            used = message.counters.get("cpu_s", 0.0) - since.counters.get("cpu_s", 0.0)
            # Per cent, smoothed over about three heartbeats.
            self.cpu[name] = 0.7 * self.cpu.get(name, 0.0) + 0.3 * (100 * used / seconds)
            self._cpu_since[name] = message

    def _count(self, health: StreamHealth, now_ns: int) -> None:
        """Remember how many samples there were, for as long as that is recent."""
        counts = self._counts.setdefault(health.stream, deque())
        if not counts or health.received < counts[-1][1]:  # its process has begun, or begun anew
            counts.clear()
            counts.append((now_ns, 0, 0))
        counts.append((now_ns, health.received, health.lost))
        while now_ns - counts[0][0] > RECENT_NS:
            counts.popleft()
