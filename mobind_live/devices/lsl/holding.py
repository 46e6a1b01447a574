"""Samples whose sender's clock has jumped, held back until that clock has been measured again."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np

JUMP_S = 1.0  # between two chunks; a stall of the network that looks like it does no harm
HELD_S = 10.0  # LSL measures every 2 s: without an answer for so long it is not known when they were taken


class Chunk(NamedTuple):
    """Samples (N, channels) that came together, their stamps (N,) in the sender's seconds and when they came
    (N,), host time in ns."""

    samples: np.ndarray
    stamps_s: np.ndarray
    received_ns: np.ndarray


class _Held(NamedTuple):
    chunk: Chunk
    came_s: float
    jumped_s: float  # when the last jump before them was noticed; -inf: there was none


class Holding:
    """Tells by the stamps, less the time at which they come, that a sender's clock has jumped, as where its
    machine slept: then the correction that is known is wrong by as much. ``dropped`` counts the samples for
    which no other came in time. All times in seconds are those of LSL's clock on this host."""

    def __init__(self) -> None:
        self.dropped = 0
        self._held: deque[_Held] = deque()
        self._ahead_s = math.nan  # the last stamp, less when it came
        self._jumped_s = -math.inf

    def add(self, chunk: Chunk, now_s: float) -> None:
        """Take in what has come at ``now_s``, one sample at least."""
        ahead_s = float(chunk.stamps_s[-1]) - now_s
        if abs(ahead_s - self._ahead_s) > JUMP_S:
            self._jumped_s = now_s
        self._ahead_s = ahead_s
        self._held.append(_Held(chunk, now_s, self._jumped_s))
        while now_s - self._held[0].came_s > HELD_S:
            self.dropped += len(self._held.popleft().chunk.stamps_s)

    def take(self, measured_s: float) -> Chunk | None:
        """What is to be mapped by a correction that was measured at ``measured_s``, in the order in which it
        came; None if that is nothing."""
        chunks: list[Chunk] = []
        while self._held and self._held[0].jumped_s < measured_s:
            chunks.append(self._held.popleft().chunk)
        return Chunk(*map(np.concatenate, zip(*chunks, strict=True))) if chunks else None
