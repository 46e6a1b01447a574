"""What the small classifiers look with: strided convolutions over 1.5 s at 6 Hz."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Strided(nn.Module):
    """(R, T, channels) at 50 Hz to (R, width, T / 8), from the steps that count."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv1d(channels, width, 6, stride=4, padding=1)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 5, stride=s, padding=2) for s in (2, 1, 1))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(4))

    def look(self, x: Tensor, counts: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What is seen (R, width, N), and which of it counts (R, 1, N). ``counts`` (R, T) is 1 for the steps
        that count; ``bias`` (R, width) is added to the stem."""
        x = self.stem((x * counts[..., None]).transpose(1, 2))
        x = functional.relu(self.norms[0](x if bias is None else x + bias[..., None]))
        for conv, norm in zip(self.layers, list(self.norms)[1:], strict=True):
            y = functional.relu(norm(conv(x)))
            x = x + y if y.shape == x.shape else y
        return x, functional.interpolate(counts[:, None], x.shape[-1], mode="nearest")
