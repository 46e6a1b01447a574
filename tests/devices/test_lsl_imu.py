"""IMUs from LSL streams: real outlets on this machine, read by the driver as a rig would."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from lsl_world import LABELS, ROW, Outlet, elsewhere, unique, until
from memory_bus import MemoryBus
from pydantic import ValidationError

from mobind_live.clock import host_now_ns
from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.devices.lsl import stream as lsl_stream
from mobind_live.devices.lsl.channels import LayoutError
from mobind_live.devices.lsl.liblsl import LslError
from mobind_live.devices.lsl.stream import Opened, Source
from mobind_live.driver import Context, DeviceError, ImuReading, OtherDevice, StreamSpec
from mobind_live.drivers import lsl_imu
from mobind_live.drivers.lsl_imu import Config, Driver
from mobind_live.runtime.serve import serve
from mobind_live.schema import Health, Imu

G = 9.80665


def config(**keys: object) -> Config:
    return Config.model_validate({"driver": "lsl_imu", **keys})


def driver(**keys: object) -> Driver:
    return Driver(config(**keys), Context(name="wrist", epoch_ns=0))


@contextmanager
def flowing(name: str, source: Source | None = None, outlet: Outlet | None = None) -> Iterator[Opened]:
    """The outlet of that name, opened and ready; what was there before is not seen."""
    advert = next(one for one in lsl.resolve(0.5) if one.name == name)
    yield ready(Opened("wrist", source or Source(name=name), advert))
    if outlet is not None:
        outlet.close()


def ready(opened: Opened) -> Opened:
    def is_ready() -> bool:
        assert opened.poll() is None
        return opened.ready

    until(is_ready)
    return opened


def samples(poll: Callable[[], ImuReading | None], count: int) -> list[ImuReading]:
    """Readings with ``count`` samples at least."""
    readings: list[ImuReading] = []

    def enough() -> bool:
        reading = poll()
        if reading is not None:
            readings.append(reading)
        return sum(len(item.received_ns) for item in readings) >= count

    until(enough)
    return readings


def stamps(readings: list[ImuReading]) -> np.ndarray:
    return np.concatenate([item.device_ns for item in readings if item.device_ns is not None])


def test_samples_come_in_si_units_stamped_in_host_time() -> None:
    name = unique()
    outlet = Outlet(name)
    with flowing(name, outlet=outlet) as opened:
        taken_s = outlet.now_s() + 0.01 * np.arange(5)
        outlet.push(list(taken_s))
        readings = samples(opened.poll, 5)

    expected = lsl.to_host_ns(taken_s, lsl.host_minus_lsl_ns())
    bound_ns = opened.correction.uncertainty_s * 1e9 + 1e6
    assert np.abs(stamps(readings) - expected).max() <= bound_ns
    np.testing.assert_allclose(readings[0].acc_m_s2[0], [0, 0, G], rtol=1e-6)
    np.testing.assert_allclose(readings[0].gyro_rad_s[0], [0, np.pi / 2, 0], rtol=1e-6)


def test_the_stamps_of_another_machine_are_corrected_by_lsls_own_measurement() -> None:
    name = unique()
    outlet = Outlet(name)
    here = next(one for one in lsl.resolve(0.5) if one.name == name)
    with elsewhere(here, ahead_s=1000.0) as there:
        opened = ready(Opened("wrist", Source(name=name), there))
        taken_s = outlet.now_s() + 0.01 * np.arange(5)
        outlet.push(list(taken_s + 1000.0))
        found = stamps(samples(opened.poll, 5))

    expected = lsl.to_host_ns(taken_s, lsl.host_minus_lsl_ns())
    assert np.abs(found - expected).max() <= opened.correction.uncertainty_s * 1e9 + 1e6
    assert abs(opened.correction.offset_s + 1000) < 1
    outlet.close()


def test_samples_of_a_sender_that_slept_are_stamped_by_a_correction_that_was_measured_since() -> None:
    name, ahead_s = unique(), [1000.0]
    outlet = Outlet(name)
    here = next(one for one in lsl.resolve(0.5) if one.name == name)
    with elsewhere(here, lambda: ahead_s[0]) as there:
        opened = ready(Opened("wrist", Source(name=name), there))

        def poll() -> ImuReading | None:
            outlet.push([outlet.now_s() + ahead_s[0]])
            return opened.poll()

        samples(poll, 5)
        ahead_s[0] -= 30.0  # it slept for so long, and its clock stood still
        readings = samples(poll, 50)
    outlet.close()

    late_ns = np.concatenate([one.received_ns for one in readings]) - stamps(readings)
    assert np.abs(late_ns).max() < 0.5e9
    assert opened.dropped == 0


def test_channels_are_found_by_their_labels_and_a_device_may_be_turned() -> None:
    name = unique()
    labels, units = ("Battery", *LABELS[::-1]), ("%", *("rad/s",) * 3, *("m/s^2",) * 3)
    outlet = Outlet(name, labels=labels, units=units, format="float32")
    source = Source(name=name, axes=("y", "-x", "z"))
    with flowing(name, source, outlet) as opened:
        outlet.push([outlet.now_s()], (99, 6, 5, 4, 3, 2, 1))
        (reading,) = samples(opened.poll, 1)
    assert reading.acc_m_s2.tolist() == [[2, -1, 3]]
    assert reading.gyro_rad_s.tolist() == [[5, -4, 6]]


def test_what_no_sensor_measures_is_left_out_and_counted() -> None:
    name = unique()
    outlet = Outlet(name)
    with flowing(name, outlet=outlet) as opened:
        for bad in (float("nan"), float("inf"), 1e300, 1e6):
            outlet.push([outlet.now_s()], (bad, *ROW[1:]))
        outlet.push([outlet.now_s()], ROW)
        readings = samples(opened.poll, 1)
    assert sum(len(item.received_ns) for item in readings) == 1
    assert opened.bad == 4


def test_a_stream_without_a_rate_is_read_as_it_comes() -> None:
    name = unique()
    outlet = Outlet(name, rate_hz=0.0)
    with flowing(name, outlet=outlet) as opened:
        start_s = outlet.now_s()
        outlet.push([start_s, start_s + 0.003, start_s + 0.020])
        found = stamps(samples(opened.poll, 3))
    assert np.diff(found).tolist() == pytest.approx([3e6, 17e6], abs=1e3)
    assert not opened.jittery


def bursts(outlet: Outlet, count: int) -> Iterator[list[float]]:
    """Stamps of ``count`` bursts of five samples at 100 Hz, each stamped as it came, up to 8 ms late."""
    start_s = outlet.now_s() - 0.05 * count
    for burst in range(count):
        yield [start_s + 0.05 * burst + 0.004 * (burst % 3)] * 5


def test_a_sender_that_stamps_on_arrival_is_told_and_evened_out_on_request() -> None:
    name = unique()
    outlet = Outlet(name)
    advert = next(one for one in lsl.resolve(0.5) if one.name == name)
    as_sent = ready(Opened("wrist", Source(name=name), advert))
    evened = ready(Opened("wrist", Source(name=name, stamps="arrival"), advert))
    for burst in bursts(outlet, 240):
        outlet.push(burst)
    raw, even = stamps(samples(as_sent.poll, 1200)), stamps(samples(evened.poll, 1200))
    assert set(np.diff(raw)[:4].tolist()) == {0}
    assert as_sent.jittery
    assert np.abs(np.diff(even[-200:]) - 10e6).max() < 1e6
    outlet.close()


def test_what_is_missing_between_even_stamps_is_lost() -> None:
    name = unique()
    outlet = Outlet(name)
    with flowing(name, outlet=outlet) as opened:
        start_s = outlet.now_s() - 3.0
        kept = [n for n in range(300) if n % 10 not in (4, 5, 6)]
        outlet.push([start_s + 0.01 * n for n in kept])
        readings = samples(opened.poll, len(kept))
    assert sum(reading.lost for reading in readings) == 90 - 3 * (kept[-1] < 296)
    assert not opened.repeating


def test_one_stamp_for_many_samples_is_told() -> None:
    name = unique()
    outlet = Outlet(name, rate_hz=0.0)
    with flowing(name, outlet=outlet) as opened:
        for burst in bursts(outlet, 240):
            outlet.push(burst)
        readings = samples(opened.poll, 1200)
    assert opened.repeating
    assert sum(reading.lost for reading in readings) == 0


def test_a_clock_of_the_devices_own_is_left_to_the_loop() -> None:
    name = unique()
    outlet = Outlet(name)
    own = config(name=name, stamps="own", nominal_hz=50, wears="chest")
    assert own.streams("wrist") == (
        StreamSpec(name="wrist", kind="imu", nominal_hz=50, clock="device", wears="chest"),
    )
    with flowing(name, own, outlet) as opened:
        outlet.push([1_700_000_000.0, 1_700_000_000.01])
        found = stamps(samples(opened.poll, 2))
    assert found.tolist() == pytest.approx([1_700_000_000_000_000_000, 1_700_000_000_010_000_000], abs=1e3)


def test_a_sender_that_says_nothing_any_more_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cable was pulled: nothing ends, but no samples come, nor answers to what time it is."""
    name = unique()
    outlet = Outlet(name)
    here = next(one for one in lsl.resolve(0.5) if one.name == name)
    with elsewhere(here, ahead_s=0.0) as there:
        opened = ready(Opened("wrist", Source(name=name), there))
    monkeypatch.setattr(lsl_stream, "SILENT_S", 0.5)

    def gone() -> bool:
        try:
            opened.poll()
        except LslError as error:
            return "does not answer" in str(error)
        return False

    until(gone)
    outlet.close()


