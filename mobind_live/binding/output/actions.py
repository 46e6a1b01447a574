"""Action labels: what each wearer does, from their pose in every camera and the IMUs bound to them.

The IMUs' windows are moved by the offsets found, so that pose and IMUs speak of the same moment. An IMU that
is on nobody in view speaks for itself, if it is known where it sits. Labels learned by example take part in
the same posterior.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from mobind_live.binding.engine import Engine, silent
from mobind_live.binding.evidence.timeline import STEP_S
from mobind_live.binding.output.example_windows import ENOUGH, felt
from mobind_live.models.actions import MODES, STILL, UNKNOWN, WINDOW, ActionNet, decide
from mobind_live.models.examples import MODALITIES, Known, direction, with_known
from mobind_live.models.rolling import Recent
from mobind_live.schema import Action, Binding, Offset, Verdict
from mobind_live.vocabulary import PARTS

SMOOTH_S = 1.0
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Worn:
    """An IMU of a subject: its name, its part's index, and its offset to the subject's stamps."""

    imu: str
    part: int
    offset_s: float = 0.0


@dataclass(slots=True)
class Subject:
    """Whom an answer is about: a wearer with tracks (camera, track) and IMUs, or one IMU alone. Its stamps
    are those of one camera; ``ahead_s`` is by how much those of each camera are ahead of them."""

    name: str
    tracks: set[tuple[str, int]] = field(default_factory=set)
    worn: list[Worn] = field(default_factory=list)
    ahead_s: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Memory:
    """A subject's smoothed probabilities, and the step they were last moved at."""

    probabilities: np.ndarray
    at_step: int


@dataclass(frozen=True, slots=True)
class _Windows:
    """One subject's inputs: people (R, WINDOW, 75), sensors (S, WINDOW, 15) on ``parts``, with the steps that
    count, and the step at which they end."""

    pose: list[tuple[np.ndarray, np.ndarray]]
    imu: list[tuple[np.ndarray, np.ndarray]]
    parts: list[int]
    end: int
    alive: bool  # some stream of the subject still comes

    @property
    def mode(self) -> str:
        """Which of MODES there is; empty if there is nothing."""
        return ("both" if self.imu else "pose") if self.pose else ("imu" if self.imu else "")


