"""A serial IMU, at its byte border: a pseudo-terminal, and the parser fed with anything."""

from __future__ import annotations

import os
import socket
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_bus import MemoryBus
from pydantic import ValidationError
from serial.tools.list_ports_common import ListPortInfo
from serial_devices import DEVICES, FIELDS, RECORD, Device, config

from mobind_live.clock import host_now_ns
from mobind_live.config import ConfigError, load
from mobind_live.devices.samples.limits import HeaderError
from mobind_live.devices.samples.names import MOTION
from mobind_live.devices.samples.readings import Parser, Sample
from mobind_live.devices.serial.frames import LINE_BYTES
from mobind_live.driver import Context, DeviceError, ImuReading, OtherDevice
from mobind_live.drivers import serial_imu
from mobind_live.drivers.serial_imu import Config, Driver, reading
from mobind_live.runtime.serve import Factory, Service
from mobind_live.schema import Health, Imu

G = 9.80665
ONE = {"format": RECORD, "fields": FIELDS}
START = b"cut off here\n"  # the first line is never trusted


def new(config: Config) -> Parser:
    return config.parser()


def line(i: int) -> bytes:
    return f"{i * 10},0.1,0.2,{i / 1000:.3f},1,2,3\n".encode()


def feed(parser: Parser, *chunks: bytes) -> list[Sample]:
    return [sample for at, chunk in enumerate(chunks) for sample in parser.feed(chunk, at)]


def parsed(parser: Parser, *chunks: bytes) -> list[Sample]:
    return feed(parser, START, *chunks)


def test_the_time_columns_name_or_the_section_gives_the_unit():
    assert config(columns=["t_us", "ax", "ay", "az", "gx", "gy", "gz"]).tick_ns == 1_000
    assert config(time="s").tick_ns == 1_000_000_000


def test_lines_become_samples_in_si_units():
    (sample,) = parsed(new(config()), b"120,1,0,-1,180,0,-90\r\n")
    np.testing.assert_allclose(sample.motion, [G, 0, -G, np.pi, 0, -np.pi / 2], rtol=1e-6)
    assert sample.device_ns == 120_000_000


def test_axes_are_turned_for_both_sensors():
    (sample,) = parsed(new(config(axes=["x", "-z", "y"], acc="m/s2", gyro="rad/s")), b"0,1,2,3,4,5,6\n")
    np.testing.assert_array_equal(sample.motion, [1, -3, 2, 4, -6, 5])


@given(cuts=st.lists(st.integers(0, 2000), max_size=60))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]):
    stream = b"".join(line(i) for i in range(60))
    edges = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    parser = new(config())
    samples = parsed(parser, *(stream[a:b] for a, b in pairwise(edges)))
    assert [sample.device_ns for sample in samples] == [i * 10_000_000 for i in range(60)]
    assert parser.bad == 0


@given(chunks=st.lists(st.binary(max_size=300), max_size=20))
def test_garbage_is_never_fatal_and_good_lines_after_it_are_read(chunks: list[bytes]):
    parser = new(config())
    feed(parser, *chunks)
    samples = parser.feed(b"\n" + line(1) + line(2), 9)
    assert [sample.device_ns for sample in samples][-2:] == [10_000_000, 20_000_000] or len(samples) == 1


