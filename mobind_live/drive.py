"""``drive``: one device alone, in this process, on a bus of its own: for whoever writes or tests a driver."""

from __future__ import annotations

import signal
import threading

from rich.console import Console
from rich.text import Text

from mobind_live import registry
from mobind_live.bus import Proxy, Publisher, Sender
from mobind_live.clock import host_now_ns
from mobind_live.config import Bus
from mobind_live.driver import Context, DriverConfig
from mobind_live.schema import Health, Message
from mobind_live.serve import serve


class Started:
    """The start signal of a rig that is one device: it starts at once."""

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def wait(self, timeout_s: float) -> int | None:
        del timeout_s
        return self._epoch_ns


class Showing:
    """Passes messages on to ``sender`` and shows each heartbeat, twice a second, as a line."""

    def __init__(self, sender: Sender, console: Console) -> None:
        self._sender = sender
        self._console = console

    def send(self, message: Message) -> None:
        self._sender.send(message)
        if isinstance(message, Health):
            self._console.print(Text(status_line(message)), soft_wrap=True)


def status_line(health: Health) -> str:
    """One heartbeat as a line: state, then each stream's rate, samples and losses."""
    head = f"{health.stream} {health.state}{': ' + health.detail if health.detail else ''}"
    rows = [
        f"{row.stream} {row.rate_hz:.1f} Hz, {row.received} received, {row.lost} lost, {row.shed} shed"
        for row in health.streams
    ]
    return " | ".join([head, *rows])


def run(name: str, config: DriverConfig, bus: Bus, *, console: Console) -> int:
    """Serves the device ``name`` until Ctrl-C or SIGTERM. Raises BusError if the bus's ports are taken."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    epoch_ns = host_now_ns()
    with Proxy(bus.publish, bus.subscribe) as proxy, Publisher(proxy.publish_endpoint) as publisher:
        context = Context(name=name, epoch_ns=epoch_ns)
        serve(registry.create, config, context, Showing(publisher, console), stop, Started(epoch_ns))
    return 0
