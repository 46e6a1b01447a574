"""Offsets over a session: what drift explains is no step, and what was seen outweighs what was held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from messages import offset

from mobind_live.recordings.session.alignment import Alignment, Step, step_s
from mobind_live.schema import Offset

SECOND = 1_000_000_000
FIRST = replace(offset(), reference_ns=0, offset_s=0.25, rate_ppm=0.0)


def said(second: float, offset_s: float, held_s: float = 0.0, rate_ppm: float = 0.0) -> tuple[int, Offset]:
    at_ns = round(second * SECOND)
    given = replace(FIRST, reference_ns=at_ns, offset_s=offset_s, held_s=held_s, rate_ppm=rate_ppm)
    return at_ns, given


def alignment(*answers: tuple[int, Offset]) -> Alignment:
    found = Alignment()
    for at_ns, answer in answers:
        found.add(at_ns, answer)
    return found


def offset_at(found: Alignment, second: float) -> float | None:
    _, given = found.at(round(second * SECOND))
    return None if given is None else given.offset.offset_s


@pytest.mark.parametrize(("by_s", "sigma_s", "steps"), [(0.04, 0.001, 0), (0.06, 0.001, 1), (0.06, 0.02, 0)])
def test_a_step_is_more_than_50_ms_and_more_than_doubt(by_s: float, sigma_s: float, steps: int) -> None:
    answers = [replace(FIRST, sigma_s=sigma_s), replace(FIRST, sigma_s=sigma_s, offset_s=0.25 + by_s)]
    assert step_s(*answers) == pytest.approx(steps * by_s)


@pytest.mark.parametrize(
    ("rate_ppm", "rate_sigma_ppm", "steps"), [(50.0, 1.0, False), (0.0, 50.0, False), (0.0, 1.0, True)]
)
def test_drift_over_an_hour_is_no_step(rate_ppm: float, rate_sigma_ppm: float, steps: bool) -> None:
    before = replace(FIRST, rate_ppm=rate_ppm, rate_sigma_ppm=rate_sigma_ppm)
    after = replace(FIRST, reference_ns=3600 * SECOND, offset_s=0.25 + 3600 * 50e-6)
    assert (step_s(before, after) != 0) == steps


def test_the_nearest_offset_counts() -> None:
    found = alignment(said(0, 0.25), said(10, 0.27))
    assert [offset_at(found, s) for s in (-9, 4, 6, 99)] == [0.25, 0.25, 0.27, 0.27]


def test_between_two_that_contradict_each_other_there_is_none() -> None:
    found = alignment(said(0, 0.25), said(1, 0.25), said(2, 0.25), said(4, 0.75))
    assert [offset_at(found, s) for s in (1.9, 2, 2.1, 3.9, 4)] == [0.25, 0.25, None, None, 0.75]
    assert list(found.steps()) == [Step(2 * SECOND, 4 * SECOND, 0.5)]


def test_what_was_held_is_no_evidence_against_what_is_seen_later() -> None:
    found = alignment(said(0, 0.25), said(9, 0.25, held_s=9), said(20, 0.75))
    assert [offset_at(found, s) for s in (8, 9, 12, 19)] == [None] * 4
    assert list(found.steps()) == [Step(0, 20 * SECOND, 0.5)]


def test_what_was_held_from_another_life_is_forgotten_when_something_else_is_seen() -> None:
    found = alignment(said(0, 0.25, held_s=9), said(6, 0.25, held_s=15), said(20, 0.75))
    assert [offset_at(found, s) for s in (0, 19)] == [0.75, 0.75]
    assert list(found.steps()) == []


def test_what_was_held_counts_as_long_as_nothing_contradicts_it() -> None:
    found = alignment(said(0, 0.25), said(10, 0.251, held_s=10), said(20, 0.252, held_s=20), said(30, 0.253))
    assert [offset_at(found, s) for s in (9, 19, 31)] == [0.251, 0.252, 0.253]


def test_of_an_offset_that_hardly_changes_little_is_kept() -> None:
    found = alignment(*(said(n / 2, 0.25 + n * 1e-6) for n in range(200)))
    assert len({offset_at(found, n / 2) for n in range(200)}) == 20
