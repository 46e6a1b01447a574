"""Calibration: what constants make of evidence, the search for them, and how often answers are right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mobind_live.binding.belief.posterior import Calibration
from mobind_live.binding.engine import TOKEN_S
from mobind_live.measure.bench.scenes import Case, Plan
from mobind_live.measure.calibrate import fit, parts, reliability, run
from mobind_live.measure.calibrate.outcomes import KINDS, Outcomes, outcomes
from mobind_live.measure.calibrate.snapshots import Snapshot, View, gathered
from mobind_live.models import checkpoint
from mobind_live.models.constants import Constants
from mobind_live.models.errors import RequestError
from mobind_live.models.placement import KIND_OF
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.vocabulary import PARTS

LAGS = 101
CALIBRATION = Calibration(scale=1.0, presence=(0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0), worth_s=1e9)


def snapshot(
    peak: int = 60, row: int = 1, part: int = 5, height: float = 20.0, true_lag: float = 60.0
) -> Snapshot:
    """One IMU, truly on row 1 and part 5, and two people; its evidence has one peak."""
    evidence = 0.3 * np.random.default_rng(0).standard_normal((1, 2, len(PARTS), LAGS))
    evidence[0, row, part] += height * np.exp(-0.5 * ((np.arange(LAGS) - peak) / 1.5) ** 2)
    view = View(
        tracks=(7, 9),
        evidence=evidence.astype(np.float32),
        motion_s=np.full((1, 2), 20.0),
        own=np.array([1]),
        lag=np.array([true_lag]),
        likelier=np.zeros((1, 2, len(PARTS))),
    )
    return Snapshot((view,), np.array([5]))


def test_evidence_for_the_truth_costs_little_and_is_right() -> None:
    found = outcomes([snapshot()], CALIBRATION)
    assert found.mean_nats < 0.1
    assert found.false == dict.fromkeys(KINDS, 0)
    assert found.right_share == 100.0
    assert abs(found.errors_s[0]) < 0.02


@pytest.mark.parametrize(
    ("change", "kind"), [({"peak": 30}, "offset"), ({"row": 0}, "wearer"), ({"part": 3}, "part")]
)
def test_evidence_for_something_else_is_false_and_dear(change: dict[str, int], kind: str) -> None:
    found = outcomes([snapshot(**change)], CALIBRATION)
    assert {k for k, count in found.false.items() if count} == {kind}
    assert found.nats[kind][0] > 3.0
    assert found.false_share == pytest.approx(100 / 3)


def test_without_its_wearer_a_sensor_is_on_nobody_and_rows_move_up() -> None:
    left = snapshot().without(0).views[0]
    assert (left.tracks, left.own.tolist(), left.evidence.shape[1]) == ((9,), [0], 1)
    gone = snapshot().without(1)
    assert gone.views[0].own.tolist() == [-1]
    found = outcomes([gone], CALIBRATION)
    assert found.asked == dict.fromkeys(KINDS, 0)
    assert found.mean_nats < 1.0, "nobody is the likeliest; a guess among 22 places would cost 3"


def test_a_sensor_that_hardly_moved_is_not_asked() -> None:
    given = snapshot()
    view = replace(given.views[0], motion_s=np.full((1, 2), 1.0))
    found = outcomes([replace(given, views=(view,))], CALIBRATION)
    assert found.asked == dict.fromkeys(KINDS, 0)


def made(nats: float, false: int = 0) -> Outcomes:
    found = Outcomes(nats={kind: [nats] for kind in KINDS})
    found.ok = dict.fromkeys(KINDS, 100)
    found.asked = dict.fromkeys(KINDS, 100)
    found.false["part"] = false
    return found


def test_the_search_finds_what_costs_least() -> None:
    best = Constants(temper=0.2, worth_s=11.0, limb=0.8, trunk=0.1, body=0.2, person=0.3)
    factors = ("temper", "worth_s", "limb", "trunk", "body", "person")

    def evaluate(c: Constants) -> Outcomes:
        apart = [np.log(getattr(c, name) / getattr(best, name)) for name in factors]
        return made(float(np.sum(np.square(apart))))

    tried: list[None] = []
    found = fit.search(evaluate, Constants(), 200, lambda: tried.append(None))
    for name in factors:
        assert getattr(found, name) == pytest.approx(getattr(best, name), rel=0.15)
    assert len(tried) <= 200


def test_the_search_keeps_to_its_budget_and_to_the_limits() -> None:
    tried: list[Constants] = []

    def evaluate(c: Constants) -> Outcomes:
        tried.append(c)
        return made(c.limb + c.worth_s)

    found = fit.search(evaluate, Constants(), 25, lambda: None)
    assert len(tried) <= 26, "and once more for sigma"
    assert found.limb >= 0.02
    assert found.worth_s >= 0.5


def test_false_answers_and_silence_cost() -> None:
    assert fit.loss(made(1.0)) == pytest.approx(1.0)
    assert fit.loss(made(1.0, false=3)) == pytest.approx(1.0 + (1.0 - fit.FALSE_LIMIT) + 0.01)
    silent = made(1.0)
    silent.ok = dict.fromkeys(KINDS, 0)
    assert fit.loss(silent) == pytest.approx(2.0)


def test_sigma_makes_three_of_them_cover_the_errors() -> None:
    rng = np.random.default_rng(1)
    found = made(0.0)
    found.errors_s = [*(0.008 * rng.standard_normal(4000)), 5.0]
    found.sigmas_s = [0.004] * 4001
    sigma = fit.with_sigma(Constants(), found).sigma
    assert np.mean(np.abs(found.errors_s) <= 3 * sigma * 0.004) == pytest.approx(0.99, abs=0.002)
    found.errors_s, found.sigmas_s = found.errors_s[:50], found.sigmas_s[:50]
    assert fit.with_sigma(Constants(), found).sigma == 1.0, "too few to tell"


def test_a_curve_counts_each_answer_once_and_says_how_often_it_is_right() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0, 1, 20_000)
    honest = reliability.curve(
        [(float(x), bool(y)) for x, y in zip(p, rng.uniform(0, 1, len(p)) < p, strict=True)]
    )
    assert honest.count.sum() == len(p)
    assert honest.ece < 0.02
    assert honest.sure == np.sum(p >= 0.9)
    assert honest.sure_right == pytest.approx(0.95, abs=0.01)
    boaster = reliability.curve([(0.99, False), (1.0, True)])
    assert boaster.count[-1] == 2
    assert boaster.right[-1] == 0.5
    assert boaster.ece == pytest.approx(0.495)
    assert reliability.curve([]).ece == 0.0


@pytest.mark.parametrize("told", [0.0, 2.0])
def test_a_part_that_agrees_too_well_is_found_out(told: float) -> None:
    """Forearms agree with everything: the regression takes away just that, whatever it is worth. What a
    sensor's own motion has ``told`` of its place for itself is no bias of the evidence."""
    rng = np.random.default_rng(4)
    too_much = np.array([-0.2, 0.1, 0.0, -0.3, 0.6, -0.1, -0.1])
    given = []
    for _ in range(600):
        part = int(rng.integers(len(PARTS)))
        evidence = 2.0 + too_much[KIND_OF] + 0.15 * rng.standard_normal(len(PARTS))
        evidence[part] += 0.5
        own = told * (np.arange(len(PARTS)) == part)
        given.append((evidence, own, part))
    bias = np.array(parts.fitted(given))
    np.testing.assert_allclose(bias, too_much, atol=0.12)
    wrong, right = (
        np.mean([(evidence - taken).argmax() == part for evidence, _, part in given])
        for taken in (np.zeros(len(PARTS)), bias[KIND_OF])
    )
    assert wrong < 0.6
    assert right > 0.9


