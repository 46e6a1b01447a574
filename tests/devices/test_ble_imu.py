"""Bluetooth IMUs at their byte border: the real bleak, talking to a BlueZ that the test plays."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_bus import MemoryBus, MemorySubscriber
from pydantic import ValidationError
from ruamel.yaml import YAML

from mobind_live.devices.bluetooth.profiles import profiles, recognize
from mobind_live.driver import Context, DeviceError, ImuReading
from mobind_live.drivers import ble_imu
from mobind_live.drivers.ble_imu import Config, Driver, discover
from mobind_live.runtime import serve
from mobind_live.schema import Health, Imu, Message

if sys.platform != "linux":
    pytest.skip("BlueZ is Linux's", allow_module_level=True)

import bleak.backends.bluezdbus.manager as bleak_manager
from fake_bluez import FakeBlueZ, Peripheral

from mobind_live.devices.bluetooth import link as ble_link

SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
WRITE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
G = 9.80665


@pytest.fixture
def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBlueZ]:
    """A BlueZ with one adapter, which bleak takes for the system's, and devices that no other test has."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with FakeBlueZ(tmp_path) as fake:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", fake.address)
        fake.run(fake.add_adapter)
        yield fake
        close_bleak()


def close_bleak() -> None:
    """bleak keeps a manager for each event loop that there was, and closes the last one only at exit."""
    for manager in bleak_manager._global_instances.values():
        with contextlib.suppress(RuntimeError):
            if manager._bus is not None:
                manager._bus._finalize(None)
    bleak_manager._global_instances.clear()


def add(bluez: FakeBlueZ, last: int = 1, name: str | None = "IMU", **more: Any) -> Peripheral:
    services = {SERVICE: {NOTIFY: ["notify"], WRITE: ["write", "write-without-response"]}}
    peripheral = Peripheral(f"C0:FF:EE:00:00:{last:02X}", name, services, **more)
    bluez.peripherals.append(peripheral)
    return peripheral


def config(**more: Any) -> Config:
    section = {
        "driver": "ble_imu",
        "address": "c0:ff:ee:00:00:01",
        "profile": "six_samples",
        "notify": NOTIFY,
    }
    section |= more
    return Config.model_validate({key: value for key, value in section.items() if value is not None})


def driver(**more: Any) -> Driver:
    return Driver(config(**more), Context(name="wrist", epoch_ns=0))


def packet(first: int) -> bytes:
    """Six samples of 20 ms, the first at 20 ms times ``first``."""
    return b"".join(struct.pack("<I6f", 20 * i, 0, 0, 1, 180, 0, i / 10) for i in range(first, first + 6))


def read_until(open_driver: Driver, samples: int) -> list[ImuReading]:
    readings: list[ImuReading] = []
    while sum(len(reading.received_ns) for reading in readings) < samples:
        readings += open_driver.read()
    return readings


def heard(subscriber: MemorySubscriber) -> Iterator[Message]:
    """What was sent, for as long as somebody asks."""
    while True:
        yield from (received.message for received in subscriber.poll(0))
        time.sleep(0.005)


