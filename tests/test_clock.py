"""Device clocks mapped to host time, on generated deliveries and on real ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.clock import Dejitter, DeviceClock, host_now_ns
from mobind_live.clock.gaps import Gaps
from mobind_live.clock.line import Prior, envelope, lower_hull
from mobind_live.clock.losses import even
from mobind_live.devices.samples.ticks import Places, Wrap

HZ = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Samples: true capture time, device stamp and arrival, all (N,) int64 ns."""

    capture_ns: np.ndarray
    device_ns: np.ndarray
    received_ns: np.ndarray


def deliver(
    seed: int, *, seconds: float, hz: float = HZ, ppm: float = 50, burst: int = 1, mean_s: float = 0.03
) -> Delivery:
    """Samples in bursts, each burst delayed by an exponential time; the device drifts by ``ppm``."""
    count = int(seconds * hz)
    capture_s = 7.0 + np.arange(count) / hz
    device_s = (capture_s - 4321.5) * (1 - ppm * 1e-6)
    group = np.arange(count) // burst
    ready_s = capture_s[np.minimum((group + 1) * burst - 1, count - 1)]
    delays_s = np.random.default_rng(seed).exponential(mean_s, group.max() + 1)
    received_s = np.maximum.accumulate(ready_s + delays_s[group])
    to_ns = 1e9
    return Delivery(
        capture_ns=(capture_s * to_ns).astype(np.int64),
        device_ns=(device_s * to_ns).astype(np.int64),
        received_ns=(received_s * to_ns).astype(np.int64),
    )


def batches(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def mapped(clock: DeviceClock, data: Delivery, size: int = 7) -> np.ndarray:
    parts = [clock.update(data.device_ns[b], data.received_ns[b]) for b in batches(len(data.device_ns), size)]
    return np.concatenate(parts)


def dejittered(clock: Dejitter, received_ns: np.ndarray, size: int = 7) -> np.ndarray:
    return np.concatenate([clock.update(received_ns[b]) for b in batches(len(received_ns), size)])


def error_ms(host_ns: np.ndarray, data: Delivery, from_s: float) -> np.ndarray:
    return np.abs(host_ns - data.capture_ns)[int(from_s * HZ) :] * 1e-6


def test_the_host_clock_does_not_go_back():
    assert host_now_ns() <= host_now_ns()


def test_the_lower_hull_is_below_all_points_and_made_of_them():
    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in enumerate(rng.exponential(1, 50))]
    hull = lower_hull(points)
    assert set(hull) <= set(points)
    xs, ys = zip(*hull, strict=True)
    assert all(np.interp(x, xs, ys) <= y + 1e-12 for x, y in points)
    assert np.all(np.diff(np.diff(ys) / np.diff(xs)) > 0)


@given(slope=st.floats(-1e5, 1e5), heights=st.lists(st.floats(0, 1e8), min_size=3, max_size=60))
def test_the_envelope_is_never_above_a_point(slope: float, heights: list[float]):
    points = [(float(x), slope * x + height) for x, height in enumerate(heights)]
    line = envelope(points, Prior(0.0, 1e5))
    assert all(line(x) <= y + 1e-3 for x, y in points)


@pytest.mark.parametrize("burst", [1, 10, 20])
@pytest.mark.parametrize("ppm", [-50, 50])
def test_with_stamps_the_error_is_below_a_millisecond_after_two_minutes(burst: int, ppm: float):
    data = deliver(burst, seconds=150, ppm=ppm, burst=burst)
    clock = DeviceClock(HZ)
    host_ns = mapped(clock, data)
    assert np.percentile(error_ms(host_ns, data, 120), 95) < 1.0
    status = clock.status()
    assert status.drift_ppm == pytest.approx(ppm, abs=10)
    assert status.offset_s == pytest.approx((data.capture_ns[-1] - data.device_ns[-1]) * 1e-9, abs=1e-3)
    assert status.uncertainty_ms < 1.0
    assert status.residual_ms > 20
    assert status.resets == 0


@pytest.mark.parametrize("burst", [1, 10, 20])
def test_with_stamps_the_drift_is_known_to_a_ppm_after_ten_minutes(burst: int):
    clock = DeviceClock(HZ)
    mapped(clock, deliver(burst, seconds=600, ppm=100, burst=burst))
    assert clock.status().drift_ppm == pytest.approx(100, abs=1.0)


