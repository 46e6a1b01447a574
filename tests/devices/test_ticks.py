"""Counters of devices: what they mean beyond a wrap-around, and where each sample belongs."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.ticks import Places, Spread, Wrap, to_ns

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
    def after(*stamps: int) -> np.ndarray:
        spread = Spread(10 * MS, newest=newest)
        return [spread(stamp, 4) for stamp in (*stamps, 100 * MS)][-1]

    plain, slower, after_a_loss = after(), after(58 * MS), after(20 * MS)

    assert plain.tolist() == after_a_loss.tolist() == [(first + 10 * i) * MS for i in range(4)]
    assert np.diff(slower).tolist() == [10.5 * MS] * 3


@pytest.mark.parametrize("newest", [False, True])
def test_packets_of_different_length_are_spread_evenly(newest: bool) -> None:
    counts = [9, 10, 10, 9, 12, 9]
    spread, first, stamps = Spread(10 * MS, newest=newest), 0, []
    for count in counts:
        stamps += spread(10 * MS * (first + count - 1 if newest else first), count).tolist()
        first += count

    assert stamps == [10 * MS * n for n in range(sum(counts))]


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("true_ms", [2, 7, 14, 40])
@pytest.mark.parametrize("lost", [0.0, 0.15])
def test_a_rate_far_from_the_nominal_one_is_that_of_most_packets(
    lost: float, true_ms: int, newest: bool
) -> None:
    packets = np.flatnonzero(np.random.default_rng(0).random(400) >= lost)
    spread = Spread(10 * MS, newest=newest)
    stamps = [spread((8 * n + (7 if newest else 0)) * true_ms * MS, 8) for n in packets.tolist()]

    assert (len(packets) < 360) == (lost > 0)
    for n, own in list(zip(packets.tolist(), stamps, strict=True))[30:]:
        np.testing.assert_array_equal(own, (8 * n + np.arange(8)) * true_ms * MS)


def test_stamps_that_come_in_pairs_do_not_make_another_rate() -> None:
    spread = Spread(10 * MS, newest=False)
    stamps = [spread((8 * n + (4 if n % 2 else 0)) * 10 * MS, 8) for n in range(40)]  # 120 ms, 40 ms, ...

    assert {int(step) for one in stamps for step in np.diff(one)} == {10 * MS}