@given(chunks=st.lists(st.one_of(st.binary(max_size=60), st.text().map(str.encode)), max_size=20))
def test_json_garbage_is_never_fatal(chunks: list[bytes]):
    parser = new(config(format="json"))
    feed(parser, *(chunk + b"\n" for chunk in chunks))
    good = b'\n{"t_ms": 5, "ax": 1, "ay": 0, "az": 0, "gx": 0, "gy": 0, "gz": 0}\n'
    assert feed(parser, good, good)[-1].device_ns == 5_000_000


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"1,2,3\n", "3 values, expected 7"),
        (b"1,2,3,4,5,6,7,8\n", "8 values"),
        (b"1,2,x3,4,5,6,7\n", "'x3' is not a number"),
        (b"1,2,nan,4,5,6,7\n", "'nan' is not a number"),
        (b"1,2,1e9,4,5,6,7\n", "beyond what a sensor can measure"),
        (b"1e30,2,3,4,5,6,7\n", "time is out of range"),
        (b"1,2,\xff3,4,5,6,7\n", "is not a number"),
        (b"9" * (LINE_BYTES + 1) + b"\n", "longer than"),
    ],
)
def test_a_bad_line_is_counted_and_named(bad: bytes, says: str):
    parser = new(config())
    samples = parsed(parser, line(1), bad, line(2))
    assert len(samples) == 2
    assert parser.bad == 1
    assert says in parser.last_bad


def test_a_flood_without_an_end_of_line_takes_no_memory_and_is_one_bad_line():
    parser = new(config())
    samples = parsed(parser, *([b"7" * 1000] * 500), b"\n", line(3))
    assert len(samples) == 1
    assert parser.bad == 1


def test_a_header_line_sets_the_order():
    header = b"GyroX,GyroY,GyroZ,battery,AccelX,AccelY,AccelZ,Millis\n"
    for first in (b"", START):  # also as the very first line
        parser = new(config(acc="m/s2", gyro="rad/s"))
        (sample,) = feed(parser, first, header, b"4,5,6,99,1,2,3,70\n")
        np.testing.assert_array_equal(sample.motion, [1, 2, 3, 4, 5, 6])
        assert sample.device_ns == 70_000_000
        assert parser.bad == 0


@pytest.mark.parametrize(
    ("more", "chunks"),
    [
        ({}, [b"t_us,ax,ay,az,gx,gy,gz\n", b"70000,1,2,3,4,5,6\n"]),
        ({}, [b"time (s),ax,ay,az,gx,gy,gz\n", b"0.07,1,2,3,4,5,6\n"]),
        ({"format": "key_value"}, [b"t_us=70000 ax=1 ay=2 az=3 gx=4 gy=5 gz=6\n"]),
        ({"format": "json"}, [b'{"t_s": 0.07, "acc": [1, 2, 3], "gyro": [4, 5, 6]}\n']),
        ({"time": "us"}, [b"t_ms,ax,ay,az,gx,gy,gz\n", b"70000,1,2,3,4,5,6\n"]),
    ],
)
def test_the_devices_own_names_say_the_unit_of_its_time_unless_the_yaml_does(
    more: dict[str, str], chunks: list[bytes]
):
    (sample,) = parsed(new(config(**more)), *chunks)
    assert sample.device_ns == 70_000_000


def test_a_stamp_in_nanoseconds_since_1970_is_a_number():
    given = b'{"t": 1795000000070000000, "acc": [1, 2, 3], "gyro": [4, 5, 6]}\n'
    (sample,) = parsed(new(config(format="json", time="ns")), given)
    assert sample.device_ns == pytest.approx(1_795_000_000_070_000_000, abs=1_000)


def test_a_header_without_the_time_that_the_yaml_promises_is_an_error():
    with pytest.raises(HeaderError, match="no time column"):
        feed(new(config()), START, b"ax,ay,az,gx,gy,gz\n")


def test_a_header_that_was_cut_off_where_the_port_was_opened_is_none():
    assert len(feed(new(config()), b"s,ax,ay,az,gx,gy,gz\n", line(1))) == 1


