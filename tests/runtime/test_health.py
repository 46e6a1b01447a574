"""What a heartbeat says of a stream."""

from __future__ import annotations

import pytest

from mobind_live.clock import ClockStatus
from mobind_live.runtime.health import StreamStats

MS = 1_000_000


def fed(*arrivals_ms: float, samples: int = 1) -> StreamStats:
    stats = StreamStats("left", "imu", 100)
    for at in arrivals_ms:
        stats.add(samples, int(at * MS))
    return stats


def test_evenly_spaced_arrivals_have_no_jitter():
    assert fed(*range(0, 1000, 10)).jitter_ms(1000 * MS) == pytest.approx(0)


def test_jitter_is_how_far_arrivals_are_from_even():
    stats = fed(0, 13, 20, 33, 40, 53, 60)  # 3 ms late, every other one
    assert stats.jitter_ms(60 * MS) == pytest.approx(3)


def test_bursts_of_different_sizes_that_come_when_due_are_no_jitter():
    stats = fed(0)
    for at, samples in ((10, 1), (40, 3), (60, 2), (110, 5)):
        stats.add(samples, at * MS)
    assert stats.jitter_ms(110 * MS) == pytest.approx(0)


def test_before_two_arrivals_there_is_no_jitter():
    assert fed().jitter_ms(5) == 0
    assert fed(3).jitter_ms(5 * MS) == 0
    assert fed(0, 10).jitter_ms(9_000 * MS) == 0  # long ago


def test_what_the_device_says_and_what_its_stamps_say_is_not_added_up():
    stats = fed(0, 10, 20)
    stats.lost = 7
    assert stats.snapshot(20 * MS, ClockStatus(lost=9)).lost == 9
    line = stats.snapshot(20 * MS, ClockStatus(lost=3))
    assert (line.lost, line.lost_reported) == (7, 7)


def test_the_state_of_the_clock_is_on_the_wire():
    status = ClockStatus(offset_s=4.5, drift_ppm=-30, residual_ms=12, uncertainty_ms=0.3, resets=2, lost=1)
    line = fed(0, 10).snapshot(10 * MS, status)
    assert line.clock_offset_s == 4.5
    assert line.clock_drift_ppm == -30
    assert line.clock_residual_ms == 12
    assert line.clock_uncertainty_ms == 0.3
    assert line.clock_resets == 2
    assert line.lost == 1
