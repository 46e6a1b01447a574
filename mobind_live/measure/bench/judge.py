"""One moment's answers held against the truth: what each IMU is said to be, and whether that is right."""

from __future__ import annotations

from dataclasses import dataclass

from mobind_live.measure.bench.play import EPOCH_NS, Moment
from mobind_live.measure.bench.scenes import Case
from mobind_live.models.actions import DAILY
from mobind_live.schema import Action, Binding, Offset, Truth, Verdict

TOLERANCE_S = 0.05
STEADY_S = 5.0  # an action is asked for when it has gone on for so long


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: its probability, its verdict, and whether it is right."""

    p: float
    verdict: Verdict
    right: bool

    @property
    def ok(self) -> bool:
        return self.verdict is Verdict.OK

    @property
    def wrong(self) -> bool:
        """Called ok, and not so."""
        return self.ok and not self.right


@dataclass(frozen=True, slots=True)
class SaidOffset(Said):
    """An offset, with its error and its standard deviation in seconds, and the error of its drift."""

    error_s: float
    sigma_s: float
    drift_error_ppm: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """All that was said of one IMU at one moment. ``worn``: the part it is on. ``seen``: its wearer is in
    some picture. ``likely_wearer`` is about the most probable wearer, sure or not."""

    imu: str
    worn: str
    moving: bool
    seen: bool
    offsets: list[SaidOffset]
    wearer: Said
    likely_wearer: Said
    part: Said
    wearer_name: str

    @property
    def right(self) -> dict[str, bool]:
        """Whether offset (to some camera, and wrong to none), wearer, part, and all three, are called ok and
        right."""
        found = {
            "offset": any(o.ok for o in self.offsets) and not any(o.wrong for o in self.offsets),
            "wearer": self.wearer.ok and self.wearer.right,
            "part": self.part.ok and self.part.right,
        }
        return found | {"all": all(found.values())}


class Judge:
    """Knows the case, and which track was last whose, because an answer may name one that has just gone."""

    def __init__(self, case: Case) -> None:
        self._drift = {imu.name: imu.clock_drift_ppm if case.stamped else 0.0 for imu in case.config.imus}
        self._people: dict[tuple[str, int], str] = {}
        self._doing: dict[str, tuple[str, float]] = {}

    def judge(self, moment: Moment) -> list[Judged]:
        """What was said of each IMU."""
        truth = moment.truth
        for camera, people in truth.tracks.items():
            self._people |= {(camera, int(track)): who for track, who in people.items()}
        offsets = [m for m in moment.answers if isinstance(m, Offset)]
        bindings = {m.stream: m for m in moment.answers if isinstance(m, Binding)}
        return [
            Judged(
                imu=worn.imu,
                worn=worn.part,
                moving=worn.imu in moment.moving,
                seen=any(worn.person in people.values() for people in truth.tracks.values()),
                offsets=[self._offset(o, truth, worn.delay_s) for o in offsets if o.stream == worn.imu],
                wearer=self._wearer(bindings[worn.imu], worn.person),
                likely_wearer=self._likely(bindings[worn.imu], worn.person),
                part=_part(bindings[worn.imu], worn.part),
                wearer_name=bindings[worn.imu].wearer,
            )
            for worn in truth.worn
        ]

    def _offset(self, said: Offset, truth: Truth, delay_s: float) -> SaidOffset:
        drift = self._drift[said.stream]
        passed_s = (said.reference_ns - EPOCH_NS) * 1e-9
        true_s = delay_s - truth.delays_s[said.camera] + drift * 1e-6 * passed_s
        error_s = said.offset_s - true_s
        return SaidOffset(
            p=said.p,
            verdict=said.verdict,
            right=abs(error_s) <= max(TOLERANCE_S, 3 * said.sigma_s),
            error_s=error_s,
            sigma_s=said.sigma_s,
            drift_error_ppm=said.rate_ppm - drift if said.rate_ppm else None,
        )

    def _wearer(self, said: Binding, person: str) -> Said:
        """Right if every track that is named is the wearer's; an answer without tracks is not."""
        named = [self._people.get(seat, "") for seat in said.tracks.items()]
        right = bool(named) and all(who == person for who in named)
        return Said(said.p_wearer, said.wearer_verdict, right)

    def _likely(self, said: Binding, person: str) -> Said:
        best = said.candidates[0] if said.candidates else None
        right = best is not None and self._people.get((best.camera, best.track), "") == person
        return Said(said.p_wearer, said.wearer_verdict, right)

    def actions(self, moment: Moment, judged: list[Judged]) -> list[Said]:
        """What was said of wearers who have been doing one thing for a while, where it has a label."""
        truth = moment.truth
        for person, action in truth.actions.items():
            if self._doing.get(person, ("", 0.0))[0] != action:
                self._doing[person] = (action, moment.t_s)
        person_of = {worn.imu: worn.person for worn in truth.worn}
        subjects = {j.wearer_name or j.imu: person_of[j.imu] for j in judged}
        found = []
        for said in moment.answers:
            if not isinstance(said, Action) or not subjects.get(said.stream):
                continue
            action, since_s = self._doing[subjects[said.stream]]
            if action in DAILY and moment.t_s - since_s >= STEADY_S:
                found.append(Said(said.p, said.verdict, said.label == action))
        return found


def _part(said: Binding, part: str) -> Said:
    return Said(said.p_part, said.part_verdict, said.part == part)
