"""Counters of devices: what they mean beyond a wrap-around, and what they say is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.ticks import Gaps, Wrap, spread

MS = 1_000_000


def test_a_counter_goes_on_over_its_wrap_around_and_back_a_little() -> None:
    wrap = Wrap(256)

    assert [wrap(value) for value in (250, 4, 2, 100, 200, 3)] == [250, 260, 258, 356, 456, 515]


def test_a_counter_that_never_wraps_may_jump_back() -> None:
    wrap = Wrap(0)

    assert [wrap(value) for value in (2**32, 5)] == [2**32, 5]


@settings(max_examples=30)
@given(
    period=st.integers(5, 50),
    seed=st.integers(0, 2**32 - 1),
    gone=st.sets(st.integers(100, 298), max_size=30),
)
def test_each_sample_left_out_counts_once(period: int, seed: int, gone: set[int]) -> None:
    """Steps of ``period`` +- 2 ms at most, some of 300 samples left out after the first 100."""
    jitter = np.random.default_rng(seed).integers(-1, 2, 300) * (period >= 15)
    stamps = [int(i * period + jitter[i]) * MS for i in range(300) if i not in gone]

    assert Gaps(period * MS)(stamps) == len(gone)


def test_a_clock_that_is_set_or_begins_anew_loses_nothing() -> None:
    gaps = Gaps(10 * MS)

    assert [gaps([at * MS]) for at in (0, 10, 60_000, 60_010, 5, 15)] == [0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("newest", "first"), [(False, 100), (True, 70)])
def test_a_packets_stamp_is_spread_by_the_true_period_if_it_is_near_the_expected(
    newest: bool, first: int
) -> None:
    plain = spread(100 * MS, None, 4, 10 * MS, newest=newest)
    slower = spread(100 * MS, 58 * MS, 4, 10 * MS, newest=newest)
    after_a_loss = spread(100 * MS, 20 * MS, 4, 10 * MS, newest=newest)

    assert plain.tolist() == after_a_loss.tolist() == [(first + 10 * i) * MS for i in range(4)]
    assert np.diff(slower).tolist() == [10.5 * MS] * 3


@pytest.mark.parametrize(
    ("take", "imu", "least", "most"), [("take_8", "left_arm", 0.2, 0.28), ("take_8", "chest", 0, 0)]
)
def test_what_real_recordings_lost(shared_data: Path, take: str, imu: str, least: float, most: float) -> None:
    """One sensor of this take lost a quarter of its packets, the others none; the period is 20.6 ms, in steps
    of 20 to 26, and is said to be 20."""
    rows = (shared_data / "bench5" / take / f"imu_{imu}.csv").read_text().splitlines()[1:]
    stamps = [int(re.split(r"[\t,;]", row)[0]) * MS for row in rows]

    lost = Gaps(20 * MS)(stamps)

    assert least <= lost / (lost + len(stamps)) <= most
