"""From two streams of tokens to a time: evidence over lags, and where its peak is. Pure, offline.

Lags are ``IMU token - pose token``, so that a lag is the offset of ``schema``: t_imu = t_cam + offset.
"""

from __future__ import annotations

import numpy as np

_FEW_LAGS = 64  # fewer lags than this are quicker one by one than by FFT


def evidence(imu: np.ndarray, pose: np.ndarray, low: int, high: int) -> np.ndarray:
    """Sums over time (..., high - low + 1) of ``imu[n + lag] . pose[..., n, :]`` for every lag from ``low``
    to ``high``; tokens without a partner count nothing. ``imu`` (N, D), ``pose`` (..., M, D)."""
    if high - low < _FEW_LAGS:
        bank = np.zeros((high - low + 1, *pose.shape[-2:]), np.float32)
        for row, lag in enumerate(range(low, high + 1)):
            first, last = max(0, -lag), min(pose.shape[-2], len(imu) - lag)
            if first < last:
                bank[row, first:last] = imu[first + lag : last + lag]
        flat = pose.reshape(-1, pose.shape[-2] * pose.shape[-1])
        return (flat @ bank.reshape(len(bank), -1).T).reshape(*pose.shape[:-2], len(bank))
    length = 1 << (len(imu) + pose.shape[-2] - 1).bit_length()
    own = np.fft.rfft(imu.astype(np.float32), length, axis=-2)
    other = np.fft.rfft(pose.astype(np.float32), length, axis=-2)
    total = np.fft.irfft(np.einsum("fd,...fd->...f", own, np.conj(other)), length, axis=-1)
    lags = np.arange(low, high + 1)
    inside = (lags > -pose.shape[-2]) & (lags < len(imu))
    return np.where(inside, np.take(total, lags % length, axis=-1), 0.0)


def overlap(imu_tokens: int, pose_tokens: int, low: int, high: int) -> np.ndarray:
    """How many pairs of tokens meet at each lag from ``low`` to ``high``."""
    lags = np.arange(low, high + 1)
    first = np.maximum(lags, 0)
    last = np.minimum(imu_tokens, lags + pose_tokens)
    return np.maximum(last - first, 0)


def picked(scores: np.ndarray, truth: int) -> float:
    """Whether the highest of ``scores`` (n,) is that of ``truth``; of several that are equal it is one picked
    by lot, so that a method which cannot tell some of them apart is right as often as it would guess; who has
    no scores (NaN) is not right."""
    best = np.flatnonzero(scores == scores.max())
    return float(truth in best) / max(1, len(best))


def peak(curve: np.ndarray, low: int) -> float:
    """The lag, as a real number, at which ``curve`` (L,) is highest: the top of the parabola through the
    highest value and its two neighbours. ``low`` is the lag of its first value."""
    best = int(np.argmax(curve))
    if not 0 < best < len(curve) - 1:
        return float(low + best)
    before, top, after = (float(value) for value in curve[best - 1 : best + 2])
    bend = before - 2 * top + after
    return low + best + (0.5 * (before - after) / bend if bend < 0 else 0.0)
