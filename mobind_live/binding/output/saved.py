"""What a worker that dies leaves to the one after it: little enough to be handed over every few seconds."""

from __future__ import annotations

import pickle
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np

from mobind_live.binding.belief.drift import OffsetCourse
from mobind_live.binding.belief.learned import Learned
from mobind_live.binding.belief.wearers import Wearers

_STEPS = 10  # of a lag's log-belief in a nat: fine enough, and a tenth of the bytes


@dataclass(frozen=True, slots=True)
class SavedState:
    """What is known of lags and parts when every track has ended, the wearers' names, and the course of each
    offset."""

    learned: Learned
    wearers: Wearers
    courses: dict[tuple[str, str], OffsetCourse]

    def to_bytes(self) -> bytes:
        """For ``from_bytes``."""
        lag = {key: np.round(_STEPS * kept).astype(np.int8) for key, kept in self.learned.lag.items()}
        return zlib.compress(pickle.dumps((lag, self.learned.part, self.wearers, self.courses)), 1)

    @classmethod
    def from_bytes(cls, given: bytes) -> Self:
        """Of nothing but what a process of the same run has made: the bytes are trusted."""
        lag, part, wearers, courses = pickle.loads(zlib.decompress(given))
        return cls(Learned({key: kept / _STEPS for key, kept in lag.items()}, part), wearers, courses)
