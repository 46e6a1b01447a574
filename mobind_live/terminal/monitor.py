"""``mobind-live monitor``: the topics of a running rig, with their rates, sizes and gaps."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mobind_live.bus import Intake, Receiver, Subscriber
from mobind_live.clock import host_now_ns
from mobind_live.schema import Health, Imu, Message, Pose, Received
from mobind_live.terminal.words import clean

_WINDOW_NS = 5_000_000_000
_SHOW_EVERY_NS = 1_000_000_000
_HELLO_NS = 3_000_000_000
_ASK_NS = 1_500_000_000  # every process of a rig says how it is twice a second


@dataclass(slots=True)
class TopicRate:
    """What came on one topic over the last 5 s: (host ns, bytes) of each message."""

    recent: deque[tuple[int, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, size: int, now_ns: int) -> None:
        self.recent.append((now_ns, size))
        self.total += 1

    def rates(self, now_ns: int, since_ns: int) -> tuple[float, float]:
        """(messages a second, bytes a second) up to ``now_ns``, for a watch that began at ``since_ns``."""
        while self.recent and now_ns - self.recent[0][0] > _WINDOW_NS:
            self.recent.popleft()
        seconds = max(1.0, min(now_ns - since_ns, _WINDOW_NS) * 1e-9)
        return len(self.recent) / seconds, sum(size for _, size in self.recent) / seconds


@dataclass(slots=True)
class Watch:
    """Everything the monitor shows."""

    since_ns: int
    topics: dict[str, TopicRate] = field(default_factory=dict)

    def feed(self, batch: list[Received], now_ns: int) -> None:
        for received in batch:
            self.topics.setdefault(received.topic, TopicRate()).add(received.size, now_ns)


def summary(message: Message) -> str:
    """One line with every field of ``message``; arrays as their shape, or their numbers if they are few."""
    return "  ".join(f"{item.name}={_short(getattr(message, item.name))}" for item in fields(message))


def _short(value: object) -> str:
    if isinstance(value, np.ndarray):
        return (
            str(value.tolist()) if value.size <= 6 else f"<{value.dtype} {'x'.join(map(str, value.shape))}>"
        )
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def render(watch: Watch, intake: Intake, now_ns: int) -> Table:
    """The table of topics; a pure function of what came."""
    refused = sum(intake.malformed.values())
    reasons = "; ".join(f"refused {count}: {reason}" for reason, count in intake.malformed.items())
    caption = Text(clean(reasons)) if refused else None
    table = Table(box=None, header_style="dim", pad_edge=False, caption=caption)
    for heading in ("topic", "Hz", "kB/s", "messages", "missed", "restarts"):
        table.add_column(heading, justify="left" if heading == "topic" else "right", no_wrap=True)
    for topic, rate in sorted(watch.topics.items()):
        hz, bytes_s = rate.rates(now_ns, watch.since_ns)
        count = intake.topics[topic]
        table.add_row(
            Text(clean(topic)),
            f"{hz:.1f}",
            f"{bytes_s / 1e3:.1f}",
            str(rate.total),
            str(count.missed),
            str(count.restarts),
            style="" if rate.recent else "dim",
        )
    return table


def run(topic: str, endpoint: str, *, console: Console, raw: bool = False) -> None:
    """Watch the topics under ``topic`` until Ctrl-C. A whole topic (it ends in ``/`` and has a stream's
    name in it) or ``raw`` prints its messages; otherwise the table of topics is shown, once a second, in
    place on a terminal and one below the other elsewhere. Raises BusError."""
    with contextlib.suppress(KeyboardInterrupt), Subscriber((topic,), endpoint) as subscriber:
        if raw or is_whole(topic):
            _print_messages(subscriber, topic, endpoint, console)
        else:
            _show_rates(subscriber, topic, endpoint, console)


def is_whole(topic: str) -> bool:
    """Whether ``topic`` names one stream, rather than a family of them."""
    parts = topic.strip("/").split("/")
    depth = {"cam": 4, "imu": 3, "health": 3, "sim": 3, "out": 4}.get(parts[1] if len(parts) > 1 else "", 99)
    return topic.endswith("/") and len(parts) >= depth


def _nobody(endpoint: str) -> str:
    return f"nothing on {endpoint} yet; is mobind-live running there?"


def batches(
    subscriber: Receiver, endpoint: str, console: Console, why: Callable[[str], str] = _nobody
) -> Iterator[list[Received]]:
    """Batches for ever; warns once if nothing has arrived at first, and says ``why``, by the endpoint."""
    started_ns, told = host_now_ns(), False
    while True:
        batch = subscriber.poll(250)
        told = told or bool(batch)
        if not told and host_now_ns() - started_ns > _HELLO_NS:
            told = True
            console.print(Text(clean(why(endpoint)), style="yellow"), soft_wrap=True)
        yield batch


def silence(topic: str, endpoint: str) -> str:
    """Why nothing comes under ``topic``, as far as the health of what runs there tells. Raises BusError."""
    with Subscriber(("v1/health/",), endpoint) as subscriber:
        topics = running(subscriber)
    if topics is None or not topic:
        return _nobody(endpoint)
    known = f"its streams are {', '.join(topics)}; " if topics else ""
    return f"nothing under {topic} on {endpoint} yet; a rig runs there: {known}monitor alone shows all topics"


def running(subscriber: Receiver) -> list[str] | None:
    """The topics of the streams that the rig serves, by its processes' health, listening for 1.5 s; None if
    nobody is heard."""
    until_ns, heard = host_now_ns() + _ASK_NS, list[Health]()
    while host_now_ns() < until_ns:
        messages = (received.message for received in subscriber.poll(250))
        heard += [message for message in messages if isinstance(message, Health)]
    patterns = {"cam": Pose.pattern, "imu": Imu.pattern}
    streams = [stream for health in heard for stream in health.streams if stream.kind in patterns]
    return sorted({patterns[stream.kind].format(stream) for stream in streams}) if heard else None


def _print_messages(subscriber: Receiver, topic: str, endpoint: str, console: Console) -> None:
    for batch in batches(subscriber, endpoint, console, partial(silence, topic)):
        for received in batch:
            text = f"{received.topic} #{received.seq}  {summary(received.message)}"
            console.print(clean(text), markup=False, highlight=False, soft_wrap=True)


def _show_rates(subscriber: Receiver, topic: str, endpoint: str, console: Console) -> None:
    watch = Watch(since_ns=host_now_ns())
    next_ns = watch.since_ns + _SHOW_EVERY_NS
    with (
        Live(console=console, auto_refresh=False) if console.is_terminal else contextlib.nullcontext() as live
    ):
        for batch in batches(subscriber, endpoint, console, partial(silence, topic)):
            now_ns = host_now_ns()
            watch.feed(batch, now_ns)
            if now_ns < next_ns:
                continue
            next_ns = now_ns + _SHOW_EVERY_NS
            table = render(watch, subscriber.intake, now_ns)
            if live is None:
                console.print(table)
            else:
                live.update(table, refresh=True)
