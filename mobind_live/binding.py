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
    """One IMU in one camera: the probability ``p_none`` that nobody in view wears it, and, given that somebody
    does, probabilities over (track, part, lag), ``worn`` (P, 11, L), which sum to one."""

    tracks: tuple[int, ...]
    worn: np.ndarray
    p_none: float
    motion_s: float

    @property
    def lag(self) -> np.ndarray:
        """Over lags (L,), given that somebody wears it."""
        return self.worn.sum(axis=(0, 1))

    @property
    def place(self) -> np.ndarray:
        """Over (track, part) (P, 11); what is missing to one is nobody."""
        return self.worn.sum(axis=2) * (1 - self.p_none)

    @property
    def wearer(self) -> np.ndarray:
        """Over tracks (P,); what is missing to one is nobody."""
        return self.place.sum(axis=1)

    @property
    def part(self) -> np.ndarray:
        """Over parts (11,); what is missing to one is nobody."""
        return self.place.sum(axis=0)


def posterior(
    evidence: np.ndarray,
    prior: np.ndarray,
    tracks: tuple[int, ...],
    motion_s: float,
    calibration: Calibration,
) -> CameraPosterior:
    """The posterior from evidence sums (P, 11, L) and a log-prior (11, L) that earlier tracks left."""
    if not evidence.size:
        return CameraPosterior(tracks, evidence, 1.0, motion_s)
    logits = calibration.scale * evidence + prior
    nobody = calibration.nobody + _background(logits, calibration.background)
    weights = np.exp(logits - logits.max())
    somebody = float(logits.max()) + np.log(weights.sum())
    p_none = 1 / (1 + np.exp(np.clip(somebody - nobody, -500, 500)))
    return CameraPosterior(tracks, weights / weights.sum(), float(p_none), motion_s)


def _background(logits: np.ndarray, deviations: float) -> float:
    """The level (nats) that chance reaches somewhere among the lags of logits (P, 11, L)."""
    level = logits.mean(axis=2) + deviations * logits.std(axis=2)
    return float(level.max()) + np.log(logits.shape[2] / (4 * PEAK_TOKENS))


def one_to_one(posteriors: list[CameraPosterior]) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part).

    Each IMU's belief in a place becomes the likelihood of the best joint assignment that puts it there
    (max-marginals of the assignment problem), so that the rivals' second choices count too.
    """
    if len(posteriors) < 2 or not posteriors[0].worn.size:
        return posteriors
    places = np.array([p.place.ravel() for p in posteriors])
    nobody = np.diag([p.p_none for p in posteriors])
    scores = np.log(np.concatenate([places, nobody], axis=1) + TINY)
    marginals = _max_marginals(scores, places.shape[1])
    weights = np.exp(marginals - marginals.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return [_moved(given, own) for given, own in zip(posteriors, weights, strict=True)]


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


def _moved(given: CameraPosterior, belief: np.ndarray) -> CameraPosterior:
    """``given`` with its margin over places and nobody replaced by ``belief`` (P * 11 + 1,); within a place
    the lags keep their proportions."""
    p_none = float(belief[-1])
    lags = given.worn / np.maximum(given.worn.sum(axis=2, keepdims=True), TINY)
    worn = lags * (belief[:-1].reshape(given.worn.shape[:2]) / max(1 - p_none, TINY))[:, :, None]
    return CameraPosterior(given.tracks, worn / max(worn.sum(), TINY), p_none, given.motion_s)


@dataclass(frozen=True, slots=True)
class OffsetAnswer:
    """The offset in seconds, its standard deviation, the probability that it is right, and the height of
    the runner-up peak over the peak's."""

    offset_s: float
    sigma_s: float
    p: float
    second_peak_ratio: float


def offset(given: CameraPosterior, evidence: np.ndarray, scale: float, token_s: float) -> OffsetAnswer:
    """The offset: the peak of the lag margin, interpolated on the log-evidence of the best (track, part).

    ``evidence`` (P, 11, L) are the same sums as the posterior's. The width comes from the peak's curvature.
    """
    lags = given.worn.shape[2]
    half = lags // 2
    if not given.worn.size:
        return OffsetAnswer(0.0, half * token_s, 0.0, 1.0)
    margin = given.lag
    peak = int(margin.argmax())
    low, high = max(0, peak - PEAK_TOKENS), min(lags, peak + PEAK_TOKENS + 1)
    near = margin[low:high] + TINY
    rest = np.concatenate([margin[:low], margin[high:]])
    ratio = float(rest.max(initial=0.0) / near.max())
    place = given.worn[:, :, peak].argmax()
    curve = scale * evidence.reshape(-1, lags)[place]
    shift, sigma = _parabola(curve, int(np.clip(peak, 1, lags - 2)))
    spread = float(np.sqrt(np.average((np.arange(low, high) - peak - shift) ** 2, weights=near)))
    sigma_s = float(np.hypot(max(sigma, 0.5 * spread) * token_s, MIN_SIGMA_S))
    p = float(near.sum() / max(margin.sum(), TINY)) * (1 - given.p_none)
    return OffsetAnswer((peak + shift - half) * token_s, sigma_s, p, ratio)


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
    seeing = [p for p in given if p.worn.size]
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
