"""The network, top to bottom: two stacks of dilated residual convolutions into one space.

A row (an IMU, or one chain of one person) comes in at 50 Hz and leaves as tokens at 25 Hz. Nothing in it
knows where in the recording it is: no positions, so only motion can match motion. A token sees 0.36 s ahead
and about 2.5 s back. ``forward`` takes whole recordings; ``step`` takes the next block and a state, and
gives the same numbers later by ``LOOKAHEAD`` tokens.

A token is a vector inside the unit ball, and the angular speed as one dimension more; the dot product of an
IMU token and a pose token, times the learned scale, adds to the log-likelihood that the two are one motion.
Half of the vector is of the motion as it is and half of its mirror image, by the same weights, so that a
mirrored recording has the mirrored answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobind_live.models import angular_speed, mirror
from mobind_live.models.angular_speed import AngularSpeed
from mobind_live.models.chains import CHAINS, PART_OUTPUT, POSE_CHANNELS
from mobind_live.models.constants import Constants
from mobind_live.models.features import IMU_CHANNELS, STEP_HZ, STEPS_PER_TOKEN
from mobind_live.models.mirror import Mirror

TOKEN_HZ = STEP_HZ / STEPS_PER_TOKEN
KERNEL = 5
# (dilation, look-ahead) in tokens of each residual block; the stem looks one token ahead.
BLOCKS = ((1, 2), (2, 4), (2, 2), (4, 0), (8, 0))
LOOKAHEAD = 1 + sum(ahead for _, ahead in BLOCKS)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths of the network: of its layers, and of what they say of a motion."""

    width: int = 96
    embedding: int = 64

    @property
    def token(self) -> int:
        """How many numbers a token has: the motion's, its mirror image's, and the angular speed."""
        return 2 * self.embedding + 1


