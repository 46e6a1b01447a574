"""Timelines: exact where the truth is a line, the same however samples come, honest about gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.binding.evidence.timeline import RESET_NS, STEP_NS, ImuTimeline, PoseTimeline
from mobind_live.kinematics.imu import GRAVITY_M_S2
from mobind_live.models.features import SEEN

START_NS = 40 * STEP_NS + 3_000_000
TOKEN_NS = 2 * STEP_NS


def stamps(rate_hz: float, seconds: float, start_ns: int = START_NS) -> np.ndarray:
    return start_ns + np.round(np.arange(int(seconds * rate_hz)) * 1e9 / rate_hz).astype(np.int64)


def line(time_ns: np.ndarray, slope: float = 2.0) -> np.ndarray:
    """(N, 3), rising by ``slope`` a second, each axis from its own level."""
    return np.array([1.0, -3.0, 0.5]) + slope * ((time_ns - START_NS) * 1e-9)[:, None]


def wiggle(time_ns: np.ndarray) -> np.ndarray:
    t = (time_ns - START_NS) * 1e-9
    return np.stack([np.sin(9 * t), np.cos(23 * t), np.sin(61 * t + 1)], axis=-1)


def push(timeline: ImuTimeline, time_ns: np.ndarray, signal: np.ndarray | None = None) -> bool:
    values = wiggle(time_ns) if signal is None else signal
    return timeline.push(time_ns, values * GRAVITY_M_S2, values)


def everything(timeline: ImuTimeline) -> np.ndarray:
    """All complete steps, (n, 7): acc in g, gyro, valid."""
    acc, gyro, valid = timeline.take(timeline.ready)
    return np.concatenate([acc, gyro, valid[:, None]], axis=1)


@settings(max_examples=40, deadline=None)
@given(rate_hz=st.floats(20, 400), phase_ms=st.floats(0, 60), slope=st.floats(-20, 20))
def test_a_straight_line_is_resampled_exactly_at_any_rate(
    rate_hz: float, phase_ms: float, slope: float
) -> None:
    """So a low-pass that leaned to one side would show as a shift in time."""
    time_ns = stamps(rate_hz, 2.0, START_NS + round(phase_ms * 1e6))
    timeline = ImuTimeline()
    push(timeline, time_ns, line(time_ns, slope))
    first = timeline.next
    acc, gyro, valid = timeline.take(timeline.ready)
    assert len(acc) > 80
    truth = line((first + np.arange(len(acc))) * STEP_NS, slope)
    np.testing.assert_allclose(acc, truth, atol=1e-6)
    np.testing.assert_allclose(gyro, truth, atol=1e-6)
    assert valid.all()


@pytest.mark.parametrize("rate_hz", [100.0, 200.0, 333.0])
def test_the_low_pass_moves_nothing_in_time(rate_hz: float) -> None:
    """A pulse that is even about a step comes out even about that step, and smaller than it went in."""
    centre = 60 * STEP_NS
    time_ns = centre + np.round(np.arange(-300, 301) * 1e9 / rate_hz).astype(np.int64)
    pulse = np.exp(-(((time_ns - centre) / 12e6) ** 2))
    timeline = ImuTimeline()
    push(timeline, time_ns, np.repeat(pulse[:, None], 3, axis=1))
    first = timeline.next
    acc = timeline.take(timeline.ready)[0][:, 0]
    middle = 60 - first
    np.testing.assert_allclose(acc[middle + 1 : middle + 6], acc[middle - 5 : middle][::-1], atol=1e-9)
    assert 0.5 < acc[middle] < 0.95


def test_a_stream_no_faster_than_the_grid_is_not_blurred() -> None:
    time_ns = 40 * STEP_NS + np.arange(100) * STEP_NS
    timeline = ImuTimeline()
    push(timeline, time_ns)
    acc = timeline.take(timeline.ready)[0]
    np.testing.assert_allclose(acc, wiggle(time_ns[: len(acc)]), atol=1e-3)


def test_frequencies_above_the_grid_do_not_fold_into_it() -> None:
    time_ns = stamps(200.0, 3.0)
    fast = np.sin(2 * np.pi * 48.0 * (time_ns - START_NS) * 1e-9)
    timeline = ImuTimeline()
    push(timeline, time_ns, np.repeat(fast[:, None], 3, axis=1))
    assert np.abs(timeline.take(timeline.ready)[0]).max() < 0.15


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([20.0, 50.0, 60.0, 100.0, 200.0]),
    seed=st.integers(0, 10_000),
    blocks=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), min_size=5, max_size=40),
)
def test_block_by_block_equals_whole(rate_hz: float, seed: int, blocks: list[tuple[int, int]]) -> None:
    """Whatever the packets' sizes, and however soon what is ready is taken; with samples missing."""
    rng = np.random.default_rng(seed)
    time_ns = np.unique(stamps(rate_hz, 4.0) + rng.integers(0, 4_000_000, int(4.0 * rate_hz)))
    time_ns = time_ns[rng.random(len(time_ns)) > 0.3]
    whole, live = ImuTimeline(), ImuTimeline()
    push(whole, time_ns)
    taken = []
    for size, take in [*blocks, (len(time_ns), 0)]:
        push(live, time_ns[:size])
        time_ns = time_ns[size:]
        acc, gyro, valid = live.take(min(take, live.ready))
        taken.append(np.concatenate([acc, gyro, valid[:, None]], axis=1))
    np.testing.assert_allclose(np.concatenate([*taken, everything(live)]), everything(whole), atol=1e-6)


