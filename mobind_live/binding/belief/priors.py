"""What else than an IMU's own evidence in one camera speaks for a lag, a part or a person.

All are log-priors, flat being zero, and never so strong that good evidence could not overrule them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mobind_live.binding.belief.posterior import (
    TINY,
    CameraPosterior,
    Likelihood,
    among_parts,
    log_sum,
    over_flat,
)

# Views of one motion, and sensors of one body, err together: what others say counts for this share of it.
SHARE = 0.5
WRONG = 0.01  # the chance that a clock has stepped since, or that two clocks thought one are not
MEMORY_S = 15.0
MOVED = 0.1  # the chance that a sensor sits elsewhere than it did
HANDED_OVER = 0.2  # the chance that a sensor is not on the body of those that it was with


def doubted(prior: np.ndarray, wrong: float) -> np.ndarray:
    """A log-prior (n,) brought to a mean of one and mixed with a flat one of weight ``wrong``."""
    return np.log((1 - wrong) * np.exp(over_flat(np.exp(prior - prior.max()))) + wrong)


def of_lag(kept: np.ndarray, others: Iterable[np.ndarray]) -> np.ndarray:
    """The log-prior over lags (L,) from what ended tracks have left, and from what others say of the same
    lag."""
    return doubted(sum((SHARE * other for other in others), kept), WRONG)


def moved(message: np.ndarray, by: float) -> np.ndarray:
    """A log-prior over lags (L,) with all lags ``by`` tokens larger; what comes in from outside is least."""
    if not by:
        return message
    lags = np.arange(len(message))
    return np.interp(lags - by, lags, message, message.min(), message.min())


def of_track_lag(given: CameraPosterior, own: Likelihood, index: int) -> np.ndarray:
    """What one track has taught of an IMU's lag (L,): its own evidence, as far as its person wears it."""
    p = min(1.0, float(given.wearer[index]))
    rows = np.exp(own.rows[index] - own.rows[index].max())
    return np.log(p * np.exp(over_flat(rows @ own.lags[index])) + (1 - p))


def of_track_part(given: CameraPosterior, index: int, before: np.ndarray | None) -> np.ndarray:
    """What is believed of an IMU's part (11,) after a track: where it sat on that person, as far as they are
    the wearer, and else what was believed ``before`` (11,)."""
    p = min(1.0, float(given.wearer[index]))
    known = 1.0 if before is None else np.exp(over_flat(np.exp(before)))
    return np.log(p * np.exp(over_flat(given.place[index])) + (1 - p) * known)


def of_parts(given: CameraPosterior, part: np.ndarray, motion_s: np.ndarray) -> np.ndarray:
    """The log-prior over places (P, 11) from the log-belief (11,) in where an IMU sat on earlier tracks.

    Who shows its motion there is its wearer. Where it sits on them is an average of opinions, then and now,
    the seconds of motion (P,) now weighing against MEMORY_S: as a product, one error would prove the next.
    """
    before = doubted(part, MOVED)
    now = given.log_place - log_sum(given.log_place, 1)[:, None]
    who = log_sum(now + before, 1)[:, None]
    share = (MEMORY_S / (MEMORY_S + motion_s))[:, None]
    both = (1 - share) * now + share * before
    return who + both - log_sum(both, 1)[:, None] - now


def of_placement(given: CameraPosterior, likelier: np.ndarray) -> np.ndarray:
    """The log-prior over places (P, 11) from how much likelier each part, (11,) or (P, 11), makes a sensor's
    own motion and how it was inclined, in nats. Everybody has all parts, so that it speaks for parts of a
    person and not for a person: each keeps the total that they have in ``given``."""
    return among_parts(given.log_place, likelier)


def of_body(others: Iterable[CameraPosterior], people: int) -> np.ndarray:
    """The log-prior over tracks (P,) from IMUs that were on the same body, by where they are now."""
    logs = np.zeros(people)
    for other in others:
        there = other.wearer + other.p_none / people
        logs += np.log((1 - HANDED_OVER) * there * people + HANDED_OVER + TINY)
    return doubted(logs, HANDED_OVER) if people else logs
