"""Counters of devices: what they mean beyond a wrap-around, and where each sample belongs."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.ticks import Places, Wrap, spread, to_ns

MS = 1_000_000
PERIOD_NS = 10 * MS


def test_a_stamp_that_no_device_can_mean_is_no_sample() -> None:
    assert to_ns(2.5, MS) == 2_500_000
    with pytest.raises(BadLine, match="out of range"):
        to_ns(-1e13, MS)


def test_a_counter_goes_on_over_its_wrap_around_and_back_a_little() -> None:
    wrap = Wrap(256)

    assert [wrap(value, 0, MS) for value in (250, 4, 2, 100, 200, 3)] == [250, 260, 258, 356, 456, 515]


def test_a_counter_that_never_wraps_may_jump_back() -> None:
    wrap = Wrap(0)

    assert [wrap(value, 0, MS) for value in (2**32, 5)] == [2**32, 5]


def test_the_count_goes_on_over_what_is_missing() -> None:
    places = Places(256, PERIOD_NS)

    assert [places(seq, 6, 0) for seq in (254, 255, 0, 3, 4)] == [0, 6, 12, 30, 36]


@pytest.mark.parametrize("missing", [100, 134, 189, 255, 260, 300, 519])
@pytest.mark.parametrize("late_ms", [-300, 0, 300])
def test_how_often_a_counter_wrapped_in_a_gap_is_told_by_the_time_it_took(missing: int, late_ms: int) -> None:
    places = Places(256, PERIOD_NS)
    places(250, 1, 0)

    after = 1 + missing
    assert places((250 + after) % 256, 1, after * PERIOD_NS + late_ms * MS) == after


def test_packets_that_were_held_up_are_all_there() -> None:
    places, wrap = Places(256, PERIOD_NS), Wrap(2560)
    came_ns = [0, *[3000 * MS] * 300, 3010 * MS]

    assert [places(n % 256, 1, at) for n, at in enumerate(came_ns)] == list(range(302))
    assert [wrap(10 * (n % 256), at, MS, 10) for n, at in enumerate(came_ns)] == list(range(0, 3020, 10))


def test_a_packet_that_comes_twice_has_no_place_of_its_own() -> None:
    places = Places(256, PERIOD_NS)

    assert [places(seq, 6, 0) for seq in (1, 2, 2, 3)] == [0, 6, None, 12]


def test_a_counter_that_begins_anew_goes_on_where_it_was() -> None:
    places = Places(2**32, PERIOD_NS)

    assert [places(seq, 6, 0) for seq in (70_000, 0, 1, 3)] == [0, 6, 12, 24]


@pytest.mark.parametrize("gap_s", [12, 40, 600])
@pytest.mark.parametrize("off", [0.9, 1.0, 1.1])
def test_a_counter_that_went_on_is_believed_after_any_gap_that_the_arrivals_show(
    gap_s: int, off: float
) -> None:
    places = Places(2**32, PERIOD_NS)
    places(70_000, 1, 0)

    after = round(gap_s * 100 * off)
    assert places(70_000 + after, 1, gap_s * 1000 * MS) == after


@pytest.mark.parametrize(("counter", "gap_s"), [(0, 0.5), (0, 30), (60_000, 30), (71_001, 30), (2**31, 30)])
def test_a_counter_that_began_anew_jumps_beyond_where_the_device_would_be(counter: int, gap_s: float) -> None:
    places = Places(2**32, PERIOD_NS)
    places(70_000, 1, 0)

    first = places(counter, 1, round(gap_s * 1000) * MS)
    assert first is not None
    assert (gap_s + 1) * 1000 * MS < first * PERIOD_NS < (1.3 * gap_s + 3) * 1000 * MS
    assert places(counter + 1, 1, round(gap_s * 1000) * MS + PERIOD_NS) == first + 1


def test_one_wrong_number_moves_no_sample() -> None:
    places = Places(2**16, PERIOD_NS)

    assert [places(seq, 1, n * PERIOD_NS) for n, seq in enumerate((5, 6, 40_000, 8, 9))] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("newest", "first"), [(False, 100), (True, 70)])
def test_a_packets_stamp_is_spread_by_the_true_period_if_it_is_near_the_expected(
    newest: bool, first: int
) -> None:
    plain = spread(100 * MS, None, 4, 10 * MS, newest=newest)
    slower = spread(100 * MS, (58 * MS, 4), 4, 10 * MS, newest=newest)
    after_a_loss = spread(100 * MS, (20 * MS, 4), 4, 10 * MS, newest=newest)

    assert plain.tolist() == after_a_loss.tolist() == [(first + 10 * i) * MS for i in range(4)]
    assert np.diff(slower).tolist() == [10.5 * MS] * 3


@pytest.mark.parametrize("newest", [False, True])
def test_packets_of_different_length_are_spread_evenly(newest: bool) -> None:
    counts = [9, 10, 10, 9, 12, 9]
    first, before, stamps = 0, None, []
    for count in counts:
        stamp = 10 * MS * (first + count - 1 if newest else first)
        stamps += spread(stamp, before, count, 10 * MS, newest=newest).tolist()
        first, before = first + count, (stamp, count)

    assert stamps == [10 * MS * n for n in range(sum(counts))]
