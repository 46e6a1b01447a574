"""One LSL stream as an IMU: what the YAML says of it, and its samples as they come."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mobind_live.clock import Dejitter, host_now_ns
from mobind_live.clock.gaps import Gaps
from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.devices.lsl.channels import Layout, LayoutError, Wanted, channels_of, layout
from mobind_live.devices.lsl.holding import Chunk, Holding
from mobind_live.devices.lsl.liblsl import Advert, LslError
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.devices.samples.units import axes_matrix
from mobind_live.driver import Clock, ImuReading, ImuSection

SILENT_S = 10.0  # neither samples nor an answer about its clock: the sender is gone
FAR_S = 60.0  # stamps further than this from now are not LSL's clock
FAR_FUTURE_S = 9e9  # int64 nanoseconds hold this
MUCH_JITTER = 0.5  # of a sample's period: from here on the user is told


class Source(Wanted, ImuSection):
    """Which LSL stream, which of its channels, and what its stamps are.

    ``stamps``: ``lsl``, when the sample was taken, on LSL's clock (what the sender should do); ``arrival``,
    when it reached the sender, in bursts: they are spread evenly at the stream's rate; ``own``, a clock of
    the device's own, which is mapped like any device's.
    """

    name: str | None = None
    type: str | None = None
    source_id: str | None = None
    host: str | None = None
    stamps: Literal["lsl", "arrival", "own"] = "lsl"

    @property
    def clock(self) -> Clock:
        return "device" if self.stamps == "own" else "host"

    @property
    def wanted(self) -> dict[str, str]:
        """What the stream must have."""
        return self.model_dump(include={"name", "type", "source_id", "host"}, exclude_none=True)


class Opened:
    """One stream, from its opening until it is lost. ``poll`` never waits."""

    def __init__(self, stream: str, source: Source, advert: Advert) -> None:
        """Raises LslError, LayoutError."""
        if advert.text:
            raise LayoutError("its samples are text, not numbers")
        if source.stamps == "arrival" and not advert.rate_hz:
            raise LayoutError("it has no regular rate, so that stamps: arrival cannot be evened out")
        self._stream, self._source, self._advert = stream, source, advert
        self._inlet = lsl.Inlet(advert)
        self._corrections = lsl.Corrections()
        self._holding = Holding()
        self._layout: Layout | None = None
        self._dejitter = Dejitter(advert.rate_hz) if source.stamps == "arrival" else None
        self._gaps = Gaps(1e9 / advert.rate_hz) if advert.rate_hz else None
        self._axes = axes_matrix(source.axes)
        self._heard_ns = host_now_ns()
        self._last_s: float | None = None
        self._lost = 0
        self._counting = False
        self._seen = self._repeated = 0
        self.bad = 0
        self.jitter_s = 0.0

    @property
    def ready(self) -> bool:
        return self._layout is not None and bool(self._corrections.kept)

    @property
    def jittery(self) -> bool:
        """Whether its stamps are far from even, though its rate is said to be regular."""
        return self._seen > 1000 and self.jitter_s * self._advert.rate_hz > MUCH_JITTER

    @property
    def repeating(self) -> bool:
        """Whether most samples have the stamp of the one before, of which only one can be used."""
        return self._seen > 1000 and self._repeated > self._seen / 2 and self._dejitter is None

    @property
    def dropped(self) -> int:
        """Samples left out since their sender's clock had jumped and was not measured again in time."""
        return self._holding.dropped

    @property
    def correction(self) -> lsl.Correction:
        return self._corrections.best()

    def poll(self) -> ImuReading | None:
        """What has come, if anything has. Raises LslError when the stream is gone, LayoutError."""
        now_ns = host_now_ns()
        was_ready = self.ready
        if self._layout is None and (xml := self._inlet.description()) is not None:
            self._layout = layout(channels_of(xml, self._advert.channels), self._source)
        if (measured := self._inlet.correction()) is not None and self._corrections.add(measured):
            self._heard_ns = now_ns
        samples, stamps_s = self._inlet.pull() if was_ready else (np.empty((0, 0)), np.empty(0))
        if len(stamps_s):
            self._heard_ns = host_now_ns()
            chunk = Chunk(samples, stamps_s, np.full(len(stamps_s), self._heard_ns))
            if self._source.stamps == "own":
                return self._reading(chunk)
            self._holding.add(chunk, lsl.to_lsl_s(self._heard_ns, lsl.host_minus_lsl_ns()))
        if (placed := self._holding.take(self._corrections.measured_s)) is not None:
            return self._reading(placed)
        if now_ns - self._heard_ns > SILENT_S * 1e9:
            raise LslError(
                f"its sender does not answer: host {self._advert.host!r}, UDP ports 16572 to 16604"
            )
        return None

    def _reading(self, chunk: Chunk) -> ImuReading:
        """What has come, in SI units. Raises LslError."""
        samples, stamps_s, received_ns = chunk
        assert self._layout is not None
        acc, gyro, turn = self._layout.split(samples)
        rows = np.isfinite(acc).all(1) & np.isfinite(gyro).all(1) & (np.abs(stamps_s) < FAR_FUTURE_S)
        rows[rows] = (np.abs(acc[rows]) < MOST_M_S2).all(1) & (np.abs(gyro[rows]) < MOST_RAD_S).all(1)
        self.bad += int((~rows).sum())
        straight = self._source.axes == ("x", "y", "z")
        stamps_ns, lost = self._stamps_ns(stamps_s[rows])
        return ImuReading(
            stream=self._stream,
            received_ns=received_ns[rows],
            device_ns=stamps_ns,
            acc_m_s2=acc[rows] @ self._axes.T,
            gyro_rad_s=gyro[rows] @ self._axes.T,
            quaternion=turn[rows] if turn is not None and straight else None,
            lost=lost,
        )

    def _stamps_ns(self, stamps_s: np.ndarray) -> tuple[np.ndarray, int]:
        """Stamps (N,) as ``ImuReading.device_ns``, and how many samples were found lost. Raises LslError."""
        if self._source.stamps == "own" or not len(stamps_s):
            return np.round(stamps_s * 1e9).astype(np.int64), 0
        here_s = stamps_s + self.correction.offset_s
        stamps_ns = lsl.to_host_ns(here_s, lsl.host_minus_lsl_ns())
        off_s = (stamps_ns[-1] - host_now_ns()) * 1e-9
        if abs(off_s) > FAR_S:
            raise LslError(f"its stamps are {off_s:+.0f} s away from LSL's clock; set stamps: own")
        self._watch(stamps_s)
        if self._dejitter is None:
            return stamps_ns, self._missing(stamps_ns)
        evened_ns = self._dejitter.update(stamps_ns)
        before, self._lost = self._lost, self._dejitter.status().lost
        return evened_ns, self._lost - before

    def _missing(self, stamps_ns: np.ndarray) -> int:
        """How many samples are missing between stamps (N,), as far as these are even enough to tell."""
        if self._gaps is None:
            return 0
        if not self._counting:
            self._gaps.restart(int(stamps_ns[0]))
        self._counting = self.jitter_s * self._advert.rate_hz < MUCH_JITTER
        return sum(self._gaps.missing(stamp_ns) for stamp_ns in stamps_ns.tolist()) if self._counting else 0

    def _watch(self, stamps_s: np.ndarray) -> None:
        """Keep a running mean of how far apart neighbouring stamps are from where they should be."""
        known_s = stamps_s if self._last_s is None else np.concatenate([[self._last_s], stamps_s])
        if self._advert.rate_hz and len(known_s) > 1:
            jitter_s = float(np.abs(np.diff(known_s) - 1 / self._advert.rate_hz).mean())
            self.jitter_s += min(1.0, len(known_s) / 200) * (jitter_s - self.jitter_s)
        self._repeated += int((np.diff(known_s) == 0).sum())
        self._last_s = float(stamps_s[-1])
        self._seen += len(stamps_s)
