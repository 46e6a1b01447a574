"""Angular rates from orientations: known turns, signs, gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobind_live.devices.samples.turning import Quaternion, Turned, Turning, from_angles, multiply, rate

PERIOD_NS = 10_000_000


def about(axis: str, degrees: float) -> Quaternion:
    return from_angles([degrees], [axis])


@pytest.mark.parametrize(("axis", "index"), [("x", 0), ("y", 1), ("z", 2)])
def test_a_turn_about_an_axis_is_a_rate_about_it(axis: str, index: int) -> None:
    expected = np.zeros(3)
    expected[index] = math.radians(90)
    np.testing.assert_allclose(rate(about(axis, 10), about(axis, 19), 0.1), expected, atol=1e-9)
    np.testing.assert_allclose(rate(about("-" + axis, 10), about("-" + axis, 19), 0.1), -expected, atol=1e-9)


def test_a_turn_over_half_a_circle_is_not_the_long_way_round() -> None:
    np.testing.assert_allclose(
        rate(about("z", 179), about("z", -179), 0.1), [0, 0, math.radians(20)], atol=1e-9
    )
    assert rate(about("z", 5), about("z", 5), 0.1) == (0, 0, 0)


def test_the_rate_is_in_the_devices_frame() -> None:
    """Turned on its side about x, a turn about its own z is one about the world's -y."""
    side = about("x", 90)
    for i in range(2):
        assert rate(side, multiply(side, about("z", 2)), 0.1)[i] == pytest.approx(0, abs=1e-9)
    assert rate(side, multiply(about("y", -2), side), 0.1)[2] == pytest.approx(math.radians(20))


def test_gravity_as_the_bno080_datasheets_example_has_it() -> None:
    """Pitch -1.10, roll 20.85 degrees and -371, -20, 977 mg are of one frame: pitch turns about x, roll
    about y, though its text says the opposite."""
    w, x, y, z = from_angles([0.01, -1.10, 20.85], ["-z", "x", "y"])
    up = np.array([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)])
    measured = np.array([-371, -20, 977])
    np.testing.assert_allclose(measured / np.linalg.norm(measured), up, atol=1e-3)


def turned(t_ms: float, degrees: float) -> Turned[float]:
    return Turned(t_ms * 1e6, about("z", degrees), t_ms)


def run(*orientations: Turned[float]) -> list[tuple[float, float]]:
    """(time, rate about z in deg/s) of what comes out."""
    turning: Turning[float] = Turning(PERIOD_NS)
    done = [turning(one) for one in orientations]
    return [(item, round(math.degrees(about_z), 6)) for item, (_, _, about_z) in filter(None, done)]


def test_rates_are_of_the_middle_of_their_neighbours() -> None:
    """Under constant angular acceleration the central difference is exact."""
    got = run(*(turned(10 * i, 0.5 * 1000 * (0.01 * i) ** 2) for i in range(6)))
    assert got == [(0, 5), (10, 10), (20, 20), (30, 30), (40, 40)]


def test_at_a_gap_the_nearer_side_counts() -> None:
    got = run(turned(0, 0), turned(10, 1), turned(20, 2), turned(500, 90), turned(510, 91), turned(520, 92))
    assert got == [(0, 100), (10, 100), (20, 100), (500, 100), (510, 100)]


def test_one_alone_has_no_rate() -> None:
    assert run(turned(0, 0), turned(500, 10), turned(1000, 20)) == []
    assert run(turned(0, 0), turned(0, 10), turned(-10, 20)) == []
