"""A sensor that has gone to another person: found by who agrees better, and not by who is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.changes.handover import Leaning, handed_over
from mobind_live.vocabulary import PARTS

OWN, OTHER, THIRD = 1, 2, 3
SECOND = 0.5  # of motion


def agreed(best: float, part: int = 0) -> np.ndarray:
    parts = np.full(len(PARTS), -0.2)
    parts[part] = best
    return parts


def seconds_until_gone(per_second: dict[int, dict[int, np.ndarray]], longest: int = 60) -> int | None:
    """With sensors that, all on OWN but those above 9, agree so with the tracks in each second."""
    leanings = {sensor: Leaning(OTHER if sensor > 9 else OWN) for sensor in per_second}
    for second in range(1, longest):
        for sensor, new in per_second.items():
            leanings[sensor].add(new, SECOND)
        if handed_over(leanings):
            return second
    return None


STAYS = {OWN: agreed(0.8), OTHER: agreed(0.1, part=4)}
GONE = {OWN: agreed(0.0), OTHER: agreed(0.5, part=7)}


def test_who_agrees_better_for_seconds_wears_it_now_wherever_it_sits() -> None:
    assert seconds_until_gone({0: GONE}) == 4
    assert seconds_until_gone({0: GONE | {THIRD: agreed(0.9)}}) == 2
    assert seconds_until_gone({0: GONE, 1: STAYS}) == 4


@pytest.mark.parametrize(
    "new",
    [
        STAYS,
        {OWN: agreed(0.0), OTHER: agreed(0.0)},
        {OWN: agreed(0.0)},
        {OWN: agreed(0.3), OTHER: agreed(0.3)},
    ],
    ids=["it stays", "the limb is hidden", "nobody else is there", "they move in step"],
)
def test_it_is_not_said_when(new: dict[int, np.ndarray]) -> None:
    assert seconds_until_gone({0: new}) is None


def test_a_minute_of_agreement_does_not_delay_it() -> None:
    leaning = Leaning(OWN)
    for _ in range(60):
        leaning.add(STAYS, SECOND)
    for _ in range(5):
        leaning.add(GONE, SECOND)
    assert handed_over({5: leaning}) == {5}


def test_what_agrees_equally_hardly_ever_adds_up() -> None:
    """A sensor agrees with its own limb somewhat better than with the best of another person's by chance."""
    rng = np.random.default_rng(0)
    leaning = Leaning(OWN)
    for _ in range(3000):
        new = {OWN: agreed(0.4 + 0.2 * rng.normal()), OTHER: agreed(0.1 + 0.2 * rng.normal())}
        leaning.add(new, SECOND)
        assert not handed_over({0: leaning})


def test_where_all_lean_between_two_people_these_may_have_been_exchanged() -> None:
    """What they wear together says so sooner, and keeps what is known; one alone has been handed over."""
    back = {OWN: agreed(0.5), OTHER: agreed(0.0)}
    assert seconds_until_gone({0: GONE, 1: GONE}) == 12
    assert seconds_until_gone({0: GONE, 10: back}) == 12
    assert seconds_until_gone({0: GONE, 10: {OWN: agreed(0.0), OTHER: agreed(0.5)}}) == 4


def test_a_track_that_is_gone_is_forgotten() -> None:
    leaning = Leaning(OWN)
    for _ in range(3):
        leaning.add(GONE, SECOND)
    leaning.add({OWN: agreed(0.0)}, SECOND)
    assert leaning.towards == {}
