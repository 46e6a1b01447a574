"""An encoder fed block by block: every step costs once, and tokens are those of the whole recording.

A block is a few tokens of many rows, far too short for a convolution's usual ways to be quick. Here the
kernel's places are laid side by side and multiplied at once, with batch normalization folded in: for three
tokens, a layer takes a third to a fifth of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mobind_live.models.encoders import KERNEL, LOOKAHEAD, Ahead, Encoder
from mobind_live.models.features import STEPS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution and its normalization as one product: ``matrix`` (kernel * inputs, outputs) and ``bias``
    (outputs,). It needs ``past`` rows of input before the first that is new, and puts out ``late`` late."""

    matrix: Tensor
    bias: Tensor
    dilation: int
    stride: int
    past: int
    late: int

    @classmethod
    def of(cls, layer: Ahead, past: int) -> _Layer:
        norm = layer.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        matrix = (layer.conv.weight * scale[:, None, None]).permute(2, 1, 0).flatten(0, 1)
        bias = norm.bias - norm.running_mean * scale
        return cls(matrix.contiguous(), bias, layer.dilation, layer.stride, past, layer.ahead)

    @property
    def inputs(self) -> int:
        return len(self.matrix) // KERNEL

    def __call__(self, seen: Tensor, count: int) -> Tensor:
        """The ``count`` newest outputs (R, count, outputs) from inputs (R, time, inputs)."""
        needed = seen[:, self.past - (KERNEL - 1) * self.dilation :]
        rows = len(needed)
        row, step, _ = needed.stride()
        along = (row, self.stride * step, self.dilation * step, 1)
        windows = needed.as_strided((rows, count, KERNEL, self.inputs), along).reshape(rows * count, -1)
        product = torch.addmm(self.bias, windows, self.matrix)
        return functional.relu_(product).unflatten(0, (rows, count))


class Streaming:
    """An encoder in evaluation mode, with the state of its rows kept by the caller."""

    @torch.no_grad()
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._stem = _Layer.of(encoder.stem, encoder.stem.span)
        # A block's state is as long as the kernel's span plus the look-ahead, so that the residual, which is
        # older by the look-ahead, is always inside it.
        self._blocks = [_Layer.of(block, block.span + block.ahead) for block in encoder.layers]
        self._layers = [self._stem, *self._blocks]
        assert encoder.out.bias is not None
        self._out, self._bias = encoder.out.weight[..., 0].T.contiguous(), encoder.out.bias

    def fresh(self, rows: int) -> list[Tensor]:
        """The state of ``rows`` rows that have seen nothing: each layer's recent inputs, and the age."""
        device = self._out.device
        states = [torch.zeros(rows, 2, layer.past, layer.inputs, device=device) for layer in self._layers]
        speed = self.encoder.speed.fresh(rows, LOOKAHEAD)
        return [*states, speed, torch.zeros(rows, dtype=torch.long, device=device)]

    @torch.no_grad()
    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Tokens (R, heads, token, n / 2) of the next n steps (R, channels, n), n even, and the new
        state.

        The tokens are those that the encoder gives ``LOOKAHEAD`` tokens earlier; the first LOOKAHEAD that a
        row gives lie before its start and mean nothing.
        """
        *before, before_speed, age = state
        count = x.shape[-1] // STEPS_PER_TOKEN
        index = age.repeat_interleave(2)[:, None] + torch.arange(count, device=x.device)
        speed, after_speed = self.encoder.speed.step(x, before_speed)
        seen = _after(before[0], self.encoder.twice(x).transpose(1, 2))
        kept = [seen]
        x = self._stem(seen, count)
        late = self._stem.late
        for layer, past in zip(self._blocks, before[1:], strict=True):
            # Outputs that lie before a row's start are the zeros that the encoder pads with.
            seen = _after(past, x * (index >= late)[..., None])
            kept.append(seen)
            late += layer.late
            x = layer(seen, count) + seen[:, layer.past - layer.late :][:, :count]
        tokens = self.encoder.tokens((x @ self._out + self._bias).transpose(1, 2), speed)
        after = [
            seen[:, -layer.past :].unflatten(0, (-1, 2))
            for layer, seen in zip(self._layers, kept, strict=True)
        ]
        return tokens, [*after, after_speed, age + count]


def _after(before: Tensor, new: Tensor) -> Tensor:
    """What came ``before`` (R, 2, past, inputs) and what is ``new`` (2 R, n, inputs), in one piece."""
    return torch.cat([before.flatten(0, 1), new], dim=1)
