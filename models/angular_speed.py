"""How fast things turn, as one more dimension of every token.

A token of the network lies in a unit ball: it says which motion this is, and hardly how strong it is. But of
an exercise that is repeated at one pace, each repetition is the same motion, and its strength is all that
tells one from the next. So each token also carries the angular speed: of a sensor what its gyro says, of a
limb how fast its far end goes round its near end in the picture, over its length. Products of the two, less
their means, are the classical correlation of |gyro| with limb rotation (``models.evaluate.peers.correlation``
is it alone), in the same sum over time as all else.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobind_live.models.chains import LENGTH_M, POINT_CHANNELS, POSE_CHANNELS, POSE_KINDS, VELOCITY
from mobind_live.models.features import IMU_CHANNELS, RATE_UNIT, STEPS_PER_TOKEN, TURNING

_WIDTH_STEPS = 3.0  # standard deviation of the Gaussian that smooths velocities: 60 ms
_HALF = 9  # steps of it to either side
_GAIN = 0.28  # how much it counts beside the network's unit ball before training
_LENGTH_M = LENGTH_M | {"head": 0.30, "chest": LENGTH_M["trunk"], "pelvis": 0.28}
# Of each kind of chain, the parts of its two heads, each with the joints of its near and far end, numbered
# as in the chain.
_ENDS: tuple[dict[str, tuple[tuple[int, ...], tuple[int, ...]]], ...] = (
    {"head": ((4,), (0,))},
    {"chest": ((2, 3), (0, 1)), "pelvis": ((2,), (3,))},
    {"upper_arm": ((0,), (1,)), "forearm": ((1,), (2,))},
    {"thigh": ((0,), (1,)), "shank": ((1,), (2,))},
)


def of_imu() -> AngularSpeed:
    """The angular speed of IMU channels."""
    reading = torch.zeros(1, 1, 1, IMU_CHANNELS)
    reading[0, 0, 0, TURNING] = RATE_UNIT
    return AngularSpeed(reading, (0,))


def of_chains() -> AngularSpeed:
    """The angular speeds of the two parts of each chain of a person."""
    return AngularSpeed(torch.as_tensor(chain_reading(), dtype=torch.float32), POSE_KINDS)


def chain_reading() -> np.ndarray:
    """The weights (kinds, 2, 2, 40) by which the channels of a chain give the angular velocity of each of its
    two parts, in rad/s, along the picture's two axes."""
    reading = np.zeros((len(_ENDS), 2, 2, POSE_CHANNELS))
    for kind, parts in enumerate(_ENDS):
        for head, (part, (near, far)) in enumerate(parts.items()):
            for joints, sign in ((near, -1.0), (far, 1.0)):
                for joint in joints:
                    share = RATE_UNIT * sign / len(joints) / _LENGTH_M[part]
                    for axis in range(2):
                        reading[kind, head, axis, POINT_CHANNELS * joint + VELOCITY + axis] = share
    return reading


class AngularSpeed(nn.Module):
    """log(1 + rad/s) times a learned gain. Fed rows that repeat the kinds ``kinds``; ``reading`` (kinds,
    heads, axes, channels) gives the angular velocity from channels."""

    reading: Tensor
    smoothing: Tensor
    kinds: Tensor

    def __init__(self, reading: Tensor, kinds: tuple[int, ...]) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full(reading.shape[:2], _GAIN))
        self.register_buffer("reading", reading, persistent=False)
        self.register_buffer("kinds", torch.tensor(kinds), persistent=False)
        steps = torch.arange(-_HALF, _HALF + 1) / _WIDTH_STEPS
        bell = torch.exp(-0.5 * steps**2)
        self.register_buffer("smoothing", bell / bell.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(R, channels, T) at 50 Hz to (R, heads, 1, T // 2)."""
        return self._tokens(functional.pad(self._velocity(x), (_HALF, _HALF)))

    def fresh(self, rows: int, lookahead: int) -> Tensor:
        """The state of ``rows`` rows that have seen nothing, for tokens that come ``lookahead`` late."""
        _, heads, axes, _ = self.reading.shape
        past = STEPS_PER_TOKEN * lookahead + _HALF
        return torch.zeros(rows, heads, axes, past, device=self.reading.device)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Those tokens of the next n steps (R, channels, n), n even, and the new state."""
        seen = torch.cat([state, self._velocity(x)], dim=-1)
        count = x.shape[-1] + 2 * _HALF + 1 - STEPS_PER_TOKEN
        return self._tokens(seen[..., :count]), seen[..., x.shape[-1] :]

    def _velocity(self, x: Tensor) -> Tensor:
        """Angular velocities (R, heads, axes, T) in rad/s."""
        people = x.unflatten(0, (-1, len(self.kinds)))
        return torch.einsum("khac,pkct->pkhat", self.reading[self.kinds], people).flatten(0, 1)

    def _tokens(self, velocity: Tensor) -> Tensor:
        """Velocities (R, heads, axes, S) to tokens (R, heads, 1, N), the first at the smoothing's middle."""
        smooth = velocity.unfold(-1, len(self.smoothing), STEPS_PER_TOKEN) @ self.smoothing
        speed = torch.log1p(torch.sqrt((smooth**2).sum(dim=2) + 1e-12))
        rows = speed.unflatten(0, (-1, len(self.kinds))) * self.gain[self.kinds][..., None]
        return rows.flatten(0, 1)[:, :, None]
