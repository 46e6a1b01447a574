"""From evidence to answers: offset, wearer and part of each IMU, each with a probability and a verdict.

Pure functions on numpy arrays. For one IMU and one camera the evidence is a log-likelihood for every
(track, part, lag), against ``nobody`` at a fixed level; its softmax is the posterior, and the answers are its
margins. Lags are in tokens, from -L to L.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.schema import PARTS, Verdict

OK_P = 0.9
MIN_MOTION_S = 2.0  # seconds of full motion before anything is called ok
SURE_NOBODY_MOTION_S = 6.0
PEAK_TOKENS = 3  # half width of what counts as one peak (0.12 s)
MIN_SIGMA_S = 0.004


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence becomes log-likelihood: ``scale`` nats for a token pair in perfect accord, ``nobody`` in
    nats, and the number of candidates that ``nobody`` was weighed against in training."""

    scale: float
    nobody: float
    nobody_against: int


@dataclass(frozen=True, slots=True)
class CameraPosterior:
    """One IMU in one camera: probabilities over (track, part, lag) (P, 11, L), and of nobody."""

    tracks: tuple[int, ...]
    joint: np.ndarray
    p_none: float
    motion_s: float

    @property
    def lag(self) -> np.ndarray:
        """Over lags (L,), given that somebody wears it."""
        weights = self.joint.sum(axis=(0, 1))
        return weights / max(weights.sum(), 1e-300)

    @property
    def wearer(self) -> np.ndarray:
        """Over tracks (P,); what is missing to one is nobody."""
        return self.joint.sum(axis=(1, 2))

    @property
    def part(self) -> np.ndarray:
        """Over parts (11,); what is missing to one is nobody."""
        return self.joint.sum(axis=(0, 2))


def posterior(
    evidence: np.ndarray,
    prior: np.ndarray,
    tracks: tuple[int, ...],
    motion_s: float,
    calibration: Calibration,
) -> CameraPosterior:
    """The posterior from evidence sums (P, 11, L) and a log-prior (11, L) that earlier tracks left."""
    logits = calibration.scale * evidence + prior
    nobody = calibration.nobody + np.log(max(logits.size, 1) / calibration.nobody_against)
    top = max(nobody, float(logits.max(initial=-np.inf)))
    weights = np.exp(logits - top)
    total = weights.sum() + np.exp(nobody - top)
    return CameraPosterior(tracks, weights / total, float(np.exp(nobody - top) / total), motion_s)


def one_to_one(posteriors: list[CameraPosterior], rounds: int = 8) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part).

    Mean-field: each IMU's belief in a place is multiplied by the chance that nobody else sits there.
    """
    beliefs = [p.joint.sum(axis=2) for p in posteriors]
    if len(posteriors) < 2 or not beliefs[0].size:
        return posteriors
    factors = [np.ones_like(b) for b in beliefs]
    q = [b.copy() for b in beliefs]
    for _ in range(rounds):
        for i, belief in enumerate(beliefs):
            free = np.ones_like(belief)
            for j, other in enumerate(q):
                if j != i:
                    free = free * (1 - 0.98 * np.clip(other, 0, 1))
            factors[i] = free
            taken = belief * free
            q[i] = taken / (taken.sum() + posteriors[i].p_none)
    return [_reweighed(p, f) for p, f in zip(posteriors, factors, strict=True)]


def _reweighed(given: CameraPosterior, factor: np.ndarray) -> CameraPosterior:
    joint = given.joint * factor[:, :, None]
    total = joint.sum() + given.p_none
    return CameraPosterior(given.tracks, joint / total, given.p_none / total, given.motion_s)


@dataclass(frozen=True, slots=True)
class OffsetAnswer:
    """The offset in seconds with its standard deviation, probability and verdict."""

    offset_s: float
    sigma_s: float
    p: float
    second_peak_ratio: float
    verdict: Verdict


def offset(given: CameraPosterior, evidence: np.ndarray, scale: float, token_s: float) -> OffsetAnswer:
    """The offset: the peak of the lag margin, interpolated on the log-evidence of the best (track, part).

    ``evidence`` (P, 11, L) are the same sums as the posterior's. The width comes from the peak's curvature.
    """
    lags = given.joint.shape[2]
    half = lags // 2
    if not given.joint.size:
        return OffsetAnswer(0.0, half * token_s, 0.0, 1.0, Verdict.UNBOUND)
    margin = given.lag
    peak = int(margin.argmax())
    low, high = max(0, peak - PEAK_TOKENS), min(lags, peak + PEAK_TOKENS + 1)
    mass = float(margin[low:high].sum())
    rest = np.concatenate([margin[:low], margin[high:]])
    ratio = float(rest.max(initial=0.0) / max(margin[peak], 1e-300))
    place = given.joint[:, :, peak].argmax()
    curve = scale * evidence.reshape(-1, lags)[place]
    shift, sigma = _parabola(curve, int(np.clip(peak, 1, lags - 2)))
    spread = float(np.sqrt(np.average((np.arange(low, high) - peak - shift) ** 2, weights=margin[low:high])))
    sigma_s = float(np.hypot(max(sigma, 0.5 * spread) * token_s, MIN_SIGMA_S))
    p = mass * (1 - given.p_none)
    return OffsetAnswer((peak + shift - half) * token_s, sigma_s, p, ratio, Verdict.OK)


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


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """The part, fused over cameras."""

    probabilities: np.ndarray
    p_none: float

    @property
    def best(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def p(self) -> float:
        return float(self.probabilities.max())


def fuse_parts(given: list[CameraPosterior]) -> PartAnswer:
    """One posterior over parts from all cameras that see people: a product of opinions, each at a power that
    keeps two views of one motion from counting as two motions."""
    seeing = [p for p in given if p.joint.size]
    if not seeing:
        return PartAnswer(np.zeros(len(PARTS)), 1.0)
    power = len(seeing) ** -0.5
    floor = 1e-6
    logs = np.sum([np.log(np.append(p.part, p.p_none) + floor) for p in seeing], axis=0) * power
    weights = np.exp(logs - logs.max())
    weights = weights / weights.sum()
    return PartAnswer(weights[:-1], float(weights[-1]))


def verdict(p: float, p_none: float, motion_s: float, moving: bool, stale: bool) -> Verdict:
    """What an answer of probability ``p`` is worth."""
    if stale:
        return Verdict.STALE
    if p >= OK_P and motion_s >= MIN_MOTION_S:
        return Verdict.OK
    if motion_s < MIN_MOTION_S and not moving:
        return Verdict.NO_MOTION
    if p_none > 0.5 and motion_s >= SURE_NOBODY_MOTION_S:
        return Verdict.UNBOUND
    return Verdict.AMBIGUOUS
