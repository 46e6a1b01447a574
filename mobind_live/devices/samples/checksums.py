"""Checksums of binary frames by name, each with its parameters. ``check``: its value of b"123456789"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from operator import xor
from typing import Literal

Name = Literal[
    "sum8", "sum8_negated", "xor8", "sum16",
    "crc8", "crc8_maxim", "crc16_ccitt", "crc16_xmodem", "crc16_kermit", "crc16_x25", "crc16_modbus",
    "crc16_arc", "crc32",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crc:
    """The usual parameters: see the catalogue of parametrised CRC algorithms, whose names stand beside."""

    bits: int
    poly: int
    init: int
    reflected: bool
    xor_out: int

    def __call__(self, data: bytes) -> int:
        table = _table(self)
        value = self.init
        if self.reflected:
            for byte in data:
                value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
            return value ^ self.xor_out
        shift, mask = self.bits - 8, (1 << self.bits) - 1
        for byte in data:
            value = ((value << 8) & mask) ^ table[(value >> shift) ^ byte]
        return value ^ self.xor_out


@dataclass(frozen=True, slots=True)
class Checksum:
    """``size`` bytes at the end of a frame; ``check`` is what it makes of b"123456789"."""

    size: int
    of: Callable[[bytes], int]
    check: int

    def holds(self, data: bytes, given: bytes, order: Literal["little", "big"] = "little") -> bool:
        """Whether ``given``, an integer of that byte ``order``, is the checksum of ``data``."""
        return self.of(data) == int.from_bytes(given, order)


CHECKSUMS: dict[Name, Checksum] = {
    "sum8": Checksum(1, lambda data: sum(data) & 0xFF, 0xDD),
    "sum8_negated": Checksum(1, lambda data: -sum(data) & 0xFF, 0x23),  # all bytes with it add up to 0
    "xor8": Checksum(1, lambda data: reduce(xor, data, 0), 0x31),
    "sum16": Checksum(2, lambda data: sum(data) & 0xFFFF, 0x01DD),
    "crc8": Checksum(1, Crc(8, 0x07, 0, False, 0), 0xF4),  # CRC-8/SMBUS
    "crc8_maxim": Checksum(1, Crc(8, 0x8C, 0, True, 0), 0xA1),  # CRC-8/MAXIM-DOW, poly 0x31 reflected
    "crc16_ccitt": Checksum(2, Crc(16, 0x1021, 0xFFFF, False, 0), 0x29B1),  # CRC-16/IBM-3740, CCITT-FALSE
    "crc16_xmodem": Checksum(2, Crc(16, 0x1021, 0, False, 0), 0x31C3),  # CRC-16/XMODEM
    "crc16_kermit": Checksum(2, Crc(16, 0x8408, 0, True, 0), 0x2189),  # CRC-16/KERMIT
    "crc16_x25": Checksum(2, Crc(16, 0x8408, 0xFFFF, True, 0xFFFF), 0x906E),  # CRC-16/IBM-SDLC
    "crc16_modbus": Checksum(2, Crc(16, 0xA001, 0xFFFF, True, 0), 0x4B37),  # CRC-16/MODBUS
    "crc16_arc": Checksum(2, Crc(16, 0xA001, 0, True, 0), 0xBB3D),  # CRC-16/ARC
    "crc32": Checksum(4, Crc(32, 0xEDB88320, 0xFFFFFFFF, True, 0xFFFFFFFF), 0xCBF43926),  # ISO-HDLC, zlib's
}


def size_of(name: Name | None) -> int:
    """Bytes of the checksum; 0 where there is none."""
    return CHECKSUMS[name].size if name else 0


@cache
def _table(crc: Crc) -> tuple[int, ...]:
    """The register after one byte, for each of its 256 values. ``poly`` is reflected where the CRC is."""
    if crc.reflected:
        return tuple(
            reduce(lambda v, _: (v >> 1) ^ (crc.poly if v & 1 else 0), range(8), i) for i in range(256)
        )
    top, mask = 1 << (crc.bits - 1), (1 << crc.bits) - 1

    def step(value: int, _: int) -> int:
        return ((value << 1) ^ (crc.poly if value & top else 0)) & mask

    return tuple(reduce(step, range(8), i << (crc.bits - 8)) for i in range(256))
