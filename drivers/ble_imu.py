"""An IMU that notifies over Bluetooth Low Energy: a known one by its profile, any other by its packet's form.

The radio's loop runs only inside ``read``: what arrives between two reads, a moment of publishing, waits in
the socket.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Self

import numpy as np

from mobind_live.clock import host_now_ns
from mobind_live.devices.bluetooth.form import BleForm
from mobind_live.devices.bluetooth.profiles import profiles, recognize
from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.packets import Decoder, Samples, join
from mobind_live.driver import Context, Counters, DeviceError, Found, ImuReading

if TYPE_CHECKING:
    from mobind_live.devices.bluetooth.link import Link

log = logging.getLogger(__name__)

GATHER_S = 0.04  # samples that arrive within this time go out together
SILENT_S = 5.0  # connected, and no sample for so long: begin anew
SAY_S = 5.0  # bad packets are named in the log at most this often


class Config(BleForm):
    """One device."""


class Driver:
    """One device. A lost or silent one is a DeviceError; the next driver finds it anew."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._name = config, context.name
        self._decode = Decoder(config.packet, config.nominal_hz, config.axes)
        self._runner: asyncio.Runner | None = None
        self._link: Link | None = None
        self._good_ns = self._said_ns = 0
        self._last_bad = ""
        self.counters = Counters()

    def __enter__(self) -> Self:
        from mobind_live.devices.bluetooth.link import Link  # bleak takes its time to import

        config = self._config
        _announce(self._name, config.profile)
        self._runner = asyncio.Runner()
        self._link = Link(config.address, config.name, config.adapter)
        writes = [(write.characteristic, bytes.fromhex(write.bytes)) for write in config.start]
        try:
            self._runner.run(self._link.open(config.service, config.listens_to, writes))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._good_ns = host_now_ns()
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None and self._link is not None:
            self._runner.run(self._link.close())
            self._runner.close()
        self._runner = self._link = None

    def read(self) -> Iterator[ImuReading]:
        """The samples of the next 40 ms, each with its packet's arrival. Raises DeviceError when the device
        is lost, or has sent nothing usable for some seconds."""
        assert self._runner is not None
        assert self._link is not None
        packets = self._runner.run(self._link.gather(GATHER_S))
        arrived = [(at, samples) for at, data in packets if (samples := self._samples(data, at)) is not None]
        now_ns = host_now_ns()
        if arrived:
            self._good_ns = now_ns
            return iter([reading(self._name, arrived)])
        if now_ns - self._good_ns > SILENT_S * 1e9:
            raise DeviceError(self._why_silent(self._link))
        return iter([])

    def _samples(self, data: bytes, received_ns: int) -> Samples | None:
        try:
            samples = self._decode(data, received_ns)
        except BadLine as error:
            self.counters.add("bad_packets")
            self._last_bad = f"{error}: {data.hex(' '):.80}"
            self._tell()
            return None
        if samples is None:
            self.counters.add("other_packets")
            self._last_bad = f"it does not begin with {self._config.packet.begins}: {data.hex(' '):.80}"
        return samples

    def _tell(self) -> None:
        bad, now_ns = self.counters.values["bad_packets"], host_now_ns()
        if now_ns - self._said_ns > SAY_S * 1e9:
            self._said_ns = now_ns
            log.warning("%s: %d bad packets, the last: %s", self._name, bad, self._last_bad)

    def _why_silent(self, link: Link) -> str:
        size = self._config.packet.size or 0
        hint = ""
        if size > link.carries:
            mtu = link.carries + 3
            hint = f"; packets of {size} bytes do not fit its MTU of {mtu}, which carries {link.carries}"
        if self._last_bad:
            return f"{link.label} sends nothing that can be read{hint}; the last packet: {self._last_bad}"
        return f"{link.label} is connected but sends nothing{hint or '; does it need a `start` command?'}"


@cache  # once, and not each time that the device is found again
def _announce(name: str, profile: str | None) -> None:
    source = profiles()[profile].unverified if profile else None
    if source:
        log.warning("%s: profile %s is unverified: written from %s, never tried", name, profile, source)


def reading(stream: str, arrived: list[tuple[int, Samples]]) -> ImuReading:
    """Packets with their arrivals as one message: the samples of a packet arrived together."""
    samples = join([one for _, one in arrived])
    counts = [len(one.acc_m_s2) for _, one in arrived]
    return ImuReading(
        stream=stream,
        received_ns=np.repeat(np.array([at for at, _ in arrived], dtype=np.int64), counts),
        device_ns=samples.device_ns,
        acc_m_s2=samples.acc_m_s2,
        gyro_rad_s=samples.gyro_rad_s,
        quaternion=samples.quaternion,
    )


def discover() -> list[Found]:
    """What advertises under a name, those with a known profile first. Raises DeviceError."""
    from mobind_live.devices.bluetooth.link import advertisers

    found = []
    for device, data in asyncio.run(advertisers()):
        profile = recognize(device.name, data.service_uuids)
        if device.name is None and profile is None:
            continue
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", device.name or f"{profile}_{device.address[-5:]}")
        offers = f"; services: {', '.join(data.service_uuids)}" if data.service_uuids else ""
        known = profiles()[profile].about if profile else f"no profile: say `notify` and `packet`{offers}"
        section = {"driver": "ble_imu", "address": device.address, "profile": profile} if profile else {}
        found.append(Found(name, f"{device.address}, {data.rssi} dBm: {known}", section))
    return sorted(found, key=lambda one: not one.yaml)
