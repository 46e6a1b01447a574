"""Which kind of body part a sensor sits on, told from its own motion alone.

The binder's tokens lose what a sensor always says (``models.centre``), and with it that a head nods and a
shank swings. This small network of its own says just that: from the last seconds of an IMU's mounting-free
channels, how probable each of seven kinds is. Left and right look alike to it, so a kind with two sides
shares its probability between them. Where nothing moves it says nothing: all kinds are alike.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobind_live.models import checkpoint
from mobind_live.models.features import IMU_CHANNELS, RATE_UNIT, TURNING, VALID
from mobind_live.models.strided import Strided
from mobind_live.vocabulary import PARTS

KIND = "mobind-live placement 2"
DEFAULT = checkpoint.WEIGHTS / "placement.safetensors"

KINDS = ("head", "chest", "pelvis", "upper_arm", "forearm", "thigh", "shank")
KIND_OF = np.array([KINDS.index(part.removeprefix("left_").removeprefix("right_")) for part in PARTS])

WINDOW = 600  # steps at 50 Hz that are looked at, at most
LEAST = 150  # fewer say nothing
MOVING_RAD_S = 0.3  # root mean square of |gyro| below which a window says nothing


@dataclass(frozen=True, slots=True)
class PlacementSizes:
    """How many members vote, and their widths."""

    members: int = 3
    width: int = 48
    hidden: int = 64


class Member(Strided):
    """One opinion, of what is seen: its mean, deviation and maximum over the window."""

    def __init__(self, sizes: PlacementSizes) -> None:
        super().__init__(IMU_CHANNELS, sizes.width)
        self.out = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(3 * sizes.width, sizes.hidden),
            nn.ReLU(),
            nn.Linear(sizes.hidden, len(KINDS)),
        )

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """Logits (R, 7) from channels (R, T, 15), of which the steps with ``counts`` (R, T) 1 count."""
        x, seen = self.look(x, counts)
        total = seen.sum(-1).clamp(min=1)
        mean = (x * seen).sum(-1) / total
        variance = ((x - mean[..., None]) ** 2 * seen).sum(-1) / total
        pooled = torch.cat([mean, (variance + 1e-4).sqrt(), (x * seen).amax(-1)], dim=-1)
        return self.out(pooled)


class PlacementNet(nn.Module):
    """The mean of its members' logarithms: where they have learned to differ, the motion is unlike that of
    training.

    ``temperature`` makes its probabilities honest on motion that it was not trained on.
    """

    temperature: Tensor

    def __init__(self, sizes: PlacementSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or PlacementSizes()
        self.members = nn.ModuleList(Member(self.sizes) for _ in range(self.sizes.members))
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """Logits (R, 7), as ``Member``'s."""
        return torch.stack([member(x, counts).log_softmax(dim=-1) for member in self.members]).mean(dim=0)

    @torch.inference_mode()
    def log_p(self, channels: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities (R, 7) of the kinds, and which rows (R,) bool tell anything.

        ``channels`` (R, T, 15) as ``rolling.Recent`` keeps them, newest last, of which the last ``seen`` (R,)
        count; of these at most ``WINDOW`` are looked at. A row that tells nothing has all kinds alike.
        """
        rows, steps = channels.shape[:2]
        length = np.minimum(seen, min(steps, WINDOW))
        told = length >= LEAST
        found = np.full((rows, len(KINDS)), -np.log(len(KINDS)), np.float32)
        # The network was trained on whole windows: what is there comes first, and nothing after it counts.
        for size in np.unique(length[told]):
            of_size = np.flatnonzero(told & (length == size))
            cut = channels[of_size, steps - size :]
            moves = moving(cut)
            told[of_size] = moves
            if moves.any():
                x = torch.as_tensor(cut[moves], dtype=torch.float32)
                logits = self(x, torch.ones(x.shape[:2])) / self.temperature
                found[of_size[moves]] = torch.log_softmax(logits, dim=-1).numpy()
        return found, told


def moving(channels: np.ndarray) -> np.ndarray:
    """Which windows (R,) bool of channels (R, T, 15) move enough to tell anything."""
    speed = np.asarray(channels[..., TURNING], np.float32) * RATE_UNIT
    there = np.maximum(np.sum(channels[..., VALID], axis=-1, dtype=np.float32), 1)
    return np.sqrt(np.sum(speed * speed, axis=-1) / there) > MOVING_RAD_S


def for_parts(log_kinds: np.ndarray) -> np.ndarray:
    """How much likelier than on average each part (..., 11) makes the motion, in nats, from the
    log-probabilities of the kinds (..., 7), which training holds for equally frequent."""
    return log_kinds[..., KIND_OF] + np.log(len(KINDS))


class Placements:
    """What the windows of ``count`` sensors have told so far: for each the mean of the log-probabilities of
    its moving windows of about the last ``memory_s``.

    A mean and not a sum, since windows that overlap, or show one exercise again, tell the same again;
    ``windows`` (count,) is how many are in it.
    """

    def __init__(self, count: int, memory_s: float) -> None:
        self._sum = np.zeros((count, len(KINDS)))
        self.windows = np.zeros(count)
        self._memory_s = memory_s

    def reset(self, slot: int) -> None:
        """Nothing is known of ``slot`` any more."""
        self._sum[slot], self.windows[slot] = 0, 0

    def add(self, slots: list[int], log_p: np.ndarray, told: np.ndarray, after_s: float) -> None:
        """What ``PlacementNet.log_p`` says of ``slots`` now, ``after_s`` after it last did. What tells
        nothing makes nothing older: a sensor that rests stays where it is."""
        fresh = np.array(slots, int)[told]
        keep = np.exp(-after_s / self._memory_s)
        self._sum[fresh] = keep * self._sum[fresh] + log_p[told]
        self.windows[fresh] = keep * self.windows[fresh] + 1

    def so_far(self) -> tuple[np.ndarray, np.ndarray]:
        """The sums of log-probabilities (count, 7) and ``windows`` (count,), as they are now."""
        return self._sum.copy(), self.windows.copy()

    def for_parts(self) -> np.ndarray:
        """How much likelier than on average each part (count, 11) makes what each sensor told, in nats; zero
        where it told nothing."""
        return of_windows(self._sum, self.windows)


def of_windows(sums: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """How much likelier than on average each part (count, 11) makes ``windows`` (count,) windows, by the sums
    (count, 7) of their log-probabilities, in nats; zero where there are none."""
    mean = sums / np.maximum(windows, 1e-9)[:, None]
    return for_parts(mean - np.log(np.exp(mean).sum(axis=-1, keepdims=True)))


def save(path: Path, model: PlacementNet, notes: dict[str, str]) -> None:
    """Write the weights, with ``notes`` in the header."""
    checkpoint.write(path, KIND, model, {"sizes": json.dumps(asdict(model.sizes)), **notes})


def load(path: Path | None = None) -> PlacementNet:
    """The network in evaluation mode. Raises CheckpointError naming the file and what is wrong."""
    return checkpoint.read(path or DEFAULT, KIND, _from_header)


def _from_header(header: dict[str, str]) -> PlacementNet:
    return PlacementNet(PlacementSizes(**json.loads(header["sizes"])))