def test_the_order_within_a_push_does_not_matter() -> None:
    time_ns = stamps(100.0, 2.0)
    shuffled = np.random.default_rng(1).permutation(time_ns)
    one, other = ImuTimeline(), ImuTimeline()
    assert push(one, time_ns)
    assert push(other, shuffled)
    assert other.late == 0
    np.testing.assert_array_equal(everything(one), everything(other))


def test_late_and_double_samples_are_counted_and_change_nothing() -> None:
    time_ns = stamps(100.0, 2.0)
    clean, dirty = ImuTimeline(), ImuTimeline()
    push(clean, time_ns)
    push(dirty, time_ns[:120])
    push(dirty, time_ns[30:50], np.full((20, 3), 99.0))
    twice = np.repeat(time_ns[120:], 2)
    values = wiggle(twice)
    values[1::2] = 99.0  # of two with one stamp the first counts
    assert not push(dirty, twice, values)
    assert dirty.late == 20 + 80
    np.testing.assert_array_equal(everything(clean), everything(dirty))


def test_samples_that_are_not_numbers_are_counted_and_left_out() -> None:
    time_ns = stamps(100.0, 2.0)
    values = wiggle(time_ns)
    values[50, 1], values[80, 0] = np.nan, np.inf
    timeline = ImuTimeline()
    push(timeline, time_ns, values)
    assert (timeline.broken, timeline.late) == (2, 0)
    got = everything(timeline)
    assert np.isfinite(got).all()
    assert np.abs(got).max() < 1.01


def test_the_first_step_is_a_tokens_and_not_before_the_first_sample() -> None:
    for start_ns in range(START_NS, START_NS + 3 * TOKEN_NS, 7_000_000):
        timeline = ImuTimeline()
        push(timeline, stamps(100.0, 0.5, start_ns))
        assert timeline.next % 2 == 0
        assert 0 <= timeline.next * STEP_NS - start_ns < TOKEN_NS


def test_a_gap_is_marked_and_the_last_sample_stays() -> None:
    time_ns = stamps(100.0, 3.0)
    time_ns = time_ns[(time_ns < START_NS + 1e9) | (time_ns > START_NS + 1.5e9)]
    timeline = ImuTimeline()
    push(timeline, time_ns, line(time_ns))
    first = timeline.next
    acc, _, valid = timeline.take(timeline.ready)
    at_s = ((first + np.arange(len(acc))) * STEP_NS - START_NS) * 1e-9
    before, after = (time_ns[np.argmax(np.diff(time_ns)) + n] for n in (0, 1))
    inside = (at_s > (before - START_NS) * 1e-9) & (at_s < (after - START_NS) * 1e-9)
    assert inside.sum() == 26
    np.testing.assert_array_equal(valid, ~inside)
    np.testing.assert_allclose(acc[inside, 0], line(np.array([before]))[0, 0])


def test_a_short_gap_is_bridged() -> None:
    time_ns = stamps(100.0, 2.0)
    time_ns = np.delete(time_ns, np.arange(100, 112))
    timeline = ImuTimeline()
    push(timeline, time_ns, line(time_ns))
    assert timeline.take(timeline.ready)[2].all()


