"""From evidence to answers: offset, wearer and part of each IMU, each with a probability and a verdict.

Pure functions on numpy arrays. For one IMU and one camera the evidence is a log-likelihood for every
(track, part, lag), against ``nobody`` at a fixed level; its softmax is the posterior, and the answers are its
margins. Lags are in tokens, from -L to L.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from mobind_live.schema import PARTS, Verdict

OK_P = 0.9
MIN_MOTION_S = 2.0  # seconds of full motion before anything is called ok
SURE_NOBODY_MOTION_S = 6.0
PEAK_TOKENS = 3  # half width of what counts as one peak (0.12 s)
MIN_SIGMA_S = 0.004
TINY = 1e-30
NEGLIGIBLE_NATS = 20.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence becomes log-likelihood: ``scale`` nats for a token pair in perfect accord, and ``nobody``,
    in nats, the level that evidence must pass to speak for anybody.

    Where nobody in view wears a sensor, its evidence still rises and falls with the lag; what a wearer's must
    beat is not zero but that background. Its level is the mean over the lags plus ``background`` standard
    deviations, taken on the row (track, part) where that is highest.
    """

    scale: float
    nobody: float
    background: float = 3.0


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
    nobody = calibration.nobody + _background(logits, calibration.background)
    top = max(nobody, float(logits.max(initial=-np.inf)))
    weights = np.exp(logits - top)
    total = weights.sum() + np.exp(nobody - top)
    return CameraPosterior(tracks, weights / total, float(np.exp(nobody - top) / total), motion_s)


def _background(logits: np.ndarray, deviations: float) -> float:
    """The level (nats) that chance reaches somewhere among the lags of logits (P, 11, L)."""
    if not logits.size:
        return 0.0
    level = logits.mean(axis=2) + deviations * logits.std(axis=2)
    return float(level.max()) + np.log(logits.shape[2] / (4 * PEAK_TOKENS))


def one_to_one(posteriors: list[CameraPosterior]) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part).

    Each IMU's belief in a place becomes the likelihood of the best joint assignment that puts it there
    (max-marginals of the assignment problem), so that the rivals' second choices count too.
    """
    if len(posteriors) < 2 or not posteriors[0].joint.size:
        return posteriors
    beliefs = np.array([p.joint.sum(axis=2).ravel() for p in posteriors])
    nobody = np.diag([p.p_none for p in posteriors])
    scores = np.log(np.concatenate([beliefs, nobody], axis=1) + TINY)
    marginals = _max_marginals(scores, beliefs.shape[1])
    weights = np.exp(marginals - marginals.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return [
        _moved(given, own[:-1].reshape(given.joint.shape[:2]), float(own[-1]))
        for given, own in zip(posteriors, weights, strict=True)
    ]


def _max_marginals(scores: np.ndarray, places: int) -> np.ndarray:
    """(I, places + 1): the best total of an assignment of all rows of ``scores`` (I, places + I) to different
    columns, given that row i takes each place; the last column is given that it takes none."""
    count = len(scores)
    columns = np.concatenate(
        [np.tile(np.arange(places), (count, 1)), places + np.arange(count)[:, None]], axis=1
    )
    found = np.full((count, places + 1), -np.inf)
    for row in range(count):
        others = np.delete(scores, row, axis=0)
        own = scores[row, columns[row]]
        # Whoever takes a place that no rival wants changes nothing for the rest.
        free = _best_total(others)
        wanted = (others[:, :places] > others.max(axis=1, keepdims=True) - NEGLIGIBLE_NATS).any(axis=0)
        for place in range(places + 1):
            if own[place] < own.max() - NEGLIGIBLE_NATS:
                continue
            contested = place < places and wanted[place]
            rest = _best_total(np.delete(others, place, axis=1)) if contested else free
            found[row, place] = own[place] + rest
    return found


def _best_total(scores: np.ndarray) -> float:
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum())


def _moved(given: CameraPosterior, belief: np.ndarray, p_none: float) -> CameraPosterior:
    """``given`` with its margin over (track, part) replaced; the lags keep their proportions."""
    before = given.joint.sum(axis=2)
    joint = given.joint * (belief / np.maximum(before, TINY))[:, :, None]
    return CameraPosterior(given.tracks, joint, p_none, given.motion_s)


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