def stamps_ms(readings: list[ImuReading]) -> list[int]:
    return [int(ns) // 1_000_000 for one in readings if one.device_ns is not None for ns in one.device_ns]


def test_packets_become_samples_with_the_devices_stamps(bluez: FakeBlueZ) -> None:
    imu = add(bluez)

    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        bluez.run(bluez.notify, imu, NOTIFY, packet(6))
        readings = read_until(opened, 12)

    assert stamps_ms(readings) == [20 * i for i in range(12)]
    np.testing.assert_allclose(readings[0].acc_m_s2[0], [0, 0, G], rtol=1e-6)
    np.testing.assert_allclose(readings[0].gyro_rad_s[0], [np.pi, 0, 0], rtol=1e-6)
    assert all(len(one.received_ns) == len(one.acc_m_s2) for one in readings)
    assert not imu.connected


def test_a_device_is_found_by_its_name(bluez: FakeBlueZ) -> None:
    add(bluez, 1, "other")
    wanted = add(bluez, 2, "mine")

    with driver(address=None, name="mine"):
        assert wanted.connected


def test_start_commands_are_written_once_somebody_listens(bluez: FakeBlueZ) -> None:
    imu = add(bluez)
    heard_by: list[int] = []
    write = bluez._do_WriteValue

    def wrapped(client: str, message: Any) -> None:
        heard_by.append(len(imu.listeners.get(NOTIFY, ())))
        write(client, message)

    bluez._do_WriteValue = wrapped
    commands = [{"characteristic": WRITE, "bytes": "ff aa 01"}, {"characteristic": WRITE, "bytes": "02"}]

    with driver(start=commands):
        assert imu.written == [(WRITE, b"\xff\xaa\x01"), (WRITE, b"\x02")]
        assert heard_by == [1, 1]


def test_a_lost_device_is_one_line_and_after_it_each_packet_comes_once(bluez: FakeBlueZ) -> None:
    imu = add(bluez)

    for again in range(3):
        with driver() as opened:
            assert len(imu.listeners[NOTIFY]) == 1
            bluez.run(bluez.notify, imu, NOTIFY, packet(0))
            bluez.run(bluez.notify, imu, NOTIFY, packet(6))
            assert stamps_ms(read_until(opened, 12)) == [20 * i for i in range(12)]
            bluez.run(bluez.drop, imu)
            with pytest.raises(DeviceError, match="was lost: out of range"):
                read_until(opened, 1)
        assert imu.connections == again + 1


def test_what_came_before_the_loss_is_not_lost(bluez: FakeBlueZ) -> None:
    imu = add(bluez)

    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        bluez.run(bluez.drop, imu)
        assert len(stamps_ms(read_until(opened, 6))) == 6
        with pytest.raises(DeviceError, match="was lost"):
            read_until(opened, 1)


def test_the_loop_finds_a_device_again_for_as_long_as_it_takes(
    bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_link, "FIND_S", 0.3)
    monkeypatch.setattr(serve, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(serve, "RETRY_LAST_S", 0.01)
    imu = add(bluez, in_range=False)
    bus, stop = MemoryBus(), threading.Event()
    messages = heard(bus.subscriber())
    service = serve.Service(Driver, config(), Context(name="wrist", epoch_ns=0), bus.publisher(), stop)
    loop = threading.Thread(target=service.run)
    loop.start()

    def wait_for(what: Callable[[Message], bool]) -> Message:
        return next(one for one in messages if what(one))

    wait_for(lambda one: isinstance(one, Health) and "not in range" in one.detail)
    imu.in_range = True
    for again in range(3):
        wait_for(lambda one: isinstance(one, Health) and one.state == "running")
        bluez.run(bluez.notify, imu, NOTIFY, packet(6 * again))
        samples = wait_for(lambda one: isinstance(one, Imu))
        assert isinstance(samples, Imu)
        assert (samples.device_ns // 20_000_000).tolist() == list(range(6 * again, 6 * again + 6))
        bluez.run(bluez.drop, imu)
        wait_for(lambda one: isinstance(one, Health) and "was lost" in one.detail)
    stop.set()
    loop.join()


def test_two_devices_at_once(bluez: FakeBlueZ) -> None:
    imus = [add(bluez, 1), add(bluez, 2)]

    with ExitStack() as stack:
        opened = [stack.enter_context(driver(address=imu.address)) for imu in imus]
        for i, imu in enumerate(imus):
            bluez.run(bluez.notify, imu, NOTIFY, packet(10 * i))
        found = [stamps_ms(read_until(one, 6)) for one in opened]
        bluez.run(bluez.drop, imus[0])
        with pytest.raises(DeviceError, match="EE:00:00:01 was lost"):
            read_until(opened[0], 1)
        bluez.run(bluez.notify, imus[1], NOTIFY, packet(16))
        assert len(read_until(opened[1], 6)) == 1

    assert found == [[20 * i for i in range(first, first + 6)] for first in (0, 10)]


def test_two_devices_that_are_opened_at_the_same_time(bluez: FakeBlueZ) -> None:
    imus = [add(bluez, 1), add(bluez, 2)]
    found: dict[str, int] = {}

    def serve(imu: Peripheral) -> None:
        with driver(address=imu.address) as opened:
            bluez.run(bluez.notify, imu, NOTIFY, packet(0))
            found[imu.address] = len(stamps_ms(read_until(opened, 6)))

    threads = [threading.Thread(target=serve, args=(imu,)) for imu in imus]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {imu.address: 6 for imu in imus}


@pytest.mark.parametrize(("first", "second"), [("address", "name"), ("name", "address"), ("name", "name")])
def test_a_device_that_is_served_is_taken_by_nobody_else_by_whatever_it_is_called(
    bluez: FakeBlueZ, first: str, second: str
) -> None:
    imu = add(bluez, 1, "mine")
    called = {"address": {}, "name": {"address": None, "name": "mine"}}

    with driver(**called[first]) as opened:
        with pytest.raises(DeviceError, match=r"is served already, .* its own `address`$"):
            driver(**called[second]).__enter__()
        assert imu.connected
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        assert len(stamps_ms(read_until(opened, 6))) == 6
    with driver(**called[second]):
        assert imu.connections == 2


def test_a_device_is_free_once_the_process_that_served_it_was_killed(bluez: FakeBlueZ) -> None:
    add(bluez)
    code = (
        "import sys; from mobind_live.devices.bluetooth.claim import claim; print(claim(sys.argv[1]) is None)"
    )
    folder = {"TMPDIR": tempfile.gettempdir()}
    other = subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.stdout.flush(); sys.stdin.read()", "c0:ff:ee:00:00:01"],
        env=os.environ | folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"False\n"
        with pytest.raises(DeviceError, match="c0:ff:ee:00:00:01 is served already"):
            driver().__enter__()
        other.kill()
    with driver():
        pass


def test_a_device_that_cannot_be_marked_as_in_use_is_one_line(bluez: FakeBlueZ, tmp_path: Path) -> None:
    add(bluez)
    (tmp_path / "mobind-live-ble-C0-FF-EE-00-00-01.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DeviceError, match=r"cannot be marked as in use \(.*00-01\.lock\); free that path$"):
        driver().__enter__()
    assert not (tmp_path / "elsewhere").exists()


def test_an_adapter_that_is_pulled_out_and_comes_back(bluez: FakeBlueZ) -> None:
    imu = add(bluez)

    with driver() as opened:
        bluez.run(bluez.remove_adapter)
        with pytest.raises(DeviceError, match="was lost"):
            read_until(opened, 1)
    with pytest.raises(DeviceError, match="No Bluetooth adapters found"), driver():
        pass
    bluez.run(bluez.add_adapter)
    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        assert len(stamps_ms(read_until(opened, 6))) == 6


def test_an_adapter_that_goes_without_a_word_is_noticed_by_the_silence(
    bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_imu, "SILENT_S", 0.2)
    add(bluez)

    with driver() as opened:
        bluez.run(lambda: bluez.remove_adapter(told=False))
        with pytest.raises(DeviceError, match="is connected but sends nothing"):
            read_until(opened, 1)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda bluez: None, "c0:ff:ee:00:00:01 is not in range or does not advertise"),
        (lambda bluez: bluez.run(bluez.remove_adapter), "No Bluetooth adapters found"),
        (lambda bluez: setattr(bluez, "running", False), r"BlueZ does not run \(systemctl start bluetooth\)"),
        (lambda bluez: add(bluez, connects=False), "le-connection-refused"),
    ],
)
def test_what_is_not_there_is_one_line(
    bluez: FakeBlueZ,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[FakeBlueZ], object],
    says: str,
) -> None:
    monkeypatch.setattr(ble_link, "FIND_S", 0.3)
    break_it(bluez)

    with pytest.raises(DeviceError, match=says) as caught, driver():
        pass

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ("StartDiscovery", "remove_adapter"),
        ("StopDiscovery", "remove_adapter"),
        ("Connect", "drop"),
        ("Connect", "remove_adapter"),
        ("StartNotify", "drop"),
        ("StartNotify", "remove_adapter"),
        ("StartNotify", "cut"),
        ("WriteValue", "drop"),
        ("Connect", "cut"),
        ("StartDiscovery", "cut"),
    ],
)
def test_what_goes_away_while_it_is_opened_is_one_line_and_the_next_time_is_right(
    bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch, asked: str, then: str
) -> None:
    monkeypatch.setattr(ble_link, "FIND_S", 1.0)
    imu = add(bluez)
    start = [{"characteristic": WRITE, "bytes": "01"}]
    plain = getattr(bluez, f"_do_{asked}")

    def gone(client: str, message: Any) -> None:
        setattr(bluez, f"_do_{asked}", plain)
        plain(client, message)
        getattr(bluez, then)(*([imu] if then == "drop" else []))

    setattr(bluez, f"_do_{asked}", gone)

    with pytest.raises(DeviceError) as caught, driver(start=start) as opened:
        read_until(opened, 1)
    assert "\n" not in str(caught.value)
    if then == "remove_adapter":
        bluez.run(bluez.add_adapter)
    with driver(start=start) as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        assert len(stamps_ms(read_until(opened, 6))) == 6