def test_a_clock_whose_drift_changes_as_it_warms_up_is_still_followed():
    data = deliver(4, seconds=900)
    passed_s = (data.capture_ns - data.capture_ns[0]) * 1e-9
    warming = replace(
        data, device_ns=data.device_ns - (0.5 * 0.5e-6 / 60 * passed_s**2 * 1e9).astype(np.int64)
    )
    clock = DeviceClock(HZ)
    assert error_ms(mapped(clock, warming), warming, 120).max() < 1.0
    assert clock.status().drift_ppm == pytest.approx(50 + 0.5 * 15, abs=4), "of its window, not of now"


@pytest.mark.parametrize("burst", [1, 10, 25])
@pytest.mark.parametrize("ppm", [0, -20_000, 30_000])
def test_without_stamps_the_error_is_below_ten_milliseconds_after_two_minutes(burst: int, ppm: float):
    data = deliver(burst, seconds=150, hz=HZ * (1 - ppm * 1e-6), ppm=0, burst=burst)
    clock = Dejitter(HZ)
    host_ns = dejittered(clock, data.received_ns)
    assert np.percentile(error_ms(host_ns, data, 120), 95) < 10.0
    assert clock.status().drift_ppm == pytest.approx(ppm * (1 + ppm * 1e-6), abs=300)
    assert clock.status().lost <= 1


def test_a_clock_far_off_its_nominal_rate_is_followed():
    data = deliver(3, seconds=60, ppm=10_000, burst=10)
    assert np.percentile(error_ms(mapped(DeviceClock(HZ), data), data, 30), 95) < 3.0


@pytest.mark.parametrize("burst", [1, 30])
@pytest.mark.parametrize("true_hz", [25, 50, 85, 200])
def test_a_count_of_samples_at_another_rate_than_the_nominal_one_is_followed(true_hz: float, burst: int):
    data = deliver(7, seconds=60, hz=true_hz, burst=burst)
    counted = replace(data, device_ns=np.arange(len(data.capture_ns)) * (1_000_000_000 // HZ))
    clock = DeviceClock(HZ)
    late_ms = np.abs(mapped(clock, counted) - data.capture_ns)[int(20 * true_hz) :] * 1e-6
    assert np.percentile(late_ms, 95) < 30
    assert clock.status().resets <= 1
    assert clock.status().lost == 0


def test_a_link_that_is_too_slow_at_first_is_no_lower_rate():
    data = deliver(7, seconds=30, mean_s=0.003)
    passed_ns = data.capture_ns - data.capture_ns[0]
    slow_ns = data.capture_ns[0] + np.minimum(2 * passed_ns, 6_000_000_000)
    clock = DeviceClock(HZ)
    host_ns = mapped(clock, replace(data, received_ns=np.maximum(data.received_ns, slow_ns)))
    assert clock.status().resets == 0
    assert np.abs(host_ns - data.capture_ns).max() < 50e6


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), ppm=st.floats(-500, 500), burst=st.integers(1, 25), size=st.integers(1, 60)
)
def test_the_output_rises_never_precedes_and_moves_smoothly(seed: int, ppm: float, burst: int, size: int):
    data = deliver(seed, seconds=45, ppm=ppm, burst=burst)
    host_ns = mapped(DeviceClock(HZ), data, size)
    assert len(host_ns) == len(data.capture_ns)
    assert np.all(np.diff(host_ns) > 0)
    assert np.all(host_ns <= data.received_ns + np.arange(len(host_ns)))  # rising, by 1 ns where it must
    # What the mapping learns from is a burst's fastest delivery: it has settled after some 80 of them.
    settled = np.diff(host_ns - data.capture_ns)[max(20 * HZ, 80 * burst) :]
    assert np.abs(settled).max() < 5e6


