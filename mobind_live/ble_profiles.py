"""Bluetooth IMUs that are known by name: their characteristics, what to write, what their packets hold.

A profile stands for keys of the YAML; what the YAML says itself goes before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, field_validator

from mobind_live.packet_form import PacketForm, RecordForm

MOTION = ("ax", "ay", "az", "gx", "gy", "gz")


class Write(BaseModel):
    """``bytes``, in hex, to write to ``characteristic``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    characteristic: str
    bytes: str

    @field_validator("bytes")
    @classmethod
    def _hex(cls, value: str) -> str:
        try:
            bytes.fromhex(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is not hex, such as 01 0a ff") from error
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is known of one kind of device. ``advertises``: how its names begin; ``unverified``: what it was
    written from, where nobody has seen it work with the device itself."""

    about: str
    packet: PacketForm
    nominal_hz: float
    notify: tuple[str, ...] = ()
    service: str | None = None
    start: tuple[Write, ...] = ()
    advertises: str | None = None
    unverified: str | None = None


# A form that many boards programmed at home have in common; which characteristic is theirs to say.
_SIX_SAMPLES = Profile(
    about="six samples a packet, each milliseconds and six floats (168 bytes)",
    packet=PacketForm(
        sample=RecordForm(format="<I6f", fields=("t_ms", *MOTION)), samples=6, acc="g", gyro="deg/s"
    ),
    nominal_hz=50,
)

# Acceleration +-16 g, rate +-2000 deg/s and angles, each int16; 50 Hz where it would send 10. Not saved, so
# that after it was switched off it is as its owner had it.
_WITMOTION = Profile(
    about="WitMotion with Bluetooth 5 (WT901BLE, WT9011DCL)",
    packet=PacketForm(
        begins="55 61",
        sample=RecordForm(format="<2x6h6x", fields=MOTION),
        scale={"acc": 16 / 32768, "gyro": 2000 / 32768},
    ),
    nominal_hz=50,
    service="0000ffe5-0000-1000-8000-00805f9a34fb",
    notify=("0000ffe4-0000-1000-8000-00805f9a34fb",),
    start=(
        Write(characteristic="0000ffe9-0000-1000-8000-00805f9a34fb", bytes="ff aa 69 88 b5"),
        Write(characteristic="0000ffe9-0000-1000-8000-00805f9a34fb", bytes="ff aa 03 08 00"),
    ),
    advertises="WT",
    unverified="WitMotion's Bluetooth 5.0 communication protocol",
)

# Payload mode 21, "rate quantities". The characteristic is 40 bytes long, this fills 28.
_XSENS_DOT = Profile(
    about="Xsens DOT, Movella DOT",
    packet=PacketForm(
        sample=RecordForm(format="<I6f", fields=("t_us", *MOTION)), samples=1, trailing=True, acc="m/s2"
    ),
    nominal_hz=60,
    service="15172000-4947-11e9-8646-d663bd873d93",
    notify=("15172003-4947-11e9-8646-d663bd873d93",),
    start=(Write(characteristic="15172001-4947-11e9-8646-d663bd873d93", bytes="01 01 15"),),
    advertises=r"(Xsens|Movella) DOT",
    unverified="Movella DOT BLE Service Specification, revision C",
)

# The "GATT sensor data" firmware: subscribe (1) as reference 99 to /Meas/IMU6/52; data comes as (2, 99, ms),
# then all accelerations, then all rates.
_MOVESENSE = Profile(
    about="Movesense with the GATT sensor data firmware",
    packet=PacketForm(
        begins="02 63",
        header=RecordForm(format="<2xI", fields=("t_ms",)),
        sample=(
            RecordForm(format="<3f", fields=MOTION[:3]),
            RecordForm(format="<3f", fields=MOTION[3:]),
        ),
        acc="m/s2",
    ),
    nominal_hz=52,
    service="34802252-7185-4d5d-b431-630e7050e8f0",
    notify=("34800002-7185-4d5d-b431-630e7050e8f0",),
    start=(
        Write(
            characteristic="34800001-7185-4d5d-b431-630e7050e8f0",
            bytes=bytes((1, 99)).hex() + b"/Meas/IMU6/52".hex(),
        ),
    ),
    advertises="Movesense",
    unverified="the clients of Movesense's gatt_sensordata_app",
)

PROFILES: dict[str, Profile] = {
    "six_samples": _SIX_SAMPLES,
    "witmotion": _WITMOTION,
    "xsens_dot": _XSENS_DOT,
    "movesense": _MOVESENSE,
}


def recognize(name: str | None, services: Sequence[str]) -> str | None:
    """The profile of a device that advertises under ``name``, with ``services``; None for an unknown one."""
    for key, profile in PROFILES.items():
        if profile.service in services or (profile.advertises and re.match(profile.advertises, name or "")):
            return key
    return None
