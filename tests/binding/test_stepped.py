"""A clock that has stepped: found by several of its sensors at once, at the right shift, and else not."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.changes.agreement import Agreement
from mobind_live.binding.changes.stepped import Step, Stepping, gain

LAGS, MOTION_S = 101, 0.7
LAG = {0: 40, 1: 55, 2: 70}
PEAK = np.exp(-0.5 * (np.arange(-5, 6) / 2.0) ** 2)


def second(
    sensor: int,
    rng: np.random.Generator,
    *peaks: tuple[int, float],
    lag: int | None = None,
    track: int = 1,
    part: int = 0,
) -> Agreement:
    """A second in which a sensor agrees at the lags that are so far from the one where it is believed."""
    by_lag = rng.normal(0.0, 0.05, LAGS)
    at = LAG[sensor] if lag is None else lag
    for shift, height in peaks:
        by_lag[at + shift - 5 : at + shift + 6] += height * PEAK
    return Agreement(track, part, at, MOTION_S, {}, by_lag)


def found(
    peaks: dict[int, tuple[tuple[int, float], ...]],
    tracks: tuple[int, ...] = (1, 2, 3),
    parts: tuple[int, ...] = (0, 1, 2),
) -> tuple[int, Step] | None:
    """After how many seconds, up to 12, which step is found in what the sensors on such tracks say."""
    rng, stepping = np.random.default_rng(0), Stepping()
    for number in range(1, 13):
        new = {
            sensor: gain(second(sensor, rng, *of, track=tracks[sensor], part=parts[sensor]))
            for sensor, of in peaks.items()
        }
        if (step := stepping.add(new)) is not None:
            return number, step
    return None


@pytest.mark.parametrize("shift", [-30, -3, 3, 25])
def test_two_sensors_that_fit_at_the_same_shift_say_so_within_seconds(shift: int) -> None:
    said = found({0: ((shift, 0.7),), 1: ((shift, 0.6),)})
    assert said is not None
    assert said[0] <= 5
    assert said[1].tokens == pytest.approx(shift, abs=0.5)
    assert (said[1].sensors, said[1].people) == ({0, 1}, 2)


def test_it_is_told_that_all_who_say_so_are_on_one_person() -> None:
    said = found(dict.fromkeys((0, 1), ((9, 0.7),)), tracks=(4, 4))
    assert said is not None
    assert said[1].people == 1


def test_what_fits_as_it_was_again_has_not_stepped() -> None:
    """Both arms in one rhythm fit before and after for a while; then one of the two, and what was, fits."""
    rng, stepping = np.random.default_rng(0), Stepping()
    both, again = ((9, 0.6), (-9, 0.6)), ((0, 0.8), (-9, -2.0))
    for peaks in (*[both] * 8, again):
        said = stepping.add({n: gain(second(n, rng, *peaks, part=n)) for n in (0, 1)})
        assert said is None
    assert stepping.add({n: gain(second(n, rng, (9, 0.6), part=n)) for n in (0, 1)}) is not None


def test_two_sensors_on_one_limb_are_one_witness() -> None:
    assert found(dict.fromkeys((0, 1), ((9, 0.7),)), tracks=(4, 4), parts=(5, 5)) is None


@pytest.mark.parametrize(
    "peaks",
    [
        pytest.param({0: ((0, 0.7),), 1: ((0, 0.7),)}, id="all fit where they are"),
        pytest.param({0: ((9, 0.7),), 1: ((0, 0.7),)}, id="one does not: its own clock's matter"),
        pytest.param({0: ((9, 0.7),)}, id="there is only one"),
        pytest.param({0: ((9, 0.7),), 1: ()}, id="the other one says nothing"),
        pytest.param({0: ((9, 0.7),), 1: ((-9, 0.7),)}, id="each another shift"),
        pytest.param({0: ((9, 0.7), (-15, 0.6)), 1: ((9, 0.6), (-15, 0.7))}, id="as well at another shift"),
        pytest.param(dict.fromkeys(LAG, ((1, 0.7),)), id="the same peak"),
        pytest.param(dict.fromkeys(LAG, ()), id="nothing fits"),
    ],
)
def test_what_is_no_step(peaks: dict[int, tuple[tuple[int, float], ...]]) -> None:
    assert found(peaks) is None


def test_sensors_that_still_fit_speak_against_it() -> None:
    assert found({0: ((9, 0.4),), 1: ((9, 0.4),), 2: ((0, 0.9),)}) is None


def test_a_shift_out_of_the_range_is_none() -> None:
    new = second(0, np.random.default_rng(0), lag=10)
    shifts = np.arange(LAGS) - LAGS // 2
    assert (gain(new).by_shift[shifts < -10] <= -MOTION_S).all()
    assert gain(new).by_shift[LAGS // 2] == pytest.approx(-0.05 * MOTION_S)


def test_what_comes_may_be_asked_of_several_clocks() -> None:
    """A receiver's sensors are a camera's, too."""
    rng, every, some = np.random.default_rng(0), Stepping(), Stepping()
    for _ in range(3):
        new = {n: gain(second(n, rng, (9, 0.2))) for n in LAG}
        before = {n: came.by_shift.copy() for n, came in new.items()}
        every.add(new)
        some.add({n: new[n] for n in (0, 1)})
        assert all((came.by_shift == before[n]).all() for n, came in new.items())


def test_who_is_gone_is_no_witness() -> None:
    rng, stepping = np.random.default_rng(0), Stepping()
    stepping.add({0: gain(second(0, rng, (9, 0.9)))})
    stepping.keep([1])
    for _ in range(30):
        assert stepping.add({1: gain(second(1, rng, (9, 0.3)))}) is None


def test_what_was_said_of_another_place_no_longer_counts() -> None:
    rng, stepping = np.random.default_rng(0), Stepping()
    for _ in range(2):
        stepping.add({n: gain(second(n, rng, (9, 0.6))) for n in (0, 1)})
    assert stepping.add({n: gain(second(n, rng, (9, 0.6), lag=LAG[n] + 4)) for n in (0, 1)}) is None