@pytest.mark.parametrize("burst", [1, 6])
@pytest.mark.parametrize("true_hz", [85, 70, 55])
def test_a_device_without_stamps_that_is_far_slower_than_it_should_be_is_followed(true_hz: int, burst: int):
    data = deliver(7, seconds=120, hz=true_hz, ppm=0, burst=burst, mean_s=0.005)
    clock = Dejitter(HZ)
    late = np.abs(dejittered(clock, data.received_ns) - data.capture_ns)[60 * true_hz :] * 1e-6
    assert late.max() < 12
    assert clock.status().lost == 0
    assert clock.status().resets == 1
    assert clock.status().drift_ppm == pytest.approx((HZ / true_hz - 1) * 1e6, abs=300)


@pytest.mark.parametrize("then_hz", [95, 80])
def test_a_device_without_stamps_that_becomes_slower_has_lost_nothing(then_hz: int):
    parts = (deliver(7, seconds=60, ppm=0, mean_s=0.005), deliver(8, seconds=150, hz=then_hz, mean_s=0.005))
    after_ns = 60_000_000_000
    captured = np.concatenate([parts[0].capture_ns, parts[1].capture_ns + after_ns])
    received = np.concatenate([parts[0].received_ns, parts[1].received_ns + after_ns])
    clock = Dejitter(HZ)
    late = np.abs(dejittered(clock, np.maximum.accumulate(received)) - captured)[-40 * then_hz :] * 1e-6
    assert late.max() < 12
    assert clock.status().lost <= 3


def test_only_what_is_missing_evenly_makes_another_rate():
    numbers = np.arange(0, 6000, 25.0)
    slower = even(numbers, numbers * 1.2e7, 1e7, np.floor(numbers * 0.2))
    assert slower == pytest.approx(1.2e7)

    outage = np.where(numbers < 100, 0.0, 1200.0)
    assert even(numbers, (numbers + outage) * 1e7, 1e7, outage) is None
    random = np.cumsum(np.random.default_rng(0).poisson(5.0, len(numbers))).astype(float)
    assert even(numbers, (numbers + random) * 1e7, 1e7, random) is None
    few = np.floor(numbers * 0.02)
    assert even(numbers, numbers * 1.02e7, 1e7, few) is None


@pytest.mark.parametrize("packet", [1, 6])
@pytest.mark.parametrize("share", [0.2, 0.3])
def test_many_lost_samples_are_not_taken_for_a_far_slower_rate(share: float, packet: int):
    data = deliver(7, seconds=240, ppm=0, burst=packet, mean_s=0.005)
    rng = np.random.default_rng(1)
    keep = (rng.random(len(data.capture_ns) // packet) >= share).repeat(packet)
    clock = Dejitter(HZ)
    dejittered(clock, without(data, np.flatnonzero(keep)).received_ns)
    assert clock.status().resets == 0
    assert clock.status().drift_ppm == pytest.approx(0, abs=0.6e6 * share)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000), ppm=st.floats(-3e4, 3e4), burst=st.integers(1, 40), size=st.integers(1, 60)
)
def test_dejittered_stamps_rise_and_never_come_after_the_arrival(
    seed: int, ppm: float, burst: int, size: int
):
    data = deliver(seed, seconds=25, hz=HZ * (1 - ppm * 1e-6), burst=burst)
    host_ns = dejittered(Dejitter(HZ), data.received_ns, size)
    assert np.all(np.diff(host_ns) > 0)
    assert np.all(host_ns <= data.received_ns + np.arange(len(host_ns)))


def test_the_size_of_the_batches_hardly_matters():
    data = deliver(5, seconds=60, burst=10)
    one, many = (mapped(DeviceClock(HZ), data, size) for size in (1, 50))
    assert np.abs(one - many)[20 * HZ :].max() < 1e6


@pytest.mark.parametrize("jump_s", [-4000.0, -1.0, 0.3, 5.0, 100_000.0])
def test_a_reset_or_jump_of_the_device_starts_a_new_segment(jump_s: float):
    data = deliver(1, seconds=60)
    device_ns = data.device_ns.copy()
    device_ns[30 * HZ :] += int(jump_s * 1e9)
    clock = DeviceClock(HZ)
    host_ns = mapped(
        clock, Delivery(capture_ns=data.capture_ns, device_ns=device_ns, received_ns=data.received_ns)
    )
    assert clock.status().resets == 1
    assert np.all(np.diff(host_ns) > 0)
    assert np.percentile(error_ms(host_ns, data, 35), 95) < 15