def test_after_a_long_silence_it_starts_anew_on_a_token() -> None:
    timeline = ImuTimeline()
    assert push(timeline, stamps(100.0, 1.0))
    assert not push(timeline, stamps(100.0, 1.0, START_NS + RESET_NS))
    later_ns = START_NS + 4 * RESET_NS
    assert push(timeline, stamps(100.0, 1.0, later_ns))
    assert timeline.next == -(-later_ns // TOKEN_NS) * 2
    assert everything(timeline)[:, -1].all()


def test_a_backlog_is_no_silence() -> None:
    """A worker that was held up takes many messages before it works on any."""
    timeline = ImuTimeline()
    time_ns = stamps(100.0, 10.0)
    began = [push(timeline, part) for part in np.split(time_ns, 100)]
    assert sum(began) == 1
    assert timeline.ready > 490


def test_one_wild_stamp_ahead_does_not_silence_a_stream_for_good() -> None:
    timeline = ImuTimeline()
    push(timeline, stamps(100.0, 1.0))
    assert push(timeline, np.array([START_NS + 3_600_000_000_000]))
    began = [push(timeline, part) for part in np.split(stamps(100.0, 10.0, START_NS + 10**9), 100)]
    assert sum(began) == 1
    assert timeline.ready > 300


def test_late_stragglers_do_not_set_a_stream_back() -> None:
    timeline = ImuTimeline()
    time_ns = stamps(100.0, 20.0)
    push(timeline, time_ns[:100])
    for n in range(100, 2000, 100):
        push(timeline, time_ns[n : n + 100])
        assert not push(timeline, time_ns[n - 100 : n - 50])
    assert timeline.late == 19 * 50


def test_nothing_is_ready_of_nothing() -> None:
    assert ImuTimeline().ready == 0
    assert not push(ImuTimeline(), np.empty(0, np.int64))


# --- poses ---


def pose(time_ns: np.ndarray, score: float = 0.9) -> np.ndarray:
    """(N, 17, 3): x and y move on straight lines."""
    t = ((time_ns - START_NS) * 1e-9)[:, None]
    joints = np.arange(17)[None]
    return np.stack([100 + 30 * t + joints, 50 - 20 * t * joints, np.full((len(t), 17), score)], axis=-1)


def taken(time_ns: np.ndarray, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stamps (n,) and keypoints (n, 17, 3) of all complete steps."""
    timeline = PoseTimeline()
    timeline.push(time_ns, frames)
    first = timeline.next
    got = timeline.take(timeline.ready)
    return (first + np.arange(len(got))) * STEP_NS, got


@settings(max_examples=20, deadline=None)
@given(fps=st.floats(5, 120))
def test_poses_between_frames_lie_on_the_line_between(fps: float) -> None:
    time_ns = stamps(fps, 2.0)
    at_ns, got = taken(time_ns, pose(time_ns))
    np.testing.assert_allclose(got, pose(at_ns), atol=1e-6)


def test_a_joint_seen_in_one_of_two_frames_stands_for_its_half_of_the_gap() -> None:
    time_ns = START_NS // TOKEN_NS * TOKEN_NS + np.arange(3) * 5 * STEP_NS
    frames = pose(time_ns)
    frames[1, 9, 2] = SEEN - 0.1
    frames[1, 9, :2] = 0.0
    at_ns, got = taken(time_ns, frames)
    share = ((at_ns - time_ns[0]) / STEP_NS).astype(int)  # 0 to 10: the joint is missing at 5
    seen = got[:, 9, 2] >= SEEN
    np.testing.assert_array_equal(seen, (share < 3) | (share > 7))
    np.testing.assert_array_equal(got[share < 3, 9, :2], np.tile(frames[0, 9, :2], (3, 1)))
    np.testing.assert_array_equal(got[share > 7, 9, :2], np.tile(frames[2, 9, :2], (3, 1)))
    np.testing.assert_allclose(got[:, 10], pose(at_ns)[:, 10])


def test_nobody_is_seen_in_a_gap_between_frames() -> None:
    time_ns = stamps(30.0, 3.0)
    time_ns = time_ns[(time_ns < START_NS + 1e9) | (time_ns > START_NS + 1.6e9)]
    at_ns, got = taken(time_ns, pose(time_ns))
    before, after = time_ns[time_ns < START_NS + 1e9][-1], time_ns[time_ns > START_NS + 1e9][0]
    hidden = (at_ns > before) & (at_ns <= after)
    np.testing.assert_array_equal((got[..., 2] < SEEN).all(axis=1), hidden)


def test_poses_block_by_block_equal_whole() -> None:
    time_ns = stamps(30.0, 4.0)
    frames = pose(time_ns)
    frames[np.random.default_rng(2).random((len(time_ns), 17)) < 0.2, 2] = 0.0
    live, out = PoseTimeline(), []
    for n in range(len(time_ns)):
        live.push(time_ns[n : n + 1], frames[n : n + 1])
        if live.ready >= 6:
            out.append(live.take(6))
    out.append(live.take(live.ready))
    np.testing.assert_allclose(np.concatenate(out), taken(time_ns, frames)[1])
