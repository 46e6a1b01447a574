"""IMUs that other programs offer through the Lab Streaming Layer (LSL): one stream or several.

LSL's own clock correction maps their stamps to this host. A stream that ends is looked for until it is back.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import model_validator

from mobind_live.clock import host_now_ns
from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.devices.lsl.channels import LayoutError, channels_of, layout
from mobind_live.devices.lsl.liblsl import Advert, LslError
from mobind_live.devices.lsl.stream import Opened, Source
from mobind_live.driver import (
    MOST_HZ,
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    Found,
    ImuReading,
    StreamSpec,
)

log = logging.getLogger(__name__)

GATHER_S = 0.04  # samples that arrive within this time go out together
OPEN_S = 3.0  # for all streams to be found and opened
SETTLE_S = 0.6  # after a stream is found, for another one like it to answer too
LASTING = "if that is another sensor, say `source_id` or `host`; if not, have its sender keep its source_id"
SEEK_S = 0.5  # a missing stream is looked for this often while others flow


class Config(DriverConfig, Source):
    """One stream, or with ``imus`` several, each with the keys of a stream under a name of its own."""

    imus: Mapping[str, Source] = {}

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.imus and self.model_fields_set - {"driver", "imus"}:
            extra = ", ".join(sorted(self.model_fields_set - {"driver", "imus"}))
            raise ValueError(f"with imus, {extra} must stand in each of them")
        if not all(source.wanted for source in self.sources("here").values()):
            raise ValueError("name, type or source_id is needed: which LSL stream is it?")
        return self

    def sources(self, name: str) -> Mapping[str, Source]:
        """The sources by the name of their stream."""
        return self.imus or {name: self}

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        return tuple(source.stream(stream) for stream, source in self.sources(name).items())


class Driver:
    """The streams of one device. Those that are there are read; a missing one is looked for meanwhile."""

    def __init__(self, config: Config, context: Context) -> None:
        self._context = context
        self._sources = config.sources(context.name)
        self._several = bool(config.imus)
        self._opened: dict[str, Opened] = {}
        self._troubles: dict[str, str] = {}
        self._resolver: lsl.Resolver | None = None
        self._seek_ns = 0
        self._told: set[str] = set()
        self.counters = Counters()

    def __enter__(self) -> Self:
        try:
            self._resolver = lsl.Resolver()
        except LslError as error:
            raise DeviceError(str(error)) from error
        until_ns = host_now_ns() + int(OPEN_S * 1e9)
        found_ns: int | None = None
        while host_now_ns() < until_ns and not self._all_ready():
            if found_ns is None and self._resolver.adverts():
                found_ns = host_now_ns()
            if found_ns is not None and host_now_ns() - found_ns > SETTLE_S * 1e9:
                self._seek_now_and_then()
                for stream in [name for name, opened in self._opened.items() if not opened.ready]:
                    self._step(stream)  # not yet ready, it has no samples
            time.sleep(GATHER_S / 2)
        self._seek()
        self._refuse_if_none()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.clear()
        self._resolver = None

    def read(self) -> Iterator[ImuReading]:
        """The samples of the last 40 ms. Raises DeviceError when no stream is left."""
        time.sleep(GATHER_S)
        self._seek_now_and_then()
        readings = [reading for stream in self._sources if (reading := self._step(stream)) is not None]
        self._refuse_if_none()
        self._count()
        return iter(readings)

    def _all_ready(self) -> bool:
        return len(self._opened) == len(self._sources) and all(one.ready for one in self._opened.values())

    def _seek_now_and_then(self) -> None:
        if host_now_ns() - self._seek_ns > SEEK_S * 1e9:
            self._seek()

    def _seek(self) -> None:
        """Open the streams that are not open and can be found. Raises OtherDevice for one that has come back
        from another sender."""
        assert self._resolver is not None
        self._seek_ns = host_now_ns()
        missing = [stream for stream in self._sources if stream not in self._opened]
        adverts = self._resolver.adverts() if missing else []
        for stream in missing:
            source = self._sources[stream]
            try:
                advert = lsl.choose(adverts, source.wanted)
                self._opened[stream] = Opened(stream, source, advert)
            except (LslError, LayoutError) as error:
                self._trouble(stream, str(error))
            else:
                self._context.meet(stream, advert.sender, LASTING)

    def _step(self, stream: str) -> ImuReading | None:
        opened = self._opened.get(stream)
        if opened is None:
            return None
        try:
            reading = opened.poll()
        except (LslError, LayoutError) as error:
            del self._opened[stream]
            source = self._sources[stream]
            what = ", ".join(f"{key} {value!r}" for key, value in source.wanted.items())
            self._trouble(stream, f"the LSL stream with {what}: {error}")
            return None
        if opened.ready:
            self._troubles.pop(stream, None)
        return reading

    def _trouble(self, stream: str, text: str) -> None:
        """Say what is wrong with one stream, once, if others flow; alone it is the device's error."""
        if self._troubles.get(stream) != text and self._opened:
            log.warning("%s: %s", stream, text)
        self._troubles[stream] = text

    def _refuse_if_none(self) -> None:
        if not self._opened:
            raise DeviceError("; ".join(dict.fromkeys(self._troubles.values())))

    def _count(self) -> None:
        """LSL's clock correction and what else is worth knowing, for the heartbeat."""
        for stream, opened in self._opened.items():
            if not opened.ready:
                continue
            end = f"/{stream}" if self._several else ""
            self.counters.values |= {
                f"clock_correction_ms{end}": round(opened.correction.offset_s * 1e3, 3),
                f"clock_uncertainty_ms{end}": round(opened.correction.uncertainty_s * 1e3, 3),
                f"stamp_jitter_ms{end}": round(opened.jitter_s * 1e3, 3),
                f"bad_samples{end}": opened.bad,
                f"unplaced_samples{end}": opened.dropped,
            }
            self._warn_of_stamps(stream, opened)

    def _warn_of_stamps(self, stream: str, opened: Opened) -> None:
        if self._sources[stream].stamps != "lsl" or stream in self._told:
            return
        if opened.repeating:
            self._told.add(stream)
            log.warning(
                "%s: most of its samples have the stamp of the one before, and are left out; the sender must "
                "stamp each, or offer the stream with a regular rate",
                stream,
            )
        elif opened.jittery:
            self._told.add(stream)
            log.warning(
                "%s: its stamps jitter by %.0f ms; if the sender stamps samples as they arrive, set "
                "stamps: arrival",
                stream,
                opened.jitter_s * 1e3,
            )


