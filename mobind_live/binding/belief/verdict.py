"""What an answer is worth: when it is ``ok``, and what it is instead."""

from __future__ import annotations

from mobind_live.schema import Verdict

OK_P = 0.9
MIN_MOTION_S = 2.0  # seconds of full motion before anything is called ok
# That nobody in view wears a sensor sends people looking, and a limb that hardly shows looks like nobody's:
# more is asked of it. Of bench5's shanks, played live, 1 in 1000 moments says as much, and 4 in 5 of sensors
# that another take's people wear.
SURE_NOBODY_P, SURE_NOBODY_MOTION_S = 0.99998, 20.0


def verdict(p: float, p_none: float, motion_s: float, moving: bool, stale: bool) -> Verdict:
    """What an answer of probability ``p`` is worth: ``p_none`` is that of nobody in view, ``motion_s`` how
    much motion is behind it; ``moving``: the sensor moves now; ``stale``: a stream of it is silent."""
    if stale:
        return Verdict.STALE
    if p >= OK_P and motion_s >= MIN_MOTION_S:
        return Verdict.OK
    if motion_s < MIN_MOTION_S and not moving:
        return Verdict.NO_MOTION
    if p_none >= SURE_NOBODY_P and motion_s >= SURE_NOBODY_MOTION_S:
        return Verdict.UNBOUND
    return Verdict.AMBIGUOUS