def test_an_adapter_that_is_switched_off_is_named(bluez: FakeBlueZ) -> None:
    bluez.run(bluez.remove_adapter)
    bluez.run(lambda: bluez.add_adapter(powered=False))

    with pytest.raises(DeviceError, match="No powered Bluetooth adapters"), driver():
        pass


def test_an_adapter_that_is_named_is_used(bluez: FakeBlueZ) -> None:
    bluez.run(lambda: bluez.add_adapter("hci1"))
    imu = add(bluez)

    with driver(adapter="hci1"):
        assert bluez.run(bluez._path, imu).startswith("/org/bluez/hci1/")
    with pytest.raises(DeviceError, match="hci7"), driver(adapter="hci7"):
        pass


def test_without_a_bus_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")

    with pytest.raises(DeviceError, match="no D-Bus to reach Bluetooth by"), driver():
        pass

    close_bleak()


def test_a_bus_that_is_restarted_is_a_lost_device(bluez: FakeBlueZ) -> None:
    imu = add(bluez)

    with driver() as opened:
        bluez.run(bluez.cut)
        with pytest.raises(DeviceError, match="was lost"):
            read_until(opened, 1)
    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        assert len(stamps_ms(read_until(opened, 6))) == 6


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"notify": "ffe4"}, f"no characteristic ffe4; those that notify: {NOTIFY}"),
        ({"notify": WRITE}, f"{WRITE} cannot notify; those that notify: {NOTIFY}"),
        ({"service": "180d"}, f"no service 180d; it has: {SERVICE}"),
        ({"start": [{"characteristic": "ffe9", "bytes": "00"}]}, "no characteristic ffe9"),
    ],
)
def test_a_wrong_characteristic_is_named_with_those_there_are(
    bluez: FakeBlueZ, more: dict[str, Any], says: str
) -> None:
    imu = add(bluez)

    with pytest.raises(DeviceError, match=says), driver(**more):
        pass

    assert not imu.connected


