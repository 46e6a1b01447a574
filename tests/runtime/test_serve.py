"""The loop that serves one device, over an in-memory bus and a device made of a script."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Self

import numpy as np
import pytest
from memory_bus import MemoryBus
from messages import imu

from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    ImuReading,
    OtherDevice,
    StreamSpec,
)
from mobind_live.runtime.health import StreamStats
from mobind_live.runtime.serve import Lane, Service, serve
from mobind_live.schema import Health, Imu, Message, Pose, SchemaError


class Config(DriverConfig):
    driver: str = "script"
    clock: str = "host"
    played: bool = False

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        return (
            StreamSpec(name=name, kind="imu", nominal_hz=100, clock=self.clock, played=self.played),  # type: ignore[arg-type]
            StreamSpec(name="cam", kind="cam", nominal_hz=30),
        )


SECOND = 1_000_000_000

Step = Callable[[], Iterable[Message | ImuReading]]


class Script:
    """A driver whose every read is the next of ``steps``; at their end it asks the loop to stop."""

    def __init__(self, steps: list[Step], stop: threading.Event) -> None:
        self.steps = steps
        self.stop = stop
        self.opened = 0
        self.closed = 0
        self.contexts: list[Context] = []
        self.counters = Counters()

    def __call__(self, config: DriverConfig, context: Context) -> Script:
        self.contexts.append(context)
        return self

    def __enter__(self) -> Self:
        self.opened += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def read(self) -> Iterable[Message | ImuReading]:
        if not self.steps:
            self.stop.set()
            return ()
        return self.steps.pop(0)()


class Started:
    """The rig has started."""

    def wait(self, timeout_s: float) -> int | None:
        return 1_000


def reading(
    n: int = 2, stream: str = "left", device_ns: np.ndarray | None = None, lost: int = 0
) -> ImuReading:
    return ImuReading(
        stream=stream,
        received_ns=np.full(n, host_now_ns()),
        device_ns=np.arange(n) if device_ns is None else device_ns,
        acc_m_s2=np.ones((n, 3), np.float32),
        gyro_rad_s=np.ones((n, 3), np.float32),
        lost=lost,
    )


def raises(error: Exception) -> Step:
    def step() -> Iterable[Message]:
        raise error

    return step


def play(steps: list[Step], config: Config | None = None) -> tuple[Script, list[Message]]:
    stop, bus = threading.Event(), MemoryBus()
    subscriber, script = bus.subscriber(), Script(steps, stop)
    serve(script, config or Config(), Context(name="left", epoch_ns=0), bus.publisher(), stop, Started())
    return script, [received.message for received in subscriber.poll(0)]


def beats(messages: list[Message]) -> list[tuple[str, str]]:
    return [(item.state, item.detail) for item in messages if isinstance(item, Health)]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobind_live.runtime.serve.RETRY_FIRST_S", 0.0)
    monkeypatch.setattr("mobind_live.runtime.serve.RETRY_LAST_S", 0.0)


def test_host_stamps_are_published_as_they_are() -> None:
    stamps = np.array([5, 6], np.int64)
    script, messages = play([lambda: [reading(2, device_ns=stamps)]])
    imus = [item for item in messages if isinstance(item, Imu)]
    assert [item.t_ns.tolist() for item in imus] == [[5, 6]]
    assert imus[0].quaternion.shape == (0, 4)
    assert script.contexts == [Context(name="left", epoch_ns=1_000)]
    assert (script.opened, script.closed) == (1, 1)


def test_device_stamps_are_mapped_to_host_time() -> None:
    n = 200
    host = host_now_ns() + np.arange(n) * 10_000_000
    step: Step = lambda: [  # noqa: E731
        ImuReading(
            stream="left",
            received_ns=host,
            device_ns=np.arange(n) * 10_000_000 + 77_000_000_000,
            acc_m_s2=np.zeros((n, 3), np.float32),
            gyro_rad_s=np.zeros((n, 3), np.float32),
        )
    ]
    _, messages = play([step], Config(clock="device"))
    (imu,) = [item for item in messages if isinstance(item, Imu)]
    assert np.abs(imu.t_ns - host).max() < 5_000_000
    assert imu.device_ns[0] == 77_000_000_000


def test_arrivals_in_bursts_are_spread() -> None:
    n = 100
    bursts = host_now_ns() + (np.arange(n) // 10) * 100_000_000
    step: Step = lambda: [  # noqa: E731
        ImuReading(
            stream="left",
            received_ns=bursts,
            device_ns=None,
            acc_m_s2=np.zeros((n, 3), np.float32),
            gyro_rad_s=np.zeros((n, 3), np.float32),
        )
    ]
    _, messages = play([step], Config(clock="arrival"))
    (imu,) = [item for item in messages if isinstance(item, Imu)]
    assert imu.device_ns.shape == (0,)
    assert (np.diff(imu.t_ns) > 0).all()
    assert (imu.t_ns <= bursts).all()


def as_played(item: ImuReading) -> Imu:
    """What a recording hands out for it: stamped already."""
    assert item.device_ns is not None
    same = {name: getattr(item, name) for name in ("stream", "received_ns", "acc_m_s2", "gyro_rad_s")}
    return replace(imu(quaternion=False), t_ns=item.device_ns, **same)


@pytest.mark.parametrize("played", [False, True])
def test_numbers_that_cannot_be_are_told_with_the_stream(played: bool) -> None:
    halves = [host_now_ns() + np.arange(100) * 60_000_000 + start for start in (0, 6_000_000_000)]
    items = [replace(reading(100, device_ns=stamps), received_ns=stamps) for stamps in halves]
    steps: list[Step] = [lambda item=item: [as_played(item) if played else item] for item in items]
    _, messages = play([*steps, raises(DeviceError("gone"))])

    waiting = [m for m in messages if isinstance(m, Health) and m.state == "waiting"]
    assert waiting[0].streams[0].doubt == "its accelerometer never changes: is it switched on?"


def test_a_device_that_is_lost_is_opened_again() -> None:
    script, messages = play([lambda: [reading()], raises(DeviceError("unplugged")), lambda: [reading()]])
    assert (script.opened, script.closed) == (2, 2)
    states = beats(messages)
    assert ("waiting", "unplugged") in states
    assert [state for state, _ in states].index("waiting") > [state for state, _ in states].index("running")
    assert sum(isinstance(item, Imu) for item in messages) == 2
    reopened = [item.counters.get("reopened") for item in messages if isinstance(item, Health)]
    assert (reopened[0], reopened[-1]) == (None, 1)


def test_after_an_outage_no_stamp_lies_in_it() -> None:
    """A device without stamps is off for a minute: how many samples there were meanwhile, nothing tells."""
    n, off_ns = 3000, 60_000_000_000
    received = np.arange(n) * 10_000_000
    received += (np.arange(n) >= n - 20) * off_ns  # it is back for its last 20 samples
    lane = Lane(StreamSpec(name="left", kind="imu", nominal_hz=100.0, clock="arrival"))
    zero = np.zeros((n, 3), np.float32)
    stamps = []
    for rows in (slice(0, n - 20), slice(n - 20, n)):
        lane.opened()
        given = ImuReading(
            stream="left",
            received_ns=received[rows],
            device_ns=None,
            acc_m_s2=zero[rows],
            gyro_rad_s=zero[rows],
        )
        stamps.append(lane.imu(given).t_ns)
    assert np.abs(stamps[1] - received[n - 20 :]).max() < 100_000_000


def test_what_a_stream_first_came_from_is_known_until_the_process_ends() -> None:
    context = Context(name="left", epoch_ns=0)
    bus, stop = MemoryBus(), threading.Event()
    devices = ["one", "one", "two"]

    def meets() -> Iterable[Message]:
        script.contexts[-1].meet("left", devices.pop(0), "name it")
        raise DeviceError("unplugged")

    script = Script([meets, meets, meets], stop)
    with pytest.raises(OtherDevice) as caught:
        serve(script, Config(), context, bus.publisher(), stop, Started())
    assert str(caught.value) == "left: it came from one, and now comes from two; name it"
    assert (script.opened, script.closed) == (3, 3)


def test_a_played_file_says_ended_and_stays() -> None:
    stop, bus = threading.Event(), MemoryBus()
    subscriber = bus.subscriber()
    script = Script([lambda: [reading()], raises(EndOfStream())], stop)
    thread = threading.Thread(
        target=serve,
        args=(script, Config(), Context(name="left", epoch_ns=0), bus.publisher(), stop, Started()),
    )
    thread.start()
    states: list[tuple[str, str]] = []
    while states.count(("ended", "played to the end")) < 2:
        states += beats([received.message for received in subscriber.poll(0)])
        assert not stop.wait(0.01)
    assert thread.is_alive()
    stop.set()
    thread.join()
    assert script.opened == 1


def test_heartbeats_go_out_before_the_rig_starts() -> None:
    stop, bus = threading.Event(), MemoryBus()
    subscriber = bus.subscriber()

    class Never:
        def wait(self, timeout_s: float) -> int | None:
            stop.set()
            return None

    script = Script([], stop)
    serve(script, Config(), Context(name="left", epoch_ns=0), bus.publisher(), stop, Never())
    assert beats([item.message for item in subscriber.poll(0)])[0] == (
        "starting",
        "waiting for the rig to start",
    )
    assert script.opened == 0


def test_bugs_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        play([raises(ZeroDivisionError())])


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (reading(stream="typo"), "'typo', which its Config.streams.. does not name .it names left, cam"),
        (ImuReading(
            stream="left", received_ns=np.zeros(2, np.int64), device_ns=np.zeros(2, np.int64),
            acc_m_s2=np.zeros((2, 4)), gyro_rad_s=np.zeros((2, 3)),
        ), r"acc_m_s2 has shape \(2, 4\), expected \(2, 3\)"),
        (ImuReading(
            stream="left", received_ns=np.zeros(2, np.int64), device_ns=None,
            acc_m_s2=np.zeros((2, 3)), gyro_rad_s=np.zeros((2, 3)),
        ), "declares clock .host. but sent no `device_ns`"),
        (reading(2, device_ns=np.zeros(0)), "declares clock .host. but sent no `device_ns`"),
        (reading(2, device_ns=np.zeros(3)), r"stream 'left': device_ns has shape \(3,\), expected \(2,\)"),
        (replace(reading(), quaternion=np.zeros((2, 3))), r"quaternion has shape \(2, 3\), expected .2, 4."),
    ],
)  # fmt: skip
def test_what_contradicts_the_contract_is_named(item: ImuReading, reason: str) -> None:
    service = Service(
        Script([lambda: [item]], stop := threading.Event()),
        Config(),
        Context(name="left", epoch_ns=0),
        MemoryBus().publisher(),
        stop,
    )
    with pytest.raises(DeviceError, match=reason):
        service._play()


@pytest.mark.parametrize("off_s", [-100, 61, 1_700_000_000])
@pytest.mark.parametrize("kind", ["reading", "imu", "pose"])
def test_a_driver_that_reads_another_clock_fails_by_name(off_s: int, kind: str) -> None:
    off_ns = host_now_ns() + off_s * SECOND
    item: Message | ImuReading = replace(pose(), received_ns=off_ns)
    if kind != "pose":
        item = replace(reading(), received_ns=np.full(2, off_ns))
    if kind == "imu":
        item = as_played(item)  # type: ignore[arg-type]
    _, messages = play([lambda: [item]])
    told = [detail for state, detail in beats(messages) if state == "waiting"]
    assert re.fullmatch(
        r"stream '(left|cam)': its `received_ns` is [+-]\d+ s away from the host's clock; take "
        r"host_now_ns\(\) of mobind_live.clock when it arrives",
        told[0],
    )
    assert not any(isinstance(message, (Imu, Pose)) for message in messages)


def test_a_driver_that_sends_a_wrong_type_fails_by_name() -> None:
    with pytest.raises(SchemaError, match="pose message of 'cam': t_ns: must be an integer, got float"):
        play([lambda: [replace(pose(), t_ns=1.5)]])  # type: ignore[arg-type]


def test_what_is_played_is_on_media_time() -> None:
    late = replace(reading(), received_ns=np.full(2, host_now_ns() + 1000 * SECOND))
    _, messages = play([lambda: [late]], Config(played=True))
    assert sum(isinstance(message, Imu) for message in messages) == 1


def test_a_file_played_faster_is_not_doubted() -> None:
    """``replay`` at rate 4: stamps are media time, and arrivals the host's."""
    received = host_now_ns() + np.arange(600) * 10_000_000
    for played in (False, True):
        item = replace(reading(600, device_ns=4 * received), received_ns=received)
        parts = [cut(item, slice(at, at + 10)) for at in range(0, 600, 10)]
        _, messages = play([lambda: parts, raises(DeviceError("gone"))], Config(played=played))  # noqa: B023
        [left] = [m.streams[0] for m in messages if isinstance(m, Health) and m.state == "waiting"][:1]
        assert ("its stamps run 4.0 times too fast" in left.doubt) == (not played)


