"""From evidence to answers: offset, wearer and part of each IMU, each with a probability.

Pure functions on numpy arrays. For one IMU and one camera the evidence is a log-likelihood for every
(track, part, lag), against ``nobody``; its softmax is the posterior, and the answers are its
marginals. Lags are in tokens, from -L to L.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mobind_live.binding.belief import newcomers, presence
from mobind_live.binding.belief.verdict import MIN_MOTION_S
from mobind_live.binding.evidence.shown import with_hidden
from mobind_live.vocabulary import PARTS, TRUNK

TINY = 1e-30
OUTLIER_P = 1e-6  # the chance that a camera's whole opinion is worth nothing


@dataclass(frozen=True, slots=True)
class Calibration:
    """How evidence becomes log-likelihood: ``scale`` nats for a token pair in perfect accord; ``presence``,
    the weights by which ``presence.log_odds`` tells the wearer's peak from what strangers' motions reach;
    ``chance``, in nats for each second of motion, how well motions agree at the best lag that are not one.

    ``worth_s`` is how many seconds of motion the longest evidence is worth. The network's own errors go on as
    long as the motion does: two limbs moving in step differ by little, and no amount of that makes one of
    them sure. What counts in the end is how well two motions agree, not for how long.

    ``limb`` shrinks the log-odds between the two segments of one limb, ``trunk`` those between head, chest
    and pelvis, ``body`` those between limbs and trunk, ``person`` those between people: what tells them apart
    is how keypoints are drawn, and how well each is seen, as much as how they move. Where two people agree
    with the sensor, by doing the same, that is more: the second-best's log-likelihood of ``shared`` nats
    halves what is between people.

    ``part_bias`` (11,) is by how much the evidence of each part is too high for each second of motion: what
    shows much, as a forearm does, agrees better with any sensor than what shows little. It is taken away
    before anything is shrunk, among the parts of each person.

    ``sigma`` is what the width of a peak is multiplied by to be the standard deviation of the offset's error.

    The values that count are fitted by ``mobind-live calibrate`` and come with the weights.
    """

    scale: float
    presence: tuple[float, ...] = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    chance: float = 3.0
    worth_s: float = 4.0
    limb: float = 0.5
    trunk: float = 0.25
    body: float = 1.0
    person: float = 0.6
    shared: float = 20.0
    part_bias: tuple[float, ...] = (0.0,) * len(PARTS)
    sigma: float = 1.0


@dataclass(frozen=True, slots=True)
class CameraPosterior:
    """One IMU in one camera.

    ``log_place`` (P, 11) is the log-probability of each (track, part), ``log_none`` that of nobody in view;
    ``lags`` (P, 11, L) is, for each place, the distribution over lags. Logarithms, because the second-best
    place matters long after its probability is too small for a float. ``prior`` (L,) is what else than this
    evidence says of the lag, in nats, flat being zero.
    """

    tracks: tuple[int, ...]
    log_place: np.ndarray
    log_none: float
    lags: np.ndarray
    motion_s: float = 0.0
    prior: np.ndarray = field(default_factory=lambda: np.zeros(()))

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


@dataclass(frozen=True, slots=True)
class Likelihood:
    """What the evidence alone says of one IMU in one camera: ``exp(rows[..., None]) * lags`` (P, 11, L), each
    row of ``lags`` scaled to a maximum of one, against ``exp(nobody)`` for nobody in view; the log-odds that
    somebody is are ``odds``."""

    rows: np.ndarray
    lags: np.ndarray
    nobody: float
    odds: float

    def odds_given(self, prior: np.ndarray) -> float:
        """``odds`` with a log-prior over lags (L,), flat being zero."""
        if not self.lags.size:
            return self.odds
        sums = (self.lags * np.exp(prior)).sum(axis=2)
        return float(log_sum((self.rows + np.log(sums + TINY)).ravel(), 0)) - self.nobody


def likelihood(
    evidence: np.ndarray, motion_s: np.ndarray, calibration: Calibration, hidden: np.ndarray | None = None
) -> Likelihood:
    """The likelihood from evidence sums (P, 11, L), L not 0, and the seconds of motion (P,) behind them; of
    parts that are ``hidden`` (P, 11) bool little is known."""
    counted = calibration.scale * worth(motion_s, calibration.worth_s)
    logits = counted[:, None, None] * evidence
    rows = logits.max(axis=2)
    lags = np.exp(logits - rows[:, :, None])
    if not lags.size:
        return Likelihood(rows, lags, 0.0, -np.inf)
    rows = rows + among_parts(rows, -(counted * motion_s)[:, None] * np.array(calibration.part_bias))
    if hidden is not None:
        rows, lags = with_hidden(rows, lags, hidden)
    odds = 0.0
    if motion_s.max() >= MIN_MOTION_S:
        odds = presence.log_odds(presence.statistics(evidence, motion_s), calibration.presence)
    totals = log_sum(rows + np.log(lags.sum(axis=2)), 1)
    if (new := newcomers.among(motion_s, MIN_MOTION_S)).any():
        of_new, more = newcomers.judged(evidence, motion_s, totals, new, calibration.presence)
        odds, rows, totals = max(odds, of_new), rows + more[:, None], totals + more
    return Likelihood(rows, lags, float(log_sum(totals, 0)) - odds, odds)


def settled(
    given: Likelihood,
    prior: np.ndarray,
    tracks: tuple[int, ...],
    calibration: Calibration,
    ceiling: float = np.inf,
) -> CameraPosterior:
    """The posterior from a likelihood and a log-prior over lags (L,), flat being zero, by which the log-odds
    of somebody rise to ``ceiling`` at most; the seconds of motion behind the answer are not in it yet."""
    if not given.lags.size:
        return CameraPosterior(tracks, given.rows, 0.0, given.lags)
    weights = given.lags * np.exp(prior)
    sums = weights.sum(axis=2)
    log_place = shrunk(given.rows + np.log(sums + TINY), calibration)
    nobody = max(given.nobody, float(log_sum(log_place.ravel(), 0)) - ceiling)
    total = float(log_sum(np.append(log_place, nobody), 0))
    lags = weights / np.maximum(sums, TINY)[:, :, None]
    return CameraPosterior(tracks, log_place - total, nobody - total, lags, prior=prior)


def among_parts(log_place: np.ndarray, said: np.ndarray) -> np.ndarray:
    """What to add to log-probabilities (P, 11) for ``said``, to be broadcast to them, to count between the
    parts of a person, and not between people: each keeps their total."""
    before, after = (log_sum(logs, 1)[:, None] for logs in (log_place, log_place + said))
    return said + before - after


def tested_s(given: CameraPosterior, motion_s: np.ndarray) -> float:
    """The seconds of motion (P,) behind the answer that is most probable: those of the track it names, or, if
    it is nobody, those of whoever came last. Who has just come in has shown nothing yet, whatever an earlier
    track leads to expect; a glimpse of what the detector takes for somebody is nobody's, as long as somebody
    else is there."""
    if not motion_s.size:
        return 0.0
    if given.p_none < 0.5:
        return float(motion_s[given.wearer.argmax()])
    seen = motion_s[motion_s >= MIN_MOTION_S]
    return float(seen.min() if seen.size else motion_s.min())


def tilted(given: CameraPosterior, prior: np.ndarray) -> CameraPosterior:
    """The posterior with a log-prior over places, to be broadcast to (P, 11), flat being zero."""
    log_place = given.log_place + prior
    total = float(log_sum(np.append(log_place, given.log_none), 0))
    return replace(given, log_place=log_place - total, log_none=given.log_none - total)


def lag_message(given: Likelihood) -> np.ndarray:
    """The log-likelihood (L,) of each lag whoever wears the sensor, nobody included, flat being zero."""
    if not given.lags.size:
        return np.zeros(given.lags.shape[2])
    top = float(given.rows.max())
    places = np.einsum("pk,pkl->l", np.exp(given.rows - top), given.lags)
    return over_flat(places + np.exp(given.nobody - top) / len(places))


def over_flat(weights: np.ndarray) -> np.ndarray:
    """The logarithm of weights (n,) over their mean: a log-prior, flat being zero."""
    return np.log(weights / max(float(weights.mean()), TINY) + TINY)


def log_sum(logs: np.ndarray, axis: int) -> np.ndarray:
    """The logarithm of a sum of exponentials. (scipy's own is several times slower on small arrays.)"""
    top = logs.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(logs - top).sum(axis=axis))


