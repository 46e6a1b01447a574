"""Checksums, against the check values that everybody publishes for them."""

from __future__ import annotations

import zlib
from typing import get_args

import pytest

from mobind_live.devices.samples.checksums import CHECKSUMS, Name, size_of


@pytest.mark.parametrize("name", CHECKSUMS)
def test_each_gives_its_check_value(name: Name) -> None:
    assert CHECKSUMS[name].of(b"123456789") == CHECKSUMS[name].check
    assert 0 <= CHECKSUMS[name].of(b"") < 256 ** CHECKSUMS[name].size


@pytest.mark.parametrize("name", CHECKSUMS)
def test_each_tells_its_frame_from_a_damaged_one(name: Name) -> None:
    kind, size = CHECKSUMS[name], size_of(name)
    given = kind.check.to_bytes(size, "big")

    assert kind.holds(b"123456789", given, "big")
    assert kind.holds(b"123456789", given[::-1])
    assert not kind.holds(b"123456788", given[::-1])


def test_without_a_checksum_there_are_no_bytes_of_one() -> None:
    assert size_of(None) == 0


def test_the_names_in_the_yaml_are_all_of_them() -> None:
    assert set(get_args(Name)) == set(CHECKSUMS)


def test_crc32_is_zlibs() -> None:
    data = bytes(range(256)) * 3
    assert CHECKSUMS["crc32"].of(data) == zlib.crc32(data)


def test_negated_sums_make_the_whole_zero() -> None:
    data = b"\xff\x36\x04abc"
    assert (sum(data) + CHECKSUMS["sum8_negated"].of(data)) % 256 == 0
