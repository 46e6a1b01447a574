"""What a rig says of who wears what, as a prior over the people in a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.binding.belief import subjects
from mobind_live.binding.belief.posterior import CameraPosterior, tilted
from mobind_live.vocabulary import PARTS


def believing(*wearer: float) -> CameraPosterior:
    """On each of several people with these probabilities, on any part alike; the rest is nobody."""
    log_place = np.log(np.repeat(np.array(wearer)[:, None] / len(PARTS), len(PARTS), axis=1) + 1e-300)
    lags = np.full((*log_place.shape, 3), 1 / 3)
    none = np.log(max(1 - sum(wearer), 1e-300))
    return CameraPosterior(tuple(range(len(wearer))), log_place, float(none), lags)


def told(alone: list[CameraPosterior], *names: str | None) -> list[CameraPosterior]:
    return [
        tilted(given, prior[:, None])
        for given, prior in zip(alone, subjects.priors(alone, names), strict=True)
    ]


UNSURE, SURE = (0.4, 0.4), (0.96, 0.02)


def test_sensors_of_one_subject_find_their_wearer_together() -> None:
    alone = [believing(*UNSURE), believing(*SURE), believing(*SURE)]
    assert told(alone, None, None, None)[0].wearer == pytest.approx(UNSURE)
    assert told(alone, "anna", "ben", "ben")[0].wearer[0] < 0.2, "that one is ben"
    assert told(alone, "anna", "anna", "anna")[0].wearer[0] > 0.7


def test_two_subjects_are_two_people() -> None:
    """Only ben is in the picture, and anna does much the same."""
    alone = [believing(0.9), believing(0.9), believing(0.999), believing(0.6)]
    anna, also, ben, _ = told(alone, "anna", "anna", "ben", "ben")
    assert min(anna.p_none, also.p_none) > 0.5
    assert ben.wearer[0] > 0.97


def test_nobody_is_surer_to_be_in_the_picture_for_being_told_alike() -> None:
    """A stranger fits all sensors of somebody unseen: that there are several proves nothing."""
    alone = [believing(0.9) for _ in range(4)]
    for found in told(alone, *["anna"] * 4):
        assert found.wearer[0] == pytest.approx(0.9)


def test_good_evidence_overrules_what_is_told() -> None:
    strong = [believing(*SURE), believing(*SURE), believing(1e-3, 0.999)]
    assert told(strong, "anna", "anna", "anna")[2].wearer[1] > 0.9


def test_without_anybody_in_view_there_is_nothing_to_say() -> None:
    alone = [believing(), believing()]
    assert [len(prior) for prior in subjects.priors(alone, ("anna", "ben"))] == [0, 0]
    assert subjects.priors([], ()) == []


@settings(max_examples=40, deadline=None)
@given(
    weights=st.lists(st.lists(st.floats(0.001, 1), min_size=4, max_size=4), min_size=1, max_size=5),
    names=st.lists(st.sampled_from(["anna", "ben", None]), min_size=5, max_size=5),
    order=st.permutations(range(3)),
)
def test_the_order_of_people_does_not_matter(
    weights: list[list[float]], names: list[str | None], order: list[int]
) -> None:
    rows = [np.array(row) / sum(row) for row in weights]
    alone, turned = ([believing(*row[places]) for row in rows] for places in ([0, 1, 2], order))
    given = tuple(names[: len(rows)])
    for prior, again in zip(subjects.priors(alone, given), subjects.priors(turned, given), strict=True):
        assert again == pytest.approx(prior[order], abs=1e-9)
        assert np.all(np.abs(prior) < np.log(4 / subjects.WRONG))
