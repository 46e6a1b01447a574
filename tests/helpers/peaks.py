"""Evidence of strangers and of wearers, drawn at random."""

from __future__ import annotations

import numpy as np

from mobind_live.vocabulary import PARTS

P, LAGS, HALF = len(PARTS), 501, 250


def noise(seed: int, people: int = 2, lags: int = LAGS) -> np.ndarray:
    """Evidence (people, 11, lags) of strangers: neighbouring lags agree."""
    rough = np.random.default_rng(seed).standard_normal((people, P, lags + 12))
    return np.stack([rough[..., n : n + lags] for n in range(12)]).sum(axis=0)


def peaked(evidence: np.ndarray, parts: slice, lag: int, height: float) -> np.ndarray:
    out = evidence.copy()
    out[0, parts] += height * np.exp(-0.5 * ((np.arange(evidence.shape[2]) - lag) / 3.0) ** 2)
    return out
