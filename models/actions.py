"""What a wearer is doing: a small classifier over the last seconds of pose, of worn IMUs, or of both.

Each modality has a trunk of its own (strided convolutions, then mean and maximum over time); a body part is
added to an IMU's first layer, and the sensors of one wearer are pooled. Logits of the modalities add, so that
either may be missing. Two heads stand on the same trunks: ``clip``, the 27 actions of UTD-MHAD over a whole
clip, and ``daily``, the vocabulary that the daemon speaks, over ``WINDOW`` steps.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobind_live.models import checkpoint
from mobind_live.models.chains import POINT_CHANNELS, POSE_CHANNELS
from mobind_live.models.features import IMU_CHANNELS
from mobind_live.models.strided import Strided
from mobind_live.vocabulary import PARTS

KIND = "mobind-live actions 1"
DEFAULT = checkpoint.WEIGHTS / "actions.safetensors"

_THIRDS = 3
WINDOW = 128  # steps at 50 Hz that the daemon looks back
CLIP_ACTIONS = 27
OTHER = "other"  # everything that no class covers; never an answer, always ``unknown``
STILL = "standing"
UNKNOWN = "unknown"
DAILY = (
    STILL, "walking", "jogging", "waving", "clapping", "punching", "squats", "lunges", "bowing",
    "raising hands", "throwing", "swiping", "crossing arms", "shooting a ball", "drawing in the air",
    "bowling", "swinging a bat", "arm curl", "pushing", "knocking", "catching", "picking up", "standing up",
    "sitting down", OTHER,
)  # fmt: skip
MODES = ("pose", "imu", "both")

# The chains of ``chains`` repeat joints for context; an action needs each once: (chain, point).
_JOINTS = [(chain, point) for chain in (2, 3, 4, 5) for point in range(3)] + [(0, 0), (0, 4), (0, 5)]
POSE_PICK = np.array(
    [c * POSE_CHANNELS + p * POINT_CHANNELS + k for c, p in _JOINTS for k in range(POINT_CHANNELS)]
)


def pose_inputs(features: np.ndarray) -> np.ndarray:
    """(..., T, 6, 40) chain channels to (..., T, 75): place, velocity and score of 15 joints."""
    return features.reshape(*features.shape[:-2], -1)[..., POSE_PICK]


@dataclass(frozen=True, slots=True)
class ActionSizes:
    """Widths of the classifier, and its daily vocabulary."""

    width: int = 64
    hidden: int = 96
    labels: tuple[str, ...] = DAILY


class _Trunk(Strided):
    """(R, T, channels) at 50 Hz to (R, hidden): what is seen, pooled over the steps that count."""

    def __init__(self, channels: int, sizes: ActionSizes) -> None:
        super().__init__(channels, sizes.width)
        pooled = (2 + _THIRDS) * sizes.width
        self.out = nn.Sequential(nn.Dropout(0.3), nn.Linear(pooled, sizes.hidden), nn.ReLU())

    def forward(self, x: Tensor, counts: Tensor, bias: Tensor | None = None) -> Tensor:
        """``counts`` (R, T) is 1 for the steps that count; ``bias`` (R, width) is added to the stem."""
        x, seen = self.look(x, counts, bias)
        return self.out(torch.cat([_mean(x, seen), (x * seen).amax(-1), *_thirds(x, seen)], dim=-1))


def _mean(x: Tensor, weight: Tensor) -> Tensor:
    """The mean (R, width) over time of (R, width, N), weighted by (R, 1, N)."""
    return (x * weight).sum(-1) / weight.sum(-1).clamp(min=1)


def _thirds(x: Tensor, seen: Tensor) -> list[Tensor]:
    """The means of the beginning, the middle and the end of what is seen: sitting down is standing up in
    another order."""
    place = seen.cumsum(-1) / seen.sum(-1, keepdim=True).clamp(min=1) * _THIRDS - 1e-4
    return [_mean(x, seen * (place.floor() == third)) for third in range(_THIRDS)]


@dataclass(frozen=True, slots=True)
class Logits:
    """Both heads' logits: ``clip`` (R, 27), ``daily`` (R, labels)."""

    clip: Tensor
    daily: Tensor

    def __add__(self, other: Logits) -> Logits:
        return Logits(self.clip + other.clip, self.daily + other.daily)


