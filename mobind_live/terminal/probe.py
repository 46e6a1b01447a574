"""``check --probe``: opens each device, in its own process and for a limited time, and says what it saw."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.text import Text

from mobind_live import registry
from mobind_live.clock import host_now_ns
from mobind_live.config import Rig
from mobind_live.driver import (
    Context,
    DeviceError,
    DriverConfig,
    EndOfStream,
    ImuReading,
    OtherDevice,
    StreamSpec,
)
from mobind_live.runtime import stamps
from mobind_live.runtime.aside import NoAnswer, Question
from mobind_live.runtime.doubts import LEAST_S, doubt_of
from mobind_live.runtime.stamps import FASTEST, check_arrival
from mobind_live.schema import Imu, Message, Pose
from mobind_live.terminal.output import Notes

# A pose network takes minutes to load on a small machine. Once open, a device may be silent for SILENT_S;
# after its first item it is watched for WATCH_S, and for PATIENCE_S if some of its streams have not begun.
LIMIT_S = 180.0
SILENT_S = 15.0
WATCH_S = 2.0
PATIENCE_S = 10.0
GAP_NS = 1_000_000_000
USUAL = 0.1  # a rate that is off by more than this share is pointed out


@dataclass(slots=True)
class Seen:
    """One stream while it was watched, by its own stamps: what is played may come in a burst at first."""

    stream: str
    nominal_hz: float = 0.0
    latest: str = ""
    samples: int = 0
    _last_ns: int = 0
    _steps: int = 0
    _span_ns: int = 0

    def add(self, stamps_ns: list[int], text: str) -> None:
        """Count the samples with these stamps, oldest first; ``text`` describes what came with them."""
        for t_ns in stamps_ns:
            # What went on while a network was loading was passed over, and is no part of the rate.
            if self.samples and t_ns - self._last_ns < GAP_NS:
                self._steps, self._span_ns = self._steps + 1, self._span_ns + t_ns - self._last_ns
            self.samples, self._last_ns = self.samples + 1, t_ns
        self.latest = text

    @property
    def rate_hz(self) -> float:
        """Samples a second; 0 where there were fewer than two."""
        return self._steps * 1e9 / self._span_ns if self._span_ns > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What one device did. ``error`` is a line for the user, empty if it answered as it should."""

    device: str
    error: str = ""
    seen: tuple[Seen, ...] = field(default_factory=tuple)

    @property
    def answered(self) -> bool:
        return not self.error


def run(rig: Rig, *, console: Console, limit_s: float = LIMIT_S, watch_s: float = WATCH_S) -> int:
    """Probes every device of ``rig``, one after the other; 0 only if all of them answered."""
    reports = []
    for name, config in rig.devices.items():
        with console.status(Text(f"{name}: opening, and waiting for data")):
            report = probe(name, config, limit_s=limit_s, watch_s=watch_s)
        reports.append(report)
        for line in _lines(report):
            # Text, not markup: a device's name or message may hold square brackets.
            console.print(Text(line), soft_wrap=True)
    return 0 if all(report.answered for report in reports) else 1


def probe(name: str, config: DriverConfig, *, limit_s: float, watch_s: float) -> Report:
    """Opens one device in a process of its own, which is killed if it has not answered after ``limit_s``."""
    try:
        with Question(observe, name, config, watch_s, limit_s=limit_s) as question:
            return question.answer()
    except NoAnswer as error:
        return Report(name, f"{error}; `mobind-live drive {name} --config RIG` shows more")


def observe(name: str, config: DriverConfig, watch_s: float) -> Report:
    """Reads one device until ``watch_s`` after its first item; one that hangs is the parent's to end."""
    specs = {spec.name: spec for spec in config.streams(name)}
    seen = {spec.name: Seen(spec.name, spec.nominal_hz) for spec in specs.values()}
    felt: dict[str, list[Imu | ImuReading]] = {stream: [] for stream in seen}
    ended, counts, warned = "", dict[str, float](), [""]
    log, notes = logging.getLogger(), Notes(logging.WARNING, lambda _, text: warned.append(text))
    log.addHandler(notes)
    try:
        with registry.create(config, Context(name=name, epoch_ns=host_now_ns())) as driver:
            since_ns, began = host_now_ns(), False
            counts = driver.counters.values
            while host_now_ns() - since_ns < _needed_s(seen, watch_s) * 1e9:
                _take(driver.read(), specs, seen, felt)
                if not began and any(item.latest for item in seen.values()):
                    since_ns, began = host_now_ns(), True
    except (DeviceError, OtherDevice) as error:
        return Report(name, str(error), tuple(seen.values()))
    except EndOfStream:
        ended = "; it came to its end first"
    finally:
        log.removeHandler(notes)
    silent = [item.stream for item in seen.values() if not item.latest]
    if silent:
        but = "".join(f", {name}: {count:g}" for name, count in counts.items() if count)
        last = f"; {warned[-1].removeprefix(f'{name}: ')}" if warned[-1] else ""
        return Report(name, f"nothing came from {', '.join(silent)}{ended}{but}{last}", tuple(seen.values()))
    doubts = (
        (stream, _clock_doubt(specs[stream], items) or _doubt(items) or _rate_doubt(seen[stream], items))
        for stream, items in felt.items()
        if items
    )
    told = [text if stream == name else f"{stream}: {text}" for stream, text in doubts if text]
    return Report(name, "; ".join(told), tuple(seen.values()))


