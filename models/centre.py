"""Tokens without what they always say: each stream's running mean is taken away from its tokens.

A limb has a habit of its own, and so have the keypoints of one person in one camera: part of every token is
the same all the time, and agrees with whatever else is the same all the time, at every lag. What is left over
tells one moment from another. It is a mean over the last 20 s or so, as far as there are any, so that a
stream goes on as it began; until 2 s have come it is drawn to zero.

On bench5 (weights of stage 3): forearms of 20 s excerpts within 0.2 s .64 without and .83 with, parts of
whole takes .64 and .77. On the odd subjects' clips of UTD-MHAD, which are
shorter than the mean: .954 and .951.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from mobind_live.models.encoders import TOKEN_HZ

MEMORY_S, PRIOR_S = 20.0, 2.0
_KEEP = math.exp(-1 / (MEMORY_S * TOKEN_HZ))
_AT_ONCE = 64


class Centre:
    """The running mean of one stream's tokens (..., embedding)."""

    def __init__(self) -> None:
        self._sum: Tensor | None = None
        self._weight = PRIOR_S * TOKEN_HZ

    def step(self, tokens: Tensor) -> Tensor:
        """The stream's next tokens (..., n, embedding), each less the mean up to and including itself."""
        return torch.cat([self._some(part) for part in tokens.split(_AT_ONCE, dim=-2)], dim=-2)

    def _some(self, tokens: Tensor) -> Tensor:
        count = tokens.shape[-2]
        if not count:
            return tokens
        before = tokens.new_zeros(tokens[..., 0, :].shape) if self._sum is None else self._sum
        share, fade = _shares(count, tokens.device, tokens.dtype)
        sums = share @ tokens + fade[:, None] * before[..., None, :]
        weights = share.sum(dim=1) + fade * self._weight
        self._sum, self._weight = sums[..., -1, :], float(weights[-1])
        return tokens - sums / weights[:, None]


@cache
@torch.inference_mode(mode=False)  # else what is made in use could not be used in training
def _shares(count: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What each of ``count`` tokens weighs in the sums up to each of them (count, count), and what the sum
    before them does (count,)."""
    age = torch.arange(count, device=device, dtype=dtype)
    return torch.tril(_KEEP ** (age[:, None] - age).clamp(min=0)), _KEEP ** (age + 1)