def error_of(**keys: object) -> str:
    with pytest.raises(DeviceError) as error, driver(**keys) as opened:
        until(lambda: [*opened.read()])
    return str(error.value)


def test_stamps_that_are_not_lsls_are_refused_with_the_key_to_set() -> None:
    name, stop = unique(), threading.Event()
    outlet = Outlet(name)

    def push() -> None:
        while not stop.wait(0.02):
            outlet.push([1_700_000_000.0])

    thread = threading.Thread(target=push)
    thread.start()
    try:
        assert "s away from LSL's clock; set stamps: own" in error_of(name=name)
    finally:
        stop.set()
        thread.join()
        outlet.close()


def test_of_several_streams_that_match_none_is_taken() -> None:
    name = unique()
    left, right = Outlet(name, source_id="left"), Outlet(name, source_id="right")
    text = error_of(name=name)
    assert f"2 LSL streams have name {name!r}: " in text
    assert "source_id 'left'" in text
    assert "source_id 'right'" in text
    with driver(name=name, source_id="right") as opened:
        right.push([right.now_s()], (5, *ROW[1:]))
        left.push([left.now_s()])
        (reading,) = until(lambda: [*opened.read()])
    assert reading.stream == "wrist"
    assert reading.acc_m_s2[0, 0] == pytest.approx(5 * G)
    left.close()
    right.close()


