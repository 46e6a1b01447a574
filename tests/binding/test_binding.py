"""From evidence to answers: probabilities that are probabilities, and no guesses."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.binding.belief import assignment
from mobind_live.binding.belief import posterior as binding
from mobind_live.binding.belief.assignment import one_to_one
from mobind_live.binding.belief.peak import offset
from mobind_live.binding.belief.posterior import (
    Calibration,
    CameraPosterior,
    fuse_parts,
    likelihood,
    settled,
)
from mobind_live.binding.belief.verdict import OK_P, verdict
from mobind_live.schema import Verdict
from mobind_live.vocabulary import PARTS

LAGS = 201
HALF = LAGS // 2
TOKEN_S = 0.04
FLAT = np.zeros(())
# Evidence counts in full, however long; how well motions agree each second tells that there is somebody.
CALIBRATION = Calibration(scale=1.0, presence=(0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0), worth_s=1e9)
P = len(PARTS)


def noise(seed: int, people: int = 2, level: float = 0.5) -> np.ndarray:
    """Evidence (people, 11, LAGS) that speaks for nobody."""
    return np.random.default_rng(seed).normal(0, level, (people, P, LAGS))


def with_peak(evidence: np.ndarray, person: int, part: int, lag: float, height: float = 25.0) -> np.ndarray:
    """The same with a parabola's tip, ``lag`` tokens from the middle."""
    out = evidence.copy()
    shape = np.maximum(height - 0.4 * (np.arange(LAGS) - HALF - lag) ** 2, 0)
    out[person, part] = np.where(shape > 0, shape, out[person, part])
    return out


def posterior(
    evidence: np.ndarray,
    prior: np.ndarray,
    tracks: tuple[int, ...],
    motion_s: np.ndarray,
    calibration: Calibration,
) -> CameraPosterior:
    """The posterior from evidence sums (P, 11, LAGS), the seconds of motion (P,) behind them, and a log-prior
    over lags (LAGS,), flat being zero."""
    given = settled(likelihood(evidence, motion_s, calibration), prior, tracks, calibration)
    return replace(given, motion_s=binding.tested_s(given, motion_s))


def judged(evidence: np.ndarray, prior: np.ndarray = FLAT, motion_s: float = 20.0) -> CameraPosterior:
    moved_s = np.full(len(evidence), motion_s)
    return posterior(evidence, prior, tuple(range(1, len(evidence) + 1)), moved_s, CALIBRATION)


def total(found: CameraPosterior) -> float:
    return float(found.place.sum() + found.p_none)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    people=st.integers(1, 3),
    level=st.floats(0, 200),
    height=st.floats(-50, 5000),
)
def test_a_posterior_sums_to_one(seed: int, people: int, level: float, height: float) -> None:
    found = judged(with_peak(noise(seed, people, level), 0, 3, 20, height))
    assert total(found) == pytest.approx(1)
    assert found.lag.sum() == pytest.approx(1)
    assert found.wearer.sum() + found.p_none == pytest.approx(1)
    assert found.part.sum() + found.p_none == pytest.approx(1)
    np.testing.assert_allclose(found.lags.sum(axis=2), 1)


def test_what_agrees_too_well_with_everything_is_put_right_within_a_person() -> None:
    """A part whose evidence is too high for each second of motion loses to another; who it is, and when,
    stays as it is."""
    evidence = with_peak(with_peak(noise(0), 1, 5, -30, 25.0), 1, 6, -30, 26.0)
    bias = tuple(0.3 if part == 6 else 0.0 for part in range(P))
    seconds, tracks = np.full(2, 20.0), (1, 2)
    before = posterior(evidence, FLAT, tracks, seconds, CALIBRATION)
    after = posterior(evidence, FLAT, tracks, seconds, replace(CALIBRATION, part_bias=bias))
    assert (before.part.argmax(), after.part.argmax()) == (6, 5)
    np.testing.assert_allclose(after.wearer, before.wearer, atol=1e-6)
    np.testing.assert_allclose(after.lag, before.lag, atol=0.02)


def test_a_peak_names_its_place_and_time() -> None:
    found = judged(with_peak(noise(0), 1, 5, -30))
    assert found.p_none < 0.05
    assert found.place[1, 5] > 0.95
    assert found.lag.argmax() == HALF - 30


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_without_a_peak_nobody_wears_it(level: float) -> None:
    assert all(judged(noise(seed, 2, level)).p_none > 0.5 for seed in range(10))


def test_a_slope_over_all_lags_is_no_peak() -> None:
    """What rises over all lags is background."""
    evidence = noise(1) + np.linspace(0, 3, LAGS)
    assert judged(evidence).p_none > 0.5