def cut(item: ImuReading, part: slice) -> ImuReading:
    assert item.device_ns is not None
    return replace(
        item,
        received_ns=item.received_ns[part],
        device_ns=item.device_ns[part],
        acc_m_s2=item.acc_m_s2[part],
        gyro_rad_s=item.gyro_rad_s[part],
    )


def pose() -> Pose:
    return Pose(
        stream="cam",
        t_ns=1,
        received_ns=host_now_ns(),
        image_size=(4, 4),
        track_ids=np.zeros(0),
        boxes=np.zeros((0, 4)),
        keypoints=np.zeros((0, 17, 3)),
    )


def test_samples_losses_and_sheds_are_counted() -> None:
    stop, bus = threading.Event(), MemoryBus()
    subscriber = bus.subscriber(["v1/health/"])
    script = Script([lambda: [reading(3, lost=2), reading(4, lost=1), pose()]], stop)
    script.counters.add("shed/cam", 5)
    script.counters.add("bad_lines", 7)
    service = Service(script, Config(), Context(name="left", epoch_ns=0), bus.publisher(), stop)
    service.run()
    service.beat("running")
    last = subscriber.poll(0)[-1].message
    assert isinstance(last, Health)
    imu, cam = last.streams
    assert (imu.stream, imu.received, imu.lost, imu.shed) == ("left", 7, 3, 0)
    assert (cam.stream, cam.received, cam.lost, cam.shed) == ("cam", 1, 0, 5)
    assert last.counters["bad_lines"] == 7
    assert last.counters["cpu_s"] > 0
    assert last.counters["rss_mb"] > 1