ROW = b"70,1,2,3,4,5,6\n"
NAMED = "ax_mps2=1 ay_mps2=2 az_mps2=3 gx_rad/s=4 gy_rad/s=5 gz_rad/s=6\n"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, b"t_ms,ax (m/s^2),ay (m/s^2),az (m/s^2),gx (rad/s),gy (rad/s),gz (rad/s)\n" + ROW),
        ({}, b"t_ms,AccelX [m/s2],ay_mps2,az [m/s2],gx [rad/sec],gy_rad/s,gz [rad/s]\n" + ROW),
        ({}, "t_ms,ax (m/s²),ay (m/s²),az (m/s²),gx (rad/s),gy (rad/s),gz (rad/s)\n".encode() + ROW),
        ({"format": "key_value"}, f"temp=25°C t=70 {NAMED}".encode()),
        ({"columns": ("t_ms", *(f"a{a}_mps2" for a in "xyz"), *(f"g{a} (rad/s)" for a in "xyz"))}, ROW),
        ({"acc": "m/s2", "gyro": "rad/s"}, b"t_ms,ax (g),ay (g),az (g),gx (dps),gy (dps),gz (dps)\n" + ROW),
    ],
)
def test_the_devices_own_names_say_the_units_of_its_values_unless_the_yaml_does(
    more: dict[str, Any], text: bytes
):
    (sample,) = parsed(new(config(**more)), text)
    np.testing.assert_allclose(sample.motion, [1, 2, 3, 4, 5, 6], rtol=1e-6)


def test_a_scale_is_in_the_yamls_units_whatever_the_header_says():
    header = b"t_ms,ax (m/s2),ay (m/s2),az (m/s2),gx,gy,gz\n"
    (sample,) = parsed(new(config(scale={"acc": 0.001})), header, b"70,0,0,1000,0,0,0\n")
    np.testing.assert_allclose(sample.motion[2], 9.80665)


TWO = "t_ms,ax1,ay1,az1,gx1,gy1,gz1,ax2,ay2,az2,gx2,gy2,gz2"
BOTH = b"70,1,2,3,4,5,6,10,20,30,40,50,60\n"


def test_of_two_sensors_in_one_line_the_yaml_says_which():
    header = TWO.encode() + b"\n"
    with pytest.raises(HeaderError, match="several columns are ax: ax1, ax2; name those to read"):
        feed(new(config()), START, header)
    with pytest.raises(ValueError, match="several columns are ax: ax1, ax2"):
        config(columns=tuple(TWO.split(",")))

    other = ("left",) * 6
    second = config(columns=("t_ms", *other, *MOTION), acc="m/s2", gyro="rad/s")
    (sample,) = parsed(new(second), header, BOTH)
    np.testing.assert_array_equal(sample.motion, [10, 20, 30, 40, 50, 60])

    parser = new(config(format="json"))
    assert not parsed(parser, b'{"t": 1, "ax1": 1, "ax2": 2, "ay": 1, "az": 1, "gyro": [1, 2, 3]}\n')
    assert "twice" in parser.last_bad


def test_where_a_counter_wraps_its_unit_is_the_yamls():
    with pytest.raises(HeaderError, match="t_us is in us: say `time: us`, in which time_bits count"):
        feed(new(config(time_bits=32)), START, b"t_us,ax,ay,az,gx,gy,gz\n")


@pytest.mark.parametrize(
    "text",
    [
        '{"t_ms": 20, "ax": 1, "ay": 2, "az": 3, "gx": 4, "gy": 5, "gz": 6, "name": "a"}',
        '{"t": 20, "acc": [1, 2, 3], "gyro": [4, 5, 6], "mag": [0, 0]}',
    ],
)
def test_json_lines(text: str):
    (sample,) = parsed(new(config(format="json", acc="m/s2", gyro="rad/s")), text.encode() + b"\n")
    np.testing.assert_array_equal(sample.motion, [1, 2, 3, 4, 5, 6])
    assert sample.device_ns == 20_000_000


def test_json_that_lacks_a_value_is_bad():
    parser = new(config(format="json"))
    assert parsed(parser, b'{"t": 1, "ax": 1}\n', b"[1]\n", b"{\n") == []
    assert parser.bad == 3


