"""The link to one Bluetooth Low Energy device: found, connected, listened to. Knows no IMU.

All errors are DeviceErrors of one line. A link is used once: who lost it makes another, so that no callback
of an earlier one is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError
from bleak.uuids import normalize_uuid_str

from mobind_live.clock import host_now_ns
from mobind_live.devices.bluetooth.claim import claim
from mobind_live.driver import DeviceError

FIND_S = 3.0  # below the grace that a process has to stop
CONNECT_S = 15.0
LISTEN_S = 4.0  # for those that advertise only now and then
LEAVE_S = 2.0

# What D-Bus's or BlueZ's errors mean to the user, by the end of their names.
_HINTS = {
    "ServiceUnknown": "BlueZ does not run (systemctl start bluetooth)",
    "NameHasNoOwner": "BlueZ does not run (systemctl start bluetooth)",
    "AccessDenied": "not allowed (join the group bluetooth, and log in again)",
    "NotReady": "the adapter is switched off (rfkill unblock bluetooth; bluetoothctl power on)",
    "UnknownObject": "the adapter or the device is gone",
}


class Link:
    """One device, by its ``address`` or else its ``name``."""

    def __init__(self, address: str | None, name: str | None, adapter: str | None) -> None:
        self._address, self._name = address, name
        self._bluez: dict[str, Any] = {"bluez": {"adapter": adapter}} if adapter else {}
        self._client: BleakClient | None = None
        self._claim: int | None = None
        self.label = f"{address or name}"
        self._packets: list[tuple[int, bytes]] = []  # (arrival, bytes)
        self._lost = asyncio.Event()
        self.carries = 0  # bytes a packet, as the link says

    async def open(
        self, service: str | None, notify: Sequence[str], writes: Sequence[tuple[str, bytes]]
    ) -> None:
        """Find and connect, listen to ``notify``, then write. Raises DeviceError."""
        async with _explained(self.label):
            device = await self._find()
            self._take(device)
            self._client = client = BleakClient(
                device, disconnected_callback=lambda _: self._lost.set(), timeout=CONNECT_S, **self._bluez
            )
            try:
                await client.connect()
            except TimeoutError as error:
                raise DeviceError(
                    f"{self.label} is there but does not connect; is another program or phone using it?"
                ) from error
            for uuid in notify:
                characteristic = self._characteristic(service, uuid)
                if not {"notify", "indicate"} & set(characteristic.properties):
                    raise DeviceError(f"{self.label}: characteristic {uuid} cannot notify{self._which()}")
                self.carries = characteristic.max_write_without_response_size
                await client.start_notify(characteristic, self._on_packet)
            for uuid, data in writes:
                await client.write_gatt_char(self._characteristic(service, uuid), data)

    async def close(self) -> None:
        """Disconnect; quietly, as what is being left may be gone already. Then others may have it."""
        try:
            if self._client is not None:
                with contextlib.suppress(BleakError, OSError, EOFError):
                    async with asyncio.timeout(LEAVE_S):
                        await self._client.disconnect()
        finally:
            if self._claim is not None:
                os.close(self._claim)
            self._client = self._claim = None

    async def gather(self, seconds: float) -> list[tuple[int, bytes]]:
        """The packets of the next ``seconds``, with arrivals. Raises DeviceError once the link is lost."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)
        packets, self._packets = self._packets, []
        if self._lost.is_set() and not packets:
            raise DeviceError(f"{self.label} was lost: out of range, switched off, or its battery is empty")
        return packets

    def _on_packet(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        self._packets.append((host_now_ns(), bytes(data)))

    async def _find(self) -> BLEDevice:
        # One that a process which was killed has left connected does not advertise.
        for device in await _connected(self._bluez):
            if self._is_wanted(device):
                return device
        found = await BleakScanner.find_device_by_filter(
            lambda device, _: self._is_wanted(device), timeout=FIND_S, **self._bluez
        )
        if found is None:
            raise DeviceError(
                f"{self.label} is not in range or does not advertise; is it on, and no phone connected to it?"
            )
        return found

    def _take(self, device: BLEDevice) -> None:
        """Have the device for this link alone: BlueZ gives it to any number. Raises DeviceError."""
        try:
            self._claim = claim(device.address)
        except OSError as error:
            raise DeviceError(
                f"{self.label} cannot be marked as in use "
                f"({error.strerror}: {error.filename}); free that path"
            ) from error
        if self._claim is None:
            also = "" if self._address else f" ({device.address})"
            raise DeviceError(
                f"{self.label}{also} is served already, by another device of this rig or another rig: give "
                "each sensor one section, with its own `address`"
            )

    def _is_wanted(self, device: BLEDevice) -> bool:
        if self._address is not None:
            return device.address.lower() == self._address.lower()
        return device.name == self._name

    def _characteristic(self, service: str | None, uuid: str) -> BleakGATTCharacteristic:
        assert self._client is not None
        services = self._client.services
        within = None if not service else services.get_service(normalize_uuid_str(service))
        if service and within is None:
            has = ", ".join(found.uuid for found in services) or "none"
            raise DeviceError(f"{self.label} has no service {service}; it has: {has}")
        found = (within or services).get_characteristic(normalize_uuid_str(uuid))
        if found is None:
            raise DeviceError(f"{self.label} has no characteristic {uuid}{self._which()}")
        return found

    def _which(self) -> str:
        assert self._client is not None
        characteristics = self._client.services.characteristics.values()
        notifying = [
            found.uuid for found in characteristics if {"notify", "indicate"} & set(found.properties)
        ]
        return f"; those that notify: {', '.join(notifying) or 'none'}"


async def advertisers() -> list[tuple[BLEDevice, AdvertisementData]]:
    """What advertises within some seconds, the strongest first. Raises DeviceError."""
    async with _explained("Bluetooth"):
        found = await BleakScanner.discover(timeout=LISTEN_S, return_adv=True)
    return sorted(found.values(), key=lambda pair: -pair[1].rssi)


async def _connected(bluez: dict[str, Any]) -> list[BLEDevice]:
    try:
        adapter = await BleakAdapter.get(**bluez)
        return await adapter.get_connected_devices()
    except NotImplementedError:  # not on every platform
        return []


@contextlib.asynccontextmanager
async def _explained(label: str) -> AsyncIterator[None]:
    """Turns what Bluetooth raises into a DeviceError of one line."""
    try:
        yield
    except BleakBluetoothNotAvailableError as error:
        raise DeviceError(f"{label}: {error.args[0]}") from error
    except BleakDBusError as error:
        hint = _HINTS.get(error.dbus_error.rpartition(".")[2])
        raise DeviceError(f"{label}: {hint or error.dbus_error_details or error.dbus_error}") from error
    except TimeoutError as error:
        raise DeviceError(f"{label}: Bluetooth does not answer") from error
    except EOFError as error:
        raise DeviceError(f"{label}: the connection to D-Bus ended") from error
    except OSError as error:
        reason = error.strerror or error
        raise DeviceError(
            f"{label}: no D-Bus to reach Bluetooth by ({reason}); is BlueZ installed?"
        ) from error
    except BleakError as error:
        raise DeviceError(f"{label}: {error}") from error