def test_a_device_that_a_killed_process_left_connected_is_taken_over(bluez: FakeBlueZ) -> None:
    imu = add(bluez)
    bluez.run(bluez.connect, imu)

    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0))
        assert len(stamps_ms(read_until(opened, 6))) == 6

    assert imu.connections == 1


def test_packets_that_the_link_cuts_are_explained(bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble_imu, "SILENT_S", 0.2)
    imu = add(bluez, mtu=23)

    with driver() as opened:
        bluez.run(bluez.notify, imu, NOTIFY, packet(0)[:20])
        with pytest.raises(DeviceError, match=r"168 bytes do not fit its MTU of 23.*20 bytes, expected 168"):
            read_until(opened, 1)
        assert opened.counters.values == {"bad_packets": 1}


def test_packets_of_another_kind_are_no_error_but_not_enough(
    bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_imu, "SILENT_S", 0.2)
    imu = add(bluez)
    form = {"sample": {"format": "<xx6h", "fields": ["ax", "ay", "az", "gx", "gy", "gz"]}, "begins": "55 61"}

    with driver(profile=None, packet=form) as opened:
        bluez.run(bluez.notify, imu, NOTIFY, b"\x55\x71" + bytes(12))
        with pytest.raises(DeviceError, match="does not begin with 55 61: 55 71 00"):
            read_until(opened, 1)
        assert opened.counters.values == {"other_packets": 1}


