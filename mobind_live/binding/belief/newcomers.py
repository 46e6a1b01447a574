"""People who have been in view for a shorter while than others, each judged by what they have shown.

The longer somebody's motion has been compared with a sensor's, the higher the best of it comes by chance. Who
comes in beside them, or comes back from behind somebody else, starts at nothing: what strangers reached in a
minute was taken for all there is, and said that nobody in view wears the sensor, until the wearer's new track
had outgrown it. So where those who have been there for longer do not wear it, a newcomer is held against
nobody, and not against them.
"""

from __future__ import annotations

import numpy as np

from mobind_live.binding.belief import presence

_NEW = 0.5  # of the longest motion, below which somebody is a newcomer


def among(motion_s: np.ndarray, least_s: float) -> np.ndarray:
    """Which people (P,) are newcomers, by the seconds of motion (P,) that there are of each, of which
    ``least_s`` must be."""
    return (motion_s >= least_s) & (motion_s < _NEW * motion_s.max())


def judged(
    evidence: np.ndarray,
    motion_s: np.ndarray,
    totals: np.ndarray,
    new: np.ndarray,
    weights: tuple[float, ...],
) -> tuple[float, np.ndarray]:
    """The log-odds that one of the ``new`` (P,) is the wearer, by ``presence`` with its ``weights``, and what
    to add to the log-likelihoods ``totals`` (P,) of all people for that, from their evidence (P, 11, L) and
    seconds of motion (P,)."""

    def odds(who: np.ndarray) -> float:
        return presence.log_odds(presence.statistics(evidence[who], motion_s[who]), weights)

    of_old, of_each = odds(~new), np.array([odds(np.array([n])) for n in np.flatnonzero(new)])
    more = np.zeros(len(motion_s))
    if of_old < 0:
        level = np.logaddexp.reduce(totals[~new])
        more[new] = np.maximum(0.0, of_each - of_old - (totals[new] - level))
    return float(of_each.max() - np.log(len(motion_s))), more
