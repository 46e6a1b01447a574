"""``lsl: true``: the rig's answers as LSL streams, for LabRecorder and whoever else listens.

A process of its own: the worker may die and come back, the outlets stay, and so does a recording of them.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from threading import Event
from typing import Any

from mobind_live.bus import Receiver, Sender
from mobind_live.config import Rig
from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.runtime.health import Heartbeat
from mobind_live.schema import Action, Binding, Message, Offset, Verdict

TOPICS = ("v1/out/",)
SIGN = "t_imu = t_cam + offset: positive if the IMU's stamps run ahead of the camera's"
_POLL_MS = 100
_VERDICTS = tuple(Verdict)
# Label and unit of each channel of an offset's stream. ``reference`` is where ``rate`` counts from.
OFFSET_CHANNELS = (
    ("offset", "seconds"),
    ("sigma", "seconds"),
    ("p", "probability"),
    ("verdict", "code"),
    ("evidence", "seconds"),
    ("rate", "ppm"),
    ("reference", "seconds"),
)
_LEFT_OUT = ("t_ns", "candidates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """What one LSL stream is: ``channels`` are labels and units, ``about`` goes into its description."""

    name: str
    type: str
    text: bool
    channels: tuple[tuple[str, str], ...]
    about: Mapping[str, str]


def outlets(rig: Rig) -> dict[str, Outlet]:
    """The streams of ``rig``, by the topic, or its beginning, of what goes into each."""
    specs = rig.streams()
    imus = [spec for spec in specs if spec.kind == "imu"]
    cameras = [spec.name for spec in specs if spec.kind == "cam"]
    codes = {f"verdict_{code}": verdict.value for code, verdict in enumerate(_VERDICTS)}
    about = {"manufacturer": "mobind-live", "rig": rig.name}
    offsets = {
        f"v1/out/offset/{imu.name}/{camera}/": Outlet(
            name=f"{rig.name} offset {imu.name} {camera}",
            type="Offset",
            text=False,
            channels=OFFSET_CHANNELS,
            about={**about, "imu": imu.name, "camera": camera, "sign": SIGN, **codes},
        )
        for imu in imus
        for camera in cameras
    }
    whole = {**about, "imus": " ".join(imu.name for imu in imus), "cameras": " ".join(cameras)}
    texts = {
        f"v1/out/{kind}/": Outlet(
            name=f"{rig.name} {kind}s", type="Markers", text=True, channels=((kind, "JSON"),), about=whole
        )
        for kind in ("binding", "action")
    }
    return offsets | texts


def sample(message: Message, host_minus_lsl_ns: int) -> list[float] | list[str]:
    """The values of ``message`` in its stream: numbers of an offset, or one JSON object."""
    if isinstance(message, Offset):
        return [
            message.offset_s,
            message.sigma_s,
            message.p,
            float(_VERDICTS.index(message.verdict)),
            message.evidence_s,
            message.rate_ppm,
            lsl.to_lsl_s(message.reference_ns, host_minus_lsl_ns),
        ]
    key = "imu" if isinstance(message, Binding) else "subject"
    values = {one.name: getattr(message, one.name) for one in fields(message) if one.name not in _LEFT_OUT}
    return [json.dumps({key: values.pop("stream"), **values})]


class Outlets:
    """The rig's streams, offered on the network while this object lives."""

    def __init__(self, rig: Rig) -> None:
        """Raises LslError."""
        # The same after a restart, so that a recording goes on; another for another rig on this host.
        prefix = f"{lsl.SOURCE_ID}{socket.gethostname()}/{rig.bus.publish}/"
        self._open = {topic: _offer(outlet, prefix + outlet.name) for topic, outlet in outlets(rig).items()}
        self.sent = 0

    def send(self, message: Message) -> None:
        """Pass one answer on, stamped with its own time; what no stream is for is passed over."""
        outlet = self._open.get(message.topic) or self._open.get("/".join(message.topic.split("/")[:3]) + "/")
        if outlet is not None and isinstance(message, Offset | Binding | Action):
            difference_ns = lsl.host_minus_lsl_ns()
            outlet.push_sample(sample(message, difference_ns), lsl.to_lsl_s(message.t_ns, difference_ns))
            self.sent += 1


def _offer(outlet: Outlet, source_id: str) -> Any:
    """pylsl's outlet; its description is as XDF wants it (``desc/channels/channel``: label, unit, type)."""
    pylsl = lsl.library()
    format = pylsl.cf_string if outlet.text else pylsl.cf_double64
    info = pylsl.StreamInfo(
        outlet.name, outlet.type, len(outlet.channels), pylsl.IRREGULAR_RATE, format, source_id
    )
    for key, value in outlet.about.items():
        info.desc().append_child_value(key, value)
    channels = info.desc().append_child("channels")
    for label, unit in outlet.channels:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", unit), ("type", outlet.type)):
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info)


def run(rig: Rig, sender: Sender, receiver: Receiver, stop: Event, restarts: int = 0) -> None:
    """Pass the answers on until ``stop``. Raises LslError if liblsl cannot be used."""
    beat = Heartbeat("lsl", sender, restarts)
    beat.send("starting", "opening the LSL streams")
    open_ = Outlets(rig)
    detail = f"{len(outlets(rig))} LSL streams"
    while not stop.is_set():
        for received in receiver.poll(_POLL_MS):
            open_.send(received.message)
        if beat.due():
            beat.send("running", detail, (), receiver.intake.counters() | {"sent": float(open_.sent)})