def _needed_s(seen: dict[str, Seen], watch_s: float) -> float:
    """How long to read: from the first item on, or from the beginning while there is none."""
    if not any(item.latest for item in seen.values()):
        return SILENT_S
    return watch_s if all(item.latest for item in seen.values()) else max(watch_s, PATIENCE_S)


def _take(
    items: Iterable[Message | ImuReading],
    specs: dict[str, StreamSpec],
    seen: dict[str, Seen],
    felt: dict[str, list[Imu | ImuReading]],
) -> None:
    for item in items:
        if item.stream in seen and isinstance(item, (Pose, Imu, ImuReading)):
            check_arrival(specs[item.stream], item, host_now_ns())
            stamps_ns = _stamps_ns(item)
            if stamps_ns:
                seen[item.stream].add(stamps_ns, _describe(item))
                if not isinstance(item, Pose):
                    felt[item.stream].append(item)


def _stamps_ns(item: Pose | Imu | ImuReading) -> list[int]:
    if isinstance(item, Pose):
        return [item.t_ns]
    if isinstance(item, Imu):
        return item.t_ns.tolist()
    return (item.received_ns if item.device_ns is None else item.device_ns).tolist()


def _doubt(items: list[Imu | ImuReading]) -> str:
    return doubt_of(items, np.array([t_ns for item in items for t_ns in _stamps_ns(item)], np.int64))


def _clock_doubt(spec: StreamSpec, items: list[Imu | ImuReading]) -> str:
    if spec.played or any(item.device_ns is None for item in items):
        return ""
    stamps_ns = np.array([t_ns for item in items for t_ns in _stamps_ns(item)], np.int64)
    return stamps.doubt(spec.clock, stamps_ns, _received_ns(items), LEAST_S)


def _rate_doubt(item: Seen, items: list[Imu | ImuReading]) -> str:
    """Why the rate at which ``items`` came cannot be the nominal one; "" if it can."""
    received_ns = _received_ns(items)
    if np.ptp(received_ns) < LEAST_S * 1e9 or not (item.nominal_hz and item.rate_hz):
        return ""
    if 1 / FASTEST <= item.rate_hz / item.nominal_hz <= FASTEST:
        return ""
    return (
        f"{item.rate_hz:.1f} Hz, and {item.nominal_hz:g} Hz expected: look at nominal_hz, and at the unit of "
        "time if it sends stamps"
    )


def _received_ns(items: list[Imu | ImuReading]) -> np.ndarray:
    return np.concatenate([item.received_ns for item in items])


def _describe(item: Pose | Imu | ImuReading) -> str:
    if isinstance(item, Pose):
        people = "1 person" if len(item.track_ids) == 1 else f"{len(item.track_ids)} people"
        return f"{people} in {item.image_size[0]} x {item.image_size[1]} px"
    acc = ", ".join(f"{value:.2f}" for value in item.acc_m_s2[0])
    gyro = ", ".join(f"{value:.2f}" for value in item.gyro_rad_s[0])
    return f"acc ({acc}) m/s^2, gyro ({gyro}) rad/s"


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.device}: {report.error or 'ok'}"
    for item in report.seen:
        yield f"  {item.stream}: {f'{_rate(item)}, latest: {item.latest}' if item.latest else 'nothing'}"


def _rate(item: Seen) -> str:
    if item.samples < 2:
        return "one sample"
    odd = item.nominal_hz and abs(item.rate_hz / item.nominal_hz - 1) > USUAL
    expected = f" ({item.nominal_hz:g} Hz expected)" if odd else ""
    return f"{item.rate_hz:.1f} Hz{expected}"