def test_a_stream_that_is_not_there_is_named_and_what_is_there() -> None:
    other = unique("other")
    outlet = Outlet(other, source_id="abc")
    text = error_of(name=unique(), type="IMU")
    assert text.startswith("no LSL stream has name 'imu-")
    assert f"{other!r} (type 'IMU', source_id 'abc'" in text
    outlet.close()


def test_a_stream_without_labels_needs_the_yaml() -> None:
    name = unique()
    outlet = Outlet(name, labels=[""] * 6, units=[""] * 6)
    assert "set acc_channels: [0, 1, 2]" in error_of(name=name)
    places = {"acc_channels": [0, 1, 2], "gyro_channels": [3, 4, 5], "acc": "g", "gyro": "deg/s"}
    with driver(name=name, **places) as opened:
        outlet.push([outlet.now_s()])
        (reading,) = until(lambda: [*opened.read()])
    assert reading.acc_m_s2[0, 2] == pytest.approx(G)
    outlet.close()


@pytest.mark.parametrize(
    ("made", "stamps_", "says"),
    [({"format": "string"}, "lsl", "text, not numbers"), ({"rate_hz": 0.0}, "arrival", "no regular rate")],
)
def test_a_stream_that_cannot_serve_says_why(made: dict, stamps_: str, says: str) -> None:
    name = unique()
    outlet = Outlet(name, **made)
    advert = next(one for one in lsl.resolve(0.5) if one.name == name)
    with pytest.raises(LayoutError, match=says):
        Opened("wrist", Source.model_validate({"name": name, "stamps": stamps_}), advert)
    outlet.close()


def test_one_of_two_streams_ends_and_comes_back_while_the_other_flows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    left, right = unique("left"), unique("right")
    outlets = {name: Outlet(name) for name in (left, right)}
    with driver(imus={"l": {"name": left}, "r": {"name": right}}) as opened:

        def seen() -> set[str]:
            for outlet in outlets.values():
                outlet.push([outlet.now_s()])
            return {reading.stream for reading in opened.read()}

        until(lambda: seen() == {"l", "r"})
        assert {"clock_correction_ms/l", "clock_uncertainty_ms/r"} <= set(opened.counters.values)
        outlets.pop(left).close()
        until(lambda: seen() == {"r"} and "gone" in caplog.text)
        outlets[left] = Outlet(left)
        until(lambda: seen() == {"l", "r"})
    assert f"the LSL stream with name {left!r}: it has ended" in caplog.text
    for outlet in outlets.values():
        outlet.close()


@pytest.mark.parametrize("several", [False, True])
def test_a_stream_that_comes_back_from_another_sender_is_another_device(several: bool) -> None:
    name = unique()
    outlet = Outlet(name, source_id="phone-1")
    made = config(imus={"wrist": {"name": name}}) if several else config(name=name)
    context = Context(name="suit" if several else "wrist", epoch_ns=0)
    flows(made, context, outlet)
    outlet.close()
    outlet = Outlet(name, source_id="phone-1")
    flows(made, context, outlet)
    outlet.close()
    outlet = Outlet(name, source_id="phone-2")
    until(lambda: [one.source_id for one in lsl.resolve(0.5) if one.name == name] == ["phone-2"])
    with pytest.raises(OtherDevice) as caught:
        flows(made, context, outlet)
    outlet.close()
    assert str(caught.value).startswith(
        "wrist: it came from the LSL stream with source_id 'phone-1' on host "
    )
    assert "and now comes from the LSL stream with source_id 'phone-2'" in str(caught.value)


