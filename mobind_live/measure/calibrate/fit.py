"""The search for constants: a pattern search over a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from mobind_live.measure.calibrate.outcomes import Outcomes
from mobind_live.models.constants import Constants

FALSE_LIMIT = 0.3  # per cent of the answers called ok; the limit to keep is 0.5 on scenes of another draw
_PER_CENT = 1.0  # what each per cent above it costs, in nats
_SILENCE = 1.0  # what never calling anything ok costs, in nats
_SIGMAS = 3.0
_COVERED = 0.99
_ASTRAY_S = 0.2  # an offset so far off is the wrong peak, which a width cannot speak of


@dataclass(frozen=True, slots=True)
class _Knob:
    """A constant, the factor to try first, and its limits."""

    name: str
    step: float
    low: float
    high: float


_KNOBS = (
    _Knob("temper", 1.5, 0.02, 4.0),
    _Knob("worth_s", 1.35, 0.5, 60.0),
    _Knob("limb", 1.5, 0.02, 1.0),
    _Knob("trunk", 1.5, 0.01, 1.0),
    _Knob("body", 1.5, 0.02, 1.0),
    _Knob("person", 1.5, 0.02, 1.0),
    _Knob("shared", 1.5, 2.0, 200.0),
)

Evaluate = Callable[[Constants], Outcomes]


def loss(found: Outcomes) -> float:
    """Nats: how improbable the truth is, plus what false answers above the limit, and silence, cost."""
    false = _PER_CENT * max(0.0, found.false_share - FALSE_LIMIT)
    return found.mean_nats + false + _SILENCE * (1 - found.right_share / 100)


def search(evaluate: Evaluate, start: Constants, trials: int, tick: Callable[[], None]) -> Constants:
    """The best constants found in ``trials`` evaluations: each is moved up or down while that helps, by less
    and less."""
    best, least = start, loss(evaluate(start))
    tick()
    powers = {knob.name: 1.0 for knob in _KNOBS}
    left = trials - 1
    while left > 0 and max(map(abs, powers.values())) > 0.2:
        for knob in _KNOBS:
            better = False
            for sign in (1, -1):
                tried = _moved(best, knob, sign * powers[knob.name])
                if left <= 0 or tried == best:
                    continue
                left -= 1
                now = loss(evaluate(tried))
                tick()
                if now < least - 1e-4:
                    best, least, better = tried, now, True
                    powers[knob.name] = sign * powers[knob.name]
                    break
            if not better:
                powers[knob.name] /= 2
    return with_sigma(best, evaluate(best))


def _moved(constants: Constants, knob: _Knob, power: float) -> Constants:
    value = getattr(constants, knob.name) * knob.step**power
    return replace(constants, **{knob.name: float(np.clip(value, knob.low, knob.high))})


def with_sigma(constants: Constants, found: Outcomes) -> Constants:
    """``sigma`` such that three of them cover 99 % of the errors of the offsets on the right peak."""
    errors, sigmas = np.abs(found.errors_s), np.array(found.sigmas_s)
    near = errors < _ASTRAY_S
    if near.sum() < 100:
        return constants
    ratio = float(np.quantile(errors[near] / sigmas[near], _COVERED))
    return replace(constants, sigma=float(np.clip(ratio / _SIGMAS, 0.3, 3.0)))


def text(constants: Constants) -> str:
    """One line, for people."""
    values = {f.name: np.atleast_1d(getattr(constants, f.name)) for f in fields(constants)}
    return ", ".join(f"{name} {' '.join(f'{x:.3g}' for x in value)}" for name, value in values.items())
