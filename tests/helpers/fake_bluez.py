"""BlueZ as bleak sees it: adapters, devices that advertise, connect, notify, are written to, and go away."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbus_fast import Message, Variant
from fake_dbus import DBusError, FakeBus

BLUEZ = "org.bluez"
ADAPTER, DEVICE = f"{BLUEZ}.Adapter1", f"{BLUEZ}.Device1"
SERVICE, CHARACTERISTIC = f"{BLUEZ}.GattService1", f"{BLUEZ}.GattCharacteristic1"
OBJECTS, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
ADVERTISE_S = 0.02

Interfaces = dict[str, dict[str, Variant]]


@dataclass(eq=False)
class Peripheral:
    """A device: its ``services`` are {service: {characteristic: flags}}. What was written to it is in
    ``written``; ``listeners`` are the clients that asked for notifications, by characteristic."""

    address: str
    name: str | None
    services: dict[str, dict[str, list[str]]]
    in_range: bool = True
    connects: bool = True
    mtu: int = 247
    connected: bool = False
    connections: int = 0
    written: list[tuple[str, bytes]] = field(default_factory=list)
    listeners: dict[str, list[str]] = field(default_factory=dict)


class FakeBlueZ(FakeBus):
    """BlueZ on a bus of its own. A peripheral that is added advertises while somebody scans."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.objects: dict[str, Interfaces] = {}
        self.peripherals: list[Peripheral] = []
        self.scanners: list[str] = []
        self.running = True

    # What a test does; through ``run``.

    def add_adapter(self, name: str = "hci0", *, powered: bool = True) -> None:
        properties = {
            "Address": Variant("s", "00:00:00:00:00:01"),
            "Powered": Variant("b", powered),
            "Roles": Variant("as", ["central"]),
        }
        self._add(f"/org/bluez/{name}", {ADAPTER: properties})

    def remove_adapter(self, name: str = "hci0", *, told: bool = True) -> None:
        """Pull it out. ``told``: that its devices disconnected is said first; BlueZ does not always."""
        for peripheral in self.peripherals:
            if peripheral.connected and told:
                self.drop(peripheral)
            peripheral.connected = False
        for path in sorted(self.objects, reverse=True):
            if path.startswith(f"/org/bluez/{name}"):
                self._remove(path)

    def notify(self, peripheral: Peripheral, uuid: str, data: bytes) -> None:
        """One notification: one signal, if anybody asked for it."""
        if peripheral.listeners.get(uuid):
            path = self._paths(peripheral)[uuid]
            self._change(path, CHARACTERISTIC, {"Value": Variant("ay", data)})

    def connect(self, peripheral: Peripheral, adapter: str = "/org/bluez/hci0") -> None:
        """Connect it: what a client asks for, or what one that was killed has left behind."""
        path = _device_path(peripheral, adapter)
        if path not in self.objects:
            self._add(path, {DEVICE: _device(peripheral, adapter)})
        peripheral.connected = True
        peripheral.connections += 1
        uuids = Variant("as", [*peripheral.services, "00001801-0000-1000-8000-00805f9b34fb"])
        self._change(path, DEVICE, {"Connected": Variant("b", True), "UUIDs": uuids})
        self._add_services(peripheral)
        self._change(path, DEVICE, {"ServicesResolved": Variant("b", True)})

    def drop(self, peripheral: Peripheral) -> None:
        """The connection is lost."""
        peripheral.connected = False
        peripheral.listeners.clear()
        path = self._path(peripheral)
        self._change(path, DEVICE, {"ServicesResolved": Variant("b", False)})
        for below in sorted(self.objects, reverse=True):
            if below.startswith(f"{path}/"):
                self._remove(below)
        self._change(path, DEVICE, {"Connected": Variant("b", False)})

    # What bleak asks for.

    def answer(self, client: str, message: Message) -> tuple[str, list[Any]]:
        if not self.running:
            raise DBusError("org.freedesktop.DBus.Error.ServiceUnknown", "The name is not activatable")
        if message.member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self.objects]
        if message.path not in self.objects:
            raise DBusError("org.freedesktop.DBus.Error.UnknownObject", f"no object {message.path}")
        method = getattr(self, f"_do_{message.member}", None)
        if method is None:
            raise DBusError("org.freedesktop.DBus.Error.UnknownMethod", f"{message.member} is not faked")
        method(client, message)
        return "", []

    def left(self, client: str) -> None:
        self.scanners = [one for one in self.scanners if one != client]
        for peripheral in self.peripherals:
            for clients in peripheral.listeners.values():
                clients[:] = [one for one in clients if one != client]

    def _do_SetDiscoveryFilter(self, client: str, message: Message) -> None:
        pass

    def _do_StartDiscovery(self, client: str, message: Message) -> None:
        assert message.path is not None
        if not self.objects[message.path][ADAPTER]["Powered"].value:
            raise DBusError(f"{BLUEZ}.Error.NotReady", "Resource Not Ready")
        self.scanners.append(client)
        self.later(ADVERTISE_S, lambda: self._advertise(message.path or ""))

    def _do_StopDiscovery(self, client: str, message: Message) -> None:
        self.scanners.remove(client)

    def _do_Connect(self, client: str, message: Message) -> None:
        peripheral = self._at(message.path)
        if not peripheral.in_range:
            raise DBusError(f"{BLUEZ}.Error.Failed", "le-connection-timeout")
        if not peripheral.connects:
            raise DBusError(f"{BLUEZ}.Error.Failed", "le-connection-refused")
        self.connect(peripheral, (message.path or "").rpartition("/")[0])

    def _do_Disconnect(self, client: str, message: Message) -> None:
        peripheral = self._at(message.path)
        if peripheral.connected:
            self.drop(peripheral)

    def _do_StartNotify(self, client: str, message: Message) -> None:
        peripheral, uuid = self._characteristic(message.path)
        clients = peripheral.listeners.setdefault(uuid, [])
        if client in clients:
            raise DBusError(f"{BLUEZ}.Error.InProgress", "In Progress")
        clients.append(client)

    def _do_WriteValue(self, client: str, message: Message) -> None:
        peripheral, uuid = self._characteristic(message.path)
        peripheral.written.append((uuid, bytes(message.body[0])))

    # The objects.

    def _advertise(self, adapter: str) -> None:
        if not self.scanners or adapter not in self.objects:
            return
        for peripheral in self.peripherals:
            if not peripheral.in_range or peripheral.connected:
                continue
            path = _device_path(peripheral, adapter)
            if path in self.objects:
                self._change(path, DEVICE, {"RSSI": Variant("n", -50)})
            else:
                self._add(path, {DEVICE: _device(peripheral, adapter)})
        self.later(ADVERTISE_S, lambda: self._advertise(adapter))

    def _add_services(self, peripheral: Peripheral) -> None:
        device = self._path(peripheral)
        handle = 0x10
        for service, characteristics in peripheral.services.items():
            path = f"{device}/service{handle:04x}"
            properties = {
                "UUID": Variant("s", service),
                "Device": Variant("o", device),
                "Primary": Variant("b", True),
            }
            self._add(path, {SERVICE: properties})
            for uuid, flags in characteristics.items():
                handle += 1
                properties = {
                    "UUID": Variant("s", uuid),
                    "Service": Variant("o", path),
                    "Flags": Variant("as", flags),
                    "MTU": Variant("q", peripheral.mtu),
                }
                self._add(f"{path}/char{handle:04x}", {CHARACTERISTIC: properties})
            handle += 0x10

    def _add(self, path: str, interfaces: Interfaces) -> None:
        self.objects[path] = interfaces
        self.emit("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, interfaces])

    def _remove(self, path: str) -> None:
        interfaces = self.objects.pop(path)
        self.emit("/", OBJECTS, "InterfacesRemoved", "oas", [path, list(interfaces)])

    def _change(self, path: str, interface: str, changed: dict[str, Variant]) -> None:
        self.objects[path][interface] |= changed
        self.emit(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, []])

    def _path(self, peripheral: Peripheral) -> str:
        return next(path for path in self.objects if path.endswith(_device_path(peripheral, "")))

    def _paths(self, peripheral: Peripheral) -> dict[str, str]:
        """The characteristics' paths."""
        found = {
            path: one for path, one in self.objects.items() if path.startswith(f"{self._path(peripheral)}/")
        }
        return {
            one[CHARACTERISTIC]["UUID"].value: path for path, one in found.items() if CHARACTERISTIC in one
        }

    def _at(self, path: str | None) -> Peripheral:
        """The peripheral at a device's path or one below it."""
        assert path is not None
        address = path.split("/")[4].removeprefix("dev_").replace("_", ":")
        return next(one for one in self.peripherals if one.address == address)

    def _characteristic(self, path: str | None) -> tuple[Peripheral, str]:
        assert path is not None
        return self._at(path), self.objects[path][CHARACTERISTIC]["UUID"].value


def _device_path(peripheral: Peripheral, adapter: str) -> str:
    return f"{adapter}/dev_{peripheral.address.replace(':', '_')}"


def _device(peripheral: Peripheral, adapter: str) -> dict[str, Variant]:
    properties = {
        "Address": Variant("s", peripheral.address),
        "Alias": Variant("s", peripheral.name or peripheral.address.replace(":", "-")),
        "Adapter": Variant("o", adapter),
        "Connected": Variant("b", False),
        "Paired": Variant("b", False),
        "ServicesResolved": Variant("b", False),
        "UUIDs": Variant("as", list(peripheral.services)),
        "RSSI": Variant("n", -50),
    }
    return properties | ({"Name": Variant("s", peripheral.name)} if peripheral.name else {})
