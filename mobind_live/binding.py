"""From evidence to answers: offset, wearer and part of each IMU, each with a probability and a verdict.

Pure functions on numpy arrays. For one IMU and one camera the evidence is a log-likelihood for every
(track, part, lag), against ``nobody`` at a fixed level; its softmax is the posterior, and the answers are its
margins. Lags are in tokens, from -L to L.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from mobind_live.schema import PARTS, Verdict

OK_P = 0.9
MIN_MOTION_S = 2.0  # seconds of full motion before anything is called ok
SURE_NOBODY_MOTION_S = 12.0
PEAK_TOKENS = 3  # half width of what counts as one peak (0.12 s)
MIN_SIGMA_S = 0.004
TINY = 1e-30
_SEGMENTS = (("upper_arm", "forearm"), ("thigh", "shank"))
UNTHINKABLE = -1e6  # nats
OUTLIER_P = 1e-6  # the chance that a camera's whole opinion is worth nothing


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence becomes log-likelihood: ``scale`` nats for a token pair in perfect accord, and ``nobody``,
    in nats, the level that evidence must pass to speak for anybody.

    Where nobody in view wears a sensor, its evidence still rises and falls with the lag; what a wearer's must
    beat is not zero but that background. Its level is the mean over the lags plus ``background`` standard
    deviations, taken on the row (track, part) where that is highest.

    ``most`` is the evidence, in nats above the mean over lags, at which the network's own errors rather than
    chance set the limit: more is scaled down to it. Two limbs moving in step differ by little for as long as
    they do, and no amount of that makes one of them sure.

    ``kin`` shrinks the log-odds between the two segments of one limb, and between chest and pelvis: what
    tells them apart is how keypoints are drawn as much as how people move.

    ``sigma`` is what the width of a peak is multiplied by to be the standard deviation of the offset's error.

    The values that count are fitted by ``mobind-live calibrate`` and come with the weights.
    """

    scale: float
    nobody: float
    background: float = 2.5
    most: float = 20.0
    kin: float = 0.5
    sigma: float = 1.0


@dataclass(frozen=True, slots=True)
class CameraPosterior:
    """One IMU in one camera.

    ``log_place`` (P, 11) is the log-probability of each (track, part), ``log_none`` that of nobody in view;
    ``lags`` (P, 11, L) is, for each place, the distribution over lags. Logarithms, because the second-best
    place matters long after its probability is too small for a float.
    """

    tracks: tuple[int, ...]
    log_place: np.ndarray
    log_none: float
    lags: np.ndarray
    motion_s: float

    @property
    def p_none(self) -> float:
        return float(np.exp(self.log_none))

    @property
    def place(self) -> np.ndarray:
        """Over (track, part) (P, 11); what is missing to one is nobody."""
        return np.exp(self.log_place)

    @property
    def wearer(self) -> np.ndarray:
        """Over tracks (P,); what is missing to one is nobody."""
        return self.place.sum(axis=1)

    @property
    def part(self) -> np.ndarray:
        """Over parts (11,); what is missing to one is nobody."""
        return self.place.sum(axis=0)

    @property
    def lag(self) -> np.ndarray:
        """Over lags (L,), given that somebody wears it."""
        weights = np.exp(self.log_place - self.log_place.max(initial=-np.inf))
        return np.einsum("pk,pkl->l", weights / weights.sum(), self.lags)


def posterior(
    evidence: np.ndarray,
    prior: np.ndarray,
    tracks: tuple[int, ...],
    motion_s: float,
    calibration: Calibration,
) -> CameraPosterior:
    """The posterior from evidence sums (P, 11, L) and a log-prior (11, L) that earlier tracks left."""
    if not evidence.size:
        return CameraPosterior(tracks, evidence.sum(axis=2), 0.0, evidence, motion_s)
    logits = trusted(calibration.scale * evidence, calibration.most) + prior
    log_place = _log_sum(logits, 2)
    nobody = calibration.nobody + _background(logits, calibration.background)
    lags = np.exp(logits - log_place[:, :, None])
    log_place = _kin_shrunk(log_place, calibration.kin)
    total = float(_log_sum(np.append(log_place, nobody), 0))
    return CameraPosterior(tracks, log_place - total, float(nobody - total), lags, motion_s)