class Actions:
    """Turns the engine's recent features into Action messages."""

    def __init__(self, engine: Engine, net: ActionNet, known: Known | None = None) -> None:
        self.engine = engine
        self.net = net.eval().to(engine.rolling.device)
        self.known = known or Known()
        self.labels = (*net.sizes.labels, *self.known.labels)
        self._memory: dict[str, _Memory] = {}

    def messages(self, bindings: list[Binding], offsets: list[Offset], now_ns: int) -> list[Action]:
        """One answer for each wearer, and for each IMU on nobody in view whose part is known."""
        parts = self.engine.beliefs.sure_parts
        for binding in bindings:
            if binding.part_verdict is Verdict.OK:
                parts[binding.stream] = PARTS.index(binding.part)
        found = subjects(bindings, offsets, parts)
        windows = {subject.name: self._windows(subject, now_ns) for subject in found}
        given = self._probabilities({name: w for name, w in windows.items() if w.mode})
        self._memory = {name: memory for name, memory in self._memory.items() if name in given}
        # Who has only just come is not spoken of before there is a window to look at.
        named = [s.name for s in found if s.name in given or not windows[s.name].alive]
        return [self._message(name, windows[name], given.get(name), now_ns) for name in named]

    def _windows(self, subject: Subject, now_ns: int) -> _Windows:
        """The subject's windows, all ending at the newest moment that every live stream has reached."""
        engine = self.engine
        rolling = engine.rolling
        people = [
            (row, row.timeline.next - round(subject.ahead_s.get(camera, 0.0) / STEP_S))
            for camera, track in sorted(subject.tracks)
            if (row := engine.tracks.get((camera, track))) is not None
            and row.timeline.started
            and not silent(engine.camera_arrived_ns.get(camera, 0), now_ns)
        ]
        sensors = [
            (worn, row, row.timeline.next - round(worn.offset_s / STEP_S))
            for worn in subject.worn
            if (row := engine.imus[worn.imu]).timeline.started and not silent(row.arrived_ns, now_ns)
        ]
        # Each with its newest step, on the subject's stamps.
        end = min((newest for *_, newest in [*people, *sensors]), default=0)
        pose = [window(rolling.recent_people, row.slot, newest - end) for row, newest in people]
        imu = [window(rolling.recent_imus, row.slot, newest - end) for _, row, newest in sensors]
        kept = [n for n, values in enumerate(imu) if felt(*values).sum() >= ENOUGH]
        return _Windows(
            pose=[(values, counts) for values, counts in pose if counts.sum() >= ENOUGH],
            imu=[imu[n] for n in kept],
            parts=[sensors[n][0].part for n in kept],
            end=end,
            alive=bool(people or sensors),
        )

    @torch.inference_mode()
    def _probabilities(self, windows: dict[str, _Windows]) -> dict[str, np.ndarray]:
        """Each subject's calibrated probabilities now: one forward for all people, one for all sensors."""
        logits: dict[str, torch.Tensor] = {}
        seen = {name: _nothing(self.net.sizes.hidden) for name in windows}
        people = [(name, *pair) for name, w in windows.items() for pair in w.pose]
        if people:
            hidden = self.net.pose(self._real([x for _, x, _ in people]), self._real([c for *_, c in people]))
            daily = self.net.pose_logits(hidden).daily
            for name in {name for name, *_ in people}:
                rows = [n for n, (other, *_) in enumerate(people) if other == name]
                logits[name] = daily[rows].mean(dim=0)
                seen[name][0] = direction(hidden[rows].mean(dim=0).cpu().numpy())
        wearing = {name: w for name, w in windows.items() if w.imu}
        if wearing:
            each, daily = self._from_imus(list(wearing.values()))
            for n, (name, w) in enumerate(wearing.items()):
                logits[name] = logits[name] + daily[n] if name in logits else daily[n]
                for part in set(w.parts):
                    rows = [k for k, other in enumerate(w.parts) if other == part]
                    seen[name][MODALITIES.index(PARTS[part])] = direction(each[n, rows].mean(axis=0))
        return {
            name: with_known(
                self.net.probabilities(value, windows[name].mode).cpu().numpy(),
                self.known.probabilities(seen[name]),
            )
            for name, value in logits.items()
        }

    def _from_imus(self, wearing: list[_Windows]) -> tuple[np.ndarray, torch.Tensor]:
        """What is seen in each sensor (R, S, hidden), and the daily logits (R, labels)."""
        most = max(len(w.imu) for w in wearing)
        channels = wearing[0].imu[0][0].shape[1]
        x = np.zeros((len(wearing), most, WINDOW, channels), np.float32)
        part = np.zeros((len(wearing), most), np.int64)
        worn = np.zeros((len(wearing), most), bool)
        counts = np.zeros((len(wearing), WINDOW), np.float32)
        for n, w in enumerate(wearing):
            for k, (values, steps) in enumerate(w.imu):
                x[n, k], part[n, k], worn[n, k] = values, w.parts[k], True
                counts[n] = np.maximum(counts[n], steps)
        device = self.engine.rolling.device
        there = torch.as_tensor(worn, device=device)
        where = torch.as_tensor(part, device=device)
        each = self.net.imu_hidden(self._real(x), where, there, self._real(counts))
        return each.cpu().numpy(), self.net.imu_logits(each, there).daily

    def _real(self, values: list[np.ndarray] | np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=self.engine.rolling.device)

    def _message(self, name: str, w: _Windows, given: np.ndarray | None, now_ns: int) -> Action:
        labels = self.labels
        if given is None:
            return self._say(name, now_ns, UNKNOWN, 0.0, Verdict.STALE, ())
        smooth = self._smoothed(name, given, w.end)
        mode = MODES.index(w.mode)
        decision = decide(smooth, labels, float(self.net.threshold[mode]))
        best = tuple((labels[n], float(smooth[n])) for n in np.argsort(-smooth)[:_SHOWN])
        return self._say(name, now_ns, decision.label, decision.p, verdict(decision.label), best)

    def _smoothed(self, name: str, given: np.ndarray, at_step: int) -> np.ndarray:
        memory = self._memory.get(name)
        if memory is None:
            self._memory[name] = _Memory(given, at_step)
            return given
        passed_s = max(0, at_step - memory.at_step) * STEP_S
        memory.probabilities = memory.probabilities + (1 - math.exp(-passed_s / SMOOTH_S)) * (
            given - memory.probabilities
        )
        memory.at_step = at_step  # it falls back where another camera, that is behind, sets the time
        return memory.probabilities

    def _say(
        self,
        name: str,
        now_ns: int,
        label: str,
        p: float,
        worth: Verdict,
        shown: tuple[tuple[str, float], ...],
    ) -> Action:
        return Action(
            stream=name,
            t_ns=now_ns,
            label=label,
            p=p,
            verdict=worth,
            labels=tuple(name for name, _ in shown),
            probabilities=tuple(p for _, p in shown),
            simulated=self.engine.simulated,
        )