def test_a_device_whose_clock_stood_still_is_noticed_within_seconds():
    data = deliver(1, seconds=60)
    device_ns = data.device_ns.copy()
    device_ns[20 * HZ :] -= 400_000_000
    device_ns = np.maximum.accumulate(device_ns)
    clock = DeviceClock(HZ)
    host_ns = mapped(
        clock, Delivery(capture_ns=data.capture_ns, device_ns=device_ns, received_ns=data.received_ns)
    )
    assert clock.status().resets == 1
    assert np.percentile(error_ms(host_ns, data, 40), 95) < 15


@pytest.mark.parametrize("glitch_s", [-100.0, -0.5, 0.5, 100.0])
def test_a_few_wrong_stamps_change_nothing_but_themselves(glitch_s: float):
    data = deliver(2, seconds=60)
    device_ns = data.device_ns.copy()
    device_ns[30 * HZ : 30 * HZ + 3] += int(glitch_s * 1e9)
    clock = DeviceClock(HZ)
    host_ns = mapped(
        clock, Delivery(capture_ns=data.capture_ns, device_ns=device_ns, received_ns=data.received_ns)
    )
    assert clock.status().resets == 0
    clean_ns = mapped(DeviceClock(HZ), data)
    assert np.abs(host_ns - clean_ns)[31 * HZ :].max() < 1e6


def test_a_stall_that_is_made_up_for_keeps_its_stamps():
    data = deliver(4, seconds=60)
    received_ns = data.received_ns.copy()
    stalled = slice(30 * HZ, 35 * HZ)
    received_ns[stalled] = received_ns[35 * HZ]
    clock = DeviceClock(HZ)
    host_ns = mapped(
        clock, Delivery(capture_ns=data.capture_ns, device_ns=data.device_ns, received_ns=received_ns)
    )
    assert clock.status().resets == 0
    assert np.abs(host_ns - data.capture_ns)[stalled].max() < 10e6


def held_up(data: Delivery, *outages: tuple[float, float], drain: float) -> Delivery:
    """``data`` that waits while there are ``outages`` (from, for how many seconds), and comes after each at
    ``drain`` times its rate until nothing waits any more."""
    passed_s = (data.capture_ns - data.capture_ns[0]) * 1e-9
    late_s = [
        np.where(passed_s < at_s, 0.0, np.maximum(0.0, for_s - (passed_s - at_s) * (1 - 1 / drain)))
        for at_s, for_s in outages
    ]
    waited_ns = (np.max(late_s, axis=0) * 1e9).astype(np.int64)
    return replace(data, received_ns=np.maximum.accumulate(data.received_ns + waited_ns))


@pytest.mark.parametrize("burst", [1, 10])
@pytest.mark.parametrize("drain", [1.1, 1.2, 1.5])
@pytest.mark.parametrize("outage_s", [3, 10])
def test_a_backlog_that_comes_slowly_keeps_its_stamps(outage_s: float, drain: float, burst: int):
    data = held_up(deliver(4, seconds=200, burst=burst, mean_s=0.01), (40, outage_s), drain=drain)
    clock = DeviceClock(HZ)
    assert error_ms(mapped(clock, data), data, 30).max() < 30
    assert clock.status().resets == 0
    assert clock.status().lost == 0


def test_a_radio_that_fails_again_while_its_backlog_comes_keeps_its_stamps():
    data = held_up(deliver(4, seconds=200, mean_s=0.01), (40, 6), (55, 6), drain=1.2)
    clock = DeviceClock(HZ)
    assert error_ms(mapped(clock, data), data, 30).max() < 30
    assert clock.status().resets == 0


@pytest.mark.parametrize(("backlog_s", "drain"), [(2, 1.2), (6, 1.5), (20, 3)])
def test_a_backlog_at_the_very_start_is_not_kept_as_a_rate(backlog_s: float, drain: float):
    data = held_up(deliver(4, seconds=200, mean_s=0.01), (0, backlog_s), drain=drain)
    clock = DeviceClock(HZ)
    assert error_ms(mapped(clock, data), data, 100).max() < 10
    assert clock.status().drift_ppm == pytest.approx(50, abs=10)