def softmax(logs: np.ndarray) -> np.ndarray:
    """Probabilities (n,) from their logarithms (n,), to which anything may be added."""
    weights = np.exp(logs - logs.max())
    return weights / weights.sum()


_TRUNK = np.array([PARTS.index(part) for part in TRUNK])
_LIMBS = np.array(
    [
        (PARTS.index(f"{side}_{upper}"), PARTS.index(f"{side}_{lower}"))
        for side in ("left", "right")
        for upper, lower in (("upper_arm", "forearm"), ("thigh", "shank"))
    ]
)


def shrunk(log_place: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Log-likelihoods (P, 11) with the log-odds between a limb's segments, between the trunk's, between limbs
    and trunk, and between people multiplied by ``limb``, ``trunk``, ``body`` and ``person``, that the smaller
    the better the second-best person agrees; the total of those is kept."""
    out = log_place.copy()
    for members, share in ((_TRUNK[None], calibration.trunk), (_LIMBS, calibration.limb)):
        out[:, members] += less_apart(log_place[:, members], share, 2)
    limbs = np.stack([log_sum(out[:, list(group)], 1) for group in (_TRUNK, *_LIMBS)], axis=1)
    apart = less_apart(limbs, calibration.body, 1)
    for n, group in enumerate((_TRUNK, *_LIMBS)):
        out[:, list(group)] += apart[:, n, None]
    everybody = log_sum(out, 1)
    if len(everybody) < 2:
        return out
    second = max(0.0, float(np.partition(everybody, -2)[-2]))
    share = calibration.person / (1 + second / calibration.shared)
    return out + less_apart(everybody, share, 0)[:, None]


def less_apart(logs: np.ndarray, share: float | np.ndarray, axis: int) -> np.ndarray:
    """What to add to logarithms so that their differences along ``axis`` are multiplied by ``share``, to be
    broadcast to them, and the logarithm of their sum stays."""
    total = log_sum(logs, axis) - log_sum(share * logs, axis)
    return (share - 1) * logs + np.expand_dims(total, axis)


def worth(motion_s: np.ndarray, most_s: float) -> np.ndarray:
    """The share of evidence from ``motion_s`` seconds that counts: that of two measurements, one of errors
    that average out in time and one of errors that stay."""
    return most_s / (most_s + motion_s)


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
    views of one motion err together and must not count as two motions. Each counts as far as it finds the
    wearer: one that shows others says nothing of the part, and it is on nobody only if no camera finds it."""
    seeing = [p for p in given if p.lags.size]
    if not seeing:
        return PartAnswer(np.zeros(len(PARTS)), 1.0)
    found = np.array([1 - p.p_none for p in seeing]) + TINY
    logs = [np.log(p.part / share + OUTLIER_P) for p, share in zip(seeing, found, strict=True)]
    p_none = min(p.p_none for p in seeing)
    return PartAnswer((1 - p_none) * softmax(np.average(logs, axis=0, weights=found)), p_none)