def test_what_was_counted_before_a_device_was_lost_still_counts() -> None:
    stop, bus = threading.Event(), MemoryBus()

    class Fresh(Script):
        def __call__(self, config: DriverConfig, context: Context) -> Script:
            self.counters = Counters()  # as a driver's are, each time it is made
            return self

        def read(self) -> Iterable[Message | ImuReading]:
            self.counters.add("shed/cam", 5)
            self.counters.values |= {"bad_lines": 3, "pose_ms": 7.5, "clock_correction_ms/left": 2.0}
            return super().read()

    script = Fresh([lambda: [pose()], raises(DeviceError("unplugged")), lambda: [pose()]], stop)
    subscriber = bus.subscriber(["v1/health/"])
    service = Service(script, Config(), Context(name="left", epoch_ns=0), bus.publisher(), stop)
    service.run()
    service.beat("running")
    last = subscriber.poll(0)[-1].message
    assert isinstance(last, Health)
    assert last.streams[1].shed == 15, "what the read that failed had dropped, too"
    measured = {"pose_ms": 7.5, "clock_correction_ms/left": 2.0}
    assert last.counters.items() >= {"bad_lines": 6, "reopened": 1, **measured}.items()


def test_a_rate_is_samples_over_the_time_they_span() -> None:
    stats = StreamStats("left", "imu", 100)
    assert stats.rate_hz(0) == 0
    for index in range(100):
        stats.add(10, index * SECOND // 10)
    assert stats.rate_hz(99 * SECOND // 10) == pytest.approx(100)
    assert stats.snapshot(99 * SECOND // 10).age_s == 0
    assert stats.rate_hz(12 * SECOND) < 75
    assert stats.rate_hz(14 * SECOND) == 0
    assert stats.snapshot(14 * SECOND).age_s == pytest.approx(4.1)


def test_the_age_of_nothing_is_unknown() -> None:
    assert StreamStats("left", "imu", 100).snapshot(5).age_s == -1
