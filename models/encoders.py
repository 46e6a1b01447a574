"""The network, top to bottom: two stacks of dilated residual convolutions into one space.

A row (an IMU, or one chain of one person) comes in at 50 Hz and leaves as tokens at 25 Hz. Nothing in it
knows where in the recording it is: no positions, so only motion can match motion. A token sees 0.36 s ahead
and about 2.5 s back. Here whole recordings are encoded; ``models.streaming`` takes block after block and
gives the same numbers later by ``LOOKAHEAD`` tokens.

A token is a vector inside the unit ball, and the angular speed as one dimension more; the dot product of an
IMU token and a pose token, times the learned scale, adds to the log-likelihood that the two are one motion.
Half of the vector is of the motion as it is and half of its mirror image, by the same weights, so that a
mirrored recording has the mirrored answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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
    """Widths of the network: of its layers, and of what they say of a motion. ``kept``: to so many numbers
    its tokens have been narrowed (``models.narrow``)."""

    width: int = 96
    embedding: int = 64
    kept: int | None = None

    @property
    def whole(self) -> int:
        """How many numbers are learned: the motion's, its mirror image's, and the angular speed."""
        return 2 * self.embedding + 1

    @property
    def token(self) -> int:
        """How many numbers a token has."""
        return self.kept or self.whole


class Ahead(nn.Module):
    """A convolution over time that sees ``ahead`` tokens of the future and the rest of its kernel back."""

    def __init__(self, inputs: int, outputs: int, dilation: int, ahead: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, KERNEL, stride=stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.dilation, self.ahead, self.stride = dilation, ahead, stride
        self.span = (KERNEL - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        right = self.ahead * self.stride
        padded = functional.pad(x, (self.span - right, right))
        return functional.relu(self.norm(self.conv(padded)))


class Encoder(nn.Module):
    """Rows (R, channels, T at 50 Hz) to tokens (R, heads, token, T // 2): the last number is the angular
    speed, or, narrowed, all are sums by the ``basis`` (whole, kept)."""

    basis: Tensor | None

    def __init__(
        self, channels: int, heads: int, sizes: Sizes, speed: AngularSpeed, mirrored: Mirror
    ) -> None:
        super().__init__()
        self.channels, self.heads, self.sizes = channels, heads, sizes
        self.speed, self.mirrored = speed, mirrored
        self.stem = Ahead(channels, sizes.width, 1, 1, stride=STEPS_PER_TOKEN)
        self.blocks = nn.ModuleList(Ahead(sizes.width, sizes.width, d, a) for d, a in BLOCKS)
        self.out = nn.Conv1d(sizes.width, heads * sizes.embedding, 1)
        self.register_buffer("basis", torch.zeros(sizes.whole, sizes.kept) if sizes.kept else None)

    @property
    def layers(self) -> list[Ahead]:
        """The residual blocks, typed."""
        return [block for block in self.blocks if isinstance(block, Ahead)]

    def forward(self, x: Tensor) -> Tensor:
        speed = self.speed(x)
        x = self.stem(self.twice(x))
        for block in self.layers:
            x = x + block(x)
        return self.tokens(self.out(x), speed)

    def twice(self, x: Tensor) -> Tensor:
        """Each row (R, ...) and then its mirror image: (2 R, ...)."""
        return torch.stack([x, self.mirrored(x)], dim=1).flatten(0, 1)

    def tokens(self, y: Tensor, speed: Tensor) -> Tensor:
        """Tokens (R, heads, token, N) of what the last layer says, (2 R, heads * embedding, N), and of the
        angular ``speed`` (R, heads, 1, N)."""
        vectors = y.unflatten(1, (self.heads, self.sizes.embedding))
        inside = vectors / (1 + vectors.norm(dim=2, keepdim=True)) / math.sqrt(2)
        both = inside.unflatten(0, (-1, 2)).transpose(1, 2).flatten(2, 3)
        whole = torch.cat([both, speed], dim=2)
        return whole if self.basis is None else (whole.transpose(2, 3) @ self.basis).transpose(2, 3)


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

    def widened(self) -> Binder:
        """The same network with all that it has learned in its tokens, to be trained on or mixed."""
        bases = ("imu.basis", "pose.basis")
        return self.with_weights({k: value for k, value in self.state_dict().items() if k not in bases})

    def with_weights(self, weights: dict[str, Tensor], kept: int | None = None) -> Binder:
        """A network of this one's sizes and constants with other ``weights``, its tokens narrowed to ``kept``
        numbers, or whole."""
        out = Binder(replace(self.sizes, kept=kept))
        out.constants = self.constants
        out.load_state_dict(weights)
        return out.eval()

    def weigh_speed(self, nats: float) -> None:
        """Let a product of two angular speeds, each as log(1 + rad/s), count ``nats`` whatever the part."""
        with torch.no_grad():
            for encoder in (self.imu, self.pose):
                encoder.speed.gain.fill_(math.sqrt(nats / float(self.log_scale.exp().item())))

    def embed_imu(self, features: Tensor) -> Tensor:
        """(R, T, 15) at 50 Hz to (R, T // 2, token)."""
        return self.imu(features.transpose(1, 2))[:, 0].transpose(1, 2)

    def embed_pose(self, features: Tensor) -> Tensor:
        """(P, T, 6, 40) at 50 Hz to (P, 11, T // 2, token), parts in ``vocabulary.PARTS`` order."""
        people, steps = features.shape[:2]
        rows = features.permute(0, 2, 3, 1).reshape(people * len(CHAINS), -1, steps)
        return parts_of(self.pose(rows), people)


def parts_of(tokens: Tensor, people: int) -> Tensor:
    """(people * 6, 2, token, N) to (people, 11, N, token)."""
    chains = tokens.unflatten(0, (people, len(CHAINS)))
    chain, head = torch.as_tensor(PART_OUTPUT.T, device=tokens.device)
    return chains[:, chain, head].transpose(2, 3)
