"""Which tracks are the wearer's: a tracker gives a person who leaves and comes back another number."""

from __future__ import annotations

import numpy as np

from mobind_live.binding.belief.verdict import MIN_MOTION_S, OK_P
from mobind_live.binding.belief.views import CameraView
from mobind_live.binding.belief.wearers import Wearers
from mobind_live.recordings.sync.recording import CAMERA, Recording

_LEAST_P = 0.005  # of a track of the wearer's that shows little


def tracks(view: CameraView, imu: int, people: Recording) -> tuple[int, ...]:
    """The tracks of whoever wears ``imu``, an index of ``view``'s, that which shows most first; () where it
    is not sure who does. One person's share the probability between them, so those that are never in view at
    the same time are taken together, the most probable first."""
    given = view.posteriors[imu]
    mine: list[int] = []  # rows of the posterior
    spans = people.spans
    for row in np.argsort(-given.wearer, kind="stable").tolist():
        span = spans[given.tracks[row]]
        if all(_apart(span, spans[given.tracks[other]]) for other in mine):
            mine.append(row)
    if given.wearer[mine].sum() < OK_P or view.motion_s[imu][mine].sum() < MIN_MOTION_S:
        return ()
    sure = {given.tracks[row] for row in mine if given.wearer[row] >= _LEAST_P}
    return tuple(track for track in people.tracks if track in sure)


def names(worn: dict[str, tuple[int, ...]], told: dict[str, str]) -> dict[str, str]:
    """The wearers' names, by the tracks ``worn`` of each IMU and the subjects that some are ``told`` to be
    of; IMUs with no track are left out."""
    return Wearers(subjects=told).update(
        {imu: {(CAMERA, track) for track in mine} for imu, mine in worn.items()}
    )


def _apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[1] < other[0] or other[1] < one[0]
