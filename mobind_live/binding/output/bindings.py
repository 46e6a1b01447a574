"""Bindings as messages: who wears each IMU, and where."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from mobind_live.binding.belief.posterior import CameraPosterior, fuse_parts
from mobind_live.binding.belief.verdict import MIN_MOTION_S, OK_P, verdict
from mobind_live.binding.belief.views import CameraView
from mobind_live.binding.belief.wearers import Seat, Wearers
from mobind_live.binding.engine import Engine
from mobind_live.schema import Binding, Candidate, Verdict
from mobind_live.vocabulary import PARTS

MOST_CANDIDATES = 5  # of each camera
_P = attrgetter("p")


def message(engine: Engine, index: int, views: dict[str, CameraView], now_ns: int) -> Binding:
    """The answer for the IMU ``index``, of which each camera's ``views`` are known, at host time ``now_ns``;
    the wearer has no name yet."""
    imu = engine.names[index]
    live = {c: view for c, view in views.items() if not engine.stale(imu, c, now_ns)}
    stale = not live if views else engine.stale(imu, None, now_ns)
    given = {camera: view.posteriors[index] for camera, view in (live or views).items()}
    part = fuse_parts(list(given.values()))
    tracks = {c: p.tracks[int(p.wearer.argmax())] for c, p in given.items() if _sure(p)}
    best = max(given.values(), key=lambda p: (_tested(p), p.wearer.max(initial=0.0)), default=None)
    p_wearer = float(best.wearer.max(initial=0.0)) if best else 0.0
    p_none = min((p.p_none for p in given.values()), default=1.0)
    motion_s = best.motion_s if best else 0.0
    state = (p_none, motion_s, engine.moving(imu), stale)
    return Binding(
        stream=imu,
        t_ns=now_ns,
        wearer="",
        tracks=tracks,
        p_wearer=p_wearer,
        wearer_verdict=verdict(p_wearer, *state),
        part=PARTS[part.best] if part.p > 0 else "",
        p_part=part.p,
        part_verdict=verdict(part.p, *state),
        p_none=p_none,
        candidates=_candidates(given),
        expected_part=engine.specs[imu].wears or "",
        expected_wearer=engine.specs[imu].subject or "",
        simulated=engine.simulated,
    )


def named(bindings: list[Binding], wearers: Wearers) -> list[Binding]:
    """The same with their wearers' names, which ``wearers`` keeps."""
    seats: dict[str, set[Seat]] = {
        b.stream: set(b.tracks.items()) if b.wearer_verdict is Verdict.OK else set() for b in bindings
    }
    names = wearers.update(seats)
    return [replace(b, wearer=names.get(b.stream, "")) for b in bindings]


def _sure(given: CameraPosterior) -> bool:
    return _tested(given) and float(given.wearer.max(initial=0.0)) >= OK_P


def _tested(given: CameraPosterior) -> bool:
    return given.motion_s >= MIN_MOTION_S


def _candidates(given: dict[str, CameraPosterior]) -> tuple[Candidate, ...]:
    """The most probable (track, part) of each camera, over all cameras."""
    best: list[Candidate] = []
    for camera, one in given.items():
        every = [
            Candidate(camera=camera, track=track, part=PARTS[part], p=float(p))
            for track, row in zip(one.tracks, one.place, strict=True)
            for part, p in enumerate(row)
        ]
        best += sorted(every, key=_P, reverse=True)[:MOST_CANDIDATES]
    return tuple(sorted(best, key=_P, reverse=True))
