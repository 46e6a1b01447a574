"""What both clocks share: a stretch of time under one line, and an output that follows the line smoothly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from mobind_live.clock.line import Line

SETTLED_S = 10.0  # from here on early arrivals are suspect
# An error of the output is worked off at a rate that halves it about twice a second while the clock is
# fresh, later more gently. Both stay far below 1, so that the output rises.
SLEW_S, SLEW_MOST = 2.0, 0.5
SLEW_FRESH_S, SLEW_FRESH, SLEW_SETTLED = 0.5, 0.02, 0.005
_JITTER_MEMORY = 0.01  # share of a new sample in the mean delay


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """``host = device + offset_s`` at the last stamp; ``drift_ppm``: host seconds gained on the device's.

    ``residual_ms`` is the mean delivery delay above the line, ``uncertainty_ms`` the line's own error,
    ``resets`` counts restarts of the mapping, ``lost`` the samples found missing.
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    residual_ms: float = 0.0
    uncertainty_ms: float = 0.0
    resets: int = 0
    lost: int = 0


class Segment:
    """One stretch of device time without a jump: its line, and the output that is slewed to it."""

    def __init__(self, device_ns: int, received_ns: int, slope: float) -> None:
        self.device0, self.y0 = device_ns, received_ns - device_ns
        self.line = Line(0.0, 0.0, slope)
        self.jitter = 0.0
        self.last_device = device_ns
        self.settled = False
        self._mapped = 0.0
        self._error = 0.0  # output minus line, ns; slewed to zero
        self._started = False

    def seconds(self, device_ns: int) -> float:
        return (device_ns - self.device0) * 1e-9

    def point(self, device_ns: int, received_ns: int) -> tuple[float, float]:
        """(seconds, ns): the sample's place in the cloud under which the line lies."""
        return (device_ns - self.device0) * 1e-9, float(received_ns - device_ns - self.y0)

    def height(self, device_ns: int, received_ns: int) -> float:
        """How much later than the line this sample came, ns."""
        line = self.line
        x = (device_ns - self.device0) * 1e-9
        return received_ns - device_ns - self.y0 - line.value - line.slope * (x - line.at)

    def see(self, device_ns: int, received_ns: int) -> None:
        """Take note of a sample; one below the line pulls it down."""
        if device_ns > self.last_device:
            self.last_device = device_ns
            self.settled = device_ns - self.device0 > SETTLED_S * 1e9
        height = self.height(device_ns, received_ns)
        if height < 0:
            x, y = self.point(device_ns, received_ns)
            line = self.line
            self.turn(Line(x, y, line.slope, line.spread, line.points))
            height = 0.0
        self.jitter += _JITTER_MEMORY * (height - self.jitter)

    def turn(self, line: Line, moved_ns: int = 0) -> None:
        """Follow ``line`` from here on, with stamps that are ``moved_ns`` more; the output does not jump."""
        if self._started:
            mapped = self._mapped + moved_ns * 1e-9
            self._error += self.line(self._mapped) - moved_ns - line(mapped)
            self._mapped = mapped
        self.last_device += moved_ns
        self.line = line

    def skip(self, period_ns: float) -> None:
        """Let the output catch up by whole periods at once: there samples are missing."""
        if self._error < 0:
            self._error += round(-self._error / period_ns) * period_ns

    def host_ns(self, device_ns: int, received_ns: int) -> int:
        """The host time of ``device_ns``, not after its arrival; call it in the order of the samples."""
        x = (device_ns - self.device0) * 1e-9
        if self._error and x > self._mapped:
            self._slew(x - self._mapped)
        if x > self._mapped:
            self._mapped = x
        self._started = True
        line = self.line
        host = device_ns + self.y0 + round(line.value + line.slope * (x - line.at) + self._error)
        if host > received_ns:
            self._error -= host - received_ns
            return received_ns
        return host

    def _slew(self, seconds: float) -> None:
        large = abs(self._error) * 1e-9
        if self.settled:
            rate = min(SLEW_MOST, max(SLEW_SETTLED, large / SLEW_S))
        else:
            rate = min(SLEW_MOST, max(SLEW_FRESH, large / SLEW_FRESH_S))
        step = seconds * 1e9 * rate
        self._error = max(0.0, self._error - step) if self._error > 0 else min(0.0, self._error + step)

    def status(self, resets: int, lost: int) -> ClockStatus:
        line = self.line
        fit_ns = 4 * line.spread / line.points if line.points >= 3 else self.jitter
        return ClockStatus(
            offset_s=(self.y0 + line(self.seconds(self.last_device))) * 1e-9,
            drift_ppm=line.slope * 1e-3,
            residual_ms=self.jitter * 1e-6,
            uncertainty_ms=(fit_ns + abs(self._error)) * 1e-6,
            resets=resets,
            lost=lost,
        )


S = TypeVar("S", bound=Segment)


class StampMapper(Generic[S]):
    """The end that both clocks share: samples taken in wait here, so that a batch sees its own best arrival,
    and come out rising and never after their arrival."""

    def __init__(self) -> None:
        self._segment: S | None = None
        self._waiting: list[tuple[int, int]] = []  # (stamp, arrival)
        self._last_host = -(2**62)
        self._resets = 0
        self._lost = 0

    def status(self) -> ClockStatus:
        return ClockStatus() if self._segment is None else self._segment.status(self._resets, self._lost)

    def _flush(self, hosts: list[int]) -> None:
        """Map what waits."""
        segment, last = self._segment, self._last_host
        if segment is None:
            return
        for stamp, arrival in self._waiting:
            host = segment.host_ns(stamp, arrival)
            last = host if host > last else last + 1
            hosts.append(last)
        self._last_host = last
        self._waiting.clear()

    def _rising(self, host: int, received: int) -> int:
        self._last_host = max(min(host, received), self._last_host + 1)
        return self._last_host
