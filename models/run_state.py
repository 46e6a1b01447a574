"""The state of a training run: made, updated, saved and found again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mobind_live.models import checkpoint, output
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import BROKEN_STATE, CheckpointError, ModelError, reason
from mobind_live.models.losses import Batch, Losses, binding_loss
from mobind_live.models.recipe import TrainConfig
from mobind_live.models.soup import mean_state

_AVERAGE = 0.995
_RECENT = 0.98


@dataclass
class Run:
    """Everything that a resumed run needs."""

    model: Binder
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    start: dict[str, Tensor]
    recipe: str
    step: int = 0
    seconds: float = 0.0
    recent: dict[str, float] = field(default_factory=dict)


def prepare(config: TrainConfig, device: torch.device) -> Run:
    """A run at its first step. Raises CheckpointError if ``start_from`` cannot be used."""
    model = Binder(Sizes(config.width, config.embedding))
    if config.start_from:
        start = checkpoint.load(config.start_from).widened()
        if start.sizes != model.sizes:
            raise CheckpointError(f"{config.start_from}: is {start.sizes}, the recipe wants {model.sizes}")
        model.load_state_dict(start.state_dict())
    model.to(device).train()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(_AVERAGE), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=config.rate, total_steps=config.steps + 1, pct_start=0.15
    )
    start = {name: value.clone() for name, value in model.state_dict().items()}
    return Run(model, average, optimizer, schedule, start, config.fixed())


def update(run: Run, batch: Batch, config: TrainConfig, device: torch.device) -> Losses:
    """One step. With several processes, each has its own batch and all take the mean gradient."""
    centred = config.centred_from_s is not None and batch.seconds >= config.centred_from_s
    half = device.type == "cuda" or _fast_in_bfloat16()
    losses = binding_loss(run.model, batch, centred=centred, without=config.without, half=half)
    run.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()
    if distributed.is_initialized():
        for parameter in run.model.parameters():
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
                parameter.grad /= _processes()
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    if not bool(norm.isfinite() & losses.total.isfinite()):
        raise ModelError(f"step {run.step}: the loss is no number; lower the rate (the last state stays)")
    run.optimizer.step()
    run.schedule.step()
    run.average.update_parameters(run.model)
    run.step += 1
    return losses


def _processes() -> int:
    """How many train together. Which batches are done follows from the step and from this."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _fast_in_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16 (AMX): a step then takes half the time."""
    told = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch do not tell
    return bool(told().get("amx_bf16", False))


def remember(run: Run, losses: Losses) -> None:
    """Take the losses into the running means that are shown."""
    for item in fields(losses):
        value = float(getattr(losses, item.name).item())
        run.recent[item.name] = _RECENT * run.recent.get(item.name, value) + (1 - _RECENT) * value


def figures(run: Run) -> str:
    """The running means in one line."""
    return "  ".join(f"{name} {value:.3f}" for name, value in run.recent.items())


def save(run: Run, config: TrainConfig, state: Path) -> None:
    """Write the state, then the averaged weights. Raises OutputError."""
    data = BytesIO()  # written by torch, a full disk is an error of its own kind
    torch.save(
        {
            "recipe": run.recipe,
            "model": run.model.state_dict(),
            "average": run.average.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "schedule": run.schedule.state_dict(),
            "step": run.step,
            "seconds": run.seconds,
            "recent": run.recent,
            "start": run.start,
            "processes": _processes(),
        },
        data,
    )
    output.write(state, data.getvalue())
    write_weights(run, config)


def write_weights(run: Run, config: TrainConfig) -> None:
    """Write the averaged weights, with how they came about. Raises OutputError."""
    notes = {"steps": str(run.step), "seconds": f"{run.seconds:.0f}", "config": config.published()}
    checkpoint.save(config.output, blended(run, config.blend), notes)


def blended(run: Run, share: float) -> Binder:
    """The averaged weights, moved back towards those that the run started from, all but a ``share`` of the
    way: a network tuned to new data keeps more of what it knew elsewhere (Wortsman et al. 2022, WiSE-FT)."""
    learned = run.average.module
    assert isinstance(learned, Binder)
    return learned.with_weights(mean_state([learned.state_dict(), run.start], [share, 1 - share]))


def restore(run: Run, state: Path, device: torch.device) -> None:
    """Go back to what ``save`` wrote. Raises CheckpointError where it is not of the run's recipe."""
    try:
        saved = torch.load(state, map_location=device, weights_only=True)
        if saved.get("recipe", run.recipe) != run.recipe:
            raise CheckpointError(f"{state}: of another recipe; remove it to train from the start")
        if saved.get("processes", _processes()) != _processes():
            raise CheckpointError(
                f"{state}: of a run in {saved['processes']} processes, not {_processes()}; "
                "go on in as many, or remove it to train from the start"
            )
        run.model.load_state_dict(saved["start"])  # to see that it is one
        run.model.load_state_dict(saved["model"])
        run.average.load_state_dict(saved["average"])
        run.optimizer.load_state_dict(saved["optimizer"])
        run.schedule.load_state_dict(saved["schedule"])
        run.start, run.step, run.seconds = saved["start"], int(saved["step"]), float(saved["seconds"])
        run.recent = {str(name): float(value) for name, value in saved["recent"].items()}
    except BROKEN_STATE as error:
        raise CheckpointError(
            f"{state}: not the state of this recipe ({reason(error)}); remove it to train from the start"
        ) from error