def _log_sum(logs: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(logsumexp(logs, axis=axis))


_KIN = np.array(
    [(PARTS.index("chest"), PARTS.index("pelvis"))]
    + [(PARTS.index(f"{s}_{a}"), PARTS.index(f"{s}_{b}")) for s in ("left", "right") for a, b in _SEGMENTS]
)
_TIMES = np.array([2, 1, 1, 1, 1])


def _kin_shrunk(log_place: np.ndarray, share: float) -> np.ndarray:
    """Log-probabilities (P, 11) with the log-odds inside each pair of kin multiplied by ``share`` (twice for
    the trunk), and each pair's total kept."""
    pairs = log_place[:, _KIN]
    shrunk = (share**_TIMES)[:, None] * pairs
    out = log_place.copy()
    out[:, _KIN] = shrunk - _log_sum(shrunk, 2)[:, :, None] + _log_sum(pairs, 2)[:, :, None]
    return out


def trusted(logits: np.ndarray, most: float) -> np.ndarray:
    """``logits`` (P, 11, L) scaled so that none stands more than ``most`` above the best row's mean."""
    top = float((logits - logits.mean(axis=2).max()).max())
    return logits * min(1.0, most / max(top, TINY))


def _background(logits: np.ndarray, deviations: float) -> float:
    """The level (nats) that chance reaches somewhere among the lags of logits (P, 11, L), and never less than
    what they add up to where they say nothing: no evidence is none for anybody."""
    mean = logits.mean(axis=2)
    level = float((mean + deviations * logits.std(axis=2)).max())
    return max(level + np.log(logits.shape[2] / (4 * PEAK_TOKENS)), float(mean.max()) + np.log(logits.size))


def one_to_one(posteriors: list[CameraPosterior]) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part).

    Each IMU's belief in a place becomes the likelihood of the best joint assignment that puts it there
    (max-marginals of the assignment problem), so that the rivals' second choices count too.
    """
    if len(posteriors) < 2 or not posteriors[0].lags.size:
        return posteriors
    places = np.array([p.log_place.ravel() for p in posteriors])
    scores = np.full((len(posteriors), places.shape[1] + len(posteriors)), UNTHINKABLE)
    scores[:, : places.shape[1]] = np.maximum(places, UNTHINKABLE / 2)
    np.fill_diagonal(scores[:, places.shape[1] :], [max(p.log_none, UNTHINKABLE / 2) for p in posteriors])
    marginals = _max_marginals(scores, places.shape[1])
    logs = marginals - _log_sum(marginals, 1)[:, None]
    return [
        replace(given, log_place=own[:-1].reshape(given.log_place.shape), log_none=float(own[-1]))
        for given, own in zip(posteriors, logs, strict=True)
    ]


def _max_marginals(scores: np.ndarray, places: int) -> np.ndarray:
    """(I, places + 1): the best total of an assignment of all rows of ``scores`` (I, places + I) to different
    columns, given that row i takes each place; the last column is given that it takes none."""
    count = len(scores)
    found = np.empty((count, places + 1))
    for row in range(count):
        others = np.delete(scores, row, axis=0)
        totals, taken = _best(others)
        found[row, :places] = scores[row, :places] + totals
        found[row, places] = scores[row, places + row] + totals
        # Only a place that the rest would take costs the rest something.
        for place in taken[taken < places]:
            found[row, place] = scores[row, place] + _best(np.delete(others, place, axis=1))[0]
    return found


def _best(scores: np.ndarray) -> tuple[float, np.ndarray]:
    """The best total of an assignment of the rows, and the columns it takes."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum()), columns


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
    lags = given.lags.shape[2]
    half = lags // 2
    if not given.lags.size:
        return OffsetAnswer(0.0, half * token_s, 0.0, 1.0)
    margin = given.lag
    peak = int(margin.argmax())
    low, high = max(0, peak - PEAK_TOKENS), min(lags, peak + PEAK_TOKENS + 1)
    near = margin[low:high] + TINY
    rest = np.concatenate([margin[:low], margin[high:]])
    ratio = float(rest.max(initial=0.0) / near.max())
    place = (given.log_place + np.log(given.lags[:, :, peak] + TINY)).argmax()
    curve = scale * evidence.reshape(-1, lags)[place]
    inner = int(np.clip(peak, 1, lags - 2))
    shift, sigma = _parabola(curve, inner)
    shift += inner - peak
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
    """One posterior over parts from all cameras that see people: the mean of their log-opinions, since two
    views of one motion err together and must not count as two motions."""
    seeing = [p for p in given if p.lags.size]
    if not seeing:
        return PartAnswer(np.zeros(len(PARTS)), 1.0)
    logs = np.mean([np.log(np.append(p.part, p.p_none) + OUTLIER_P) for p in seeing], axis=0)
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
    if p_none >= OK_P and motion_s >= SURE_NOBODY_MOTION_S:
        return Verdict.UNBOUND
    return Verdict.AMBIGUOUS
