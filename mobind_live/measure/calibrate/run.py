"""The command: gather evidence, fit, check on other scenes, show, and write."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from rich.console import Console

from mobind_live.binding.belief.calibration import calibration
from mobind_live.measure.bench import captured, scenes
from mobind_live.measure.bench.pool import in_parallel
from mobind_live.measure.bench.scenes import Case
from mobind_live.measure.calibrate import fit, parts, presence, reliability
from mobind_live.measure.calibrate.outcomes import Outcomes, outcomes
from mobind_live.measure.calibrate.reliability import Curve
from mobind_live.measure.calibrate.snapshots import Snapshot, gathered
from mobind_live.models import checkpoint
from mobind_live.models.constants import Constants
from mobind_live.models.encoders import Binder
from mobind_live.models.errors import RequestError
from mobind_live.models.output import write_json
from mobind_live.recordings.files.outputs import must_be_picture, must_be_writable
from mobind_live.terminal.screen import progress

_CHECK_SEED = 500_000  # scenes to check on lie so far from those to fit on
_TRIALS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. ``fit``: search for constants, rather than check those there are."""

    weights: Path | None
    seed: int
    scenes: int
    seconds: float
    jobs: int
    fit: bool
    write: bool
    plot: Path | None
    json_path: Path | None
    motion: Path | None = None


def run(request: Request, console: Console) -> None:
    """Raises HintError, FileError, RequestError and other ModelErrors for what the user can cause."""
    model = checkpoint.load(request.weights)
    file = request.weights or checkpoint.DEFAULT
    must_be_picture(request.plot)
    must_be_writable(request.plot, request.json_path, file if request.write else None)
    if request.motion is not None:
        captured.takes(request.motion)  # an error now is better than one in each process
    before = model.constants
    constants, report = _fitted(request, model, console) if request.fit else (before, {})
    checks = max(1, request.scenes // 2)
    given = [
        (case, request.weights, constants) for case in _cases(request, _CHECK_SEED + request.seed, checks)
    ]
    found = reliability.merged(
        in_parallel(reliability.pairs, given, request.jobs, "scenes to check on", console)
    )
    curves = {kind: reliability.curve(found[kind]) for kind in reliability.KINDS}
    console.print(reliability.table(curves))
    if request.plot is not None:
        reliability.draw(curves, request.plot)
    if request.json_path is not None:
        _write(request.json_path, constants, report, curves)
    if request.write:
        shown = "half of them with captured motion, " if request.motion else ""
        note = f"{request.scenes} scenes, {shown}seed {request.seed}"
        checkpoint.write_constants(file, constants, note)
        console.print(f"{file}: {fit.text(constants)}", highlight=False)


def _fitted(request: Request, model: Binder, console: Console) -> tuple[Constants, dict[str, float]]:
    """The fitted constants, and what they and the old ones make of the evidence."""
    cases = _cases(request, request.seed, request.scenes)
    given = [(case, request.weights) for case in cases]
    gotten = in_parallel(gathered, given, request.jobs, "scenes to fit on", console)
    snapshots = [
        snapshot
        for case, scene in zip(cases, gotten, strict=True)
        for snapshot in (scene if case.config.in_step else thinned(scene))
    ]
    if not snapshots:
        raise RequestError("the scenes are too short: give more --seconds")

    @cache
    def evaluate(constants: Constants) -> Outcomes:
        model.constants = constants
        return outcomes(snapshots, calibration(model))

    before = model.constants
    told = [
        sample
        for case, scene in zip(cases, gotten, strict=True)
        for snapshot in scene
        for sample in presence.samples(snapshot, in_step=case.config.in_step)
    ]
    if not told or not any(evaluate(before).nats.values()):
        raise RequestError("no sensor moved for long enough: give more --seconds or --scenes")
    at_truth = [sample for scene in gotten for snapshot in scene for sample in parts.samples(snapshot)]
    fresh = replace(before, presence=presence.fitted(told), part_bias=parts.fitted(at_truth))
    start = min((before, fresh), key=lambda constants: fit.loss(evaluate(constants)))
    with progress(console) as bar:
        task = bar.add_task("constants tried", total=_TRIALS)
        after = fit.search(evaluate, start, _TRIALS, lambda: bar.advance(task))
    report = {}
    for name, constants in (("before", before), ("after", after)):
        report |= _told(name, constants, evaluate(constants), console)
    return after, report


def _told(name: str, constants: Constants, got: Outcomes, console: Console) -> dict[str, float]:
    """What ``constants`` make of the evidence: as a line on the console, and as figures."""
    console.print(
        f"{name}: {fit.text(constants)}\n  the truth costs {got.mean_nats:.3f} nats; ok and right "
        f"{got.right_share:.1f} %; of all ok {got.false_share:.2f} % false",
        highlight=False,
    )
    figures = {
        "loss": fit.loss(got),
        "nats": got.mean_nats,
        "right_ok": got.right_share,
        "false_ok": got.false_share,
    }
    return {f"{name}/{key}": value for key, value in figures.items()}


def _cases(request: Request, seed: int, count: int) -> list[Case]:
    """``count`` scenes; with captured motion, every second one shows it."""
    cases = list(scenes.drawn(seed, count, request.seconds))
    if request.motion is not None:
        cases[::2] = scenes.with_motion(cases[::2], request.motion)
    return cases


def thinned(snapshots: list[Snapshot]) -> list[Snapshot]:
    """Every third snapshot without somebody, so that being on nobody is learned, too. (Not where all are in
    step: somebody else's motion is then one's own.)"""
    return [
        snapshot.without(n) if n % 3 == 2 and len(snapshot.views[0].tracks) > 1 else snapshot
        for n, snapshot in enumerate(snapshots)
    ]


def _write(path: Path, constants: Constants, report: dict[str, float], curves: dict[str, Curve]) -> None:
    document = {f"constants/{name}": value for name, value in asdict(constants).items()} | report
    for kind, c in curves.items():
        document |= {f"{kind}/answers": int(c.count.sum()), f"{kind}/ece": c.ece}
        document |= {f"{kind}/sure": c.sure, f"{kind}/sure_right": c.sure_right}
    write_json(path, {key: np.round(value, 5).tolist() for key, value in document.items()})