def discover() -> list[Found]:
    """The LSL streams that are offered now; those that are no IMU say why. Takes about 2 s."""
    adverts = [one for one in lsl.resolve() if not one.source_id.startswith(lsl.SOURCE_ID)]
    names = [re.sub(r"[^A-Za-z0-9_-]+", "_", advert.name).strip("_") or "lsl" for advert in adverts]
    return [
        _found(f"{name}_{i + 1}" if name in names[:i] else name, advert, adverts)
        for i, (name, advert) in enumerate(zip(names, adverts, strict=True))
    ]


def _found(name: str, advert: Advert, others: list[Advert]) -> Found:
    rate = f"{advert.rate_hz:g} Hz" if advert.rate_hz else "irregular rate"
    about = (
        f"LSL stream {advert.name!r} of {advert.host}, {advert.type!r}, {rate}, {advert.channels} channels"
    )
    section = {"driver": "lsl_imu", **_apart(advert, others)}
    if advert.rate_hz > MOST_HZ:
        return Found(name, f"{about}: too fast for an IMU", {})
    if advert.rate_hz:
        section["nominal_hz"] = round(advert.rate_hz, 3)
    try:
        _check(advert, Config.model_validate(section))
    except (LslError, LayoutError) as error:
        return Found(name, f"{about}: {error}", {})
    return Found(name, about, section)


def _apart(advert: Advert, others: list[Advert]) -> dict[str, Any]:
    """The fewest keys that only this stream has; the id last: some senders make a new one each time."""
    wanted: dict[str, Any] = {}
    for key in ("name", "type", "host", "source_id"):
        if value := getattr(advert, key):
            wanted[key] = value
        fits = [o for o in others if all(getattr(o, k) == v for k, v in wanted.items())]
        if wanted and len(fits) == 1:
            break
    return wanted


def _check(advert: Advert, config: Config) -> None:
    """Raises LslError or LayoutError if ``advert`` cannot be read with ``config``."""
    if advert.text:
        raise LayoutError("text, not an IMU")
    inlet, until_ns = lsl.Inlet(advert), host_now_ns() + int(OPEN_S * 1e9)
    while (xml := inlet.description()) is None:
        if host_now_ns() > until_ns:
            raise LslError("it does not answer")
        time.sleep(0.01)
    layout(channels_of(xml, advert.channels), config)
