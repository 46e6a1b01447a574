"""The answers as LSL streams, read as LabRecorder reads them."""

from __future__ import annotations

import json
import os
import signal
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pyxdf
from lsl_answers import answers, offset
from lsl_world import unique, until
from memory_bus import MemoryBus, MemoryPublisher
from stages import Stage, stage

from mobind_live.clock import host_now_ns
from mobind_live.config import Rig
from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.drivers.simulator import Config
from mobind_live.runtime import launch, lsl_outlets
from mobind_live.schema import Action, Binding, Candidate, Health, Verdict

__all__ = ["stage"]  # the fixture

T_NS = 5_000_000_000


def rig(name: str, *, lsl: bool = True) -> Rig:
    scene = Config.model_validate(
        {"driver": "simulator", "cameras": {"cam0": {}}, "imus": {"imu0": {"part": "chest"}}}
    )
    return Rig(name=name, lsl=lsl, devices={"scene": scene})


def binding(t_ns: int = T_NS) -> Binding:
    return Binding(
        stream="imu0",
        t_ns=t_ns,
        wearer="person1",
        tracks={"cam0": 3},
        p_wearer=0.9,
        wearer_verdict=Verdict.OK,
        part="chest",
        p_part=0.8,
        part_verdict=Verdict.AMBIGUOUS,
        p_none=0.05,
        candidates=(Candidate(camera="cam0", track=3, part="chest", p=0.8),),
        expected_part="pelvis",
        expected_wearer="anna",
        alarm="imu0 sits on chest, not on pelvis",
    )


def action(t_ns: int = T_NS) -> Action:
    return Action(
        stream="person1",
        t_ns=t_ns,
        label="squats",
        p=0.7,
        verdict=Verdict.OK,
        labels=("squats", "walking"),
        probabilities=(0.7, 0.2),
    )


@contextmanager
def published(name: str) -> Iterator[tuple[MemoryPublisher, MemoryBus]]:
    """The streams of a rig, offered; what is sent to its bus goes into them."""
    bus, stop = MemoryBus(), threading.Event()
    thread = threading.Thread(
        target=lsl_outlets.run, args=(rig(name), bus.publisher(), bus.subscriber(lsl_outlets.TOPICS), stop)
    )
    thread.start()
    try:
        yield bus.publisher(), bus
    finally:
        stop.set()
        thread.join()


def inlets(name: str, count: int) -> dict[str, Any]:
    """Open inlets to the streams of the rig ``name``, by their own names without it."""
    pylsl = lsl.library()
    resolver = lsl.Resolver()

    def found() -> list[lsl.Advert]:
        ours = [one for one in resolver.adverts() if one.name.startswith(f"{name} ")]
        return ours if len(ours) == count else []

    opened = {one.name.removeprefix(f"{name} "): pylsl.StreamInlet(one.info) for one in until(found)}
    for inlet in opened.values():
        inlet.open_stream(timeout=10)
    return opened


def sample(inlet: Any) -> tuple[list[Any], float]:
    """The next sample and its stamp on this host's LSL clock, as it was sent."""
    values, stamp_s = inlet.pull_sample(timeout=20)
    assert values is not None
    return values, stamp_s


def channels(info: Any) -> list[tuple[str, str]]:
    node = info.desc().child("channels").child("channel")
    found = []
    while not node.empty():
        found.append((node.child_value("label"), node.child_value("unit")))
        node = node.next_sibling("channel")
    return found


def test_offsets_bindings_and_actions_arrive_with_their_stamps_and_names() -> None:
    name, now_ns = unique("rig"), host_now_ns()
    with published(name) as (sender, _):
        streams = inlets(name, 3)
        assert set(streams) == {"offset imu0 cam0", "bindings", "actions"}
        for message in (offset(now_ns), binding(now_ns), action(now_ns)):
            sender.send(message)
        numbers, stamp_s = sample(streams["offset imu0 cam0"])
        (bound,), bound_s = sample(streams["bindings"])
        (acted,), acted_s = sample(streams["actions"])
        info = streams["offset imu0 cam0"].info()

    expected_s = lsl.to_lsl_s(now_ns, lsl.host_minus_lsl_ns())
    # The two clocks were compared twice: as closely as an interrupted process may read both.
    assert [stamp_s, bound_s, acted_s] == pytest.approx([expected_s] * 3, abs=0.05)
    assert numbers[:6] == pytest.approx([-1.25, 0.01, 0.99, 0, 30, 20])
    assert stamp_s - numbers[6] == pytest.approx(1.0, abs=1e-6)
    assert channels(info) == list(lsl_outlets.OFFSET_CHANNELS)
    described = {key: info.desc().child_value(key) for key in ("rig", "imu", "camera", "verdict_0", "sign")}
    assert described == {
        "rig": name,
        "imu": "imu0",
        "camera": "cam0",
        "verdict_0": "ok",
        "sign": lsl_outlets.SIGN,
    }
    assert json.loads(bound) == {
        "imu": "imu0",
        "wearer": "person1",
        "tracks": {"cam0": 3},
        "p_wearer": 0.9,
        "wearer_verdict": "ok",
        "part": "chest",
        "p_part": 0.8,
        "part_verdict": "ambiguous",
        "p_none": 0.05,
        "expected_part": "pelvis",
        "expected_wearer": "anna",
        "alarm": "imu0 sits on chest, not on pelvis",
        "simulated": False,
    }
    assert json.loads(acted)["subject"] == "person1"
    assert json.loads(acted)["label"] == "squats"


