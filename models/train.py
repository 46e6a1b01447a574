"""Training, resumable at any moment: batch n is a function of the seed and n alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from ruamel.yaml import YAML, YAMLError
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import checkpoint
from mobind_live.models.batches import real_batch, virtual_batch
from mobind_live.models.datasets import bvh, reels, utd_mhad
from mobind_live.models.datasets.virtual import Conditions
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import CheckpointError, RecipeError
from mobind_live.models.losses import Batch, Losses, binding_loss


class TrainConfig(BaseModel):
    """What ``mobind-live train`` reads from its YAML. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    motion: Path
    output: Path
    steps: int = 4000
    people: int = 40
    worn: int = 3
    windows_s: tuple[tuple[float, float], ...] = ((4.0, 6.0), (8.0, 12.0))
    rate: float = 2e-3
    seed: int = 0
    reels: int = 240
    reel_s: float = 40.0
    utd_mhad: Path | None = None
    utd_subjects: tuple[int, ...] = (1, 3, 5, 7)
    real_every: int = 0
    start_from: Path | None = None
    device: str = "auto"
    threads: int = 2
    loaders: int = 1
    save_every: int = 200
    width: int = 96
    embedding: int = 64

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """The configuration in a YAML file; its relative paths count from the file's folder.

        Raises RecipeError: no such file, not YAML, an unknown key, a wrong value.
        """
        try:
            values = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
        except FileNotFoundError as error:
            raise RecipeError(f"{path}: no such file; name a training recipe (YAML)") from error
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{path}: cannot be read as text") from error
        except YAMLError as error:
            reason = " ".join(str(error).split())
            raise RecipeError(f"{path}: not YAML: {reason}") from error
        if not isinstance(values, dict):
            raise RecipeError(f"{path}: must be keys and values, such as `motion: motion.npz`")
        for key in ("motion", "output", "utd_mhad", "start_from"):
            if isinstance(values.get(key), str):
                values[key] = (path.parent / values[key]).resolve()
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(f"{path}: {_first_error(error)}") from error


def _first_error(error: ValidationError) -> str:
    """One line: the first key that is wrong, and what is allowed."""
    first = error.errors()[0]
    key = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed: {', '.join(TrainConfig.model_fields)}"
    if first["type"] == "missing":
        return f"{key}: must be given"
    return f"{key}: {first['msg']}"


class Interrupted(Exception):
    """Training was stopped by the user after its state was saved. ``step`` of ``steps`` are done."""

    def __init__(self, step: int, steps: int) -> None:
        super().__init__(f"stopped after step {step} of {steps}")
        self.step, self.steps = step, steps


class Batches(Dataset[Batch]):
    """Batch n of the run, virtual or, every ``real_every``-th, real."""

    def __init__(self, config: TrainConfig, motion: list[BodyMotion], clips: list[utd_mhad.Clip]) -> None:
        self.config, self.motion, self.clips = config, motion, clips

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, index: int) -> Batch:
        config, seed = self.config, (self.config.seed, 1, index)
        if self.clips and config.real_every and index % config.real_every == 0:
            return real_batch(seed, self.clips, config.people)
        window_s = config.windows_s[index % len(config.windows_s)]
        # Longer windows hold fewer people, so that every step costs about as much.
        people = max(2, round(config.people * config.windows_s[0][1] / window_s[1]))
        return virtual_batch(seed, self.motion, people, config.worn, window_s, Conditions())


@dataclass
class _Run:
    """Everything that a resumed run needs."""

    model: Binder
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    step: int = 0
    seconds: float = 0.0
    recent: dict[str, float] = field(default_factory=dict)


