"""Training, resumable at any moment: batch n is a function of the seed and n alone.

Several GPUs of one or more machines: ``torchrun --nproc-per-node N -m mobind_live train CONFIG``; each
process then takes batches of its own.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import torch

# First imported within a process group, as by the optimizer, its default arguments would keep the group and
# its threads beyond destroy_process_group; a thread that outlives the interpreter aborts the process.
import torch.distributed.nn
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import distributed
from torch.utils.data import DataLoader, Dataset

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import run_state
from mobind_live.models.batches import real_batch, virtual_batch
from mobind_live.models.datasets import reels, utd_mhad, workouts
from mobind_live.models.datasets.virtual import Conditions
from mobind_live.models.errors import CheckpointError, RecipeError
from mobind_live.models.losses import Batch
from mobind_live.models.recipe import TrainConfig
from mobind_live.models.run_state import Run


@dataclass(frozen=True, slots=True)
class Fleet:
    """The processes that train together: this one's ``rank`` of ``size``, and its device."""

    device: torch.device
    rank: int = 0
    size: int = 1


class Interrupted(Exception):
    """Training was stopped by the user after its state was saved. ``step`` of ``steps`` are done."""

    def __init__(self, step: int, steps: int) -> None:
        super().__init__(f"stopped after step {step} of {steps}")
        self.step, self.steps = step, steps


class Batches(Dataset[Batch]):
    """Batch n of the run, virtual or, every ``real_every``-th, real."""

    def __init__(
        self, config: TrainConfig, fleet: Fleet, motion: list[BodyMotion], clips: list[utd_mhad.Clip]
    ) -> None:
        self.config, self.fleet, self.motion, self.clips = config, fleet, motion, clips
        self.conditions = Conditions(sticks=config.sticks, place_m=config.place_m)

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, step: int) -> Batch:
        config, seed = self.config, (self.config.seed, 1, step * self.fleet.size + self.fleet.rank)
        if self.clips and config.real_every and step % config.real_every == 0:
            turn = step // config.real_every % len(config.real_windows_s)
            return real_batch(seed, self.clips, config.people, config.real_windows_s[turn])
        window_s = config.windows_s[step % len(config.windows_s)]
        # Longer windows hold fewer people, so that every step costs about as much.
        people = max(2, round(config.people * max(config.windows_s[0]) / max(window_s)))
        return virtual_batch(seed, self.motion, people, config.worn, window_s, self.conditions)


def train(config: TrainConfig) -> Path:
    """Train and write the averaged weights to ``config.output``; a state file beside it makes the run
    resumable. Returns the path written. Raises DatasetError if the motion is missing, CheckpointError if
    ``start_from`` or the state cannot be used, OutputError if either file cannot be written, Interrupted
    after Ctrl-C or SIGTERM."""
    config.make_room()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    with _fleet(config.device) as fleet:
        run = run_state.prepare(config, fleet.device)
        state = config.output.with_suffix(".state")
        if state.is_file():
            run_state.restore(run, state, fleet.device)
        if not _alike(run.step, fleet):
            raise CheckpointError(f"{state}: not the same to all processes; it must lie on a disk they share")
        if run.step == config.steps and fleet.rank == 0:
            run_state.write_weights(run, config)  # it may have been killed after the last state, before these
        _go_on(run, config, fleet, state)
    return config.output


def _go_on(run: Run, config: TrainConfig, fleet: Fleet, state: Path) -> None:
    """From the run's step to the last one."""
    loader = DataLoader(
        Batches(config, fleet, _motion(config), _clips(config)),
        batch_size=None,
        sampler=range(run.step, config.steps),
        num_workers=config.loaders,
        prefetch_factor=4 if config.loaders else None,
        worker_init_fn=_leave_signals,
    )
    chief = fleet.rank == 0
    with _stop_wanted() as wanted, _progress(disable=not chief) as progress:
        bar = progress.add_task("train", total=config.steps, completed=run.step, figures="")
        for batch in loader:
            started = time.perf_counter()
            losses = run_state.update(run, batch.to(fleet.device), config, fleet.device)
            run.seconds += time.perf_counter() - started
            run_state.remember(run, losses)
            progress.update(bar, completed=run.step, figures=run_state.figures(run))
            stop = _agreed(bool(wanted), fleet) and run.step < config.steps
            due = stop or run.step % config.save_every == 0 or run.step == config.steps
            if chief and due:
                run_state.save(run, config, state)
                progress.console.print(f"step {run.step}: {run_state.figures(run)}")
            if stop:
                raise Interrupted(run.step, config.steps)


@contextmanager
def _fleet(device: str) -> Iterator[Fleet]:
    """This process alone, or, started by torchrun, with the others."""
    name = _device(device)
    if not distributed.is_torchelastic_launched():
        yield Fleet(torch.device(name))
        return
    distributed.init_process_group("nccl" if name == "cuda" else "gloo")
    try:
        if name == "cuda":
            torch.cuda.set_device(distributed.get_rank() % torch.cuda.device_count())
        yield Fleet(torch.device(name), distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _alike(step: int, fleet: Fleet) -> bool:
    """Whether all processes of the fleet are at the same step."""
    if fleet.size == 1:
        return True
    ends = torch.tensor([step, -step], device=fleet.device)
    distributed.all_reduce(ends, distributed.ReduceOp.MAX)
    return int(ends.sum()) == 0


def _agreed(stop: bool, fleet: Fleet) -> bool:
    """True in all processes of the fleet if it is true in one: they must stop at the same step."""
    if fleet.size == 1:
        return stop
    wanted = torch.tensor(float(stop), device=fleet.device)
    distributed.all_reduce(wanted)
    return bool(wanted > 0)


@contextmanager
def _stop_wanted() -> Iterator[list[int]]:
    """A list that fills when Ctrl-C or SIGTERM comes, so that a step is finished before stopping; a second
    Ctrl-C stops at once."""
    wanted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        wanted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_signals(worker: int) -> None:
    """A loader hears neither Ctrl-C nor a SIGTERM to all: the training stops it when its own step is done."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _motion(config: TrainConfig) -> list[BodyMotion]:
    rngs = np.random.default_rng((config.seed, 0)).spawn(config.reels)
    drawn = round(config.workouts * config.reels)
    variation = reels.Variation(limb=config.limb, warp=config.warp, gain=config.gain)
    captured = reels.of_training(config.motion, rngs[drawn:], config.reel_s, variation)
    return [*(workouts.reel(rng, config.reel_s, reels.REEL_HZ) for rng in rngs[:drawn]), *captured]


def _clips(config: TrainConfig) -> list[utd_mhad.Clip]:
    if config.utd_mhad is None:
        return []
    return utd_mhad.load(config.utd_mhad, config.utd_subjects)


def _device(name: str) -> str:
    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        raise RecipeError(f"device: {name} is not there; say cpu, cuda or auto")
    return name if name != "auto" else "cuda" if there else "cpu"


def _progress(*, disable: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
        disable=disable,
    )