@settings(max_examples=30, deadline=None)
@given(lag=st.floats(-95, 95), height=st.floats(14, 40))
def test_the_offset_is_found_far_below_one_bin(lag: float, height: float) -> None:
    evidence = with_peak(noise(2), 0, 4, lag, height)
    answer = offset(judged(evidence), evidence, 1.0, TOKEN_S)
    assert answer.offset_s == pytest.approx(lag * TOKEN_S, abs=0.02 * TOKEN_S)
    assert 0 < answer.sigma_s < 1.5 * TOKEN_S
    assert answer.p > 0.5
    assert answer.second_peak_ratio < 0.5


@pytest.mark.parametrize("lag", [-HALF, HALF])
def test_a_peak_at_the_end_of_the_range_stays_there(lag: int) -> None:
    evidence = with_peak(noise(3), 0, 4, lag)
    answer = offset(judged(evidence), evidence, 1.0, TOKEN_S)
    assert answer.offset_s == pytest.approx(lag * TOKEN_S, abs=0.5 * TOKEN_S)


def test_a_second_peak_as_high_is_ambiguous() -> None:
    """Repetitive motion: half a step later fits as well."""
    evidence = with_peak(noise(4), 0, 7, 10)
    once = offset(judged(evidence), evidence, 1.0, TOKEN_S)
    evidence = np.maximum(evidence, with_peak(noise(4), 0, 7, 35))
    found = judged(evidence)
    twice = offset(found, evidence, 1.0, TOKEN_S)
    assert once.second_peak_ratio < 0.1
    assert twice.second_peak_ratio > 0.9
    assert verdict(once.p, 0.0, 20, True, False) is Verdict.OK
    assert verdict(twice.p, found.p_none, 20, True, False) is Verdict.AMBIGUOUS
    assert found.place[0, 7] > 0.9, "where it sits is sure all the same"


def test_of_a_sensor_that_has_not_moved_nothing_is_known() -> None:
    resting = judged(np.zeros((2, len(PARTS), 2 * HALF + 1)), motion_s=0.0)
    assert resting.p_none == pytest.approx(0.5)
    assert resting.wearer == pytest.approx([0.25, 0.25])


def test_more_evidence_is_surer() -> None:
    heights = [judged(with_peak(noise(5), 0, 4, 3, h)).p_none for h in (6.0, 12.0, 18.0)]
    assert heights == sorted(heights, reverse=True)


def after(seconds: float, calibration: Calibration, **agreement: float) -> CameraPosterior:
    """What is believed once limbs have agreed so well (nats a second) for so long."""
    evidence = noise(5, 1, 0.1)
    for part, nats in agreement.items():
        evidence[0, PARTS.index(part)] += (
            nats * seconds * np.exp(-0.5 * ((np.arange(LAGS) - HALF) / 1.5) ** 2)
        )
    return posterior(evidence, FLAT, (1,), np.array([seconds]), calibration)


def test_what_counts_in_the_end_is_how_well_motions_agree_not_for_how_long() -> None:
    """Two limbs in step differ by a few per cent: hours of it leave that open. Nor do strangers' motions,
    which agree a little, ever become one."""
    left, right = PARTS.index("left_shank"), PARTS.index("right_shank")
    lasting = replace(CALIBRATION, worth_s=8.0, presence=(0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, -6.0))
    for seconds in (20.0, 200.0, 20_000.0):
        found = after(seconds, lasting, left_shank=4.0, right_shank=3.9)
        assert found.part[left] > found.part[right] > 0.1
        assert found.p_none < 0.01
        assert after(seconds, lasting, left_shank=0.9).p_none > 0.5
    plain = replace(lasting, worth_s=1e9)
    assert after(200.0, plain, left_shank=4.0, right_shank=3.9).part[left] > 0.99


def test_a_prior_tips_the_scale() -> None:
    evidence = np.maximum(with_peak(noise(6), 0, 4, 10), with_peak(noise(6), 0, 4, 40))
    prior = np.full(LAGS, -5.0)
    prior[HALF + 38 : HALF + 43] = 0.0
    assert judged(evidence, prior).lag[HALF + 38 : HALF + 43].sum() > 0.95


def test_with_the_lag_known_less_evidence_is_enough() -> None:
    evidence = with_peak(noise(6), 0, 4, 10, height=6.0)
    known = np.full(LAGS, -4.0)
    known[HALF + 9 : HALF + 12] = np.log(LAGS / 3)
    assert judged(evidence).p_none > 0.5
    assert judged(evidence, known).p_none < 0.2
    assert judged(noise(6), known).p_none > 0.5, "but none is still not enough"


