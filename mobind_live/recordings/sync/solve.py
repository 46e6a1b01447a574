"""The engine over a whole recording: nothing is forgotten, and the answers are those at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from mobind_live.binding.belief.presence import PEAK_TOKENS
from mobind_live.binding.belief.verdict import OK_P
from mobind_live.binding.engine import TOKEN_S, Engine
from mobind_live.binding.output.alarms import with_alarms
from mobind_live.binding.output.answers import Answers
from mobind_live.driver import StreamSpec
from mobind_live.models.encoders import Binder
from mobind_live.models.placement import PlacementNet
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.sync import drift, moved, steps, whose
from mobind_live.recordings.sync.moved import Moved
from mobind_live.recordings.sync.recording import CAMERA, Recording
from mobind_live.recordings.sync.steps import Step
from mobind_live.recordings.sync.stretches import Stretches, Sums, sums_of
from mobind_live.schema import Binding, Imu, Offset, Verdict
from mobind_live.vocabulary import PARTS

BLOCK = 24  # steps (0.48 s) encoded together
CHUNK_NS = 960_000_000  # fed between two advances
NEAR_S = 10.0  # lags up to which recordings lie over each other well enough
STRETCHES = 24  # at most, for the drift
STRETCH_S = 12.0  # at least
_MEMORY_BYTES = 400_000_000  # for the evidence at the stretches' ends
_DONE_NS = 0  # host time of everything: a recording is never stale

Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is to say of one IMU. ``offset_s`` is that at the middle of the camera's recording; None:
    nothing can be said. ``lags_s`` and ``weights`` (L,) are the histogram; ``alarm`` says what is special,
    ``step`` where the offset is another, and ``moved`` when the sensor went elsewhere."""

    offset_s: float | None = None
    sigma_s: float | None = None
    drift_ppm: float = 0.0
    verdict: Verdict = Verdict.NO_MOTION
    tracks: tuple[int, ...] = ()  # the wearer's, that which shows most first
    wearer: str = ""  # where the user has said who wears what
    part: str = ""
    p_part: float = 0.0
    part_verdict: Verdict = Verdict.NO_MOTION
    lags_s: np.ndarray
    weights: np.ndarray
    alarm: str = ""
    step: Step | None = None
    moved: Moved | None = None

    @property
    def note(self) -> str:
        """What is to be said beside the numbers."""
        return "; ".join(str(said) for said in (self.alarm, self.step, self.moved) if said)

    def offset_at(self, at_s: np.ndarray, length_s: float) -> np.ndarray:
        """The offset (N,) at ``at_s`` (N,) of the camera's time, whose recording is ``length_s`` long; there
        must be one."""
        assert self.offset_s is not None
        return self.offset_s + self.drift_ppm * 1e-6 * (at_s - length_s / 2)

    def shifted(self, by_s: float) -> Found:
        """The same, the IMU's time counted from ``by_s`` earlier on."""
        offset_s = None if self.offset_s is None else self.offset_s + by_s
        step = None if self.step is None else self.step.shifted(by_s)
        return replace(self, offset_s=offset_s, lags_s=self.lags_s + by_s, step=step)

    @property
    def track(self) -> int | None:
        """The wearer's, None if it is not sure who that is."""
        return self.tracks[0] if self.tracks else None

    @property
    def answered(self) -> bool:
        return self.verdict is Verdict.OK or self.part_verdict is Verdict.OK


def nothing(note: str) -> Found:
    """Of an IMU that was left out, for the reason ``note``."""
    none = np.empty(0)
    return Found(lags_s=none, weights=none, alarm=note)


def solve(
    people: Recording,
    imus: dict[str, ImuFile],
    model: Binder,
    placement: PlacementNet | None,
    max_offset_s: float,
    tick: Tick,
    worn_by: Mapping[str, str] | None = None,
) -> dict[str, Found]:
    """The answers for ``imus`` against ``people``, everybody's time counted from its own first sample.
    ``worn_by``: whose each of them is, as far as that is known. ``tick`` is told the share that is done.

    A sensor that was on for long before the camera has moved for nobody all that time, which speaks against
    everybody in view. So where only one lag can be meant and it is a long one, the recordings are laid over
    each other by it, and solved again.
    """
    told = worn_by or {}
    passes = 2 if max_offset_s > NEAR_S else 1
    found = _solved(people, imus, model, placement, max_offset_s, lambda share: tick(share / passes), told)
    by_s = {name: one.offset_s or 0.0 for name, one in found.items() if _far(one)}
    if by_s:
        laid = {
            name: replace(file, start_ns=file.start_ns + round(by_s.get(name, 0.0) * 1e9))
            for name, file in imus.items()
        }
        again = _solved(people, laid, model, placement, NEAR_S, lambda share: tick((1 + share) / 2), told)
        found |= {name: again[name].shifted(shift_s) for name, shift_s in by_s.items()}
    tick(1.0)
    return found


def _far(found: Found) -> bool:
    """Whether one long lag is all but certain, given that somebody wears the sensor."""
    if found.offset_s is None or abs(found.offset_s) <= NEAR_S:
        return False
    return float(found.weights[np.abs(found.lags_s - found.offset_s) <= PEAK_TOKENS * TOKEN_S].sum()) >= OK_P


