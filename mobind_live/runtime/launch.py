"""What runs in the processes of a rig, and the two ways to start them: a whole rig, or one driver alone."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from mobind_live import registry
from mobind_live.bus import PUBLISH_ENDPOINT, Proxy, Publisher, Subscriber
from mobind_live.config import Rig
from mobind_live.driver import Context, DriverConfig, OtherDevice
from mobind_live.models.errors import ModelError
from mobind_live.runtime.child import ProcessSpec
from mobind_live.runtime.process import Hopeless, Link, NewLife, Target
from mobind_live.runtime.serve import serve
from mobind_live.runtime.supervisor import Supervisor
from mobind_live.terminal import console
from mobind_live.terminal.output import Output
from mobind_live.terminal.preflight import Preflight
from mobind_live.terminal.screen import screen

_WATCHED = ("v1/health/", "v1/out/", "v1/sim/truth/")


def run_device(link: Link, name: str, config: DriverConfig) -> None:
    """A device's process: serve it until told to stop, or until it is another device."""
    context = Context(name=name, epoch_ns=0, restarts=link.boot.restarts)
    with Publisher(link.boot.publish) as sender:
        try:
            serve(registry.create, config, context, sender, link.stop, link)
        except OtherDevice as error:
            raise NewLife(str(error)) from error


def run_worker(link: Link, rig: Rig) -> None:
    """The worker's process."""
    from mobind_live.runtime import worker  # torch: only in this process

    with (
        Subscriber(worker_topics(rig), link.boot.subscribe) as receiver,
        Publisher(link.boot.publish) as sender,
    ):
        try:
            boot = link.boot
            worker.run(rig, sender, receiver, link.stop, boot.restarts, boot.saved, link.save_state)
        except ModelError as error:
            raise Hopeless(str(error)) from error


def run_lsl(link: Link, rig: Rig) -> None:
    """The process that offers the answers as LSL streams."""
    from mobind_live.devices.lsl.liblsl import LslError
    from mobind_live.runtime import lsl_outlets  # liblsl: only where it is wanted

    with (
        Subscriber(lsl_outlets.TOPICS, link.boot.subscribe) as receiver,
        Publisher(link.boot.publish) as sender,
    ):
        try:
            lsl_outlets.run(rig, sender, receiver, link.stop, link.boot.restarts)
        except LslError as error:
            raise Hopeless(str(error)) from error


def worker_topics(rig: Rig) -> tuple[str, ...]:
    """What the worker hears: the rig's streams without their pictures, and how everyone is."""
    return (*(spec.topic for spec in rig.streams()), "v1/health/")


def specs(rig: Rig, worker_target: Target | None = run_worker) -> tuple[ProcessSpec, ...]:
    """The processes of ``rig``: the worker first, since it takes longest to get ready, then other outputs of
    the answers, then the devices."""
    devices = tuple(
        ProcessSpec(name=name, target=run_device, args=(name, config)) for name, config in rig.devices.items()
    )
    if worker_target is None:
        return devices
    outputs = (ProcessSpec(name="lsl", target=run_lsl, args=(rig,)),) if rig.lsl else ()
    return (ProcessSpec(name="worker", target=worker_target, args=(rig,), gate=True), *outputs, *devices)


def run(rig: Rig, title: str, *, worker_target: Target | None = run_worker, table: bool | None = None) -> int:
    """Run the whole rig until Ctrl-C or SIGTERM. ``table`` None: a table where there is a terminal.

    Returns the exit code: 1 if every process, or the worker at its start, failed for good. Raises BusError.
    """
    wants_table = sys.stdout.isatty() and not screen().is_dumb_terminal if table is None else table
    with stop_signals() as stop, Proxy(rig.bus.publish, rig.bus.subscribe) as proxy:
        # Not before the ports are ours: a second rig must not put the log of the first one aside.
        log = default_log(proxy.publish_endpoint) if wants_table else None
        with console.output(rig.streams(), title, table=wants_table, log=log) as terminal:
            return _run_processes(specs(rig, worker_target), proxy, stop, terminal, log)


def drive(rig: Rig, title: str) -> int:
    """Run the rig's devices without the worker. Raises BusError."""
    return run(rig, title, worker_target=None)


def preflight(rig: Rig, limit_s: float) -> int:
    """Run the rig until every stream passes, or for ``limit_s``. Returns 0 if all passed, 130 if it was
    stopped before. Raises BusError."""
    with (
        stop_signals() as stop,
        Proxy(rig.bus.publish, rig.bus.subscribe) as proxy,
        Preflight(rig.streams(), limit_s, stop, screen()) as output,
    ):
        failed = _run_processes(specs(rig), proxy, stop, output, default_log(proxy.publish_endpoint))
    if output.stopped:
        return failed or 130
    return 0 if output.passed else 1


def _run_processes(
    processes: tuple[ProcessSpec, ...],
    proxy: Proxy,
    stop: threading.Event,
    terminal: Output,
    log: Path | None,
) -> int:
    """Supervise ``processes`` until ``stop``, showing what happens on ``terminal``. Returns the exit code."""
    with (
        Subscriber(_WATCHED, proxy.subscribe_endpoint) as receiver,
        Publisher(proxy.publish_endpoint) as sender,
    ):
        endpoints = (proxy.publish_endpoint, proxy.subscribe_endpoint)
        supervisor = Supervisor(processes, sender, receiver, endpoints, log)
        supervisor.run(stop, terminal.feed)
    return 1 if supervisor.hopeless else 0


def default_log(endpoint: str, folder: Path | None = None) -> Path:
    """Where the log of the rig that publishes on ``endpoint`` goes while the terminal shows a table; begun
    anew by each run, the last one kept. In ``folder``, by default the user's own for such things, or a
    temporary file if that cannot be written."""
    rig = "" if endpoint == PUBLISH_ENDPOINT else "-" + re.sub(r"\W+", "-", endpoint)
    path = (folder or Path.home() / ".local" / "state" / "mobind-live") / f"mobind-live{rig}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.replace(path.with_suffix(".log.1"))
        path.touch()
    except OSError:
        descriptor, name = tempfile.mkstemp(prefix="mobind-live-", suffix=".log")
        os.close(descriptor)
        return Path(name)
    return path


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, instead of ending the program on the spot."""
    stop = threading.Event()
    watched = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        watched.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in watched}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        logging.getLogger(__name__).debug("stopped")