def test_a_counter_that_wraps_around_goes_on():
    parser = new(config(time_bits=8))
    samples = parsed(parser, *(f"{tick},0,0,1,0,0,0\n".encode() for tick in (240, 250, 4, 14, 100, 200, 3)))
    assert [s.device_ns for s in samples] == [t * 1_000_000 for t in (240, 250, 260, 270, 356, 456, 515)]


def test_without_a_time_column_arrivals_count():
    plain = config(columns=["ax", "ay", "az", "gx", "gy", "gz"])
    assert plain.streams("wrist")[0].clock == "arrival"
    assert config().streams("wrist")[0].clock == "device"
    samples = parsed(new(plain), b"1,2,3,4,5,6\n")
    assert reading("wrist", samples).device_ns is None


def test_a_quaternion_is_passed_on():
    columns = ["t", "ax", "ay", "az", "gx", "gy", "gz", "qw", "qx", "qy", "qz"]
    samples = parsed(new(config(columns=columns)), b"0,1,2,3,4,5,6,1,0,0,0\n")
    quaternion = reading("wrist", samples).quaternion
    assert quaternion is not None
    np.testing.assert_array_equal(quaternion, [[1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"columns": ["t", "ax", "ay"]}, "missing: az, gx, gy, gz"),
        ({"axes": ["x", "y", "-z"]}, "mirror"),
        ({"time_bits": 3}, "greater than or equal to 8"),
        ({"angles": ["z", "y", "y"]}, "x, y and z, each once"),
        ({"scale": {"mag": 2}}, "'mag' is none of acc, gyro, quat, t"),
        ({"format": "json", "tag": "I"}, "tag is for format: csv"),
        ({"format": "binary"}, "frame is missing"),
        ({"frame": {"by": "slip"}}, "record .* or packet .* is needed"),
        ({"profile": "wt901", "format": "csv"}, "are for format: binary, not csv"),
        ({"frame": {"by": "slip"}, "record": ONE | {"fields": FIELDS[:6]}}, "7 values, but 6 are named"),
        (
            {"frame": {"header": "AA", "length": 16}, "record": ONE | {"format": "<xI6h"}},
            "17 bytes, .* of 16;",
        ),
    ],
)
def test_a_wrong_section_is_refused(wrong: dict[str, object], says: str):
    with pytest.raises(ValidationError, match=says):
        config(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("profile: wt902", "rig.yaml:4: devices.a.profile: no profile 'wt902'; there are: arduino_csv, "),
        ("frame: {header: 'A', length: 9}", "rig.yaml:4: devices.a.frame.header: 'A' is not bytes in hex"),
        (
            "frame: {header: AA, length: {at: 1, format: Q}}",
            "4: devices.a.frame.length.format: must be 'B', ",
        ),
        (f"record: {{format: <7z, fields: {FIELDS}}}", "4: devices.a.record: '<7z' is no struct format"),
        ("frame: {by: slip, checksum: crc9}", "did you mean crc8?"),
    ],
)
def test_the_yaml_is_told_its_file_line_and_key(write_rig: Callable[[str], Path], wrong: str, says: str):
    path = write_rig(f"devices:\n  a:\n    driver: serial_imu\n    {wrong}\n    port: /dev/ttyUSB0\n")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@dataclass
class Port:
    """A pseudo-terminal; what is sent arrives at ``port``, which may be a link, such as by-id has."""

    master: int = -1
    slave: int = -1
    port: str = ""
    link: Path | None = None

    def open(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave, termios.TCSANOW)
        self.port = os.ttyname(self.slave)
        if self.link:
            self.link.symlink_to(self.port)
            self.port = str(self.link)

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def close(self) -> None:
        if self.master < 0:
            return
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = -1
        if self.link:
            self.link.unlink()


@pytest.fixture
def device() -> Iterator[Port]:
    device = Port()
    device.open()
    yield device
    device.close()


