"""The offset: where a posterior over lags peaks, far below one bin, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.binding.belief.posterior import TINY, CameraPosterior
from mobind_live.binding.belief.presence import PEAK_TOKENS, near

MIN_SIGMA_S = 0.004


@dataclass(frozen=True, slots=True)
class OffsetAnswer:
    """The offset in seconds, its standard deviation, the probability that it is right, and the height of
    the runner-up peak over the peak's."""

    offset_s: float
    sigma_s: float
    p: float
    second_peak_ratio: float


def offset(given: CameraPosterior, evidence: np.ndarray, scale: float, token_s: float) -> OffsetAnswer:
    """The offset: the peak of the lag marginal, interpolated on the log-evidence of the best (track, part).

    ``evidence`` (P, 11, L) are the same sums as the posterior's. The width comes from the peak's curvature.
    """
    lags = given.lags.shape[2]
    half = lags // 2
    if not given.lags.size:
        return OffsetAnswer(0.0, half * token_s, 0.0, 1.0)
    marginal = given.lag
    peak = int(marginal.argmax())
    own = marginal[near(peak)] + TINY
    ratio = float(np.delete(marginal, near(peak)).max(initial=0.0) / own.max())
    place = (given.log_place + np.log(given.lags[:, :, peak] + TINY)).argmax()
    curve = scale * evidence.reshape(-1, lags)[place] + given.prior
    inner = int(np.clip(peak, 1, lags - 2))
    shift, sigma = _parabola(curve, inner)
    shift += inner - peak
    spread = float(np.sqrt(np.average((np.arange(lags)[near(peak)] - peak - shift) ** 2, weights=own)))
    sigma_s = float(np.hypot(max(sigma, 0.5 * spread) * token_s, MIN_SIGMA_S))
    p = float(own.sum() / max(marginal.sum(), TINY)) * (1 - given.p_none)
    return OffsetAnswer((peak + shift - half) * token_s, sigma_s, p, ratio)


def histogram(offset_tokens: float, sigma_tokens: float, p: float, lags: int) -> np.ndarray:
    """The distribution over lags (L,) of an offset that is known with probability ``p``."""
    away = (np.arange(lags) - lags // 2 - offset_tokens) / max(sigma_tokens, 0.5)
    known = np.exp(-0.5 * away**2)
    return p * known / (known.sum() + TINY) + (1 - p) / lags


def peak_near(curve: np.ndarray, lag: int) -> tuple[float, float]:
    """Where a log-likelihood over lags (L,) peaks within PEAK_TOKENS of ``lag``, in tokens from the middle,
    and with what standard deviation."""
    low = max(1, lag - PEAK_TOKENS)
    peak = min(low + int(curve[low : lag + PEAK_TOKENS + 1].argmax()), len(curve) - 2)
    shift, sigma = _parabola(curve, peak)
    return peak + shift - len(curve) // 2, sigma


def _parabola(curve: np.ndarray, peak: int) -> tuple[float, float]:
    """Vertex, in tokens from ``peak``, and standard deviation of a log-likelihood around its maximum.

    A least-squares parabola through five points (three at the ends), less upset by noise than three.
    """
    reach = 2 if 2 <= peak < len(curve) - 2 else 1
    x = np.arange(-reach, reach + 1)
    a, b, _ = np.polyfit(x, curve[peak - reach : peak + reach + 1], 2)
    if a >= -1e-9:
        return 0.0, float(len(curve))
    return float(np.clip(-b / (2 * a), -1, 1)), float(np.sqrt(-1 / (2 * a)))
