"""Evidence of simulated scenes with the truth beside it, gathered once, for constants to be tried on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mobind_live.binding.engine import TOKEN_S
from mobind_live.measure.bench.play import Moment, Player
from mobind_live.measure.bench.scenes import Case
from mobind_live.models import checkpoint
from mobind_live.schema import Truth
from mobind_live.vocabulary import PARTS

MAX_OFFSET_S = 10.0
NEAR_TOKENS = 2.0  # so near to the true lag, a peak is at it
_FIRST_S, _EVERY_S = 6, 4


@dataclass(frozen=True, slots=True)
class View:
    """One camera at one moment. ``evidence`` (I, P, 11, L) float32; ``motion_s`` (I, P) behind it; ``own``
    (I,), the row of the wearer or -1 if they are not in the picture; ``lag`` (I,), the true offset's place in
    the lags; ``likelier`` (I, P, 11), how much likelier each part makes the IMU's own motion, and how it was
    inclined, in nats."""

    tracks: tuple[int, ...]
    evidence: np.ndarray
    motion_s: np.ndarray
    own: np.ndarray
    lag: np.ndarray
    likelier: np.ndarray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of one scene: its views, and each IMU's true part (I,)."""

    views: tuple[View, ...]
    part: np.ndarray

    def without(self, number: int) -> Snapshot:
        """The same without one person (of each picture the row ``number``): their sensors are on nobody."""
        return replace(self, views=tuple(_without(view, number % len(view.tracks)) for view in self.views))


def gathered(case: Case, weights: Path | None) -> list[Snapshot]:
    """The snapshots of one scene."""
    torch.set_num_threads(1)
    player = Player(case, checkpoint.load(weights), MAX_OFFSET_S, torch.device("cpu"))
    people: dict[tuple[str, int], str] = {}
    found: list[Snapshot] = []
    for moment in player.moments():
        people |= {
            (camera, int(track)): who
            for camera, tracks in moment.truth.tracks.items()
            for track, who in tracks.items()
        }
        if moment.t_s >= _FIRST_S and (moment.t_s - _FIRST_S) % _EVERY_S == 0:
            found += _snapshot(player, moment, people)
    return found


def _snapshot(player: Player, moment: Moment, people: dict[tuple[str, int], str]) -> Iterator[Snapshot]:
    truth, engine = moment.truth, player.engine
    views = []
    for camera in engine.cameras:
        view = engine.view(camera)
        tracks = view.posteriors[0].tracks
        if not tracks:
            continue
        whose = [people.get((camera, track), "") for track in tracks]
        views.append(
            View(
                tracks=tracks,
                evidence=view.evidence.astype(np.float32),
                motion_s=view.motion_s,
                own=np.array([whose.index(w.person) if w.person in whose else -1 for w in truth.worn]),
                lag=_lags(truth, camera, engine.lags),
                likelier=view.likelier,
            )
        )
    if views:
        part = np.array([PARTS.index(w.part) for w in truth.worn])
        yield Snapshot(tuple(views), part)


def _lags(truth: Truth, camera: str, lags: int) -> np.ndarray:
    return np.array([(w.delay_s - truth.delays_s[camera]) / TOKEN_S + lags // 2 for w in truth.worn])


def _without(view: View, row: int) -> View:
    own = np.where(view.own == row, -1, view.own - (view.own > row))
    return replace(
        view,
        tracks=tuple(track for n, track in enumerate(view.tracks) if n != row),
        evidence=np.delete(view.evidence, row, axis=1),
        motion_s=np.delete(view.motion_s, row, axis=1),
        likelier=np.delete(view.likelier, row, axis=1),
        own=own,
    )
