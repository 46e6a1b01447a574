"""LSL streams for the tests: real outlets, and a sender whose clock is another one."""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import re
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mobind_live.clock import host_now_ns
from mobind_live.devices.lsl import liblsl as lsl

LABELS = ("AccX", "AccY", "AccZ", "GyroX", "GyroY", "GyroZ")
UNITS = ("g", "g", "g", "deg/s", "deg/s", "deg/s")
ROW = (0.0, 0.0, 1.0, 0.0, 90.0, 0.0)
LIMIT_S = 20.0

_numbers = itertools.count()


def unique(name: str = "imu") -> str:
    """A name that no other stream on this machine has."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


def until(ready: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """What ``ready`` says once that is something."""
    end_ns = host_now_ns() + int(limit_s * 1e9)
    while not (answer := ready()):
        assert host_now_ns() < end_ns, "nothing came"
        threading.Event().wait(0.01)
    return answer


class Outlet:
    """An LSL stream of six channels, offered until ``close`` by a process of its own: liblsl now and then
    crashes whoever takes an outlet back that is listened to."""

    def __init__(
        self,
        name: str,
        *,
        type: str = "IMU",
        source_id: str = "",
        rate_hz: float = 100.0,
        labels: Sequence[str] = LABELS,
        units: Sequence[str] = UNITS,
        format: str = "double64",
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, far = spawn.Pipe()
        made = (name, type, source_id, rate_hz, tuple(labels), tuple(units), format)
        process = spawn.Process(target=_offer, args=(far, *made), daemon=True)
        process.start()
        self._kill = weakref.finalize(self, process.kill)
        self._pipe.recv()

    def push(self, stamps_s: Sequence[float], row: Sequence[float] = ROW) -> None:
        """A sample for each stamp, all with the values of ``row``."""
        self._pipe.send((np.tile(row, (len(stamps_s), 1)), list(stamps_s)))
        self._pipe.recv()

    def now_s(self) -> float:
        return lsl.library().local_clock()

    def listened_to(self) -> bool:
        self._pipe.send(None)
        return self._pipe.recv()

    def close(self) -> None:
        self._kill()


def _offer(
    pipe: Connection,
    name: str,
    type: str,
    source_id: str,
    rate_hz: float,
    labels: Sequence[str],
    units: Sequence[str],
    format: str,
) -> None:
    """Offer a stream, push what comes through ``pipe``, and answer whether anybody listens."""
    pylsl = lsl.library()
    info = pylsl.StreamInfo(name, type, max(1, len(labels)), rate_hz, format, source_id)
    channels = info.desc().append_child("channels")
    for label, unit in zip(labels, units, strict=False):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    outlet = pylsl.StreamOutlet(info)
    pipe.send(None)
    while True:
        samples = pipe.recv()
        if samples is not None:
            outlet.push_chunk(*samples)
        pipe.send(outlet.have_consumers())


@contextmanager
def elsewhere(advert: lsl.Advert, ahead_s: float | Callable[[], float]) -> Iterator[lsl.Advert]:
    """``advert`` as if its sender's clock were ``ahead_s`` ahead, or what that says by now: another answers
    LSL's time probes."""
    pylsl = lsl.library()
    pylsl.lib.lib.lsl_streaminfo_from_xml.restype = ctypes.c_void_p
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.1)
        done = threading.Event()

        def answer() -> None:
            while not done.is_set():
                try:
                    probe, asker = udp.recvfrom(2048)
                except TimeoutError:
                    continue
                here_s = pylsl.local_clock() + (ahead_s() if callable(ahead_s) else ahead_s)
                wave, sent_s = probe.decode().split("\r\n")[1].split()
                udp.sendto(f" {wave} {sent_s} {here_s:.9f} {here_s:.9f}".encode(), asker)

        thread = threading.Thread(target=answer)
        thread.start()
        xml = advert.info.as_xml().replace("<v4address />", "<v4address>127.0.0.1</v4address>")
        port = f"<v4service_port>{udp.getsockname()[1]}<"
        xml = re.sub("<v4service_port>[0-9]*<", port, xml)
        info = pylsl.StreamInfo(handle=pylsl.lib.lib.lsl_streaminfo_from_xml(xml.encode()))
        try:
            yield replace(advert, info=info)
        finally:
            done.set()
            thread.join()