class _Ahead(nn.Module):
    """A convolution over time that sees ``ahead`` tokens of the future and the rest of its kernel back."""

    def __init__(self, inputs: int, outputs: int, dilation: int, ahead: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, KERNEL, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.ahead = ahead
        self.stride = stride
        self.span = (KERNEL - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        right = self.ahead * self.stride
        padded = functional.pad(x, (self.span - right, right))
        return functional.relu(self.norm(self.conv(padded)))


class Encoder(nn.Module):
    """Rows (R, channels, T at 50 Hz) to tokens (R, heads, token, T // 2); the last dimension is the
    angular speed."""

    def __init__(
        self, channels: int, heads: int, sizes: Sizes, speed: AngularSpeed, mirrored: Mirror
    ) -> None:
        super().__init__()
        self.channels, self.heads, self.sizes = channels, heads, sizes
        self.speed, self.mirrored = speed, mirrored
        self.stem = _Ahead(channels, sizes.width, 1, 1, stride=STEPS_PER_TOKEN)
        self.blocks = nn.ModuleList(_Ahead(sizes.width, sizes.width, d, a) for d, a in BLOCKS)
        self.out = nn.Conv1d(sizes.width, heads * sizes.embedding, 1)

    @property
    def layers(self) -> list[_Ahead]:
        """The residual blocks, typed."""
        return [block for block in self.blocks if isinstance(block, _Ahead)]

    def forward(self, x: Tensor) -> Tensor:
        speed = self.speed(x)
        x = self.stem(self._twice(x))
        for block in self.layers:
            x = x + block(x)
        return torch.cat([self._embed(x), speed], dim=2)

    def _twice(self, x: Tensor) -> Tensor:
        """Each row (R, ...) and then its mirror image: (2 R, ...)."""
        return torch.stack([x, self.mirrored(x)], dim=1).flatten(0, 1)

    def _embed(self, x: Tensor) -> Tensor:
        """The last layer (2 R, width, N) to vectors in the unit ball (R, heads, 2 embedding, N)."""
        y = self.out(x).unflatten(1, (self.heads, self.sizes.embedding))
        inside = y / (1 + y.norm(dim=2, keepdim=True)) / math.sqrt(2)
        return inside.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3)

    def fresh(self, rows: int) -> list[Tensor]:
        """The state of ``rows`` rows that have seen nothing: each layer's recent inputs, and the age."""
        device = self.out.weight.device
        width = self.sizes.width
        states = [torch.zeros(rows, 2, self.channels, KERNEL - 1, device=device)]
        spans = [block.span + block.ahead for block in self.layers]
        states += [torch.zeros(rows, 2, width, span, device=device) for span in spans]
        speed = self.speed.fresh(rows, LOOKAHEAD)
        return [*states, speed, torch.zeros(rows, dtype=torch.long, device=device)]

    @torch.no_grad()
    def step(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Tokens (R, heads, token, n / 2) of the next n steps (R, channels, n), n even, and the new
        state.

        The tokens are those that ``forward`` gives ``LOOKAHEAD`` tokens earlier; the first LOOKAHEAD that a
        row gives lie before its start and mean nothing.
        """
        *states, before_speed, age = state
        layers = [state.flatten(0, 1) for state in states]
        tokens = x.shape[-1] // STEPS_PER_TOKEN
        index = age.repeat_interleave(2)[:, None] + torch.arange(tokens, device=x.device)
        speed, after_speed = self.speed.step(x, before_speed)
        seen = torch.cat([layers[0], self._twice(x)], dim=-1)
        stem = self.stem
        x = functional.relu(stem.norm(stem.conv(seen)))
        after = [seen[..., -(KERNEL - 1) :]]
        late = stem.ahead
        for block, before in zip(self.layers, layers[1:], strict=True):
            # Outputs that lie before a row's start are the zeros that ``forward`` pads with.
            x = x * (index >= late)[:, None, :]
            seen = torch.cat([before, x], dim=-1)
            after.append(seen[..., -before.shape[-1] :])
            late += block.ahead
            # The state is as long as the kernel's span plus the look-ahead, so that the residual, which is
            # older by the look-ahead, is always inside it.
            residual = seen[..., before.shape[-1] - block.ahead :][..., :tokens]
            fresh = block.conv(seen[..., block.ahead :])
            x = residual + functional.relu(block.norm(fresh))
        kept = [layer.unflatten(0, (-1, 2)) for layer in after]
        return torch.cat([self._embed(x), speed], dim=2), [*kept, after_speed, age + tokens]


class Binder(nn.Module):
    """Both encoders, the scale of their dot product, the threshold of ``nobody``, and the constants that were
    fitted to them."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        sizes = sizes or Sizes()
        self.sizes = sizes
        self.imu = Encoder(IMU_CHANNELS, 1, sizes, angular_speed.of_imu(), mirror.of_imu())
        self.pose = Encoder(POSE_CHANNELS, 2, sizes, angular_speed.of_chains(), mirror.of_chains())
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.log_token_scale = nn.Parameter(torch.tensor(2.5))
        self.nobody = nn.Parameter(torch.tensor(0.0))
        self.constants = Constants()

    def weigh_speed(self, nats: float) -> None:
        """Let a product of two angular speeds, each as log(1 + rad/s), count ``nats`` whatever the part."""
        with torch.no_grad():
            for encoder in (self.imu, self.pose):
                encoder.speed.gain.fill_(math.sqrt(nats / float(self.log_scale.exp().item())))

    def embed_imu(self, features: Tensor) -> Tensor:
        """(R, T, 15) at 50 Hz to (R, T // 2, token)."""
        return self.imu(features.transpose(1, 2))[:, 0].transpose(1, 2)

    def embed_pose(self, features: Tensor) -> Tensor:
        """(P, T, 6, 40) at 50 Hz to (P, 11, T // 2, token), parts in ``schema.PARTS`` order."""
        people, steps = features.shape[:2]
        rows = features.permute(0, 2, 3, 1).reshape(people * len(CHAINS), -1, steps)
        return parts_of(self.pose(rows), people)


def parts_of(tokens: Tensor, people: int) -> Tensor:
    """(people * 6, 2, token, N) to (people, 11, N, token)."""
    chains = tokens.unflatten(0, (people, len(CHAINS)))
    chain, head = torch.as_tensor(PART_OUTPUT.T, device=tokens.device)
    return chains[:, chain, head].transpose(2, 3)
