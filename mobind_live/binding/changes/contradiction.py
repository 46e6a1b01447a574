"""When the last seconds say that a sensor is no longer where, or its clock no longer what, was believed."""

from __future__ import annotations

import numpy as np

from mobind_live.binding.belief.presence import near

# In units of what strangers reach by chance in the last seconds: how far a belief must stand out to be
# contradicted at all, and how far those seconds must favour another lag, or another place. Of the many other
# lags one is always high: in scenes without any step, the best of them had 0.8 to 1.3 where the wearer's limb
# hardly showed.
_BELIEVED, _STEPPED, _MOVED = 1.0, 1.4, 0.8


def contradicted(slow: np.ndarray, fast: np.ndarray, track: int, lag: int, chance: float) -> bool:
    """Whether the last seconds' evidence ``fast`` (P, 11, L) speaks against ``track`` and ``lag``, which are
    believed, and the part that the evidence ``slow`` has for them: for another lag, whoever wears the sensor
    and where, or for another place, while little is left of the old one. All in nats, ``chance`` what
    strangers' motions reach in the last seconds.

    Only differences count: what is lower for every lag and place says nothing.
    """
    peak = near(lag)
    reached = slow[track, :, peak].max(axis=1)
    part = int(reached.argmax())
    if float(reached[part]) - float(np.median(slow)) < _BELIEVED * chance:
        return False
    here, then = float(fast[track, part, peak].max()), float(fast[:, :, peak].max())
    now = float(np.delete(fast, peak, axis=2).max())
    level = float(np.median(fast))
    if now - level > _STEPPED * chance and then - level < (now - level) / 2:
        return True
    return then - here > _MOVED * chance and here - level < (then - level) / 2