class ActionNet(nn.Module):
    """The classifier, with the temperatures and thresholds that make its probabilities honest."""

    temperature: Tensor  # (2 heads, 3 modes)
    threshold: Tensor  # (3 modes), of the daily head

    def __init__(self, sizes: ActionSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or ActionSizes()
        self.pose = _Trunk(len(POSE_PICK), sizes)
        self.imu = _Trunk(IMU_CHANNELS, sizes)
        self.part = nn.Embedding(len(PARTS), sizes.width)
        heads = (CLIP_ACTIONS, len(sizes.labels))
        self.pose_heads = nn.ModuleList(nn.Linear(sizes.hidden, n) for n in heads)
        self.imu_heads = nn.ModuleList(nn.Linear(2 * sizes.hidden, n) for n in heads)
        self.register_buffer("temperature", torch.ones(2, len(MODES)))
        self.register_buffer("threshold", torch.full((len(MODES),), 0.5))

    def from_pose(self, x: Tensor, counts: Tensor) -> Logits:
        """People (R, T, 75), the steps that count (R, T)."""
        return self.pose_logits(self.pose(x, counts))

    def from_imus(self, x: Tensor, part: Tensor, worn: Tensor, counts: Tensor) -> Logits:
        """Wearers' sensors (R, S, T, 15) on ``part`` (R, S); ``worn`` (R, S) is 0 for those not there."""
        return self.imu_logits(self.imu_hidden(x, part, worn, counts), worn)

    def imu_hidden(self, x: Tensor, part: Tensor, worn: Tensor, counts: Tensor) -> Tensor:
        """What is seen in each sensor (R, S, hidden); zero for those not there."""
        row, sensor = torch.nonzero(worn, as_tuple=True)
        hidden = self.imu(x[row, sensor], counts[row], self.part(part[row, sensor]))
        each = hidden.new_zeros(*worn.shape, hidden.shape[-1])
        each[row, sensor] = hidden
        return each

    def pose_logits(self, hidden: Tensor) -> Logits:
        """From what is seen in each person (R, hidden)."""
        return Logits(*(head(hidden) for head in self.pose_heads))

    def imu_logits(self, each: Tensor, worn: Tensor) -> Logits:
        """From what is seen in each wearer's sensors (R, S, hidden)."""
        there = worn[..., None].to(each.dtype)
        mean = (each * there).sum(1) / there.sum(1).clamp(min=1)
        pooled = torch.cat([mean, (each * there).amax(1)], dim=-1)
        return Logits(*(head(pooled) for head in self.imu_heads))

    def fingerprint(self) -> str:
        """Tells whether what is seen in a window can be compared: of the trunks, not of the heads."""
        found = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            if name.split(".")[0] in ("pose", "imu", "part"):
                found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:16]

    def probabilities(self, logits: Tensor, mode: str, head: int = 1) -> Tensor:
        """The calibrated softmax of one head's logits, made from ``mode``."""
        return torch.softmax(logits / self.temperature[head, MODES.index(mode)], dim=-1)


@dataclass(frozen=True, slots=True)
class Decision:
    """``label`` is ``unknown`` where no class is probable enough; then ``p`` is the likeliest class's."""

    label: str
    p: float


def decide(probabilities: np.ndarray, labels: tuple[str, ...], threshold: float) -> Decision:
    """The likeliest label of (L,) probabilities if it is a class and reaches ``threshold``."""
    best = int(np.argmax(probabilities))
    p = float(probabilities[best])
    sure = p >= threshold and labels[best] != OTHER
    return Decision(labels[best] if sure else UNKNOWN, p)


def save(path: Path, model: ActionNet, notes: dict[str, str]) -> None:
    """Write the weights, with ``notes`` in the header."""
    checkpoint.write(path, KIND, model, {"sizes": json.dumps(asdict(model.sizes)), **notes})


def load(path: Path | None = None) -> ActionNet:
    """The classifier in evaluation mode. Raises CheckpointError naming the file and what is wrong."""
    return checkpoint.read(path or DEFAULT, KIND, _from_header)


def _from_header(header: dict[str, str]) -> ActionNet:
    sizes = json.loads(header["sizes"])
    return ActionNet(ActionSizes(**{**sizes, "labels": tuple(sizes["labels"])}))