def test_a_profile_that_nobody_verified_says_so_once(
    bluez: FakeBlueZ, caplog: pytest.LogCaptureFixture
) -> None:
    ble_imu._announce.cache_clear()
    section = profiles()["witmotion"].section
    notify, writes = section["notify"], [one["characteristic"] for one in section["start"]]
    imu = Peripheral("C0:FF:EE:00:00:01", "WT901BLE68", {SERVICE: {notify: ["notify"], writes[0]: ["write"]}})
    bluez.peripherals.append(imu)

    for _ in range(2):
        with driver(profile="witmotion", notify=None) as opened:
            bluez.run(bluez.notify, imu, notify, b"\x55\x61" + struct.pack("<9h", 2048, *[0] * 8))
            (one,) = read_until(opened, 1)

    np.testing.assert_allclose(one.acc_m_s2, [[G, 0, 0]], rtol=1e-6)
    assert one.device_ns is None
    assert imu.written == 2 * [(writes[0], bytes.fromhex(one["bytes"])) for one in section["start"]]
    assert len([one for one in caplog.messages if "profile witmotion is unverified" in one]) == 1


def test_devices_that_advertise_are_listed_ready_to_paste(
    bluez: FakeBlueZ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble_link, "LISTEN_S", 0.5)
    add(bluez, 1, "A board")
    add(bluez, 2, None)
    bluez.peripherals.append(Peripheral("C0:FF:EE:00:00:03", "Xsens DOT", {}))

    known, unknown = discover()

    assert (known.name, known.yaml["profile"]) == ("Xsens_DOT", "xsens_dot")
    Config.model_validate(known.yaml)
    assert (unknown.name, unknown.yaml) == ("A_board", {})
    assert "-50 dBm" in unknown.about


def test_without_an_adapter_there_is_nothing_to_list(bluez: FakeBlueZ) -> None:
    bluez.run(bluez.remove_adapter)

    with pytest.raises(DeviceError, match="No Bluetooth adapters"):
        discover()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"address": None}, "address or name: say one"),
        ({"name": "IMU"}, "address or name: say one"),
        ({"profile": None}, "profile or packet: say one"),
        ({"profile": "witmotoin"}, "no profile 'witmotoin'; there are: six_samples, witmotion"),
        ({"notify": None}, "say which characteristic"),
        ({"notify": "12"}, "'12' is no UUID"),
        ({"start": [{"characteristic": WRITE, "bytes": "0x1"}]}, "is not bytes in hex"),
        ({"axes": ["x", "y", "-z"]}, "mirror the frame"),
    ],
)
def test_a_wrong_section_is_explained(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**more)


def test_what_the_section_says_goes_before_the_profile() -> None:
    plain = config(profile="xsens_dot", notify=None)
    said = config(profile="xsens_dot", notify=None, nominal_hz=30, start=[])

    assert (plain.nominal_hz, len(plain.start)) == (60, 1)
    assert (said.nominal_hz, said.start, said.notify) == (30, (), plain.notify)


@pytest.mark.parametrize("name", profiles())
def test_each_profile_is_a_whole_section(name: str) -> None:
    own = {} if "notify" in profiles()[name].section else {"notify": NOTIFY}

    assert Config.model_validate({"driver": "ble_imu", "name": "x", "profile": name, **own}).streams("x")


def test_the_sections_in_the_docs_are_right(root: Path) -> None:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", (root / "docs/devices.md").read_text(), re.DOTALL | re.MULTILINE
    )
    sections = [
        one for block in blocks for one in YAML(typ="safe").load(block).values() if isinstance(one, dict)
    ]
    own = [Config.model_validate(one) for one in sections if one.get("driver") == "ble_imu"]

    assert [one.packet.clocked for one in own] == [False, True]


def test_a_device_with_stamps_has_its_own_clock_and_one_without_is_dejittered() -> None:
    assert config().streams("wrist")[0].clock == "device"
    (spec,) = config(profile="witmotion", notify=None, wears="chest").streams("wrist")
    assert (spec.clock, spec.nominal_hz, spec.wears) == ("arrival", 50, "chest")


def test_profiles_are_recognized_by_name_or_service() -> None:
    service = profiles()["movesense"].service
    assert recognize("Movesense 1234", ()) == recognize(None, (service or "",)) == "movesense"
    assert recognize("WT901BLE68", ()) == "witmotion"
    assert recognize("Movella DOT", ()) == "xsens_dot"
    assert recognize("phone", ("180f",)) is None
    assert recognize(None, ()) is None