def train(config: TrainConfig) -> Path:
    """Train and write the averaged weights to ``config.output``; a state file beside it makes the run
    resumable. Returns the path written. Raises DatasetError if the motion is missing, CheckpointError if
    ``start_from`` or the state cannot be used, Interrupted after Ctrl-C or SIGTERM."""
    try:
        config.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError(f"output: {config.output.parent}: {error.strerror or error}") from error
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = torch.device(_device(config.device))
    run = _prepare(config, device)
    state = config.output.with_suffix(".state")
    if state.is_file():
        _restore(run, state, _recipe(config), device)
    data = Batches(config, _motion(config), _clips(config))
    loader = DataLoader(
        data,
        batch_size=None,
        sampler=range(run.step, config.steps),
        num_workers=config.loaders,
        prefetch_factor=4 if config.loaders else None,
        worker_init_fn=_leave_signals,
    )
    with _stop_wanted() as stop, _progress() as progress:
        bar = progress.add_task("train", total=config.steps, completed=run.step, figures="")
        for batch in loader:
            started = time.perf_counter()
            losses = _update(run, batch.to(device), device)
            run.seconds += time.perf_counter() - started
            _remember(run, losses)
            progress.update(bar, completed=run.step, figures=_figures(run))
            if run.step % config.save_every == 0 or run.step == config.steps:
                _save(run, config, state)
                progress.console.print(f"step {run.step}: {_figures(run)}")
            if stop and run.step < config.steps:
                _save(run, config, state)
                raise Interrupted(run.step, config.steps)
    return config.output


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
    """A loader does not hear Ctrl-C: the training stops it when its own step is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _prepare(config: TrainConfig, device: torch.device) -> _Run:
    model = Binder(Sizes(config.width, config.embedding))
    if config.start_from:
        start = checkpoint.load(config.start_from)
        if start.sizes != model.sizes:
            raise CheckpointError(f"{config.start_from}: is {start.sizes}, the recipe wants {model.sizes}")
        model.load_state_dict(start.state_dict())
    model.to(device).train()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.995), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.rate, total_steps=config.steps + 1, pct_start=0.15
    )
    return _Run(model, average, optimizer, schedule)


def _update(run: _Run, batch: Batch, device: torch.device) -> Losses:
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
        losses = binding_loss(run.model, batch)
    run.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step()
    run.schedule.step()
    run.average.update_parameters(run.model)
    run.step += 1
    return losses


def _remember(run: _Run, losses: Losses) -> None:
    for item in fields(losses):
        value = float(getattr(losses, item.name).item())
        run.recent[item.name] = 0.98 * run.recent.get(item.name, value) + 0.02 * value


def _figures(run: _Run) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in run.recent.items())


def _save(run: _Run, config: TrainConfig, state: Path) -> None:
    temporary = state.with_suffix(".state.part")
    torch.save(
        {
            "recipe": _recipe(config),
            "model": run.model.state_dict(),
            "average": run.average.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "schedule": run.schedule.state_dict(),
            "step": run.step,
            "seconds": run.seconds,
            "recent": run.recent,
        },
        temporary,
    )
    temporary.replace(state)
    notes = {"steps": str(run.step), "seconds": f"{run.seconds:.0f}", "config": _published(config)}
    averaged = run.average.module
    assert isinstance(averaged, Binder)
    checkpoint.save(config.output, averaged, notes)


def _published(config: TrainConfig) -> str:
    """The recipe for the weights' header: its files by name, without the folders of this machine."""
    names = {key: value.name for key, value in config if isinstance(value, Path)}
    return config.model_copy(update=names).model_dump_json(warnings=False)


def _recipe(config: TrainConfig) -> str:
    """What must not change between a run and its resumption."""
    free = {"output", "device", "threads", "loaders", "save_every", "start_from"}
    return config.model_dump_json(exclude=free)


def _restore(run: _Run, state: Path, recipe: str, device: torch.device) -> None:
    try:
        saved = torch.load(state, map_location=device, weights_only=True)
        if saved.get("recipe", recipe) != recipe:
            raise CheckpointError(f"{state}: of another recipe; remove it to train from the start")
        run.model.load_state_dict(saved["model"])
        run.average.load_state_dict(saved["average"])
        run.optimizer.load_state_dict(saved["optimizer"])
        run.schedule.load_state_dict(saved["schedule"])
        run.step, run.seconds, run.recent = saved["step"], saved["seconds"], saved["recent"]
    except (RuntimeError, KeyError, ValueError, EOFError, UnpicklingError) as error:
        raise CheckpointError(
            f"{state}: not the state of this recipe ({str(error).splitlines()[0]}); "
            "remove it to train from the start"
        ) from error


def _motion(config: TrainConfig) -> list[BodyMotion]:
    takes = [take for take in bvh.load(config.motion) if not reels.held_out(take.name)]
    rngs = np.random.default_rng((config.seed, 0)).spawn(config.reels)
    return [reels.make_reel(rng, takes, config.reel_s, reels.Variation()) for rng in rngs]


def _clips(config: TrainConfig) -> list[utd_mhad.Clip]:
    if config.utd_mhad is None:
        return []
    return utd_mhad.load(config.utd_mhad, config.utd_subjects)


def _device(name: str) -> str:
    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        raise RecipeError(f"device: {name} is not there; say cpu, cuda or auto")
    return name if name != "auto" else "cuda" if there else "cpu"


def _progress() -> Progress:
    columns: Iterator = iter(
        (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    )
    return Progress(*columns, TextColumn("{task.fields[figures]}"))