def test_with_nobody_in_view_there_is_nothing_to_say() -> None:
    found = judged(np.zeros((0, P, LAGS)))
    assert (found.p_none, found.place.size, found.tracks) == (1.0, 0, ())
    assert offset(found, np.zeros((0, P, LAGS)), 1.0, TOKEN_S).p == 0
    assert one_to_one([found, found]) == [found, found]
    nobody = fuse_parts([found])
    assert (nobody.p_none, nobody.p) == (1.0, 0.0)
    assert fuse_parts([]).p_none == 1.0


# --- one to one ---


def believing(weights: dict[tuple[int, int], float], none: float, people: int = 2) -> CameraPosterior:
    """A posterior that believes in places (person, part) as given, and a little in every other."""
    place = np.full((people, P), 1e-6)
    for where, weight in weights.items():
        place[where] = weight
    norm = place.sum() + none
    lags = np.full((people, P, 3), 1 / 3)
    tracks = tuple(range(people))
    return CameraPosterior(tracks, np.log(place / norm), float(np.log(none / norm)), lags, 20.0)


def test_two_imus_never_share_a_place() -> None:
    strong = believing({(0, 4): 0.9, (0, 6): 0.05}, 0.01)
    weak = believing({(0, 4): 0.6, (0, 6): 0.3}, 0.01)
    one, other = one_to_one([strong, weak])
    assert one.place[0, 4] > 0.8
    assert other.place[0, 6] > 0.8
    assert (one.place + other.place)[0, 4] < 1.1
    assert total(one) == pytest.approx(1)
    assert total(other) == pytest.approx(1)


def test_who_has_no_other_place_is_on_nobody() -> None:
    one, other = one_to_one([believing({(0, 4): 0.99}, 0.001), believing({(0, 4): 0.9}, 0.1)])
    assert one.place[0, 4] > 0.9
    assert other.p_none > 0.9


def test_two_sensors_on_one_limb_are_said_to_be_or_not_told_apart() -> None:
    """As where a new sensor is worn beside a reference."""
    new = believing({(0, 4): 0.997, (0, 8): 1e-3}, 0.002)
    reference = believing({(0, 4): 0.999, (0, 8): 1e-5}, 0.001)
    other = believing({(0, 4): 0.1, (0, 6): 0.89}, 0.01)
    second, first, _ = one_to_one([new, reference, other])
    assert first.place[0, 4] > 0.9
    assert second.place.max() < 0.7, "it would be on the other place, were limbs never shared"
    told = one_to_one([new, reference, other], [("anna", "left_forearm"), ("anna", "left_forearm"), None])
    assert [one.place[0, 4] > 0.99 for one in told[:2]] == [True, True]
    assert told[2].place[0, 6] > 0.95


def test_a_glimpse_of_somebody_does_not_say_that_nobody_was_asked() -> None:
    """A detector's short false tracks, one after the other."""
    nobody = believing({}, 0.999)
    assert binding.tested_s(nobody, np.array([40.0, 0.3])) == 40.0
    assert binding.tested_s(nobody, np.array([40.0, 5.0])) == 5.0, "who came in last is somebody"
    assert binding.tested_s(nobody, np.array([0.7, 0.3])) == 0.3


def test_an_imu_alone_is_left_as_it_is() -> None:
    alone = [believing({(0, 4): 0.9}, 0.1)]
    assert one_to_one(alone) == alone


def max_marginals(posteriors: list[CameraPosterior]) -> np.ndarray:
    """(I, places + 1) by trying every assignment."""
    scores = np.array([np.append(p.log_place.ravel(), p.log_none) for p in posteriors])
    count, places = scores.shape
    best = np.full(scores.shape, -np.inf)
    for choice in product(range(places), repeat=count):
        taken = [c for c in choice if c < places - 1]
        if len(set(taken)) < len(taken):
            continue
        sum_ = sum(scores[i, c] for i, c in enumerate(choice))
        for i, c in enumerate(choice):
            best[i, c] = max(best[i, c], sum_)
    weights = np.exp(best - best.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), count=st.integers(2, 3), sharp=st.floats(0.1, 12))
