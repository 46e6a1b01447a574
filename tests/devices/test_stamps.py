"""When live frames were captured: kernel stamps, stream stamps that keep time, made-up ones, backlogs."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.devices.camera.stamps import Fresh, Stamps

MS = 1_000_000
SECOND = 1000 * MS
BEGIN = 1_000_000 * SECOND  # of the host's clock


def stamped(stamps: Stamps, stamp_ns: np.ndarray, received_ns: np.ndarray) -> np.ndarray:
    return np.array([stamps(int(s), int(r)) for s, r in zip(stamp_ns, received_ns, strict=True)])


def stream(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Capture times of a 30 fps stream and when its frames came: 20 to 80 ms later."""
    captured = BEGIN + np.arange(n) * SECOND // 30
    delay = 20 * MS + np.random.default_rng(seed).integers(0, 60 * MS, n)
    return captured, np.maximum.accumulate(captured + delay)


def test_the_kernels_stamps_of_a_camera_are_taken_as_they_are():
    captured, received = stream(20)
    got = stamped(Stamps(30, delay_ns=15 * MS, kernel=True), captured, received)
    assert (got == captured - 15 * MS).all()


def test_a_streams_own_stamps_take_the_networks_jitter_away():
    captured, received = stream(900)
    got = stamped(Stamps(30), captured - BEGIN, received)
    error = got - captured
    assert (np.diff(got) > 0).all()
    assert (got <= received + 10).all()  # two that came together still rise
    assert np.ptp(error[300:]) < 5 * MS
    assert np.ptp((received - captured)[300:]) > 50 * MS


def test_stamps_that_are_made_up_at_another_rate_are_not_believed():
    _, received = stream(600)
    got = stamped(Stamps(30), np.arange(600) * 40 * MS, received)  # FFmpeg says 25 fps
    assert (np.abs(got - received) < 10).all()


def test_stamps_that_stray_are_no_longer_believed():
    """FFmpeg's 25 fps of a camera that gives 25, until it is dark and it gives half."""
    periods = np.where(np.arange(4000) < 3000, 40 * MS, 80 * MS)
    received = BEGIN + np.cumsum(periods)
    got = stamped(Stamps(25), np.arange(4000) * 40 * MS, received)
    assert np.abs(got - received).max() < 350 * MS
    assert (np.abs(got - received)[3020:] < 10).all()


@pytest.mark.parametrize("dark_fps", [15, 25, 29])
def test_stamps_that_count_frames_are_refused_in_the_dark_as_soon_as_ever_after_a_long_day(dark_fps: int):
    light, dark = 30 * 20 * 60, dark_fps * 30
    captured = BEGIN + np.cumsum(np.repeat([SECOND // 30, SECOND // dark_fps], [light, dark]))
    got = stamped(Stamps(30), np.arange(light + dark) * (SECOND // 30), captured + 5 * MS)
    assert np.abs(got - captured).max() < 200 * MS


@pytest.mark.parametrize("drift", [-800e-6, 800e-6])
def test_a_cameras_clock_that_drifts_is_believed_for_hours(drift: float):
    captured, received = stream(30 * 30 * 60)
    got = stamped(Stamps(30), ((captured - BEGIN) * (1 + drift)).astype(np.int64), received)
    assert np.ptp((got - captured)[30 * 120 :]) < 10 * MS


def test_stamps_that_only_count_frames_are_never_believed():
    received = BEGIN + np.arange(1000) * 40 * MS
    got = stamped(Stamps(25, made_up=True), np.arange(1000) * 41 * MS, received)
    assert (np.abs(got - received) < 10).all()


def test_without_stamps_the_arrival_stands():
    _, received = stream(300)
    got = stamped(Stamps(30), np.zeros(300, np.int64), received)
    assert (np.abs(got - received) < 10).all()


def test_a_stream_whose_stamps_begin_anew_is_followed():
    captured, received = stream(900)
    stamps = captured - BEGIN
    stamps[450:] -= stamps[450]
    got = stamped(Stamps(30), stamps, received)
    assert (np.diff(got) > 0).all()
    assert np.ptp((got - captured)[750:]) < 5 * MS


@pytest.mark.parametrize("step_ms", [500, 2000, 3_600_000])
def test_a_stream_whose_stamps_step_forward_is_followed(step_ms: int):
    captured, received = stream(900)
    stamps = captured - BEGIN
    stamps[450:] += step_ms * MS
    got = stamped(Stamps(30), stamps, received)
    assert (np.diff(got) > 0).all()
    assert np.ptp((got - captured)[750:]) < 5 * MS


def test_a_stream_whose_clock_stood_still_is_followed():
    captured, received = stream(1500)
    stamps = captured - BEGIN
    stamps[450:] -= stamps[450] - stamps[449] - MS  # the picture froze, and what comes is late for good
    captured, received = (np.where(np.arange(1500) < 450, t, t + 2500 * MS) for t in (captured, received))
    got = stamped(Stamps(30), stamps, received)
    assert np.ptp((got - captured)[900:]) < 5 * MS


def test_a_first_frame_that_comes_late_is_no_measure_of_the_others():
    captured, received = stream(600)
    received[0] += 200 * MS
    received = np.maximum.accumulate(received)
    got = stamped(Stamps(30), captured - BEGIN, received)
    assert np.ptp((got - captured)[300:]) < 5 * MS


def test_a_stall_that_is_made_up_for_leaves_a_streams_stamps_alone():
    captured, received = stream(900)
    received[450:540] = received[540]
    got = stamped(Stamps(30), captured - BEGIN, received)
    assert np.ptp((got - captured)[541:]) < 5 * MS


@pytest.mark.parametrize("at_s", [30, 120])
def test_frames_that_a_stall_holds_up_are_dated_by_their_stamps(at_s: int):
    captured, received = stream(30 * (at_s + 20))
    received[30 * at_s : 30 * at_s + 30] = received[30 * at_s + 30]  # 1 s of frames, all at once
    got = stamped(Stamps(30), captured - BEGIN, received)
    assert np.ptp((got - captured)[300:]) < 10 * MS


@pytest.mark.parametrize("rate", [25 / 30, 0.99, 1.01])
def test_stamps_at_a_rate_that_is_made_up_are_refused_for_good(rate: float):
    captured, received = stream(3600)
    got = stamped(Stamps(30), ((captured - BEGIN) / rate).astype(np.int64), received)
    assert np.abs(got - received).max() < 200 * MS
    assert (np.abs(got - received)[-900:] < 10).all()


def test_what_lay_in_a_buffer_is_thrown_away():
    fresh = Fresh(30)
    backlog = [fresh(i * 33 * MS, BEGIN + i * 2 * MS) for i in range(30)]
    later = [fresh((30 + i) * 33 * MS, BEGIN + 60 * MS + i * 33 * MS) for i in range(1, 10)]
    assert not any(backlog)
    assert all(later)


def test_a_stream_that_is_always_in_a_hurry_is_taken_after_a_while():
    fresh = Fresh(30)
    answers = [fresh(0, BEGIN + i * 10 * MS) for i in range(400)]
    assert not answers[100]
    assert answers[-1]
