"""Whether each stream passes ``preflight``, held against what the YAML says of it, and if not, why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from mobind_live.binding.belief.verdict import OK_P
from mobind_live.driver import StreamSpec
from mobind_live.schema import Binding, Offset, Verdict
from mobind_live.terminal import words
from mobind_live.terminal.view import MIN_RATE, RigView
from mobind_live.vocabulary import TRUNK

MAX_LOSS = 0.05
MAX_AGE_S = 1.0
JUDGED_S = 25.0  # of samples, until whatever can be wrong with their numbers has been told
_NOT_YET = ("starting", "waiting", "failed")
_UNCLEAR = "not yet clear who wears it: move it alone, one person at a time, unlike the others"
_ALIKE = "{} and {} in {} move alike: is one a mirror image? Else move one at a time, unlike the others"
_ONE_OF_TWO_P, _EACH_P = 0.9, 0.2


class State(StrEnum):
    """How a stream stands."""

    PASS = "pass"
    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What there is to say of one stream. WAIT turns into FAIL when time is up; ``open_only`` if nothing is
    wrong with it but that the motion does not tell, or not any more. ``wrong``: what surely contradicts the
    YAML; ``right``: it surely is where the YAML says."""

    stream: str
    state: State
    text: str
    open_only: bool = False
    wrong: str = ""
    right: bool = False


def judge(view: RigView, now_ns: int) -> list[Finding]:
    """A finding for each stream of the rig, in the YAML's order; a pure function of what came."""
    return [_camera(view, s, now_ns) if s.kind == "cam" else _imu(view, s, now_ns) for s in view.streams]


def _camera(view: RigView, spec: StreamSpec, now_ns: int) -> Finding:
    alive = _alive(view, spec, now_ns)
    if alive.state is not State.PASS:
        return alive
    offsets = [view.offset(*pair, now_ns) for pair in view.offsets if pair[1] == spec.name]
    worn = any(stream.kind == "imu" for stream in view.streams)  # without IMUs nothing tells of motion
    if worn and not any(offset.evidence_s > 0 for offset in offsets):
        return Finding(spec.name, State.WAIT, f"{alive.text}; no moving person in view")
    return alive


def _imu(view: RigView, spec: StreamSpec, now_ns: int) -> Finding:
    alive = _alive(view, spec, now_ns)
    if alive.state is not State.PASS:
        return alive
    if all(stream.kind == "imu" for stream in view.streams):
        known = view.stream(spec.name)  # of which little is judged in its first seconds
        judged = known is not None and known[0].received > JUDGED_S * known[0].rate_hz
        state, ask = (State.PASS, "") if judged else (State.WAIT, "; have its wearer move")
        return Finding(spec.name, state, f"{alive.text}; {words.NO_CAMERA}{ask}")
    binding = view.binding(spec.name, now_ns)
    if binding is None or binding.wearer_verdict is Verdict.STALE:
        return Finding(
            spec.name, State.WAIT, f"{alive.text}; no answer about it {'now' if binding else 'yet'}"
        )
    place = _place(binding)
    offsets = [view.offset(*pair, now_ns) for pair in view.offsets if pair[0] == spec.name]
    time = _time(offsets)
    states = (place.state, time.state)
    worst = State.FAIL if State.FAIL in states else State.WAIT if State.WAIT in states else State.PASS
    text = f"{place.text}; {time.text}; {alive.text}"
    against = any(offset.alarm for offset in offsets) or _elsewhere(binding)
    return Finding(
        spec.name,
        worst,
        text,
        open_only=worst is State.WAIT and not against,
        wrong=place.text if binding.alarm and binding.wearer_verdict is Verdict.OK else "",
        right=place.state is State.PASS,
    )


