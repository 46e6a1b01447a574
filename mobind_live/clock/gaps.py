"""Samples that are missing between the stamps of those that came."""

from __future__ import annotations

GAP = 1.5  # periods between two stamps from which on a sample is missing
_LEARN = 0.02  # share of a new step in the period,
_STEP = 0.1  # of which no more than this counts: a gap is not a slower rate, but nothing but gaps is
_SILENT_NS = 3e8  # deliveries are that far apart though nothing is lost


class Gaps:
    """Counts what is missing, at a rate near the nominal one that it learns.

    Several samples may share one stamp (that of their packet): then the step that follows stands for all.
    """

    def __init__(self, period_ns: float) -> None:
        self._period_ns = period_ns
        self._last_ns = 0
        self._shared = 1

    def restart(self, stamp_ns: int) -> None:
        """The device's clock jumped: what came before says nothing."""
        self._last_ns, self._shared = stamp_ns, 1

    def pass_over(self) -> None:
        """A sample came whose stamp says nothing."""
        self._shared += 1

    def silent(self, passed_ns: float) -> int:
        """How many samples are missing where the stamps jumped ahead after ``passed_ns`` without any."""
        return round(passed_ns / self._period_ns) - 1 if passed_ns > _SILENT_NS else 0

    def missing(self, stamp_ns: int) -> int:
        """How many samples are missing just before this one."""
        step = stamp_ns - self._last_ns
        if step <= 0:
            self._shared += step == 0
            return 0
        expected = self._shared * self._period_ns
        self._last_ns, shared, self._shared = stamp_ns, self._shared, 1
        over, period = step - expected, self._period_ns
        self._period_ns += _LEARN * max(-_STEP * period, min(over / shared, _STEP * period))
        return round(over / period) if over > (GAP - 1) * period else 0