def test_a_clock_that_stood_still_while_its_backlog_came_is_noticed_after_it():
    data = held_up(deliver(4, seconds=200, mean_s=0.01), (40, 6), drain=1.2)
    slept_ns = np.where(np.arange(len(data.device_ns)) < 40 * HZ, 0, 4_000_000_000)
    clock = DeviceClock(HZ)
    host_ns = mapped(clock, replace(data, device_ns=data.device_ns - slept_ns))
    assert clock.status().resets >= 1
    assert error_ms(host_ns, data, 130).max() < 10


@pytest.mark.parametrize("lost", [7, 1500])
def test_lost_samples_move_the_count_on(lost: int):
    data = deliver(6, seconds=90, ppm=0)
    keep = np.r_[0 : 40 * HZ, 40 * HZ + lost : 90 * HZ]
    clock = Dejitter(HZ)
    host_ns = dejittered(clock, data.received_ns[keep])
    assert clock.status().lost == pytest.approx(lost, abs=1)
    late = np.abs(host_ns - data.capture_ns[keep])[-25 * HZ :] * 1e-6
    assert np.percentile(late, 95) < 12


@pytest.mark.parametrize("burst", [30, 60])
def test_long_bursts_do_not_shake_the_output(burst: int):
    data = deliver(8, seconds=60, burst=burst)
    host_ns = mapped(DeviceClock(HZ), data, burst)
    steps_ms = np.abs(np.diff(host_ns - data.capture_ns))[2 * HZ :] * 1e-6
    # No sample but the one that comes sooner than any before is more than a little off its neighbours.
    assert np.percentile(steps_ms, 99.5) < 1.0
    assert steps_ms.max() < 10.0


def without(data: Delivery, keep: np.ndarray) -> Delivery:
    return Delivery(
        capture_ns=data.capture_ns[keep], device_ns=data.device_ns[keep], received_ns=data.received_ns[keep]
    )


def test_samples_lost_at_random_are_told_from_a_slower_rate():
    data = deliver(12, seconds=150, ppm=0, mean_s=0.005)
    keep = np.random.default_rng(3).random(len(data.capture_ns)) >= 0.002
    data, lost = without(data, keep), int((~keep).sum())
    clock = Dejitter(HZ)
    late = np.abs(dejittered(clock, data.received_ns) - data.capture_ns)[120 * HZ :] * 1e-6
    assert np.median(late) < 1.0
    assert np.percentile(late, 97) < 12.0  # one period, until a loss is certain
    assert clock.status().lost == pytest.approx(lost, abs=2)
    assert clock.status().drift_ppm == pytest.approx(0, abs=100)


