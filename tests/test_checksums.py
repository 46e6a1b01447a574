"""Checksums, against the check values that everybody publishes for them."""

from __future__ import annotations

import zlib
from typing import get_args

import pytest

from mobind_live.samples.checksums import CHECKSUMS, Name


@pytest.mark.parametrize("name", CHECKSUMS)
def test_each_gives_its_check_value(name: Name) -> None:
    assert CHECKSUMS[name].of(b"123456789") == CHECKSUMS[name].check
    assert 0 <= CHECKSUMS[name].of(b"") < 256 ** CHECKSUMS[name].size


def test_the_names_in_the_yaml_are_all_of_them() -> None:
    assert set(get_args(Name)) == set(CHECKSUMS)


def test_crc32_is_zlibs() -> None:
    data = bytes(range(256)) * 3
    assert CHECKSUMS["crc32"].of(data) == zlib.crc32(data)


def test_negated_sums_make_the_whole_zero() -> None:
    data = b"\xff\x36\x04abc"
    assert (sum(data) + CHECKSUMS["sum8_negated"].of(data)) % 256 == 0
