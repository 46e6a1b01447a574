"""Framing by headers: split, merged, truncated and corrupted frames, lengths inside, no checksum at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serial_devices import sealed

from mobind_live.devices.samples.framing import Frame
from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.serial.frames import Seal
from mobind_live.devices.serial.headers import Headed, Length

CRC = Seal("crc16_modbus")


def fixed() -> Headed:
    return Headed(b"\xaa\x55", Length(10), CRC)


def frame(i: int) -> bytes:
    return sealed(b"\xaa\x55" + i.to_bytes(4, "big") + b"\xaa\xaa", "crc16_modbus")


def fed(framing: Headed, *chunks: bytes) -> tuple[list[int], int]:
    """The numbers of the frames that came out, and how many were bad."""
    items = [item for at, chunk in enumerate(chunks) for item in framing.feed(chunk, at)]
    numbers = [int.from_bytes(item.data[2:6], "big") for item in items if isinstance(item, Frame)]
    return numbers, sum(isinstance(item, BadLine) for item in items)


@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]) -> None:
    stream = b"".join(map(frame, range(20)))
    edges = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    assert fed(fixed(), *(stream[a:b] for a, b in pairwise(edges))) == (list(range(20)), 0)


def test_where_the_port_was_opened_inside_a_frame_nothing_is_bad() -> None:
    for cut in range(10):
        framing = fixed()
        assert fed(framing, frame(1)[cut:] + frame(2) + frame(3))[0][-2:] == [2, 3]
        assert framing.bad_bytes == 0


@pytest.mark.parametrize("hit", range(10))
def test_a_corrupted_byte_costs_one_frame(hit: int) -> None:
    broken = bytearray(frame(2))
    broken[hit] ^= 0x11
    framing = fixed()
    assert fed(framing, frame(1) + bytes(broken) + frame(3)) == ([1, 3], 1)
    assert framing.bad_bytes == 10


@pytest.mark.parametrize("left", range(1, 10))
def test_a_truncated_frame_does_not_take_the_next_with_it(left: int) -> None:
    framing = fixed()
    assert fed(framing, frame(1) + frame(2)[:left] + frame(3) + frame(4)) == ([1, 3, 4], 1)
    assert framing.bad_bytes == left


def test_each_of_several_damaged_frames_in_a_row_is_counted() -> None:
    bad = [bytearray(frame(i)) for i in range(3)]
    bad[0][0], bad[1][5], bad[2][9] = 0, 0xFF, 0x00
    assert fed(fixed(), frame(7) + b"".join(map(bytes, bad)) + frame(8)) == ([7, 8], 3)


def test_noise_counts_as_the_frames_it_has_room_for_and_takes_no_memory() -> None:
    framing = fixed()
    numbers, bad = fed(framing, frame(1), *([b"\x01" * 1000] * 50), frame(2))
    assert (numbers, bad) == ([1, 2], 5000)
    assert framing.bad_bytes == 50_000
    assert len(framing._buffer) < 10  # pyright: ignore


def framed(length: int, body: bytes) -> bytes:
    return sealed(b"\x5a\x01" + length.to_bytes(2, "big") + body, "crc16_modbus")


def test_a_length_inside_the_frame() -> None:
    framing = Headed(b"\x5a\x01", Length(6, ">H", 2, 6, 40), CRC)
    stream = framed(4, b"abcd") + framed(0, b"") + framed(9, b"123456789")
    out = [item.data[4:] for item in framing.feed(stream, 0) if isinstance(item, Frame)]
    assert out == [b"abcd", b"", b"123456789"]


def test_an_impossible_length_is_bad_and_a_wrong_one_costs_no_good_frame() -> None:
    framing = Headed(b"\x5a\x01", Length(6, ">H", 2, 6, 40), CRC)
    stream = framed(4, b"abcd") + framed(60000, b"abcd") + framed(30, b"abcd") + framed(4, b"last") * 5
    items = list(framing.feed(stream, 0))
    assert [item.data[4:] for item in items if isinstance(item, Frame)] == [b"abcd"] + [b"last"] * 5
    assert sum(isinstance(item, BadLine) for item in items) == 2
    assert framing.bad_bytes == 20


def bare(i: int) -> bytes:
    return b"\xaa\x55" + i.to_bytes(4, "big") + b"\xaa\xaa"


def test_without_a_checksum_a_frame_is_believed_when_the_next_begins_and_keeps_its_arrival() -> None:
    framing = Headed(b"\xaa\x55", Length(8), Seal())
    assert list(framing.feed(bare(1), 5)) == []
    assert list(framing.feed(b"\xaa", 6)) == []
    (one,) = framing.feed(b"\x55", 7)
    assert isinstance(one, Frame)
    assert (one.data, one.received_ns) == (bare(1), 5)


@pytest.mark.parametrize("left", range(1, 8))
def test_without_a_checksum_a_truncated_frame_does_not_take_the_next_with_it(left: int) -> None:
    framing = Headed(b"\xaa\x55", Length(8), Seal())
    assert fed(framing, *map(bare, range(3)), bare(3)[:left], *map(bare, range(4, 7))) == ([0, 1, 2, 4, 5], 1)


def test_without_a_checksum_a_frame_before_a_damaged_one_is_kept() -> None:
    framing = Headed(b"\xaa\x55", Length(8), Seal())
    stream = bare(1) + bare(2) + b"\0" + bare(3)[1:] + bare(4) + bare(5)
    assert fed(framing, stream) == ([1, 2, 4], 1)
