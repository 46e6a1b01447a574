"""Framing by separators: lines, SLIP, COBS. Split, merged, corrupted and endless."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serial_devices import cobbed, sealed, slipped

from mobind_live.devices.samples.framing import Frame, Framing
from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.serial.frames import LINE_BYTES, Seal, cobs, lines, slip, uncobs, unslip

CRC = Seal("crc16_xmodem")


def fed(framing: Framing, *chunks: bytes) -> list[Frame | BadLine]:
    return [item for at, chunk in enumerate(chunks) for item in framing.feed(chunk, at)]


def good(items: list[Frame | BadLine]) -> list[bytes]:
    return [item.data for item in items if isinstance(item, Frame) and item.whole]


@given(data=st.binary(max_size=600))
def test_cobs_and_slip_are_undone(data: bytes) -> None:
    assert uncobs(cobbed(data)[:-1]) == data
    assert unslip(slipped(data)[:-1]) == data
    assert unslip(slipped(data, end=0x0A)[:-1], end=0x0A) == data
    assert b"\n" not in slipped(data, end=0x0A)[:-1]


@pytest.mark.parametrize(
    ("plain", "stuffed"),
    [
        ("00", "01 01 00"), ("00 00", "01 01 01 00"), ("11 22 00 33", "03 11 22 02 33 00"),
        ("11 22 33 44", "05 11 22 33 44 00"), ("11 00 00 00", "02 11 01 01 01 00"),
    ],
)  # fmt: skip
def test_cobs_of_its_papers_examples(plain: str, stuffed: str) -> None:
    assert uncobs(bytes.fromhex(stuffed)[:-1]) == bytes.fromhex(plain)


def test_slip_as_the_ximu3_manual_has_it() -> None:
    assert unslip(bytes.fromhex("45 58 41 4D 50 DB DD DB DC"), 0x0A) == bytes.fromhex("45 58 41 4D 50 DB 0A")


@given(cuts=st.lists(st.integers(0, 200), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    bodies = [bytes([i, 0, 0xC0, 0xDB, i]) for i in range(1, 16)]
    for framing, stuff in ((cobs(CRC), cobbed), (slip(CRC), slipped)):
        stream = stuff(b"first") + b"".join(stuff(sealed(body, "crc16_xmodem")) for body in bodies)
        edges = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
        assert good(fed(framing, *(stream[a:b] for a, b in pairwise(edges)))) == bodies
        assert framing.bad_bytes == 0


def test_a_frame_has_the_arrival_of_its_last_byte() -> None:
    framing = lines()
    items = fed(framing, b"cut\n12", b"34", b"56\n7\n", b"8")
    assert [(item.data, item.received_ns) for item in items if isinstance(item, Frame)] == [
        (b"cut", 0),
        (b"123456", 2),
        (b"7", 2),
    ]


@pytest.mark.parametrize("bad", [b"\xdb", b"\xdb\x01", b"ab"])
def test_what_is_no_frame_is_bad_once(bad: bytes) -> None:
    framing = slip(CRC)
    items = fed(framing, b"\xc0", bad + b"\xc0", slipped(sealed(b"ok", "crc16_xmodem")))
    assert good(items) == [b"ok"]
    assert sum(isinstance(item, BadLine) for item in items) == 1
    assert framing.bad_bytes == len(bad)


def test_the_first_is_not_trusted_and_not_bad() -> None:
    framing = cobs(CRC)
    assert good(fed(framing, b"\x07cut off\0", cobbed(sealed(b"ok", "crc16_xmodem")))) == [b"ok"]
    assert framing.bad_bytes == 0


def test_a_flood_is_one_bad_frame_and_takes_no_memory() -> None:
    framing = slip(CRC)
    items = fed(framing, b"\xc0", *([b"7" * 1000] * 500), b"\xc0", slipped(sealed(b"ok", "crc16_xmodem")))
    assert good(items) == [b"ok"]
    assert sum(isinstance(item, BadLine) for item in items) == 1
    assert framing.bad_bytes == 500_000
    assert len(framing._rest) <= LINE_BYTES  # pyright: ignore


def test_a_seal_has_an_order_a_start_and_a_footer() -> None:
    seal = Seal("crc16_modbus", start=1, order="big", footer=b"\r\n")
    assert seal.open(b"\xaa123456789\x4b\x37\r\n") == b"\xaa123456789"
    for broken in (b"\xaa123456789\x37\x4b\r\n", b"\xaa123456789\x4b\x37\n\r", b"\x4b\x37\r\n", b""):
        with pytest.raises(BadLine):
            seal.open(broken)