def test_the_parts_are_read_at_the_wearer_and_the_true_lag() -> None:
    ((evidence, _, part),) = parts.samples(snapshot(true_lag=60.0))
    assert part == evidence.argmax() == 5
    assert evidence[5] == pytest.approx(1.0, abs=0.1), "20 in 20 seconds"
    ((far, _, _),) = parts.samples(snapshot(true_lag=20.0))
    assert far.max() < 0.1


def test_the_diagram_is_a_picture(tmp_path: Path) -> None:
    curves = {kind: reliability.curve([(0.95, True), (0.2, False)]) for kind in ("offset", "wearer", "part")}
    curves["action"] = reliability.curve([])
    path = tmp_path / "reliability.png"
    reliability.draw(curves, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def small(seed: int, count: int, seconds: float) -> Iterator[Case]:
    for number in range(count):
        plan = Plan(people=1, cameras=1, imus=2, delay_s=(0.5, 0.5), script=("jogging",), absence_every_s=0.0)
        yield Case("small", str(number), plan.scene(seed + number), seconds)


def test_snapshots_hold_the_truth_beside_the_evidence() -> None:
    (case,) = small(11, 1, 6.0)
    found = gathered(case, None)
    assert len(found) == 1
    (view,) = found[-1].views
    assert view.evidence.shape[:3] == (2, 1, len(PARTS))
    assert view.own.tolist() == [0, 0]
    assert (view.motion_s > 2.0).all()
    half = view.evidence.shape[3] // 2
    assert ((view.lag - half) * TOKEN_S).tolist() == pytest.approx([i.delay_s for i in case.config.imus])
    assert [PARTS[part] for part in found[-1].part] == [i.part for i in case.config.imus]


def serially(work: Callable[..., Any], given: list[tuple[Any, ...]], *rest: object) -> list[Any]:
    return [work(*each) for each in given]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.scenes, "drawn", small)
    monkeypatch.setattr(run, "in_parallel", serially)


