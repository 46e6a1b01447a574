"""How the small classifiers are trained: AdamW, one cycle of the rate, a progress bar."""

from __future__ import annotations

from collections.abc import Callable

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn


def descend(
    net: nn.Module,
    loss: Callable[[], Tensor],
    console: Console,
    *,
    steps: int,
    rate: float,
    total_steps: int,
    clip: float,
) -> None:
    """Takes ``steps`` steps down ``loss``, which draws its own rows. ``total_steps`` are those of the whole
    cycle; gradients are no longer than ``clip``."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=total_steps, pct_start=0.2
    )
    for _ in track(range(steps), "train", console=console, transient=True):
        now = loss()
        optimizer.zero_grad(set_to_none=True)
        now.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        schedule.step()
