"""One evaluation from its request to the table and the JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mobind_live.models import actions, output, train_actions
from mobind_live.models.errors import DatasetError, RequestError
from mobind_live.models.evaluate import bench5, bvh, utd_mhad
from mobind_live.models.evaluate.methods import Method, Metrics, Network, Tick
from mobind_live.models.evaluate.peers import trained
from mobind_live.models.evaluate.peers.correlation import Correlation
from mobind_live.models.evaluate.table import render

DATASETS = ("utd-mhad", "bench5", "bvh")


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. ``peers``: all that belong in the table, as far as they are trained;
    ``trained``: files of such, which stand there instead of their kind."""

    dataset: str
    root: Path
    subjects: str
    checkpoint: Path | None
    peers: bool
    trained: tuple[Path, ...]
    json_path: Path | None
    seed: int


def run(request: Request, console: Console) -> None:
    """Measure, print one table, and write the JSON. Raises ModelError for what the user can cause."""
    if request.dataset not in DATASETS:
        raise RequestError(f"{request.dataset}: no such data set; one of {', '.join(DATASETS)}")
    if not request.root.exists():
        raise DatasetError(f"{request.root}: no such file or folder")
    torch.manual_seed(request.seed)
    methods: list[Method] = [Network(request.checkpoint)]
    if request.peers:
        methods.append(Correlation())
    peers, missing = trained.chosen(request.trained, trained.RECIPES if request.peers else ())
    methods += peers
    for line in missing:
        console.print(line, style="yellow", highlight=False, soft_wrap=True)
    with _progress(console) as tick:
        measured = _measure(request, methods, tick)
    own, *others = measured
    title = request.dataset + (f" {request.subjects}" if request.dataset == "utd-mhad" else "")
    console.print(render(title, own, dict(zip((m.name for m in methods[1:]), others, strict=True))))
    if request.json_path is not None:
        _write(request, own, dict(zip((m.name for m in methods[1:]), others, strict=True)))


def _measure(request: Request, methods: list[Method], tick: Tick) -> list[Metrics]:
    """The metrics of each method, on the same draws."""
    if request.dataset == "utd-mhad":
        subjects = _numbers(request.subjects)
        known = utd_mhad.SHIPPED_ODD_BIAS_S if request.checkpoint is None else None
        own, *others = utd_mhad.measure(methods, request.root, subjects, request.seed, tick, odd_bias_s=known)
        if request.checkpoint is None and actions.DEFAULT.is_file():  # other weights have no part in it
            own |= train_actions.measure(actions.load(), request.root, subjects)
        return [own, *others]
    module = bench5 if request.dataset == "bench5" else bvh
    return module.measure(methods, request.root, request.seed, tick)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError as error:
        raise RequestError(f"--subjects {text}: give numbers with commas between, such as 2,4") from error


def _write(request: Request, own: Metrics, others: dict[str, Metrics]) -> None:
    assert request.json_path is not None
    document = {
        "dataset": request.dataset,
        "subjects": list(_numbers(request.subjects)) if request.dataset == "utd-mhad" else [],
        "seed": request.seed,
        "checkpoint": request.checkpoint.name if request.checkpoint else "shipped",
        "metrics": own,
        "peers": others,
    }
    output.write_json(request.json_path, document)


@contextmanager
def _progress(console: Console) -> Iterator[Tick]:
    """Calls it with (what, done, of) show one bar for each ``what``."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        yield tick
