"""Whom one camera's sensors say that another camera's people are not."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.belief import bodies, posterior
from mobind_live.binding.belief.posterior import CameraPosterior
from mobind_live.vocabulary import PARTS


def seen(wearers: list[list[float]]) -> list[CameraPosterior]:
    """The posteriors of a camera in which each IMU is on each of its people with these probabilities."""
    found = []
    for people in wearers:
        place = np.repeat(np.array(people)[:, None] / len(PARTS), len(PARTS), axis=1)
        none = float(np.log(1 - sum(people)))
        found.append(
            CameraPosterior(tuple(range(len(people))), np.log(place), none, np.ones((*place.shape, 1)))
        )
    return found


def after(given: list[CameraPosterior], said: np.ndarray) -> np.ndarray:
    """How probable the most probable wearer of each IMU is then."""
    tilted = [posterior.tilted(one, logs[:, None]) for one, logs in zip(given, said, strict=True)]
    return np.array([one.wearer.max() for one in tilted])


def test_a_sensor_is_not_on_a_stranger_too_who_does_the_same() -> None:
    """Three sensors are on the first camera's person, two on the second's; one of the three fits both."""
    here = seen([[0.999], [0.999], [0.99], [0.02], [0.05]])
    there = seen([[0.97], [0.1], [0.02], [0.99], [0.999]])
    said = bodies.of_others({"here": here, "there": there})
    first, second = after(here, said["here"]), after(there, said["there"])
    assert first[:3].min() > 0.95
    assert second[0] < 0.7
    assert second[3:].min() > 0.95


def test_one_person_in_two_pictures_stays_so() -> None:
    here = seen([[0.999, 0.0001], [0.99, 0.001], [0.001, 0.99]])
    there = seen([[0.001, 0.99], [0.01, 0.97], [0.98, 0.001]])
    said = bodies.of_others({"here": here, "there": there})
    right = {"here": [(0, 0), (1, 0), (2, 1)], "there": [(0, 1), (1, 1), (2, 0)]}
    for camera, places in right.items():
        for imu, person in places:
            assert said[camera][imu, person] > -0.15
            assert said[camera][imu, 1 - person] < -2


def test_who_has_said_nothing_yet_changes_nothing() -> None:
    sure, open_ = seen([[0.999], [0.999]]), seen([[0.01], [0.01]])
    assert bodies.of_others({"cam": sure})["cam"] == pytest.approx(0)
    assert bodies.of_others({"a": open_, "b": open_})["a"] == pytest.approx(0, abs=0.01)
    said = bodies.of_others({"a": sure, "b": open_, "empty": seen([[], []])})
    assert said["empty"].shape == (2, 0)
    assert said["a"] == pytest.approx(0, abs=0.05), (
        "what is not known there says nothing of what is known here"
    )


@pytest.mark.parametrize("people", [0, 1, 3])
def test_it_is_never_more_than_nothing(people: int) -> None:
    rng = np.random.default_rng(people)
    draw = lambda n: (0.999 * rng.dirichlet(np.full(n + 1, 0.3), 6)[:, :n]).tolist()  # noqa: E731
    said = bodies.of_others({"a": seen(draw(people)), "b": seen(draw(2)), "c": seen(draw(3))})
    for logs in said.values():
        assert (logs <= 0).all()
        assert np.isfinite(logs).all()
