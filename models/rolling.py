"""Rolling embeddings: many rows, each fed its next block when it is there, every step encoded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from mobind_live.models import twins
from mobind_live.models.actions import POSE_PICK, WINDOW, pose_inputs
from mobind_live.models.chains import CHAINS
from mobind_live.models.encoders import Binder, Encoder, parts_of
from mobind_live.models.features import IMU_CHANNELS, STEP_HZ, ImuFeatures, PoseFeatures
from mobind_live.models.streaming import Streaming
from mobind_live.models.twins import Twins


class _Stepped(Protocol):
    """State in arrays with one row each, and ``step``."""

    def __init__(self, rows: int) -> None: ...

    @property
    def step(self) -> Callable[..., np.ndarray]: ...


BEHIND_S = 10.0  # by how much two streams of one motion may be apart, unless it is said


class Recent:
    """The last steps of each row's features: ``values`` (rows, steps, channels), newest last, and how many
    of them there are, ``seen`` (rows,). Kept are the action labels' window, and ``behind_s`` before it."""

    def __init__(self, channels: int, behind_s: float = BEHIND_S) -> None:
        self.steps = WINDOW + round(behind_s * STEP_HZ)
        self.values = np.zeros((0, self.steps, channels), np.float32)
        self.seen = np.zeros(0, np.int64)

    def reset(self, slot: int) -> None:
        grow = max(0, slot + 1 - len(self.seen))
        self.values = np.concatenate([self.values, np.zeros((grow, *self.values.shape[1:]), np.float32)])
        self.seen = np.concatenate([self.seen, np.zeros(grow, np.int64)])
        self.seen[slot] = 0

    def add(self, slots: list[int], new: np.ndarray) -> None:
        """Append (S, n, channels) to the rows at ``slots``."""
        steps = new.shape[1]
        self.values[slots] = np.concatenate([self.values[slots, steps:], new], axis=1)
        self.seen[slots] = np.minimum(self.seen[slots] + steps, self.steps)

    def last(self, slot: int, back: int, steps: int) -> np.ndarray | None:
        """The ``steps`` steps (steps, channels) of a row that end ``back`` before its newest; None where some
        of them are not there."""
        stop = self.steps - back
        if back < 0 or stop - steps < self.steps - int(self.seen[slot]):
            return None
        return self.values[slot, stop - steps : stop]


_Kind = TypeVar("_Kind", bound=_Stepped)


class _Features(Generic[_Kind]):
    """A growing set of rows of features, addressed by slot."""

    def __init__(self, kind: type[_Kind]) -> None:
        self.kind, self.rows = kind, kind(0)

    def reset(self, slot: int) -> None:
        """Make ``slot`` a row that has seen nothing, growing if there is no such slot yet."""
        for name, value in vars(self.rows).items():
            grow = max(0, slot + 1 - len(value))
            more = np.concatenate([value, vars(self.kind(grow))[name]])
            more[slot] = 0
            setattr(self.rows, name, more)

    def step(self, slots: list[int], *inputs: np.ndarray) -> np.ndarray:
        """What the rows at ``slots`` make of their next steps (S, n, ...)."""
        part = self.kind(0)
        for name, value in vars(self.rows).items():
            setattr(part, name, value[slots])
        out = part.step(*inputs)
        for name, value in vars(part).items():
            vars(self.rows)[name][slots] = value
        return out


class _Rows:
    """The states of a growing set of rows of an encoder, addressed by slot."""

    def __init__(self, encoder: Encoder, rows_each: int) -> None:
        self.encoder, self.rows_each = Streaming(encoder), rows_each
        self.state = self.encoder.fresh(0)
        self.count = 0

    def reset(self, slot: int) -> None:
        """Make ``slot`` a row that has seen nothing, growing if there is no such slot yet."""
        grow = slot + 1 - self.count
        if grow > 0:
            fresh = self.encoder.fresh(grow * self.rows_each)
            self.state = [torch.cat([old, new]) for old, new in zip(self.state, fresh, strict=True)]
            self.count = slot + 1
        else:
            for tensor in self.state:
                tensor[slot * self.rows_each : (slot + 1) * self.rows_each] = 0

    def encode(self, slots: list[int], x: Tensor) -> Tensor:
        """Tokens (len(slots) * rows_each, heads, token, n) of the rows' next steps."""
        rows = torch.as_tensor(slots)[:, None] * self.rows_each + torch.arange(self.rows_each)
        index = rows.flatten().to(x.device)
        tokens, after = self.encoder.step(x, [tensor[index] for tensor in self.state])
        for tensor, new in zip(self.state, after, strict=True):
            tensor[index] = new
        return tokens


class Rolling:
    """Both encoders, fed block by block.

    Tokens come out ``LOOKAHEAD`` late: a row's k-th output token stands at its token ``k - LOOKAHEAD``, and
    the first ``LOOKAHEAD`` mean nothing. Features are kept for streams that are ``behind_s`` apart.
    """

    def __init__(self, model: Binder, device: torch.device, behind_s: float = BEHIND_S) -> None:
        self.model = model.to(device).eval()
        self.device = device
        self.imus = _Rows(self.model.imu, 1)
        self.people = _Rows(self.model.pose, len(CHAINS))
        self.imu_features = _Features(ImuFeatures)
        self.pose_features = _Features(PoseFeatures)
        self.twins = _Features(Twins)
        self.recent_imus = Recent(IMU_CHANNELS, behind_s)
        self.recent_people = Recent(len(POSE_PICK), behind_s)

    def reset_imu(self, slot: int) -> None:
        """Make ``slot`` an IMU that has sent nothing."""
        self.imus.reset(slot)
        self.imu_features.reset(slot)
        self.recent_imus.reset(slot)

    def reset_person(self, slot: int) -> None:
        """Make ``slot`` a person that was never seen."""
        self.people.reset(slot)
        self.pose_features.reset(slot)
        self.twins.reset(slot)
        self.recent_people.reset(slot)

    def up(self, slots: list[int]) -> np.ndarray:
        """The direction up (S, 3), in the frames of the IMUs at ``slots``, at their newest step."""
        return self.imu_features.rows.gravity[slots]

    def pixels_per_metre(self, slots: list[int]) -> np.ndarray:
        """How large (S,) the people at ``slots`` are in the picture at their newest step; 0 if unknown."""
        return self.pose_features.rows.scale[slots]

    @torch.inference_mode()
    def imu(self, slots: list[int], acc_g: np.ndarray, gyro: np.ndarray, valid: np.ndarray) -> Tensor:
        """Tokens (S, n / 2, token) of the next n steps (S, n, 3), (S, n, 3), (S, n) of ``slots``."""
        features = self.imu_features.step(slots, acc_g, gyro, valid)
        self.recent_imus.add(slots, features)
        x = torch.as_tensor(features, device=self.device).transpose(1, 2)
        return self.imus.encode(slots, x)[:, 0].transpose(1, 2)

    @torch.inference_mode()
    def pose(self, slots: list[int], keypoints: np.ndarray) -> Tensor:
        """Tokens (S, 11, n / 2, token) of the next n steps (S, n, 17, 3) of ``slots``, those of limbs that
        turn alike drawn together."""
        features = self.pose_features.step(slots, keypoints)
        self.recent_people.add(slots, pose_inputs(features))
        people, steps = features.shape[:2]
        x = torch.as_tensor(features, device=self.device).permute(0, 2, 3, 1)
        tokens = parts_of(self.people.encode(slots, x.reshape(people * len(CHAINS), -1, steps)), people)
        return twins.drawn_together(tokens, self.twins.step(slots, features))
