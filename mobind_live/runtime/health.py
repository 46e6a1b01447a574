"""Health of a process and its streams: what the heartbeats carry."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

from mobind_live.bus import Sender
from mobind_live.clock import ClockStatus, host_now_ns
from mobind_live.schema import Health, StreamHealth

State = Literal["starting", "waiting", "running", "failed", "ended"]

BEAT_EVERY_NS = 500_000_000
_RATE_WINDOW_NS = 3_000_000_000
_STATM = Path("/proc/self/statm")


@dataclass(slots=True)
class StreamStats:
    """Counts one stream's samples. ``rate_hz`` and ``jitter_ms`` are taken over the last 3 s of receipts;
    ``lost`` is what the device itself says."""

    stream: str
    kind: str
    nominal_hz: float
    received: int = 0
    lost: int = 0
    shed: int = 0
    last_ns: int | None = None
    _recent: deque[tuple[int, int]] = field(default_factory=deque)

    def add(self, samples: int, now_ns: int) -> None:
        """Count ``samples`` that arrived together at ``now_ns``."""
        self.received += samples
        self.last_ns = now_ns
        self._recent.append((now_ns, samples))
        while now_ns - self._recent[0][0] > _RATE_WINDOW_NS:
            self._recent.popleft()

    def rate_hz(self, now_ns: int) -> float:
        """Samples a second over the window that ends now; 0 before there are two arrivals in it."""
        recent = self._window(now_ns)
        if len(recent) < 2 or recent[-1][0] == recent[0][0]:
            return 0.0
        # The first arrival only marks the start: its samples came before the interval it opens. An
        # arrival that is overdue pulls the rate down at once, rather than at the end of the window.
        spans = recent[-1][0] - recent[0][0]
        usual = spans / (len(recent) - 1)
        overdue = max(0.0, now_ns - recent[-1][0] - 2 * usual)
        return sum(n for _, n in recent[1:]) * 1e9 / (spans + overdue)

    def jitter_ms(self, now_ns: int) -> float:
        """How far arrivals are from evenly spaced, rms: by how much each came sooner or later after the one
        before than its number of samples takes."""
        recent = self._window(now_ns)
        samples = sum(n for _, n in recent[1:])
        if samples == 0:
            return 0.0
        period = (recent[-1][0] - recent[0][0]) / samples
        squares = sum((b[0] - a[0] - b[1] * period) ** 2 for a, b in pairwise(recent))
        return math.sqrt(squares / (len(recent) - 1)) * 1e-6

    def _window(self, now_ns: int) -> list[tuple[int, int]]:
        return [(t, n) for t, n in self._recent if now_ns - t <= _RATE_WINDOW_NS]

    def snapshot(self, now_ns: int, clock: ClockStatus | None = None, doubt: str = "") -> StreamHealth:
        """The stream's line of a heartbeat; ``clock`` is its mapping's state, where it has one, and ``doubt``
        what is the matter with what it sends."""
        clock = clock or ClockStatus()
        return StreamHealth(
            stream=self.stream,
            kind=self.kind,
            rate_hz=self.rate_hz(now_ns),
            nominal_hz=self.nominal_hz,
            age_s=-1.0 if self.last_ns is None else (now_ns - self.last_ns) * 1e-9,
            received=self.received,
            lost=max(self.lost, clock.lost),
            shed=self.shed,
            clock_offset_s=clock.offset_s,
            clock_drift_ppm=clock.drift_ppm,
            clock_residual_ms=clock.residual_ms,
            clock_uncertainty_ms=clock.uncertainty_ms,
            clock_resets=clock.resets,
            jitter_ms=self.jitter_ms(now_ns),
            lost_reported=self.lost,
            doubt=doubt,
        )


class Heartbeat:
    """Sends a process's health twice a second: ask ``due`` in the work loop, then ``send``.

    ``speaks_for_another``: the process of that name is gone, so this one's CPU and memory are not its.
    """

    def __init__(
        self, name: str, sender: Sender, restarts: int = 0, *, speaks_for_another: bool = False
    ) -> None:
        self._name = name
        self._sender = sender
        self._restarts = restarts
        self._next_ns = 0
        self._speaks_for_another = speaks_for_another

    def due(self) -> bool:
        return host_now_ns() >= self._next_ns

    def send(
        self,
        state: State,
        detail: str = "",
        streams: tuple[StreamHealth, ...] = (),
        counters: Mapping[str, float] | None = None,
    ) -> None:
        """Send now, whether it is due or not (a change of state should not wait)."""
        now_ns = host_now_ns()
        own = {} if self._speaks_for_another else process_counters()
        self._next_ns = now_ns + BEAT_EVERY_NS
        message = Health(
            stream=self._name,
            t_ns=now_ns,
            state=state,
            detail=detail,
            pid=os.getpid(),
            restarts=self._restarts,
            streams=streams,
            counters={name: float(value) for name, value in (counters or {}).items()} | own,
        )
        self._sender.send(message)


def peak_mb() -> float:
    """The most memory that this process ever had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def process_counters() -> dict[str, float]:
    """This process's CPU seconds and memory in MB, now (the peak, where the kernel does not tell)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        resident_mb = int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        resident_mb = peak_mb()
    return {"cpu_s": used.ru_utime + used.ru_stime, "rss_mb": resident_mb}