def request(weights: Path | None, tmp_path: Path, **changes: Any) -> run.Request:
    given: dict[str, Any] = {
        "weights": weights,
        "seed": 0,
        "scenes": 1,
        "seconds": 6.0,
        "jobs": 1,
        "fit": True,
        "write": True,
        "plot": tmp_path / "reliability.png",
        "json_path": tmp_path / "calibration.json",
    }
    return run.Request(**(given | changes))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("quick")
def test_what_the_search_finds_is_checked_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Constants] = []

    def search(evaluate: fit.Evaluate, start: Constants, trials: int, tick: Callable[[], None]) -> Constants:
        asked.append(start)
        assert any(evaluate(start).nats.values())
        tick()
        return Constants(temper=0.3)

    monkeypatch.setattr(run.fit, "search", search)
    weights = tmp_path / "net.safetensors"
    shutil.copy(checkpoint.DEFAULT, weights)
    nobody = (*[0.0] * 7, -9.0)
    checkpoint.write_constants(weights, Constants(temper=0.01, presence=nobody), "far too cautious")
    run.run(request(weights, tmp_path, seconds=14.0), Console(quiet=True))
    (start,) = asked
    assert start.temper == 0.01
    assert start.presence != nobody, "these are fitted first"
    assert start.part_bias != Constants().part_bias
    assert checkpoint.load(weights).constants == Constants(temper=0.3)
    document = json.loads((tmp_path / "calibration.json").read_text())
    assert document["constants/temper"] == 0.3
    assert document["after/nats"] != document["before/nats"]
    assert document["offset/answers"] > 0
    assert (tmp_path / "reliability.png").exists()


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "picture.png"
    with pytest.raises(FileError, match=r"picture\.png: cannot be written"):
        run.run(request(None, tmp_path, fit=False, write=False, plot=nowhere), Console(quiet=True))
    with pytest.raises(HintError, match="no picture by this ending"):
        run.run(request(None, tmp_path, plot=tmp_path / "picture.xyz"), Console(quiet=True))
    with pytest.raises(RequestError, match="too short"):
        run.run(request(None, tmp_path, seconds=3.0, write=False), Console(quiet=True))
