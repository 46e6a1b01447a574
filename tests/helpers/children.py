"""What runs in the processes that ``test_supervisor.py`` starts. Nothing slow is imported here."""

from __future__ import annotations

import os
import signal
import threading

from mobind_live.bus import Publisher
from mobind_live.runtime.health import Heartbeat
from mobind_live.runtime.process import Hopeless, Link
from mobind_live.schema import Truth

BEAT_S = 0.05


def beat(link: Link, state: str = "running") -> None:
    """A healthy process: heartbeats, and one message on a topic of its own, until told to stop."""
    with Publisher(link.boot.publish) as sender:
        heartbeat = Heartbeat(link.boot.name, sender, link.boot.restarts)
        while not link.stop.is_set():
            heartbeat.send(state)  # type: ignore[arg-type]
            sender.send(Truth(stream="x", t_ns=0, worn=(), tracks={}, delays_s={}, actions={}))
            link.stop.wait(BEAT_S)


def beat_after_go(link: Link) -> None:
    """Starting until the rig starts; then its heartbeat tells the epoch."""
    with Publisher(link.boot.publish) as sender:
        heartbeat = Heartbeat(link.boot.name, sender, link.boot.restarts)
        while not link.stop.is_set():
            epoch_ns = link.wait(BEAT_S)
            heartbeat.send("running" if epoch_ns else "starting", str(epoch_ns))


def leave(link: Link, dies_of: str = "") -> None:
    """Tells what its life before has left, and leaves a letter more; unless it dies of that."""
    saved = (link.boot.saved or b"").decode()
    if saved and saved == dies_of:
        raise RuntimeError(saved)
    with Publisher(link.boot.publish) as sender:
        heartbeat = Heartbeat(link.boot.name, sender, link.boot.restarts)
        while not link.stop.is_set():
            link.save_state(lambda: (saved + "x").encode())
            heartbeat.send("running", saved)
            link.stop.wait(BEAT_S)


def crash(link: Link) -> None:
    raise RuntimeError("a bug,\n  on two lines")


def hopeless(link: Link) -> None:
    raise Hopeless("w.bin: not weights")


def beat_once_then_hang(link: Link) -> None:
    """Stalls, deaf to everything but SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with Publisher(link.boot.publish) as sender:
        Heartbeat(link.boot.name, sender, link.boot.restarts).send("running")
        threading.Event().wait()


def orphan(link: Link, pid_file: str) -> None:
    """Tells its pid in a file, then hangs."""
    with open(pid_file, "w") as file:  # noqa: PTH123 - a child that imports as little as it can
        file.write(str(os.getpid()))
    threading.Event().wait()