def _nothing(hidden: int) -> np.ndarray:
    return np.full((len(MODALITIES), hidden), np.nan, np.float32)


def verdict(label: str) -> Verdict:
    """What a label is worth: rest is no motion, and an unknown action is ambiguous."""
    if label == STILL:
        return Verdict.NO_MOTION
    return Verdict.AMBIGUOUS if label == UNKNOWN else Verdict.OK


def subjects(bindings: list[Binding], offsets: Iterable[Offset], parts: dict[str, int]) -> list[Subject]:
    """Who can be spoken of: each wearer with the IMUs whose part and offset are sure, and each IMU on nobody
    in view whose part was ever sure (``parts``) or is expected."""
    offset_of: dict[tuple[str, str], float] = {
        (o.stream, o.camera): o.offset_s for o in offsets if o.verdict is Verdict.OK
    }
    found: dict[str, Subject] = {}
    known: dict[str, list[tuple[str, int, dict[str, float]]]] = {}  # a wearer's sensors: parts, offsets
    for b in bindings:
        sure = b.wearer_verdict in (Verdict.OK, Verdict.NO_MOTION) and b.wearer != ""
        part = parts.get(b.stream, PARTS.index(b.expected_part) if b.expected_part in PARTS else None)
        if not sure:
            alone = not b.candidates or b.wearer_verdict in (Verdict.UNBOUND, Verdict.STALE)
            if alone and part is not None:
                found[b.stream] = Subject(b.stream, worn=[Worn(b.stream, part)])
            continue
        subject = found.setdefault(b.wearer, Subject(b.wearer))
        subject.tracks |= set(b.tracks.items())
        own = {camera: by for (imu, camera), by in offset_of.items() if imu == b.stream}
        if part is not None and own:
            known.setdefault(b.wearer, []).append((b.stream, part, own))
    for name, sensors in known.items():
        subject = found[name]
        subject.ahead_s = _ahead_s([own for *_, own in sensors])
        for imu, part, own in sensors:
            offset_s = np.mean([own[camera] + subject.ahead_s[camera] for camera in own])
            subject.worn.append(Worn(imu, part, float(offset_s)))
    return list(found.values())


def _ahead_s(offsets_s: list[dict[str, float]]) -> dict[str, float]:
    """By how much each camera's stamps are ahead of those of one of them, by the offsets of IMUs to cameras.
    A camera that shares no IMU with that one is taken to be in time with it."""
    cameras = [camera for own in offsets_s for camera in own]
    first = max(sorted(set(cameras)), key=cameras.count)
    apart = {
        camera: [own[first] - own[camera] for own in offsets_s if first in own and camera in own]
        for camera in cameras
    }
    return {camera: float(np.mean(by)) if by else 0.0 for camera, by in apart.items()}


def window(recent: Recent, slot: int, back: int) -> tuple[np.ndarray, np.ndarray]:
    """The WINDOW steps of a row that end ``back`` steps before its newest, (WINDOW, channels), and (WINDOW,)
    1 where there are any."""
    stop = recent.steps - max(0, back)
    start = stop - WINDOW
    if stop <= 0 or start < 0:
        return np.zeros((WINDOW, recent.values.shape[2]), np.float32), np.zeros(WINDOW, np.float32)
    counts = np.arange(start, stop) >= recent.steps - int(recent.seen[slot])
    return recent.values[slot, start:stop], counts.astype(np.float32)
