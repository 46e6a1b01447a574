"""Samples that are held back while nobody knows what their sender's clock shows."""

from __future__ import annotations

import math

import numpy as np

from mobind_live.devices.lsl.holding import HELD_S, Chunk, Holding

AHEAD_S = 1000.0  # of the sender's clock


def chunk(came_s: float, ahead_s: float = AHEAD_S, late_s: float = 0.02) -> Chunk:
    """Two samples that the sender stamped ``late_s`` before they came."""
    stamps_s = came_s + ahead_s - late_s - np.array([0.01, 0.0])
    return Chunk(np.full((2, 6), came_s), stamps_s, np.full(2, round(came_s * 1e9)))


def came(taken: Chunk | None) -> list[float]:
    return [] if taken is None else (taken.received_ns[::2] * 1e-9).round(3).tolist()


def test_what_comes_evenly_is_never_held_back() -> None:
    holding = Holding()
    for n in range(500):
        holding.add(chunk(n * 0.04, late_s=0.9 if n % 10 == 0 else 0.02), n * 0.04)
        assert came(holding.take(-1.0)) == [round(n * 0.04, 3)]


def test_after_a_jump_samples_wait_for_a_correction_that_was_measured_later() -> None:
    holding = Holding()
    holding.add(chunk(1.0), 1.0)
    assert came(holding.take(0.5)) == [1.0]
    for at_s in (31.0, 31.04):
        holding.add(chunk(at_s, AHEAD_S - 30), at_s)
        assert holding.take(30.9) is None
    taken = holding.take(31.02)
    assert came(taken) == [31.0, 31.04]
    assert taken is not None
    assert len(taken.samples) == len(taken.stamps_s) == 4
    holding.add(chunk(31.08, AHEAD_S - 30), 31.08)
    assert came(holding.take(31.02)) == [31.08]
    assert holding.dropped == 0


def test_what_comes_after_a_second_jump_waits_for_a_correction_of_its_own() -> None:
    holding = Holding()
    for at_s, ahead_s in ((1.0, 0.0), (2.0, -30.0), (3.0, -90.0)):
        holding.add(chunk(at_s, ahead_s), at_s)
    assert came(holding.take(2.5)) == [1.0, 2.0]
    assert came(holding.take(3.5)) == [3.0]


def test_what_is_not_measured_in_time_is_left_out_and_counted() -> None:
    holding = Holding()
    holding.add(chunk(0.0), 0.0)
    holding.take(-1.0)
    times_s = np.arange(1.0, 3 * HELD_S, 0.5)
    for at_s in times_s:
        holding.add(chunk(at_s, AHEAD_S + 5), at_s)
        assert holding.take(0.5) is None
    kept = came(holding.take(math.inf))
    assert kept == [at_s for at_s in times_s if times_s[-1] - at_s <= HELD_S]
    assert holding.dropped == 2 * (len(times_s) - len(kept))