def test_the_assignment_equals_trying_everything(seed: int, count: int, sharp: float) -> None:
    rng = np.random.default_rng(seed)
    posteriors = []
    for _ in range(count):
        logs = sharp * rng.normal(size=P + 1)
        logs[-1] = max(logs)  # what is surely worn is told otherwise: see the next test
        logs -= np.log(np.exp(logs).sum())
        lags = np.full((1, P, 3), 1 / 3)
        posteriors.append(CameraPosterior((1,), logs[None, :-1], float(logs[-1]), lags, 20.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "SHARED", 1e-300)
        found = [np.append(p.place.ravel(), p.p_none) for p in one_to_one(posteriors)]
    np.testing.assert_allclose(found, max_marginals(posteriors), atol=1e-9)


def test_what_is_surely_worn_goes_to_its_second_choice_and_not_to_nobody() -> None:
    """Two sensors of one person seem to sit on one forearm, as a left one may."""
    first, second = PARTS.index("right_forearm"), PARTS.index("left_forearm")
    surer, other = (
        posterior(
            np.maximum(with_peak(noise(n, 1), 0, first, 10, high), with_peak(noise(n, 1), 0, second, 10,
            12.0)), FLAT, (1,), np.array([20.0]), replace(CALIBRATION, limb=1.0),
        )
        for n, high in ((1, 40.0), (2, 30.0))
    )  # fmt: skip
    assert other.place[0, first] > 0.9
    assert other.p_none < 0.02
    together = one_to_one([surer, other])
    assert together[0].place[0, first] > 0.9
    assert together[1].place[0, second] > 0.9
    assert together[1].p_none == pytest.approx(other.p_none, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), order=st.permutations(range(4)))
def test_the_order_of_imus_does_not_matter(seed: int, order: list[int]) -> None:
    rng = np.random.default_rng(seed)
    each = [
        judged(with_peak(noise(seed + n), int(rng.integers(2)), int(rng.integers(P)), 5, 6.0))
        for n in range(4)
    ]
    straight, permuted = one_to_one(each), one_to_one([each[n] for n in order])
    for place, n in enumerate(order):
        np.testing.assert_allclose(permuted[place].place, straight[n].place, atol=1e-9)
        assert permuted[place].p_none == pytest.approx(straight[n].p_none, abs=1e-9)


def test_the_order_of_people_does_not_matter() -> None:
    evidence = with_peak(noise(7, 3), 2, 5, -8)
    one, other = judged(evidence), judged(evidence[::-1])
    np.testing.assert_allclose(one.place, other.place[::-1])
    np.testing.assert_allclose(one.lag, other.lag)


# --- fusion and verdicts ---


def test_two_views_of_one_motion_are_no_surer_than_one() -> None:
    one = believing({(0, 5): 0.8, (0, 6): 0.15}, 0.05)
    both = fuse_parts([one, one])
    assert PARTS[both.best] == PARTS[5]
    assert both.p == pytest.approx(fuse_parts([one]).p, abs=1e-4)
    assert both.probabilities.sum() + both.p_none == pytest.approx(1)


def test_cameras_that_disagree_are_not_sure() -> None:
    found = fuse_parts([believing({(0, 5): 0.95}, 0.01), believing({(1, 6): 0.95}, 0.01)])
    assert found.p < OK_P


def test_a_camera_that_sees_nobody_has_no_say() -> None:
    one = believing({(0, 5): 0.8}, 0.2)
    empty = judged(np.zeros((0, P, LAGS)))
    np.testing.assert_allclose(fuse_parts([one, empty]).probabilities, fuse_parts([one]).probabilities)


def test_a_camera_that_shows_somebody_else_has_no_say() -> None:
    one = believing({(0, 5): 0.97, (0, 6): 0.02}, 0.01)
    other = believing({(1, 6): 0.004}, 0.996)
    both = fuse_parts([one, other])
    assert (both.best, both.p_none) == (5, one.p_none)
    assert both.p == pytest.approx(fuse_parts([one]).p, abs=0.02)
    assert both.probabilities.sum() + both.p_none == pytest.approx(1)


def test_a_camera_that_is_sure_of_nothing_hardly_changes_the_part() -> None:
    one = believing({(0, 5): 0.97}, 0.03)
    flat = replace(one, log_place=np.full((2, P), -np.log(2 * P + 2.0)), log_none=-float(np.log(P + 1.0)))
    assert fuse_parts([one, flat]).best == 5


