"""Binary records: formats, names, factors, and what does not fit."""

from __future__ import annotations

import struct

import pytest

from mobind_live.devices.samples.fields import Record, check_scale, record_name
from mobind_live.devices.samples.limits import BadLine

NAMES = ("t_ms", "ax", "ay", "az", "gx", "gy", "gz")


def test_a_record_gives_named_numbers() -> None:
    record = Record("<I6f", NAMES)
    data = b"\x55" + struct.pack("<I6f", 4_000_000_000, 1, 2, 3, 4, 5, 6)

    assert record.size == 28
    assert record.names == {"t", "ax", "ay", "az", "gx", "gy", "gz"}
    assert record.read(data, 1) == {
        "t": 4_000_000_000, "ax": 1, "ay": 2, "az": 3, "gx": 4, "gy": 5, "gz": 6
    }  # fmt: skip


def test_little_endian_without_padding_is_the_default() -> None:
    assert Record("bh", ("seq", "ax")).read(b"\x07\x01\x02") == {"seq": 7, "ax": 0x0201}
    assert Record(">bh", ("seq", "ax")).read(b"\x07\x01\x02") == {"seq": 7, "ax": 0x0102}


def test_factors_are_for_a_group_or_one_field_and_a_stamp_stays_whole_without() -> None:
    record = Record("<Qhhhh", ("t", "ax", "ay", "gx", "mx"), {"acc": 0.5, "ay": 2.0})

    read = record.read(struct.pack("<Qhhhh", 2**63 + 1, 3, 3, 3, 3))

    assert read == {"t": 2**63 + 1, "ax": 1.5, "ay": 6, "gx": 3}


def test_unsigned_counters_say_where_they_begin_again() -> None:
    assert Record("<BIqfh", ("seq", "t", "mx", "ax", "ay"), {"t": 0.5}).spans == {"seq": 256, "t": 2.0**31}


@pytest.mark.parametrize(
    ("format", "names", "says"),
    [
        ("<I6f", NAMES[:6], "7 values, but 6 are named"),
        ("<Iq!", ("t",), "is no struct format"),
        ("=I", ("t",), "begin with <"),
        ("<hh", ("ax", "AccelX"), "named twice"),
        ("<4s", ("ax",), "gives bytes"),
    ],
)
def test_what_does_not_fit_is_named(format: str, names: tuple[str, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Record(format, names)


def test_bytes_may_be_passed_over() -> None:
    assert Record("<4sh", ("serial", "ax")).read(b"abcd\x01\x00") == {"ax": 1}


@pytest.mark.parametrize(
    "data", [b"\0\0\0", struct.pack("<f", float("nan")), struct.pack("<f", float("inf"))]
)
def test_a_bad_record_is_a_bad_line(data: bytes) -> None:
    with pytest.raises(BadLine):
        Record("<f", ("ax",)).read(data)


@pytest.mark.parametrize("scale", [{"mag": 1.0}, {"acc": 0.0}, {"acc": float("nan")}])
def test_a_bad_factor_is_named(scale: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(scale))):
        check_scale(scale)


def test_names() -> None:
    assert [record_name(n) for n in ("t_us", "Counter", "seq", "GyroX", "-")] == [
        "t",
        "seq",
        "seq",
        "gx",
        None,
    ]
