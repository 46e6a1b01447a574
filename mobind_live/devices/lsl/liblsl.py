"""The Lab Streaming Layer: the one file that talks to liblsl.

LSL stamps are seconds of the sender's ``local_clock``. Its own measurements over UDP (NTP's way, every 2 s)
tell what to add to them to be on this host's ``local_clock``; that clock and ``host_now_ns`` are compared
each time, since nothing says that they are the same one.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mobind_live.clock import host_now_ns

SOURCE_ID = "mobind-live/"  # how the source ids of our own outlets begin
DRIFT = 50e-6  # what an old measurement of a clock is trusted less for each second
_KEPT = 15  # measurements: those of half a minute
_FORGET_S = 1.5
_MOST_SAMPLES = 4096
_CONFIG_FILES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")


class LslError(Exception):
    """liblsl cannot be loaded, or a stream was lost; one line for the user."""


@cache
def library() -> ModuleType:
    """pylsl, told to be quiet unless a file of the user's configures liblsl. Raises LslError."""
    try:
        import pylsl  # its C library is loaded here: not for those who only check a YAML
        import pylsl.util
    except (ImportError, OSError, RuntimeError) as error:
        raise LslError(f"liblsl cannot be loaded: {' '.join(str(error).split())}") from error
    configured = "LSLAPICFG" in os.environ or any(Path(name).expanduser().exists() for name in _CONFIG_FILES)
    if not configured:
        with contextlib.suppress(NotImplementedError):  # an old liblsl talks
            pylsl.set_config_content("[log]\nlevel = -3\n")
    # Not declared by pylsl, which leaves the uncertainty out.
    pylsl.lib.lib.lsl_time_correction_ex.restype = ctypes.c_double
    return pylsl


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """A stream that is offered on the network. ``rate_hz`` 0: irregular. ``info`` is pylsl's."""

    name: str
    type: str
    source_id: str
    host: str
    rate_hz: float
    channels: int
    text: bool
    info: Any = None

    @property
    def sender(self) -> str:
        """What tells its sender from others that offer a stream like it."""
        return f"the LSL stream with source_id {self.source_id!r} on host {self.host!r}"

    def __str__(self) -> str:
        return f"{self.name!r} (type {self.type!r}, source_id {self.source_id!r}, host {self.host!r})"


def _advert(info: Any) -> Advert:
    return Advert(
        name=info.name(),
        type=info.type(),
        source_id=info.source_id(),
        host=info.hostname(),
        rate_hz=info.nominal_srate(),
        channels=info.channel_count(),
        text=info.channel_format() == library().cf_string,
        info=info,
    )


def resolve(wait_s: float = 1.0) -> list[Advert]:
    """What is offered now. Raises LslError."""
    return [_advert(info) for info in library().resolve_streams(wait_s)]


class Resolver:
    """Looks for streams all the time; one that is gone is forgotten after 1.5 s."""

    def __init__(self) -> None:
        """Raises LslError."""
        self._resolver = library().ContinuousResolver(forget_after=_FORGET_S)

    def adverts(self) -> list[Advert]:
        return [_advert(info) for info in self._resolver.results()]


@dataclass(frozen=True, slots=True)
class Correction:
    """One of LSL's measurements: add ``offset_s`` to a stamp of the sender. ``remote_s``: when, on the
    sender's clock; ``uncertainty_s``: its round trip, twice the largest possible error."""

    remote_s: float
    offset_s: float
    uncertainty_s: float


@dataclass(slots=True)
class Corrections:
    """LSL's measurements of the last half minute, the best of which counts.

    On a busy wireless network one round trip may take 100 times as long as another, so the newest is not
    the best: the one with the smallest uncertainty is, an old one being trusted ever less.
    """

    kept: deque[Correction] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def add(self, new: Correction) -> bool:
        """Take a measurement in; whether it is a new one."""
        if self.kept and new.remote_s == self.kept[-1].remote_s:
            return False
        if self.kept:
            best = self.best()
            apart = abs(new.offset_s - best.offset_s)
            if apart > self._bound(best, new.remote_s) + new.uncertainty_s:
                self.kept.clear()  # the sender's clock was set, or its machine slept
        self.kept.append(new)
        return True

    @property
    def measured_s(self) -> float:
        """When the newest was measured, on LSL's clock of this host; -inf before there is any."""
        return self.kept[-1].remote_s + self.kept[-1].offset_s if self.kept else -math.inf

    def best(self) -> Correction:
        """Raises ValueError before there is any."""
        now_s = self.kept[-1].remote_s if self.kept else 0.0
        return min(self.kept, key=lambda one: self._bound(one, now_s))

    @staticmethod
    def _bound(one: Correction, now_s: float) -> float:
        return one.uncertainty_s + DRIFT * abs(now_s - one.remote_s)