def test_packets_lost_without_stamps_are_counted_and_made_up_for():
    data = deliver(13, seconds=150, ppm=0, burst=6, mean_s=0.01)
    keep = (np.random.default_rng(4).random(len(data.capture_ns) // 6 + 1) >= 0.01).repeat(6)
    data, lost = without(data, keep[: len(data.capture_ns)]), int((~keep[: len(data.capture_ns)]).sum())
    clock = Dejitter(HZ)
    late = np.abs(dejittered(clock, data.received_ns, 6) - data.capture_ns)[120 * HZ :] * 1e-6
    assert np.median(late) < 2.0
    assert clock.status().lost == pytest.approx(lost, abs=6)


@pytest.mark.parametrize(("bits", "tick_ns"), [(16, 1_000_000), (24, 1_000), (32, 1_000)])
def test_a_counter_that_wraps_around_is_carried_on(bits: int, tick_ns: int):
    data = deliver(9, seconds=60, burst=6)
    ticks = (data.device_ns // tick_ns) % 2**bits
    wrap = Wrap(2**bits)
    carried = [
        wrap(tick, at, tick_ns) for tick, at in zip(ticks.tolist(), data.received_ns.tolist(), strict=True)
    ]
    device_ns = np.array([round(tick * tick_ns) for tick in carried], dtype=np.int64)
    clock = DeviceClock(HZ)
    host_ns = clock.update(device_ns, data.received_ns)
    assert clock.status().resets == 0
    assert np.percentile(error_ms(host_ns, data, 30), 95) < 3.0


@pytest.mark.parametrize("gap_s", [2, 15, 60])
@pytest.mark.parametrize("anew", [False, True])
def test_a_count_is_never_stamped_with_the_time_before_an_outage(anew: bool, gap_s: int):
    data = deliver(9, seconds=90 + gap_s, ppm=0, mean_s=0.005)
    numbers = np.arange(len(data.capture_ns))
    before = numbers < 30 * HZ
    keep = before | (numbers >= (30 + gap_s) * HZ)
    if anew:
        numbers[~before] -= (30 + gap_s) * HZ
    data, places, clock = without(data, keep), Places(2**32, 1e9 / HZ), DeviceClock(HZ)
    count = [
        places(number, 1, at) for number, at in zip(numbers[keep], data.received_ns.tolist(), strict=True)
    ]
    host_ns = clock.update(np.array(count, dtype=np.int64) * (1_000_000_000 // HZ), data.received_ns)
    assert error_ms(host_ns, data, 15).max() < 50
    assert error_ms(host_ns, data, 50).max() < 5
    assert clock.status().lost == pytest.approx(gap_s * HZ, abs=2 if anew else 0)
    assert clock.status().resets == int(anew)


def test_a_wrap_around_that_nobody_carried_on_costs_one_reset_and_no_time():
    data = deliver(9, seconds=60)
    device_ns = (data.device_ns // 1000 + 2**31 + 2**32) % 2**32 * 1000  # wraps once, about half-way
    device_ns = np.where(np.arange(len(device_ns)) < 30 * HZ, device_ns, device_ns - 2**32 * 1000)
    clock = DeviceClock(HZ)
    host_ns = clock.update(device_ns, data.received_ns)
    assert clock.status().resets == 1
    assert np.percentile(error_ms(host_ns, data, 35), 95) < 15
    assert clock.status().lost == 0


def test_what_a_jump_ahead_leaves_out_is_lost_as_far_as_nothing_came():
    data = deliver(10, seconds=60, mean_s=0.005)
    data = without(data, np.r_[0 : 25 * HZ, 29 * HZ : 60 * HZ])
    ahead_ns = np.where(np.arange(len(data.device_ns)) < 25 * HZ, 0, 1000_000_000_000)
    clock = DeviceClock(HZ)
    clock.update(data.device_ns + ahead_ns, data.received_ns)
    assert clock.status().resets == 1
    assert clock.status().lost == pytest.approx(4 * HZ, abs=3)


def test_a_host_that_slept_sees_the_device_ahead():
    data = deliver(10, seconds=60)
    kept = np.r_[0 : 25 * HZ, 35 * HZ : 60 * HZ]
    shift = np.where(kept >= 35 * HZ, 10_000_000_000, 0)  # the monotonic clock stood still for 10 s
    clock = DeviceClock(HZ)
    host_ns = clock.update(data.device_ns[kept], data.received_ns[kept] - shift)
    assert clock.status().resets == 1
    late = np.abs(host_ns - (data.capture_ns[kept] - shift))[-20 * HZ :] * 1e-6
    assert np.percentile(late, 95) < 15
    assert np.all(np.diff(host_ns) > 0)
    assert clock.status().lost == 0


def test_a_device_that_slept_is_mapped_anew_within_seconds():
    data = deliver(10, seconds=60)
    kept = np.r_[0 : 25 * HZ, 35 * HZ : 60 * HZ]
    stood_ns = np.where(kept >= 35 * HZ, 10_000_000_000, 0)
    clock = DeviceClock(HZ)
    host_ns = clock.update(data.device_ns[kept] - stood_ns, data.received_ns[kept])
    assert clock.status().resets == 1
    late = np.abs(host_ns - data.capture_ns[kept])[-22 * HZ :] * 1e-6
    assert np.percentile(late, 95) < 15


def test_packets_that_overtake_each_other_and_repeats_leave_the_mapping_alone():
    data = deliver(11, seconds=60, burst=5)
    order = np.arange(len(data.capture_ns)).reshape(-1, 5)
    order[40::20], order[41::20] = order[41::20].copy(), order[40::20].copy()
    order = np.concatenate([order, order[-3:]]).ravel()  # the last packets came twice
    clock = DeviceClock(HZ)
    received_ns = np.maximum.accumulate(data.received_ns[order])
    host_ns = clock.update(data.device_ns[order], received_ns)
    assert clock.status().resets == 0
    assert np.all(np.diff(host_ns) > 0)
    late = np.abs(host_ns - data.capture_ns[order])[30 * HZ : -15] * 1e-6
    assert np.median(late) < 1.5
    assert late.max() < 110  # two packets


def test_gaps_between_stamps_are_missing_samples():
    data = deliver(14, seconds=60, ppm=300)
    keep = np.random.default_rng(5).random(len(data.capture_ns)) >= 0.03
    keep[[0, -1]] = True
    data = without(data, keep)
    clock = DeviceClock(HZ)
    clock.update(data.device_ns // 1_000_000 * 1_000_000, data.received_ns)  # a counter of milliseconds
    assert clock.status().lost == int((~keep).sum())


@pytest.mark.parametrize(("true_hz", "expected"), [(97.0, 0), (103.0, 0), (HZ, 0)])
def test_another_rate_than_the_nominal_one_is_no_loss(true_hz: float, expected: int):
    data = deliver(14, seconds=20, hz=true_hz)
    clock = DeviceClock(HZ)
    clock.update(data.device_ns, data.received_ns)
    assert clock.status().lost == expected


def test_half_the_nominal_rate_is_taken_for_loss_only_at_first():
    gaps = Gaps(1e7)
    found = [gaps.missing(20_000_000 * (n + 1)) for n in range(1000)]
    assert found[0] == 1
    assert sum(found[400:]) == 0


def test_samples_that_share_their_packets_stamp_are_all_there():
    gaps = Gaps(1e7)
    stamps = np.repeat(np.arange(1, 50) * 60_000_000, 6)
    assert [gaps.missing(int(stamp)) for stamp in stamps][6:] == [0] * (len(stamps) - 6)
    assert gaps.missing(51 * 60_000_000) == 6


def test_before_any_sample_nothing_is_claimed():
    assert DeviceClock(HZ).status().resets == 0
    assert Dejitter(HZ).status().lost == 0
    assert len(DeviceClock(HZ).update(np.empty(0, np.int64), np.empty(0, np.int64))) == 0
    assert len(Dejitter(HZ).update(np.empty(0, np.int64))) == 0


def arrivals_ns(path: Path) -> np.ndarray:
    """The arrival stamps of a recording made with a phone, (N,) int64."""
    with path.open() as file:
        rows = [row for row in csv.reader(file) if len(row) == 8 and row[0].isdigit()]
    return np.array([int(row[0]) for row in rows], dtype=np.int64) * 1_000_000


@pytest.mark.parametrize(("number", "nominal_hz"), [(1, 10), (3, 10), (4, 25)])
def test_real_bursty_arrivals_become_evenly_spaced(shared_data: Path, number: int, nominal_hz: float):
    arrivals = arrivals_ns(shared_data / "formats" / f"ble_bursty_timestamps_{number}.csv")
    steps_ns = np.diff(dejittered(Dejitter(nominal_hz), arrivals, 5))
    settled = steps_ns[len(steps_ns) // 3 :] * 1e-9 * nominal_hz
    assert np.median(settled) == pytest.approx(1, abs=0.12)
    raw = np.diff(arrivals)[len(steps_ns) // 3 :] * 1e-9 * nominal_hz
    spread, raw_spread = (np.subtract(*np.percentile(x, [90, 10])) for x in (settled, raw))
    assert spread < 0.25 * raw_spread


@pytest.mark.parametrize("take", ["take_1", "early_3"])
def test_real_stamps_with_a_made_up_delivery(shared_data: Path, take: str):
    rows = (shared_data / "bench5" / take / "imu_left_arm.csv").read_text().splitlines()[1:]
    millis = np.array([int(row.replace("\t", ",").split(",")[0]) for row in rows], dtype=np.int64)
    capture = (millis - millis[0]) * 1_000_000
    received = capture + np.random.default_rng(1).exponential(30e6, len(capture)).astype(np.int64)
    data = Delivery(
        capture_ns=capture, device_ns=millis * 1_000_000, received_ns=np.maximum.accumulate(received)
    )
    late = np.abs(mapped(DeviceClock(48.5), data) - capture)[60 * 48 :] * 1e-6
    assert np.percentile(late, 95) < 2


def test_an_xdf_file_with_a_clock_reset_agrees_with_pyxdf(shared_data: Path):
    """The file's own measurements of the sender's clock stand for arrivals, with a made-up delivery."""
    pyxdf = pytest.importorskip("pyxdf")
    raw, synced = (
        next(
            stream
            for stream in pyxdf.load_xdf(
                shared_data / "formats" / "clock_resets.xdf",
                synchronize_clocks=sync,
                dejitter_timestamps=False,
            )[0]
            if stream["info"]["name"][0] == "BioSemi"
        )
        for sync in (False, True)
    )
    stamps, theirs = raw["time_stamps"], synced["time_stamps"]
    times, values = np.array(raw["clock_times"]), np.array(raw["clock_values"])
    reset, measured_reset = int(np.argmin(np.diff(stamps))) + 1, int(np.argmin(np.diff(times))) + 1
    offsets = np.concatenate(
        [
            np.interp(stamps[:reset], times[:measured_reset], values[:measured_reset]),
            np.interp(stamps[reset:], times[measured_reset:], values[measured_reset:]),
        ]
    )
    captured = stamps + offsets
    captured += 1e4 - captured[0]  # their stamps begin far below zero
    received = np.maximum.accumulate(captured + np.random.default_rng(2).exponential(0.02, len(stamps)))
    clock = DeviceClock(100)
    ours = clock.update((stamps * 1e9).astype(np.int64), (received * 1e9).astype(np.int64)) * 1e-9
    assert clock.status().resets == 1
    assert np.all(np.diff(ours) > 0)
    settled = np.r_[60 * 92 : reset, reset + 60 * 92 : len(stamps)]
    error = ours - (theirs + 1e4 - (stamps[0] + offsets[0]))
    assert np.percentile(np.abs(error[settled]), 95) < 0.5e-3


@pytest.mark.parametrize("burst", [1, 6])
@pytest.mark.parametrize("gap_s", [1, 10, 60])
def test_an_outage_without_stamps_is_lost_samples_and_no_more(gap_s: int, burst: int):
    """Wherever in a bin of the clock's it begins."""
    for phase in (0, 7, 16):
        data = deliver(phase, seconds=110 + gap_s, ppm=0, burst=burst, mean_s=0.003)
        start = 60 * HZ + phase
        data = without(data, np.r_[0:start, start + gap_s * HZ : len(data.capture_ns)])
        clock = Dejitter(HZ)
        late = np.abs(dejittered(clock, data.received_ns) - data.capture_ns)[-20 * HZ :] * 1e-6
        assert np.median(late) < 1.0
        assert clock.status().lost == pytest.approx(gap_s * HZ, abs=1)
        assert clock.status().drift_ppm == pytest.approx(0, abs=100)


@pytest.mark.parametrize("pace", [0.0, 0.5, 0.001])
def test_a_clock_that_keeps_no_time_any_more_shows(pace: float):
    data = deliver(3, seconds=150, ppm=0, mean_s=0.003)
    stops = 30 * HZ
    device_ns = data.device_ns.copy()
    device_ns[stops:] = device_ns[stops] + (pace * (device_ns[stops:] - device_ns[stops])).astype(np.int64)
    clock = DeviceClock(HZ)
    host_ns = mapped(clock, replace(data, device_ns=device_ns))
    assert clock.status().resets >= 3
    assert (data.received_ns - host_ns).max() < 25e9


@pytest.mark.parametrize("at_s", [60, 300])
@pytest.mark.parametrize("ahead_ms", [20, 30, 45])
def test_one_stamp_that_is_ahead_changes_seconds_and_not_minutes(at_s: int, ahead_ms: int):
    data = deliver(4, seconds=at_s + 60, ppm=0, mean_s=0.003)
    device_ns = data.device_ns.copy()
    device_ns[at_s * HZ + 37] += ahead_ms * 1_000_000
    late = np.abs(mapped(DeviceClock(HZ), replace(data, device_ns=device_ns)) - data.capture_ns) * 1e-6
    assert late[(at_s + 10) * HZ :].max() < 1.0
