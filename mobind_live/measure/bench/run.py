"""The bench: cases played side by side, scored, shown and written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from mobind_live.measure.bench import captured, cost, scenes, score, table
from mobind_live.measure.bench.play import Player
from mobind_live.measure.bench.pool import in_parallel
from mobind_live.measure.bench.scenes import Case
from mobind_live.measure.bench.score import Scorer, Tally
from mobind_live.models import checkpoint
from mobind_live.models.errors import RequestError
from mobind_live.models.output import write_json
from mobind_live.recordings.files.outputs import must_be_writable
from mobind_live.runtime.health import peak_mb

_FULL_REPEATS = 4
_MAX_OFFSET_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for."""

    quick: bool
    seed: int
    json_path: Path | None
    only: str | None
    weights: Path | None
    jobs: int
    device: str = "cpu"
    motion: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One case: its tally, and what it cost."""

    case: Case
    tally: Tally
    cost: dict[str, float]

    @property
    def figures(self) -> dict[str, float]:
        return score.figures(self.tally) | self.cost


def run(request: Request, console: Console) -> None:
    """Play, print the tables, and write the JSON. Raises RequestError and other ModelErrors; FileError."""
    if request.only is not None and request.only not in scenes.FACTORS:
        raise RequestError(f"--only {request.only}: no such factor; one of {', '.join(scenes.FACTORS)}")
    must_be_writable(request.json_path)
    if request.device == "cuda" and not torch.cuda.is_available():
        raise RequestError("--device cuda: there is none")
    seconds = scenes.QUICK_S if request.quick else scenes.FULL_S
    repeats = 1 if request.quick else _FULL_REPEATS
    cases = scenes.cases(request.seed, seconds, repeats, request.only)
    checkpoint.load(request.weights)  # an error now is better than one in each process
    if request.motion is not None:
        captured.takes(request.motion)
        cases = scenes.with_motion(cases, request.motion)
    given = [(case, request.weights, request.device) for case in cases]
    results = in_parallel(played, given, request.jobs, "scenes", console)
    console.print(table.answers(results, score.figures(overall(results))), table.costs(results))
    if request.json_path is not None:
        _write(request.json_path, {"seed": float(request.seed), "seconds": seconds, **flat(results)})


def played(case: Case, weights: Path | None, device: str = "cpu") -> Result:
    """Play and score one case, in a process of its own: memory is measured, too."""
    torch.set_num_threads(1)
    model = checkpoint.load(weights)
    before_mb = peak_mb()
    player, scorer = Player(case, model, _MAX_OFFSET_S, torch.device(device)), Scorer(case)
    ages: list[float] = []
    with cost.stages() as seen:
        for moment in player.moments():
            scorer.take(moment)
            ages += moment.ages_s
    p50, p95 = np.percentile(ages, (50, 95)) if ages else (math.nan, math.nan)
    spent = {
        "age_p50_s": float(p50),
        "age_p95_s": float(p95),
        "cpu_of_real_time": player.cpu_s / case.seconds,
        "memory_mb": peak_mb() - before_mb,
        **{f"cpu_{stage}": share for stage, share in cost.shares(seen).items()},
    }
    if device == "cuda":
        spent["gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return Result(case, scorer.finish(), spent)


def overall(results: list[Result]) -> Tally:
    """All scenes' answers together."""
    total = Tally()
    for result in results:
        total.add(result.tally)
    return total


def flat(results: list[Result]) -> dict[str, float]:
    """Every figure under ``scene/figure``, and those of all scenes together under ``overall/figure``."""
    found = {f"overall/{name}": value for name, value in score.figures(overall(results)).items()}
    for result in results:
        found |= {f"{result.case.name}/{name}": value for name, value in result.figures.items()}
    return found


def _write(path: Path, found: dict[str, float]) -> None:
    """JSON knows no infinity: what never happened is null."""
    document = {name: round(value, 4) if math.isfinite(value) else None for name, value in found.items()}
    write_json(path, document)