class Inlet:
    """One stream being received. Nothing here waits: what has not come yet is None or empty.

    A stream that ends is lost at once (``recover`` is off): who reads it resolves it anew, reads its
    description anew, and says so meanwhile. Stamps come as they were sent (no post-processing).
    """

    def __init__(self, advert: Advert) -> None:
        """Raises LslError."""
        pylsl = library()
        try:
            self._inlet = pylsl.StreamInlet(advert.info, recover=False, processing_flags=pylsl.proc_none)
            self._poll(lambda: self._inlet.open_stream(timeout=0.0))
        except RuntimeError as error:
            raise LslError(f"cannot be opened: {error}") from error

    def description(self) -> str | None:
        """The stream's whole XML. Raises LslError."""
        info = self._poll(lambda: self._inlet.info(timeout=0.0))
        return None if info is None else info.as_xml()

    def correction(self) -> Correction | None:
        """LSL's latest measurement of the sender's clock; the first takes about 0.7 s. Raises LslError."""
        pylsl = library()
        remote_s, uncertainty_s, code = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()

        def ask() -> float:
            offset_s = pylsl.lib.lib.lsl_time_correction_ex(
                self._inlet.obj,
                ctypes.byref(remote_s),
                ctypes.byref(uncertainty_s),
                ctypes.c_double(0.0),
                ctypes.byref(code),
            )
            pylsl.util.handle_error(code)
            return offset_s

        offset_s = self._poll(ask)
        return None if offset_s is None else Correction(remote_s.value, offset_s, uncertainty_s.value)

    def pull(self) -> tuple[np.ndarray, np.ndarray]:
        """What has arrived: samples (N, channels) and their stamps (N,) float64 s. Raises LslError."""
        pulled = self._poll(lambda: self._inlet.pull_chunk(0.0, _MOST_SAMPLES, as_numpy=True))
        return (np.empty((0, self._inlet.channel_count)), np.empty(0)) if pulled is None else pulled

    @staticmethod
    def _poll(ask: Callable[[], Any]) -> Any:
        """What ``ask`` answers, None if that has not come yet."""
        util = library().util
        try:
            return ask()
        except util.TimeoutError:
            return None
        except util.LostError as error:
            raise LslError("it has ended, or its sender is gone") from error
        except RuntimeError as error:
            raise LslError(f"liblsl cannot read it: {error}") from error


def host_minus_lsl_ns(tries: int = 8, host: Callable[[], int] = host_now_ns, lsl: Any = None) -> int:
    """``host_now_ns`` minus LSL's clock on this host, ns: LSL's is read between two readings of the host's,
    and of all tries the closest two count. Raises LslError."""
    read = lsl or library().local_clock
    best = (2**62, 0)
    for _ in range(tries):
        before = host()
        seconds = read()
        after = host()
        best = min(best, (after - before, (before + after) // 2 - round(seconds * 1e9)))
    return best[1]


def to_host_ns(stamps_s: np.ndarray, host_minus_lsl_ns: int) -> np.ndarray:
    """Stamps (N,) of LSL's clock on this host, in seconds, as host time, (N,) int64 ns."""
    return np.round(stamps_s * 1e9).astype(np.int64) + host_minus_lsl_ns


def to_lsl_s(t_ns: int, host_minus_lsl_ns: int) -> float:
    """Host time ``t_ns`` as seconds of LSL's clock on this host."""
    return (t_ns - host_minus_lsl_ns) * 1e-9


def choose(adverts: Sequence[Advert], wanted: dict[str, str]) -> Advert:
    """The one stream with ``wanted`` (name, type, source_id, host: any of them). Raises LslError, naming
    those that match if there are several, and all there are if none does."""
    what = ", ".join(f"{key} {value!r}" for key, value in wanted.items())
    fit = [one for one in adverts if all(getattr(one, key) == value for key, value in wanted.items())]
    if len(fit) == 1:
        return fit[0]
    if fit:
        several = "; ".join(map(str, fit))
        raise LslError(f"{len(fit)} LSL streams have {what}: {several}; add what tells them apart")
    others = "; ".join(str(one) for one in adverts if not one.source_id.startswith(SOURCE_ID))
    raise LslError(f"no LSL stream has {what}; there are: {others or 'none'}")
