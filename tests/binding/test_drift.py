"""The drift of an offset from its independent estimates, and the alarm when it steps."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.belief.drift import (
    ALARM_S,
    EVERY_S,
    HELD_SIGMA_S,
    MAPPED_PPM,
    PRIOR_PPM,
    STEADY_S,
    Estimate,
    Holdover,
    OffsetCourse,
    Sure,
    line,
)


def estimates(seed: int, seconds: float, ppm: float, error_s: float = 0.003) -> np.ndarray:
    """(N, 3), as often as a sensor that always moves gives them."""
    at_s = np.arange(0, seconds, EVERY_S)
    noise = np.random.default_rng(seed).normal(0, error_s, len(at_s))
    return np.stack([at_s + 1e5, 0.5 + ppm * 1e-6 * at_s + noise, np.full(len(at_s), 0.01)], axis=1)


def sure(at_s: float, offset_s: float, sigma_s: float = 0.01, track: int = 1, life: int = 0) -> Sure:
    return Sure(Estimate(at_s, offset_s, sigma_s), 0.97, track, life)


@pytest.mark.parametrize(("seconds", "within_ppm"), [(180.0, 30.0), (600.0, 5.0)])
@pytest.mark.parametrize("ppm", [-100.0, 0.0, 40.0])
def test_the_drift_is_found_and_its_error_is_known(seconds: float, within_ppm: float, ppm: float) -> None:
    found = [line([estimates(seed, seconds, ppm)]) for seed in range(20)]
    errors = np.array([one.rate_ppm - ppm for one in found])
    assert np.percentile(np.abs(errors), 75) < within_ppm
    assert np.mean(np.abs(errors) < 3 * np.array([one.sigma_ppm for one in found])) > 0.85


def note(course: OffsetCourse, found: Sure) -> None:
    """Found when it was."""
    course.sure(found, found.found.at_s)


def held(course: OffsetCourse, at_s: float, tracks: tuple[int, ...], life: int) -> Holdover | None:
    """At the camera's time ``at_s``, which the IMU's stamps are ahead of by the offset."""
    return course.held(at_s + (course._last.found.offset_s if course._last else 0.0), tracks, life)


def test_outliers_count_little() -> None:
    points = estimates(0, 600.0, 40.0)
    points[::8, 1] += 0.08
    assert line([points]).rate_ppm == pytest.approx(40.0, abs=10.0)


def test_offsets_of_one_clock_share_its_drift_wherever_they_are() -> None:
    """Each has an offset and a beginning of its own; some have told too little to be asked."""
    alone, together = [], []
    for seed in range(20):
        series = [estimates(4 * seed + n, 180.0 + 30.0 * n, 60.0) for n in range(4)]
        for n, points in enumerate(series):
            points += (50.0 * n, 0.3 * n, 0.0)
        alone.append(line(series[:1]))
        together.append(line([*series, estimates(0, 40.0, 60.0), np.zeros((0, 3))]))
    errors = [np.array([one.rate_ppm - 60.0 for one in found]) for found in (alone, together)]
    assert np.abs(errors[1]).mean() < 0.6 * np.abs(errors[0]).mean()
    assert np.mean(np.abs(errors[1]) < 3 * np.array([one.sigma_ppm for one in together])) > 0.85
    assert all(t.sigma_ppm < a.sigma_ppm for t, a in zip(together, alone, strict=True))


def test_a_clock_that_is_mapped_already_has_no_drift_to_speak_of() -> None:
    course = OffsetCourse(MAPPED_PPM)
    assert course.line.sigma_ppm == MAPPED_PPM
    for row in estimates(0, 180.0, 0.0, error_s=0.01):
        course.add(Estimate(*row), 0.0)
    assert abs(course.line.rate_ppm) < MAPPED_PPM
    assert course.line.sigma_ppm <= MAPPED_PPM
    note(course, sure(2e5, 0.5))
    note(course, sure(2e5 + 1, 1.5))
    assert (course.line.rate_ppm, course.line.sigma_ppm) == (0.0, MAPPED_PPM), "after a step, too"


def test_without_enough_to_tell_there_is_no_drift() -> None:
    for few in (np.zeros((0, 3)), estimates(0, 40.0, 90.0)):
        assert (line([few]).rate_ppm, line([few]).sigma_ppm) == (0.0, PRIOR_PPM)
    noisy = line([estimates(0, 80.0, 0.0, error_s=0.1)])
    assert abs(noisy.rate_ppm) < PRIOR_PPM, "a guess stays within what clocks do"


def test_estimates_are_an_interval_of_motion_apart() -> None:
    course = OffsetCourse()
    turns = [moved_s for moved_s in np.arange(0, 40, 1.0) if course.take_turn(moved_s)]
    assert turns == [0.0, 12.0, 24.0, 36.0]


def test_a_step_is_an_alarm_for_a_while_and_starts_the_drift_anew() -> None:
    course = OffsetCourse()
    for row in estimates(0, 180.0, 40.0):
        note(course, sure(*row))
        assert not course.add(Estimate(*row), 0.0)
    assert course.line.rate_ppm != 0
    at_s = 1e5 + 200.0
    note(course, sure(at_s, 1.75, 0.01))
    assert course.alarm(at_s).startswith("stepped by +1.2")
    assert "to +1.750 s" in course.alarm(at_s + ALARM_S - 1)
    assert course.alarm(at_s + ALARM_S + 1) == ""
    assert course.line.rate_ppm == 0


def test_where_a_known_drift_has_led_meanwhile_is_no_step() -> None:
    """The wearer is away for 25 minutes; a drift of 50 ppm makes 75 ms of that."""
    course = OffsetCourse()
    for row in estimates(0, 600.0, 50.0, error_s=0.001):
        course.add(Estimate(*row), 0.0)
        note(course, sure(*row))
    known = course.line
    assert known.rate_ppm == pytest.approx(50.0, abs=5.0)
    back_s = 2088.0
    note(course, sure(1e5 + back_s, 0.5 + 50e-6 * back_s))
    assert course.alarm(1e5 + back_s) == ""
    assert course.line == known


def test_a_small_step_shows_in_two_estimates_and_one_alone_is_none() -> None:
    points = [Estimate(*row)._replace(sigma_s=0.001) for row in estimates(1, 240.0, 10.0, error_s=0.001)]
    course = OffsetCourse()
    odd = points[10]._replace(offset_s=points[10].offset_s + 0.09)
    assert not any(course.add(p, 0.0) for p in [*points[:10], odd, *points[11:15]])
    course = OffsetCourse()
    stepped = [p._replace(offset_s=p.offset_s + 0.09) if n >= 15 else p for n, p in enumerate(points)]
    assert [n for n, p in enumerate(stepped) if course.add(p, 100.0)] == [16]
    assert course.alarm(100.0).startswith("stepped by +0.09")
    assert course.alarm(100.0 + ALARM_S) == ""


@pytest.mark.parametrize("ppm", [0.0, 50.0])
def test_a_small_step_shows_however_far_the_drift_has_led(ppm: float) -> None:
    """100 ppm in an hour are 0.36 s, which is no noise that a step of 0.1 s could hide in."""
    points = [Estimate(*row)._replace(sigma_s=0.003) for row in estimates(2, 3600.0, ppm)]
    middle = len(points) // 2
    course = OffsetCourse()
    stepped = [p._replace(offset_s=p.offset_s + 0.08) if n >= middle else p for n, p in enumerate(points)]
    assert [n for n, p in enumerate(stepped) if course.add(p, 100.0)] == [middle + 1]
    assert course.line.rate_ppm == pytest.approx(ppm, abs=6.0)


def course_of(seconds: float, offset_s: float = 0.5) -> OffsetCourse:
    """Sure for as long, on track 1."""
    course = OffsetCourse()
    for at_s in np.arange(0.0, seconds + 0.1, 1.0):
        note(course, sure(at_s, offset_s))
    return course


def test_an_offset_holds_once_its_track_has_ended_and_grows_less_sure() -> None:
    course = course_of(20.0)
    assert held(course, 21.0, (1, 2), 0) is None, "while its track is there, the evidence speaks"
    soon, late = held(course, 21.0, (2,), 0), held(course, 320.0, (), 0)
    assert soon is not None
    assert late is not None
    assert soon.found.offset_s == pytest.approx(0.5)
    assert (soon.p, soon.age_s) == (0.97, 1.0)
    assert late.found.sigma_s == pytest.approx(np.hypot(0.01, PRIOR_PPM * 1e-6 * 300.0))
    assert held(course, 21.0 + HELD_SIGMA_S / (PRIOR_PPM * 1e-6), (), 0) is None


def test_a_held_offset_goes_on_with_its_drift() -> None:
    course = OffsetCourse()
    for row in estimates(0, 600.0, 80.0):
        course.add(Estimate(*row), 0.0)
        note(course, sure(*row))
    last_s = 1e5 + 588.0
    later = held(course, last_s + 500.0, (), 0)
    assert later is not None
    assert later.found.offset_s == pytest.approx(0.5 + 80e-6 * 1088.0, abs=0.012)
    assert later.found.sigma_s < 0.02, "a known drift takes longer to be lost"


def test_a_course_that_is_left_holds_until_the_offset_is_found_again_and_keeps_its_drift() -> None:
    course = OffsetCourse()
    for row in estimates(0, 600.0, 80.0):
        course.take_turn(row[0])
        course.add(Estimate(*row), 0.0)
        note(course, sure(*row)._replace(life=3))
    assert course.left(4)._last is None, "it had been given up"
    left = course.left(3)
    assert left.line == course.line
    assert held(left, 1e5 + 590.0, (1, 2), 0) is not None, "its track is there, and has shown nothing yet"
    assert held(course, 1e5 + 590.0, (1, 2), 3) is None
    assert left.take_turn(0.0), "the new worker counts motion from zero"


def test_what_was_not_sure_for_long_or_is_of_another_life_does_not_hold() -> None:
    assert held(course_of(STEADY_S / 2), 30.0, (), 0) is None
    assert held(course_of(20.0), 21.0, (), 1) is None
    stepped = course_of(20.0)
    note(stepped, sure(21.0, 1.7))
    assert held(stepped, 22.0, (), 0) is None, "new since a second"


def test_what_is_known_goes_with_a_step_that_is_known() -> None:
    """The drift, what is held, and once: the alarm."""
    course = OffsetCourse()
    for at_s, offset_s, sigma_s in estimates(0, 300.0, 40.0):
        course.add(Estimate(at_s, offset_s, sigma_s), at_s)
        note(course, sure(at_s, offset_s))
    drift, last = course.line, course._last
    assert last is not None
    end_s = last.found.at_s
    course.go_with(-0.1, end_s + 5)
    assert course.alarm(end_s + 6).startswith("stepped by -0.100 s")
    assert held(course, end_s + STEADY_S, (), 0) is None, "not so soon after a step"
    note(course, sure(end_s + 6, last.found.offset_s - 0.1))
    course.add(Estimate(end_s + EVERY_S, last.found.offset_s - 0.1, 0.01), end_s + EVERY_S)
    assert course.line.rate_ppm == pytest.approx(drift.rate_ppm, abs=5)
    note(course, sure(end_s + STEADY_S + 7, last.found.offset_s - 0.1))
    after = held(course, end_s + STEADY_S + 8, (), 0)
    assert after is not None
    assert after.found.offset_s == pytest.approx(last.found.offset_s - 0.1, abs=0.01)
    course.go_with(-0.1, end_s + ALARM_S + 6)
    assert not course.alarm(end_s + ALARM_S + 6), "the step was known already"
    assert course.left(0)._stepped_s == 0, "the next engine knows of none yet"