@pytest.mark.parametrize(
    ("p", "p_none", "motion_s", "moving", "stale", "expected"),
    [
        (0.95, 0.01, 5.0, True, False, Verdict.OK),
        (0.95, 0.01, 5.0, False, False, Verdict.OK),  # at rest now, but it has been seen to move
        (0.95, 0.01, 5.0, True, True, Verdict.STALE),
        (0.95, 0.01, 1.0, True, False, Verdict.AMBIGUOUS),
        (0.95, 0.01, 1.0, False, False, Verdict.NO_MOTION),
        (0.10, 0.90, 0.0, False, False, Verdict.NO_MOTION),
        (0.10, 0.90, 3.0, True, False, Verdict.AMBIGUOUS),
        (1e-6, 1 - 1e-6, 25.0, True, False, Verdict.UNBOUND),
        (1e-6, 1 - 1e-6, 25.0, False, False, Verdict.UNBOUND),
        (1e-6, 1 - 1e-6, 15.0, True, False, Verdict.AMBIGUOUS),  # nobody is not sure so soon,
        (0.001, 0.999, 25.0, True, False, Verdict.AMBIGUOUS),  # nor as easily as somebody
        (0.20, 0.80, 15.0, True, False, Verdict.AMBIGUOUS),
        (0.60, 0.20, 9.0, True, False, Verdict.AMBIGUOUS),
        (0.89, 0.01, 60.0, True, False, Verdict.AMBIGUOUS),
        (0.00, 1.00, 60.0, True, True, Verdict.STALE),
    ],
)
def test_verdicts(
    p: float, p_none: float, motion_s: float, moving: bool, stale: bool, expected: Verdict
) -> None:
    assert verdict(p, p_none, motion_s, moving, stale) is expected


@pytest.mark.parametrize(("one", "other"), [("chest", "pelvis"), ("left_thigh", "left_shank")])
def test_kin_are_told_apart_by_more_than_strangers(one: str, other: str) -> None:
    def odds(rival: str) -> float:
        evidence = with_peak(noise(4, people=1), 0, PARTS.index(one), 0, height=20.0)
        found = judged(with_peak(evidence, 0, PARTS.index(rival), 0, height=17.0))
        return float(found.log_place[0, PARTS.index(one)] - found.log_place[0, PARTS.index(rival)])

    assert 0 < odds(other) < odds("right_upper_arm")


def test_shrinking_the_odds_between_kin_keeps_what_they_add_up_to() -> None:
    evidence = with_peak(noise(5), 1, PARTS.index("left_shank"), -20)
    apart = replace(CALIBRATION, limb=1.0)
    shrunk, plain = judged(evidence), posterior(evidence, FLAT, (1, 2), np.full(2, 20.0), apart)
    pair = [PARTS.index("left_thigh"), PARTS.index("left_shank")]
    assert shrunk.part[pair].sum() == pytest.approx(plain.part[pair].sum(), abs=1e-9)
    assert total(shrunk) == pytest.approx(1.0)


def test_people_are_told_apart_by_more_than_limbs() -> None:
    """How well each is seen differs between people; who is sure to be worn by somebody stays so."""
    shank = PARTS.index("left_shank")
    evidence = with_peak(noise(5), 0, shank, -20, height=20.0)
    evidence = with_peak(evidence, 1, shank, -20, height=17.0)
    alike = posterior(evidence, FLAT, (1, 2), np.full(2, 20.0), replace(CALIBRATION, person=0.5))
    apart = posterior(evidence, FLAT, (1, 2), np.full(2, 20.0), replace(CALIBRATION, person=1.0))
    odds, plain = (np.log(p.wearer[0] / p.wearer[1]) for p in (alike, apart))
    assert odds == pytest.approx(0.5 * plain)
    assert alike.p_none == pytest.approx(apart.p_none, abs=1e-9)
    np.testing.assert_allclose(alike.place[0] / alike.wearer[0], apart.place[0] / apart.wearer[0], atol=1e-9)


def test_people_who_do_the_same_are_told_apart_by_more_still() -> None:
    """The same lead is worth less where the second-best agrees, too."""
    shank = PARTS.index("left_shank")

    def odds(second: float, shared: float) -> float:
        given = with_peak(np.zeros((2, P, LAGS)), 0, shank, -20, height=second + 3.0)
        given = with_peak(given, 1, shank, -20, height=second)
        found = posterior(given, FLAT, (1, 2), np.full(2, 20.0), replace(CALIBRATION, shared=shared))
        return float(np.log(found.wearer[0] / found.wearer[1]))

    assert odds(20.0, 1e9) == pytest.approx(odds(40.0, 1e9), rel=0.01)
    assert odds(40.0, 20.0) < 0.8 * odds(20.0, 20.0) < 0.8 * odds(20.0, 1e9)


def test_it_takes_two_to_be_alike() -> None:
    evidence = with_peak(noise(5, 1), 0, 3, -20)
    few, many = (
        posterior(evidence, FLAT, (1,), np.full(1, 20.0), replace(CALIBRATION, shared=shared))
        for shared in (2.0, 1e9)
    )
    np.testing.assert_array_equal(few.log_place, many.log_place)
