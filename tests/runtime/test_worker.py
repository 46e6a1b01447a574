"""The worker's loop over an in-memory bus, with the shipped weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from memory_bus import MemoryBus, MemorySubscriber
from messages import health
from rig import SCENE, record

from mobind_live.bus.ends import Numbering
from mobind_live.clock import host_now_ns
from mobind_live.config import Rig, WorkerConfig
from mobind_live.driver import DriverConfig, StreamSpec
from mobind_live.models.errors import CheckpointError, ModelError
from mobind_live.runtime import worker
from mobind_live.runtime.shedding import BEHIND_S
from mobind_live.schema import Health, Offset, Received

SECONDS = 3.0
PATIENCE_S = 60.0


class Devices(DriverConfig):
    driver: Literal["scene"] = "scene"

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        imus = (StreamSpec(name=i.name, kind="imu", nominal_hz=i.rate_hz) for i in SCENE.imus)
        cameras = (StreamSpec(name=c.name, kind="cam", nominal_hz=c.fps) for c in SCENE.cameras)
        return (*cameras, *imus)


def rig(**settings: object) -> Rig:
    given: dict[str, object] = {"device": "cpu", "publish_hz": 10.0}
    return Rig(worker=WorkerConfig.model_validate(given | settings), devices={"sim": Devices()})


class Waiting:
    """A receiver that does not spin while there is nothing, as a socket would not."""

    def __init__(self, bus: MemoryBus, stop: threading.Event) -> None:
        self._inner: MemorySubscriber = bus.subscriber(("v1/cam/", "v1/imu/", "v1/health/"))
        self.intake = self._inner.intake
        self._stop = stop

    def poll(self, timeout_ms: int) -> list[Received]:
        found = self._inner.poll(timeout_ms)
        if not found:
            self._stop.wait(timeout_ms / 1000)
        return found


class Heard:
    """All that anybody says, and a way to wait for it."""

    def __init__(self, bus: MemoryBus) -> None:
        self._reader = bus.subscriber()
        self.messages: list[Received] = []

    def until(self, enough: Callable[[Sequence[Received]], bool]) -> None:
        waiting = threading.Event()
        for _ in range(round(PATIENCE_S / 0.02)):
            self.messages += self._reader.poll(0)
            if enough(self.messages):
                return
            waiting.wait(0.02)
        raise AssertionError("the worker did not say it in time")


@contextmanager
def working(bus: MemoryBus, rig: Rig) -> Iterator[threading.Thread]:
    stop = threading.Event()
    receiver = Waiting(bus, stop)
    thread = threading.Thread(target=worker.run, args=(rig, bus.publisher(), receiver, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it stops when told to"


def offsets(messages: Sequence[Received]) -> list[Offset]:
    return [r.message for r in messages if isinstance(r.message, Offset)]


def beats(messages: Sequence[Received]) -> list[Health]:
    return [r.message for r in messages if isinstance(r.message, Health)]


def test_recorded_messages_become_answers_on_their_topics() -> None:
    bus = MemoryBus()
    heard = Heard(bus)
    with working(bus, rig()):
        heard.until(lambda said: any(beat.state == "running" for beat in beats(said)))
        devices = bus.publisher()
        for arrival in record(SCENE, SECONDS):
            devices.send(arrival.message)
        bus.put([b"v1/imu/arm/", b"not a message"])
        heard.until(lambda said: any(offset.evidence_s > 0 for offset in offsets(said)))
        heard.until(lambda said: any(beat.counters.get("malformed", 0) > 0 for beat in beats(said)))
    topics = {r.topic for r in heard.messages}
    imus, cameras = [i.name for i in SCENE.imus], [c.name for c in SCENE.cameras]
    assert {f"v1/out/offset/{i}/{c}/" for i in imus for c in cameras} <= topics
    assert {f"v1/out/binding/{i}/" for i in imus} <= topics
    assert "v1/health/worker/" in topics
    assert beats(heard.messages)[0].state == "starting"
    counters = beats(heard.messages)[-1].counters
    assert (counters["late_samples"], counters["broken_samples"]) == (0, 0)
    assert all(np.isfinite(offset.offset_s) for offset in offsets(heard.messages))


def test_what_waited_for_too_long_is_left_out_and_told() -> None:
    bus = MemoryBus()
    heard = Heard(bus)
    late = Numbering(lambda: host_now_ns() - round(2 * BEHIND_S * 1e9))
    with working(bus, rig()):
        heard.until(lambda said: any(beat.state == "running" for beat in beats(said)))
        for arrival in record(SCENE, 1.0):
            bus.put(late.frames(arrival.message))
        topic = f"shed/v1/cam/{SCENE.cameras[0].name}/pose/"
        heard.until(lambda said: any(beat.counters.get(topic, 0) > 0 for beat in beats(said)))
    assert all(offset.evidence_s == 0 for offset in offsets(heard.messages))


def test_a_backlog_comes_in_portions_and_nothing_as_one_that_is_empty() -> None:
    waiting = [Received(topic="", seq=n, boot_ns=0, sent_ns=0, message=health()) for n in range(150)]
    pieces = list(worker.portions(waiting))
    assert [item for piece in pieces for item in piece] == waiting
    assert len(pieces) > 2
    assert list(worker.portions([])) == [[]]


def test_it_stops_at_once_with_nothing_heard() -> None:
    bus = MemoryBus()
    heard = Heard(bus)
    with working(bus, rig()):
        heard.until(lambda said: bool(said))
    assert offsets(heard.messages) == []


def test_weights_that_cannot_be_used_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    bus = MemoryBus()
    stop = threading.Event()
    with pytest.raises(CheckpointError, match=r"no\.safetensors: not usable weights"):
        worker.run(rig(weights=f"{tmp_path}/no.safetensors"), bus.publisher(), bus.subscriber(), stop)


def test_a_device_that_is_not_here_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match=r"worker\.device: cuda is not here; use auto or cpu"):
        worker.torch_device(WorkerConfig(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert worker.torch_device(WorkerConfig(device="cuda:0")).index == 0
    with pytest.raises(ModelError, match="cuda:1 is not here"):
        worker.torch_device(WorkerConfig(device="cuda:1"))


def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert worker.torch_device(WorkerConfig()).type == expected
    assert worker.torch_device(WorkerConfig(device="cpu")).type == "cpu"