def _solved(
    people: Recording,
    imus: dict[str, ImuFile],
    model: Binder,
    placement: PlacementNet | None,
    max_offset_s: float,
    tick: Tick,
    told: Mapping[str, str],
) -> dict[str, Found]:
    specs = tuple(StreamSpec(name=name, kind="imu", nominal_hz=50.0, subject=told.get(name)) for name in imus)
    engine = Engine(
        specs,
        model,
        max_offset_s,
        torch.device("cpu"),
        placement,
        memories_s=(math.inf, STRETCH_S),
        keep_tracks=True,
        block=BLOCK,
    )
    borders = _borders(people.length_s, len(imus), len(people.tracks), engine.lags)
    sums: list[Sums] = []
    for until_ns, share in _feed(engine, people, imus, max_offset_s):
        engine.advance()
        tick(share)
        if len(sums) < len(borders) and until_ns * 1e-9 >= borders[len(sums)]:
            sums.append(sums_of(engine))
    sums.append(sums_of(engine))
    messages = Answers(engine).messages(_DONE_NS)
    offsets = {m.stream: m for m in messages if isinstance(m, Offset)}
    view = engine.view(CAMERA)
    worn = {name: whose.tracks(view, index, people) for index, name in enumerate(imus)}
    bindings = _named([m for m in messages if isinstance(m, Binding)], worn, told)
    stretches = Stretches([0.0, *borders, people.length_s], sums, engine.calibration)
    return {
        name: _found(offsets[name], bindings[name], worn[name], stretches, index, people.length_s / 2)
        for index, name in enumerate(imus)
    }


def _named(
    bindings: list[Binding], worn: dict[str, tuple[int, ...]], told: Mapping[str, str]
) -> dict[str, Binding]:
    """The bindings by IMU, with the names, and the contradictions, of those who wear them under all of their
    tracks."""
    names = whose.names(worn, dict(told))
    return {b.stream: b for b in with_alarms([replace(b, wearer=names.get(b.stream, "")) for b in bindings])}


def _borders(length_s: float, imus: int, tracks: int, lags: int) -> list[float]:
    """The inner borders, in seconds, of the stretches that the drift is told from."""
    each = 4 * imus * max(1, tracks) * len(PARTS) * lags
    most = min(STRETCHES, max(1, _MEMORY_BYTES // each))
    count = max(1, min(most, int(length_s / STRETCH_S)))
    return [length_s * n / count for n in range(1, count)]


def _feed(
    engine: Engine, people: Recording, imus: dict[str, ImuFile], max_offset_s: float
) -> Iterator[tuple[int, float]]:
    """Give the engine everything that can belong together, a chunk at a time; after each: its end, and the
    share that is done. A sensor that was left on after the camera would have moved with nobody since."""
    poses = people.poses()
    stamps = {name: file.t_ns - file.start_ns for name, file in imus.items()}
    most_ns = int(people.t_ns[-1]) + round(max_offset_s * 1e9)
    end_ns = min(most_ns, max(int(people.t_ns[-1]), *(int(own[-1]) for own in stamps.values()))) + 1
    waiting = next(poses, None)
    for start_ns in range(0, end_ns, CHUNK_NS):
        until_ns = start_ns + CHUNK_NS
        for name, own in stamps.items():
            rows = slice(*np.searchsorted(own, (start_ns, min(until_ns, end_ns))).tolist())
            if rows.stop > rows.start:
                engine.take(_message(name, own[rows], imus[name], rows), _DONE_NS)
        while waiting is not None and waiting.t_ns < until_ns:
            engine.take(waiting, _DONE_NS)
            waiting = next(poses, None)
        yield until_ns, min(1.0, until_ns / end_ns)


def _message(name: str, t_ns: np.ndarray, file: ImuFile, rows: slice) -> Imu:
    return Imu(
        stream=name,
        t_ns=t_ns,
        received_ns=t_ns,
        device_ns=np.empty(0, np.int64),
        acc_m_s2=file.acc_m_s2[rows],
        gyro_rad_s=file.gyro_rad_s[rows],
        quaternion=np.empty((0, 4), np.float32),
    )


def _found(
    offset: Offset,
    binding: Binding,
    tracks: tuple[int, ...],
    stretches: Stretches,
    imu: int,
    middle_s: float,
) -> Found:
    peak = round(offset.offset_s / TOKEN_S) + len(offset.lags_s) // 2
    part = PARTS.index(binding.part) if binding.part else 0
    best, wearer = stretches.curves(imu, part, peak, tracks)
    line = drift.line(drift.points(best, stretches.middles_s, peak, TOKEN_S))
    drifted = np.round(line.led_s(stretches.middles_s) / TOKEN_S).astype(int)
    step = steps.find(steps.straightened(wearer, drifted), stretches.borders_s, peak, TOKEN_S)
    shift_s = float(line.led_s(np.array(middle_s)))
    own = line.sigma_s if math.isfinite(line.sigma_s) else 0.0
    went = None
    if binding.part_verdict is Verdict.OK:
        course = stretches.course(imu, peak + drifted, tracks)
        went = moved.find(course, stretches.borders_s, stretches.calibration)
    return Found(
        offset_s=offset.offset_s + shift_s,
        sigma_s=max(offset.sigma_s, own),
        drift_ppm=line.drift_ppm,
        verdict=Verdict.AMBIGUOUS if step and offset.verdict is Verdict.OK else offset.verdict,
        tracks=() if went and went.to_other else tracks,
        wearer=binding.wearer if binding.expected_wearer else "",
        part=binding.part,
        p_part=binding.p_part,
        part_verdict=Verdict.AMBIGUOUS if went else binding.part_verdict,
        lags_s=offset.lags_s,
        weights=offset.weights,
        alarm=binding.alarm or offset.alarm,
        step=step,
        moved=went,
    )