def collect(driver: Driver, count: int, reads: int = 100) -> list[ImuReading]:
    got: list[ImuReading] = []
    for _ in range(reads):
        got.extend(driver.read())
        if sum(len(one.received_ns) for one in got) >= count:
            break
    return got


def open_driver(device: Port) -> Driver:
    return Driver(config(port=device.port), Context(name="wrist", epoch_ns=0))


def test_a_port_from_end_to_end(device: Port):
    with open_driver(device) as driver:
        device.send(START + line(1) + line(2)[:5])
        first = collect(driver, 1)
        device.send(line(2)[5:] + b"garbage\n" + line(3))
        got = first + collect(driver, 2)
    stamps = np.concatenate([one.device_ns for one in got if one.device_ns is not None])
    assert stamps.tolist() == [10_000_000, 20_000_000, 30_000_000]
    assert all(one.stream == "wrist" and one.acc_m_s2.shape == (len(one.received_ns), 3) for one in got)
    assert driver.counters.values["bad_lines"] == 1


def test_a_socket_is_not_read_byte_by_byte():
    lines = START + b"".join(map(line, range(400)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with Driver(config(port=url), Context(name="wrist", epoch_ns=0)) as driver:
            sender, _ = server.accept()
            chunks: list[int] = []
            feed = driver._parser.feed
            driver._parser.feed = lambda data, now: (chunks.append(len(data)), feed(data, now))[1]
            sender.sendall(lines)
            got = collect(driver, 400)
            sender.close()
            with pytest.raises(DeviceError, match="was lost"):
                collect(driver, 1)
    assert sum(len(one.received_ns) for one in got) == 400
    assert len([size for size in chunks if size]) < 40


def test_bad_lines_are_named_in_the_log(device: Port, caplog: pytest.LogCaptureFixture):
    with open_driver(device) as driver:
        device.send(START + b"oops\n" + b"oops\n" + line(1))
        collect(driver, 1)
    assert len(caplog.records) == 1
    assert "wrist: 2 bad lines, the last: 1 values, expected 7: b'oops'" in caplog.text


def test_a_silent_port_is_not_an_error(device: Port):
    with open_driver(device) as driver:
        assert list(driver.read()) == []


def test_a_sensor_that_falls_silent_is_a_device_error_that_says_so(
    device: Port, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(serial_imu, "SILENT_S", 0.3)
    with open_driver(device) as driver:
        device.send(START + line(1))
        collect(driver, 1)
        quiet_ns = host_now_ns()
        with pytest.raises(DeviceError, match=r"is open but sends nothing for 0\.3 s; is the sensor on"):
            collect(driver, 1)
    assert host_now_ns() - quiet_ns > 0.2e9


def test_a_board_may_say_something_and_then_calibrate_for_long_before_its_first_sample(
    device: Port, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(serial_imu, "SILENT_S", 0.0)
    monkeypatch.setattr(serial_imu, "SILENT_FIRST_S", 0.5)
    with open_driver(device) as driver:
        device.send(b"calibrating, keep still\n")
        quiet_ns = host_now_ns()
        with pytest.raises(DeviceError, match=r"sends nothing for 0\.5 s"):
            collect(driver, 1)
    assert host_now_ns() - quiet_ns > 0.4e9


def test_a_sensor_of_a_few_samples_a_minute_is_not_taken_for_silent(
    device: Port, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(serial_imu, "SILENT_S", 0.0)
    slow = config(port=device.port, nominal_hz=0.1)
    with Driver(slow, Context(name="wrist", epoch_ns=0)) as driver:
        device.send(START + line(1))
        collect(driver, 1)
        assert collect(driver, 1, reads=5) == []


def test_a_board_that_restarts_without_a_word_is_read_again_over_the_network(
    monkeypatch: pytest.MonkeyPatch,
):
    """Its end of the connection never closes: the power went. It listens again, and nobody else calls."""
    monkeypatch.setattr(serial_imu, "SILENT_S", 0.5)
    monkeypatch.setattr("mobind_live.runtime.serve.RETRY_FIRST_S", 0.01)
    bus, stop = MemoryBus(), threading.Event()
    reader = bus.subscriber()
    with socket.create_server(("127.0.0.1", 0)) as board, ExitStack() as stack:
        board.settimeout(20)
        section = config(port=f"socket://127.0.0.1:{board.getsockname()[1]}")
        service = Service(
            cast(Factory, Driver), section, Context(name="wrist", epoch_ns=0), bus.publisher(), stop
        )
        loop = threading.Thread(target=service.run)
        loop.start()
        seen: set[int] = set()
        waited: list[str] = []

        def send_until_seen(board_end: socket.socket, number: int) -> None:
            """More than once: what comes while the port is being opened is thrown away."""
            end_ns = host_now_ns() + 20_000_000_000
            while number * 10_000_000 not in seen and host_now_ns() < end_ns:
                board_end.sendall(START + line(number))
                stop.wait(0.02)
                for message in (received.message for received in reader.poll(0)):
                    if isinstance(message, Imu):
                        seen.update(message.device_ns.tolist())
                    elif isinstance(message, Health) and message.state == "waiting":
                        waited.append(message.detail)

        try:
            send_until_seen(stack.enter_context(board.accept()[0]), 1)
            send_until_seen(stack.enter_context(board.accept()[0]), 2)
        finally:
            stop.set()
            loop.join()
    assert seen == {10_000_000, 20_000_000}
    assert "sends nothing for 0.5 s" in waited[0]


def test_a_port_that_goes_away_is_a_device_error_and_can_be_opened_again(device: Port):
    with open_driver(device) as driver:
        device.send(START + line(1))
        collect(driver, 1)
        device.close()
        with pytest.raises(DeviceError, match="was lost"):
            collect(driver, 1)
    device.open()
    with open_driver(device) as driver:
        device.send(START + line(5))
        (one,) = collect(driver, 1)
    assert one.device_ns is not None
    assert one.device_ns.tolist() == [50_000_000]


def test_a_port_behind_which_another_sensor_was_plugged_in_is_not_read_as_if_it_were_the_same(
    device: Port, monkeypatch: pytest.MonkeyPatch
):
    usb = ListPortInfo(device.port)
    usb.vid, usb.pid, usb.serial_number = 0x0403, 0x6001, "A1"
    monkeypatch.setattr(serial_imu.list_ports, "comports", lambda: [usb])
    section, context = config(port=device.port), Context(name="wrist", epoch_ns=0)
    for _ in range(2):
        with Driver(section, context) as driver:
            device.send(START + line(1))
            collect(driver, 1)
    usb.serial_number = "B2"
    with pytest.raises(OtherDevice) as caught:
        Driver(section, context).__enter__()
    assert str(caught.value) == (
        "wrist: it came from USB device 0403:6001 number A1, and now comes from USB device 0403:6001 number "
        "B2; if that is another sensor, name each port by its lasting name, /dev/serial/by-id/..."
    )
    with Driver(section, Context(name="wrist", epoch_ns=0)):  # the port was let go, and a new life knows none
        pass


def test_a_missing_port_is_named(tmp_path: Path):
    device = Port(port=str(tmp_path / "ttyNONE"))
    with (
        pytest.raises(DeviceError, match=r"ttyNONE is not there: plug it in; ports here: ") as error,
        open_driver(device),
    ):
        pass
    assert "\n" not in str(error.value)


def test_a_port_pulled_out_while_it_is_opened_is_a_device_error(device: Port, monkeypatch):
    def pulled(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    monkeypatch.setattr(termios, "tcflush", pulled)
    with pytest.raises(DeviceError, match="Input/output error"), open_driver(device):
        pass


def test_a_port_that_another_program_reads_is_refused(device: Port):
    with (
        open_driver(device),
        pytest.raises(DeviceError, match="is open in another program or device: close it there"),
        open_driver(device),
    ):
        pass


def test_bytes_without_a_sample_are_told(device: Port, caplog: pytest.LogCaptureFixture, monkeypatch):
    monkeypatch.setattr("mobind_live.drivers.serial_imu.SAY_S", 0.0)
    with Driver(config(port=device.port, profile="ximu3_ascii"), Context(name="a", epoch_ns=0)) as driver:
        device.send(b"\nQ,1,1,0,0,0\nT,1,25\n")
        collect(driver, 1, reads=2)
    assert "a: 20 bytes and no sample; seen: b'T,1,25'" in caplog.text


@pytest.mark.parametrize("kind", DEVICES, ids=lambda kind: kind.name)
def test_split_merged_corrupted_truncated_and_flooded(device: Port, kind: Device):
    """Each of these through the terminal: what is whole comes out, in order, and what is not is counted."""
    bad = "bad_lines" if kind.config.frame is None else "bad_frames"
    frames = [kind.frame(i) for i in range(30)]
    with Driver(
        kind.config.model_copy(update={"port": device.port}), Context(name="a", epoch_ns=0)
    ) as driver:
        got = []
        for data in (frames[0][3:], *(frames[1][i : i + 1] for i in range(len(frames[1])))):
            device.send(data)
            got += [] if len(data) > 1 else list(driver.read())[:1]
        device.send(b"".join(frames[2:6]))
        got += collect(driver, 4)
        assert driver.counters.values[bad] == 0
        device.send(frames[6][:-4] + b"\x00" * 4 + frames[7][: len(frames[7]) // 2] + b"".join(frames[8:12]))
        got += collect(driver, 3)
        damaged = driver.counters.values[bad]
        for _ in range(40):
            device.send(b"\x07" * 1000)
            got += driver.read()
        assert driver.counters.values["bad_bytes"] >= 38_000
        device.send(b"".join(frames[12:]))
        got += collect(driver, 16)
    numbers = np.concatenate([one.device_ns for one in got if one.device_ns is not None]) // 10_000_000
    assert damaged >= 1
    assert {*range(2, 6), *range(9, 11), *range(13, 29)} <= set(numbers.tolist())
    assert sorted(numbers.tolist()) == numbers.tolist()


def test_unplugged_and_plugged_in_again_under_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The serve loop, its waiting replaced: it waits for never more than 2 s, and then samples go on."""
    port = Port(link=tmp_path / "usb-Example_IMU_0001-if00-port0")
    port.open()
    bus, stop = MemoryBus(), threading.Event()
    reader, section = bus.subscriber(["v1/imu/"]), config(port=port.port)
    seen: list[int] = []
    waits: list[tuple[str, float]] = []

    def idle(self: Service, state: str, detail: str, seconds: float) -> None:
        waits.append((detail, seconds))
        if len(waits) == 6:
            port.open()

    def beat(self: Service, state: str, detail: str = "") -> None:
        """Whenever the loop would say how it is: feed the device, look at what came, pull the plug."""
        for received in reader.poll(0):
            if isinstance(received.message, Imu):
                seen.extend(received.message.device_ns.tolist())
        if seen and not waits:
            port.close()
        elif state == "running":
            port.send(b"\n" + line(1 + 100 * len(waits)))
        if seen and waits and seen[-1] > 10_000_000:
            stop.set()

    monkeypatch.setattr(Service, "idle", idle)
    monkeypatch.setattr(Service, "beat", beat)
    monkeypatch.setattr("mobind_live.runtime.health.BEAT_EVERY_NS", 0)
    create = cast(Factory, Driver)
    Service(create, section, Context(name="wrist", epoch_ns=0), bus.publisher(), stop).run()
    port.close()

    assert {10_000_000, 6_010_000_000} == set(seen)
    assert "was lost" in waits[0][0]
    assert "is not there: plug it in" in waits[1][0]
    assert max(seconds for _, seconds in waits) + 0.25 < 2
