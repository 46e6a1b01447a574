"""What a rig says of who wears what: the sensors of one subject are on one body, and two subjects are two."""

from __future__ import annotations

import numpy as np

from mobind_live.binding.belief.posterior import CameraPosterior, over_flat
from mobind_live.binding.belief.priors import SHARE

WRONG = 0.05  # the chance that a sensor is on another body than its subject's


def priors(alone: list[CameraPosterior], subjects: tuple[str | None, ...]) -> list[np.ndarray]:
    """The log-prior over tracks (P,) of each IMU of one camera, against nobody, who is zero: from where the
    others of its subject are, and other subjects are not. Flat for an IMU of no subject.

    Sensors of one subject only vote on which track it is. They do not make it likelier that the subject is
    in view: a stranger who fits one of them fits them all.
    """
    people = len(alone[0].tracks) if alone else 0
    if not people or not any(subjects):
        return [np.zeros(people) for _ in alone]
    wearer = np.array([given.wearer for given in alone])
    either = wearer + np.array([given.p_none for given in alone])[:, None] / people
    said = SHARE * np.log((1 - WRONG) * people * either + WRONG)
    surest = {
        subject: wearer[[s == subject for s in subjects]].max(axis=0)
        for subject in set(subjects)
        if subject is not None
    }
    return [
        np.zeros(people) if own is None else _prior(_mates(said, subjects, imu), _others(surest, own))
        for imu, own in enumerate(subjects)
    ]


def _mates(said: np.ndarray, subjects: tuple[str | None, ...], imu: int) -> np.ndarray:
    """What the others of the subject say of its track (P,), one being nothing."""
    others = [n for n, subject in enumerate(subjects) if subject == subjects[imu] and n != imu]
    return np.exp(over_flat(np.exp(said[others].sum(axis=0))))


def _others(surest: dict[str, np.ndarray], own: str) -> np.ndarray:
    """The chance that each track (P,) is none of the other subjects."""
    return np.prod([1 - (1 - WRONG) * p for subject, p in surest.items() if subject != own], axis=0)


def _prior(mates: np.ndarray, free: np.ndarray) -> np.ndarray:
    """``mates`` times ``free`` (P,) against one for nobody, doubted, as a log-prior."""
    weights = np.append(mates * free, 1.0)
    doubted = (1 - WRONG) * len(weights) * weights / weights.sum() + WRONG
    return np.log(doubted[:-1] / doubted[-1])