def test_what_no_stream_is_for_is_passed_over() -> None:
    outlets = lsl_outlets.Outlets(rig(unique("rig")))
    outlets.send(offset(imu="another"))
    assert outlets.sent == 0
    outlets.send(offset())
    assert outlets.sent == 1


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_has_the_code_that_the_description_gives_it(verdict: Verdict) -> None:
    outlet = lsl_outlets.outlets(rig("r"))["v1/out/offset/imu0/cam0/"]
    code = lsl_outlets.sample(offset(verdict=verdict), 0)[3]
    assert outlet.about[f"verdict_{code:.0f}"] == verdict.value


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def recorded(inlet: Any, stream: int) -> bytes:
    """A stream's description and one of its samples, as LabRecorder writes them to an XDF file."""
    info = inlet.info()
    values, stamp_s = sample(inlet)
    if isinstance(values[0], str):
        body = b"".join(b"\x04" + struct.pack("<I", len(v.encode())) + v.encode() for v in values)
    else:
        body = struct.pack(f"<{len(values)}d", *values)
    header = chunk(2, struct.pack("<I", stream) + info.as_xml().encode())
    return header + chunk(
        3, struct.pack("<I", stream) + b"\x01\x01" + b"\x08" + struct.pack("<d", stamp_s) + body
    )


@pytest.mark.filterwarnings("ignore")  # pyxdf's own, about files without footers
def test_an_xdf_file_of_the_streams_has_their_names_labels_and_units(tmp_path: Path) -> None:
    name = unique("rig")
    with published(name) as (sender, _):
        streams = inlets(name, 3)
        for message in (offset(), binding(), action()):
            sender.send(message)
        file = b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
        for number, key in enumerate(("offset imu0 cam0", "bindings"), start=1):
            file += recorded(streams[key], number)
    (tmp_path / "take.xdf").write_bytes(file)

    numbers, texts = pyxdf.load_xdf(tmp_path / "take.xdf")[0]

    (described,) = numbers["info"]["desc"]
    rows = [(row["label"][0], row["unit"][0]) for row in described["channels"][0]["channel"]]
    assert rows == list(lsl_outlets.OFFSET_CHANNELS)
    assert (described["imu"], described["camera"]) == (["imu0"], ["cam0"])
    assert numbers["time_series"][0, 0] == -1.25
    assert texts["info"]["type"] == ["Markers"]
    assert json.loads(texts["time_series"][0][0])["part"] == "chest"
    assert texts["info"]["desc"][0]["imus"] == ["imu0"]


def test_only_a_rig_that_asks_for_it_has_the_process() -> None:
    assert [spec.name for spec in launch.specs(rig("r"))] == ["worker", "lsl", "scene"]
    assert [spec.name for spec in launch.specs(rig("r", lsl=False))] == ["worker", "scene"]
    assert [spec.name for spec in launch.specs(rig("r"), None)] == ["scene"]


def test_the_streams_outlive_the_worker(stage: Stage) -> None:
    name = unique("rig")
    specs = launch.specs(rig(name), worker_target=answers)[:2]
    opened: dict[str, Any] = {}
    came: list[float] = []

    def flows() -> bool:
        if stage.of("lsl") and not opened:
            opened.update(inlets(name, 3))
        if opened:
            came.extend(opened["offset imu0 cam0"].pull_chunk(0.0)[1])
        return bool(came)

    def kill() -> None:
        os.kill(stage.pid("worker"), signal.SIGKILL)
        came.clear()

    stage.play(list(specs), (flows, kill), (lambda: stage.of("worker", restarts=1) and flows(), lambda: None))
    health = [item for item in stage.heard if isinstance(item, Health) and item.stream == "lsl"]
    assert {item.restarts for item in health} == {0}
    assert health[-1].detail == "3 LSL streams"
