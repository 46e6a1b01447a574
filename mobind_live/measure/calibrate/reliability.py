"""How often answers of each probability are right: counted on scenes, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from rich.table import Table

from mobind_live.binding.belief.verdict import OK_P
from mobind_live.measure.bench import score
from mobind_live.measure.bench.judge import TOLERANCE_S, Judge, Said
from mobind_live.measure.bench.play import Player
from mobind_live.measure.bench.scenes import Case
from mobind_live.measure.calibrate.snapshots import MAX_OFFSET_S
from mobind_live.models import checkpoint
from mobind_live.models.constants import Constants
from mobind_live.schema import Verdict
from mobind_live.terminal.style import unframed

KINDS = (*score.KINDS, "action")
EDGES = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0])
Pairs = dict[str, list[tuple[float, bool]]]


@dataclass(frozen=True, slots=True)
class Curve:
    """For each bin of EDGES: how many answers, their mean probability, and the share that is right (NaN in an
    empty bin). ``sure`` and ``sure_right``: how many with OK_P and more, and the share of them that is
    right. ``ece``: the expected calibration error, how far probability and share are apart on average."""

    count: np.ndarray
    p: np.ndarray
    right: np.ndarray
    sure: int
    sure_right: float
    ece: float


def pairs(case: Case, weights: Path | None, constants: Constants) -> Pairs:
    """(probability, right) of every answer of a scene that is not about a resting or silent sensor."""
    torch.set_num_threads(1)
    model = checkpoint.load(weights)
    model.constants = constants
    player, judge = Player(case, model, MAX_OFFSET_S, torch.device("cpu")), Judge(case)
    found: Pairs = {kind: [] for kind in KINDS}
    for moment in player.moments():
        judged = judge.judge(moment)
        for one in judged:
            if one.moving:
                found["offset"] += [(o.p, abs(o.error_s) <= TOLERANCE_S) for o in one.offsets if _counts(o)]
                found["wearer"] += [(a.p, a.right) for a in (one.likely_wearer,) if _counts(a)]
                found["part"] += [(a.p, a.right) for a in (one.part,) if _counts(a)]
        found["action"] += [(a.p, a.right) for a in judge.actions(moment, judged) if _counts(a)]
    return found


def _counts(said: Said) -> bool:
    return said.p > 0 and said.verdict not in (Verdict.NO_MOTION, Verdict.STALE)


def merged(given: Iterable[Pairs]) -> Pairs:
    """All scenes' pairs together."""
    total: Pairs = {kind: [] for kind in KINDS}
    for one in given:
        for kind in KINDS:
            total[kind] += one[kind]
    return total


def curve(given: list[tuple[float, bool]]) -> Curve:
    """The reliability curve of (probability, right) pairs."""
    p = np.array([pair[0] for pair in given], float)
    right = np.array([pair[1] for pair in given], float)
    place = np.clip(np.searchsorted(EDGES, p, side="right") - 1, 0, len(EDGES) - 2)
    count = np.bincount(place, minlength=len(EDGES) - 1)
    with np.errstate(invalid="ignore"):
        mean_p = np.bincount(place, p, len(EDGES) - 1) / count
        share = np.bincount(place, right, len(EDGES) - 1) / count
    ece = float(np.nansum(np.abs(mean_p - share) * count) / max(1, count.sum()))
    sure = p >= OK_P
    return Curve(count, mean_p, share, int(sure.sum()), float(right[sure].mean()) if sure.any() else 0.0, ece)


def table(curves: dict[str, Curve]) -> Table:
    """One row for each bin, two columns for each kind of answer; fits into 80 columns."""
    out = unframed()
    out.title, out.title_justify = "probability and share right", "left"
    out.add_column("p", no_wrap=True)
    for kind in curves:
        out.add_column(kind, justify="right")
        out.add_column("of", justify="right")
    for n, (low, high) in enumerate(pairwise(EDGES)):
        cells = [(f"{c.right[n]:.3f}" if c.count[n] else "", str(c.count[n])) for c in curves.values()]
        out.add_row(f"{low:.2f} to {high:.2f}", *(cell for pair in cells for cell in pair))
    out.add_row()
    sure = [(f"{c.sure_right:.3f}", str(c.sure)) for c in curves.values()]
    out.add_row(f"{OK_P} and more", *(cell for pair in sure for cell in pair))
    out.add_row("ECE", *(cell for c in curves.values() for cell in (f"{c.ece:.3f}", "")))
    return out


def draw(curves: dict[str, Curve], path: Path) -> None:
    """The reliability diagram: for each kind the share right against the probability, and the counts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.1 * len(curves), 4.2), layout="constrained")
    axes = figure.subplots(2, len(curves), height_ratios=(3, 1), sharex=True, squeeze=False)
    for column, (kind, c) in enumerate(curves.items()):
        above, below = axes[0][column], axes[1][column]
        above.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        filled = c.count > 0
        above.plot(c.p[filled], c.right[filled], "o-", color="C0", markersize=4)
        above.set(
            title=f"{kind}\n{c.sure_right:.1%} right of {c.sure} with p ≥ {OK_P}",
            xlim=(0, 1),
            ylim=(0, 1.02),
        )
        above.title.set_fontsize(9)
        below.bar(EDGES[:-1], c.count, np.diff(EDGES), align="edge", color="C0", edgecolor="white")
        below.set(xlabel="probability said", ylim=(0.8, None))
        if c.count.any():
            below.set_yscale("log")
    axes[0][0].set_ylabel("share right")
    axes[1][0].set_ylabel("answers")
    figure.savefig(path, dpi=110)
