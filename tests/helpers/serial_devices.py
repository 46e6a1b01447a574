"""Serial IMUs as they would send: samples to bytes, in every framing. Shared by several tests."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mobind_live.devices.samples.checksums import CHECKSUMS, Name
from mobind_live.drivers.serial_imu import Config

FIELDS = ["t_ms", "ax", "ay", "az", "gx", "gy", "gz"]
RECORD = "<I6h"
MOTION = (100, -200, 300, -400, 500, -600)
SCALE = {"acc": 0.001, "gyro": 0.1}


def config(**more: Any) -> Config:
    return Config.model_validate({"driver": "serial_imu", "port": "/dev/none", **more})


def sealed(body: bytes, checksum: Name, start: int = 0) -> bytes:
    """``body`` with its checksum behind it, little endian."""
    kind = CHECKSUMS[checksum]
    return body + kind.of(body[start:]).to_bytes(kind.size, "little")


def slipped(body: bytes, end: int = 0xC0) -> bytes:
    escaped = body.replace(b"\xdb", b"\xdb\xdd").replace(bytes([end]), b"\xdb\xdc")
    return escaped + bytes([end])


def cobbed(body: bytes) -> bytes:
    out = bytearray()
    for run in body.split(b"\0"):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]
        out += bytes([len(run) + 1]) + run
    return bytes(out) + b"\0"


def record(i: int) -> bytes:
    return struct.pack(RECORD, i * 10, *MOTION)


@dataclass(frozen=True)
class Device:
    """``frame(i)`` are the bytes of sample i, whose stamp is 10 i ms.

    ``blind``: how much of the damage its checksum cannot see (and nothing sees a lost last byte that looks
    like the next header: 3e-4). Where it is ``separated``, a separator that is hit takes the next frame with
    it. After damage, so many frames may have to come before all is told: ``lag``.
    """

    name: str
    config: Config
    frame: Callable[[int], bytes]
    blind: float
    separated: bool = False
    lag: int = 1


def binary(frame: dict[str, Any], format: str = RECORD) -> Config:
    return config(format="binary", frame=frame, record={"format": format, "fields": FIELDS}, scale=SCALE)


def _text(i: int) -> tuple[float, ...]:
    return (i * 10, *(value * 0.001 for value in MOTION[:3]), *(value * 0.1 for value in MOTION[3:]))


DEVICES = (
    Device(
        "header_sum8",
        binary({"header": "55 AA", "length": 19, "checksum": "sum8"}, "<2xI6h"),
        lambda i: sealed(b"\x55\xaa" + record(i), "sum8"),
        2**-8,
    ),
    Device(
        "header_crc16",
        binary({"header": "55", "length": 19, "checksum": "crc16_modbus"}, "<xI6h"),
        lambda i: sealed(b"\x55" + record(i), "crc16_modbus"),
        3e-4,
    ),
    Device(
        "length_crc16",
        binary(
            {
                "header": "A5",
                "length": {"at": 1, "plus": 4, "most": 64},
                "checksum": "crc16_ccitt",
                "checksum_from": 1,
            },
            "<2xI6h",
        ),
        lambda i: sealed(b"\xa5\x10" + record(i), "crc16_ccitt", 1),
        3e-4,
        lag=4,
    ),
    Device(
        "header_alone",
        binary({"header": "55 AA 5A", "length": 19}, "<3xI6h"),
        lambda i: b"\x55\xaa\x5a" + record(i),
        1.0,
    ),
    Device(
        "slip_crc8",
        binary({"by": "slip", "checksum": "crc8"}),
        lambda i: slipped(sealed(record(i), "crc8")),
        2**-8,
        separated=True,
    ),
    Device(
        "cobs_crc16",
        binary({"by": "cobs", "checksum": "crc16_xmodem"}),
        lambda i: cobbed(sealed(record(i), "crc16_xmodem")),
        2**-16,
        separated=True,
    ),
    Device("csv", config(), lambda i: (",".join(map(repr, _text(i))) + "\n").encode(), 1.0, separated=True),
    Device(
        "json",
        config(format="json"),
        lambda i: (
            "{" + ", ".join(f'"{k}": {v}' for k, v in zip(FIELDS, _text(i), strict=True)) + "}\n"
        ).encode(),
        1.0,
        separated=True,
    ),
    Device(
        "key_value",
        config(format="key_value"),
        lambda i: (" ".join(f"{k}={v}" for k, v in zip(FIELDS, _text(i), strict=True)) + "\r\n").encode(),
        1.0,
        separated=True,
    ),
)
