"""A sensor gone to another limb of the same person: found by which agrees better, not by what is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.changes.relocated import Pull, relocated
from mobind_live.vocabulary import PARTS

SHANK = PARTS.index("right_shank")
SECOND = 0.5  # of motion


def agreed(**parts: float) -> np.ndarray:
    found = np.full(len(PARTS), -0.2)
    for name, value in parts.items():
        found[PARTS.index(name)] = value
    return found


def seconds_until_gone(*cameras: np.ndarray, longest: int = 60) -> int | None:
    """With a sensor that is believed on the right shank, and agrees so in each camera in each second."""
    pulls = [Pull(1, SHANK) for _ in cameras]
    for second in range(1, longest):
        for pull, new in zip(pulls, cameras, strict=True):
            pull.add(new, SECOND)
        if relocated(pulls):
            return second
    return None


GONE = agreed(right_shank=0.0, left_forearm=0.5)


def test_the_limb_that_agrees_better_for_seconds_has_it_now() -> None:
    assert seconds_until_gone(GONE) == 6
    assert seconds_until_gone(GONE, GONE) == 3, "two cameras see the same limb"
    assert seconds_until_gone(GONE, agreed(right_shank=0.0)) == 6, "one of them does not see it"


def test_cameras_that_think_of_different_limbs_are_not_added_up() -> None:
    assert seconds_until_gone(GONE, agreed(right_shank=0.0, right_forearm=0.5)) == 6


@pytest.mark.parametrize(
    "new",
    [
        agreed(right_shank=0.8, left_forearm=0.1),
        agreed(right_shank=0.0),
        agreed(right_shank=0.3, left_shank=0.34),
    ],
    ids=["it stays", "the limb is hidden", "both legs do the same"],
)
def test_it_is_not_said_when(new: np.ndarray) -> None:
    assert seconds_until_gone(new, new) is None


def test_a_minute_of_agreement_does_not_delay_it() -> None:
    pull = Pull(1, SHANK)
    for _ in range(60):
        pull.add(agreed(right_shank=0.8), SECOND)
    for _ in range(6):
        pull.add(GONE, SECOND)
    assert relocated([pull])


def test_a_sensor_that_no_camera_knows_has_gone_nowhere() -> None:
    assert not relocated([])