def _alive(view: RigView, spec: StreamSpec, now_ns: int) -> Finding:
    """Whether data come, fast enough and whole."""
    known = view.stream(spec.name)
    if known is None or known[0].received == 0:
        device = view.device(spec.name)
        if device is not None and device.message.state in _NOT_YET and device.message.detail:
            return Finding(spec.name, State.WAIT, words.clean(device.message.detail))
        ask = "is it switched on, charged and near?" if spec.kind == "imu" else "is it plugged in?"
        return Finding(spec.name, State.WAIT, view.doubt(spec.name) or f"nothing arrives: {ask}")
    health, at_ns = known
    age_s = words.age_s(health, at_ns, now_ns)
    if age_s is not None and age_s > MAX_AGE_S:
        return Finding(spec.name, State.WAIT, f"silent for {words.age(age_s)}")
    if doubt := view.doubt(spec.name):
        return Finding(spec.name, State.WAIT, doubt)
    rate = f"{health.rate_hz:.1f} Hz"
    if health.rate_hz < MIN_RATE * health.nominal_hz:
        return Finding(spec.name, State.WAIT, f"slow: {rate} of {health.nominal_hz:g}")
    loss = f"{100 * view.lost(spec.name):.1f} % lost"
    if view.lost(spec.name) > MAX_LOSS:
        return Finding(spec.name, State.WAIT, f"{loss}: bring it nearer to its receiver")
    return Finding(spec.name, State.PASS, f"{rate}, {loss}")


def _place(binding: Binding) -> Finding:
    """Whether somebody wears it, and where the YAML says."""
    found, wanted = words.plain(binding.part), words.plain(binding.expected_part)
    if binding.alarm:
        return Finding(binding.stream, State.FAIL, words.clean(words.plain(binding.alarm)))
    if binding.wearer_verdict is Verdict.UNBOUND:
        return Finding(binding.stream, State.FAIL, "on nobody in view")
    if Verdict.NO_MOTION in (binding.wearer_verdict, binding.part_verdict):
        return Finding(binding.stream, State.WAIT, "has not moved enough: have its wearer move")
    if binding.wearer_verdict is not Verdict.OK:
        return Finding(binding.stream, State.WAIT, _unclear(binding))
    if binding.part_verdict is Verdict.OK:
        as_said = ", as configured" if wanted else ""
        return Finding(binding.stream, State.PASS, f"on the {found} of {binding.wearer}{as_said}")
    guess = f"perhaps on the {found} ({100 * binding.p_part:.0f} %)"
    if not wanted:
        return Finding(binding.stream, State.PASS, f"of {binding.wearer}, {guess}")
    if binding.expected_part in TRUNK and _on_trunk_p(binding) >= OK_P:  # hardly ever sure of which
        where = f"on head, chest or pelvis of {binding.wearer}, as it should be; {guess}"
        return Finding(binding.stream, State.PASS, where)
    return Finding(binding.stream, State.WAIT, f"{guess}: move the {wanted} alone")


def _unclear(binding: Binding) -> str:
    """What to do about a wearer who is not known; between whom, if it is one of two in one picture."""
    p: defaultdict[tuple[str, int], float] = defaultdict(float)
    for candidate in binding.candidates:
        p[candidate.camera, candidate.track] += candidate.p
    for camera in dict.fromkeys(camera for camera, _ in p):
        seats = sorted((seat for seat in p if seat[0] == camera), key=lambda seat: -p[seat])[:2]
        if len(seats) == 2 and p[seats[1]] >= _EACH_P and p[seats[0]] + p[seats[1]] >= _ONE_OF_TWO_P:
            return _ALIKE.format(*sorted(track for _, track in seats), camera)
    return _UNCLEAR


def _elsewhere(binding: Binding) -> bool:
    """Whether it is rather on another part than the YAML says; those of the trunk are hardly told apart."""
    places = {binding.part, binding.expected_part}
    return "" not in places and len(places) > 1 and not places <= set(TRUNK)


def _on_trunk_p(binding: Binding) -> float:
    """How probable any part of the wearer's trunk is, in the camera that finds it least so."""
    return min(
        (
            sum(c.p for c in binding.candidates if (c.camera, c.track) == seat and c.part in TRUNK)
            for seat in binding.tracks.items()
        ),
        default=0.0,
    )


def _time(offsets: list[Offset]) -> Finding:
    """Whether its clock is known against one camera at least."""
    sure = [offset for offset in offsets if offset.verdict is Verdict.OK]
    if sure:
        text = ", ".join(f"{words.offset(offset)} s to {offset.camera}" for offset in sure)
        return Finding("", State.PASS, f"offset {text}")
    if told := [offset for offset in offsets if offset.alarm]:
        text = ", ".join(f"offset to {offset.camera} {words.clean(offset.alarm)}" for offset in told)
        return Finding("", State.WAIT, text)
    return Finding("", State.WAIT, "offset not known yet: move in view of a camera")