def flows(made: Config, context: Context, outlet: Outlet) -> None:
    """Samples come from ``outlet``, through a driver that may have to look for it for a while."""

    def came() -> bool:
        try:
            with Driver(made, context) as opened:
                outlet.push([outlet.now_s()])
                return bool(until(lambda: [*opened.read()]))
        except DeviceError:
            return False

    until(came)


class Started:
    def wait(self, timeout_s: float) -> int | None:
        return host_now_ns()


def test_a_stream_that_is_lost_is_waited_for_and_read_again() -> None:
    """Through the loop that serves a device: running, waiting, running, and nothing worse."""
    name, bus, stop = unique(), MemoryBus(), threading.Event()
    outlet: Outlet | None = Outlet(name)
    hears = bus.subscriber()
    heard: list[Health | Imu] = []
    made = config(name=name)
    context = Context(name="wrist", epoch_ns=0)
    loop = threading.Thread(
        target=serve, args=(Driver, made, context, bus.publisher(), stop, Started()), daemon=True
    )
    loop.start()

    def listen() -> None:
        if outlet is not None:
            outlet.push([outlet.now_s()])
        heard.extend(i.message for i in hears.poll(0) if isinstance(i.message, Health | Imu))

    def flows() -> bool:
        listen()
        return any(isinstance(item, Imu) for item in heard)

    def state(state: str, detail: str = "") -> bool:
        listen()
        return any(isinstance(i, Health) and i.state == state and detail in i.detail for i in heard)

    until(flows)
    until(lambda: state("running") and any("clock_uncertainty_ms" in i.counters for i in heard if isinstance(i, Health)))  # fmt: skip # noqa: E501
    outlet.close()
    outlet = None
    heard.clear()
    until(lambda: state("waiting", "it has ended, or its sender is gone"))
    until(lambda: state("waiting", f"no LSL stream has name {name!r}"))
    outlet = Outlet(name)
    heard.clear()
    until(flows)
    stop.set()
    loop.join(10)
    assert not loop.is_alive()
    outlet.close()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "name, type or source_id is needed"),
        ({"imus": {"a": {"wears": "chest"}}}, "name, type or source_id is needed"),
        ({"imus": {"a": {"name": "A"}}, "type": "IMU"}, "with imus, type must stand in each"),
        ({"name": "A", "acc_channels": [0, 1]}, "acc_channels"),
        ({"name": "A", "acc_channels": [0, 1, -1]}, "acc_channels"),
        ({"name": "A", "acc_channels": [0, 1, 1]}, "channel 1 is there twice"),
        ({"name": "A", "acc_channels": [0, 1, 2], "gyro_channels": [2, 3, 4]}, "channel 2 is there twice"),
        ({"name": "A", "axes": ["x", "y", "-z"]}, "mirror"),
        ({"name": "A", "stamps": "dejitter"}, "stamps"),
    ],
)
def test_a_section_that_cannot_be_right_is_refused(keys: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**keys)


def test_what_is_offered_is_found_ready_to_paste() -> None:
    imu, twin, text = unique("Wrist IMU"), unique("twin"), unique("markers")
    microphone = unique("microphone")
    outlets = [
        Outlet(imu, rate_hz=128.0),
        Outlet(twin, source_id="one"),
        Outlet(twin, source_id="two"),
        Outlet(text, type="Markers", format="string", rate_hz=0.0),
        Outlet(microphone, type="Audio", rate_hz=44100.0),
        Outlet(unique("ours"), source_id=f"{lsl.SOURCE_ID}x"),
    ]
    found = [item for item in lsl_imu.discover() if str(imu.split("-")[1]) in item.about]
    sections = [item.yaml for item in found]

    assert {"driver": "lsl_imu", "name": imu, "nominal_hz": 128.0} in sections
    assert sorted(s["source_id"] for s in sections if s.get("name") == twin) == ["one", "two"]
    assert all(Config.model_validate(s).streams("x") for s in sections if s)
    assert [item.name for item in found if item.yaml.get("name") == imu] == [imu.replace(" ", "_")]
    (marker,) = (item for item in found if text in item.about)
    assert marker.yaml == {}
    assert "text, not an IMU" in marker.about
    (audio,) = (item for item in found if microphone in item.about)
    assert (audio.yaml, audio.about.endswith("too fast for an IMU")) == ({}, True)
    assert not [item for item in found if "ours" in item.about]
    assert len({item.name for item in found}) == len(found)
    for outlet in outlets:
        outlet.close()
