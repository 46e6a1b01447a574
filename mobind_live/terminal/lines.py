"""The same as the table, as lines of text: ``lines(view, now_ns)``, a pure function of what was received."""

from __future__ import annotations

from mobind_live.driver import StreamSpec
from mobind_live.schema import Binding
from mobind_live.terminal import words
from mobind_live.terminal.view import RigView


def lines(view: RigView, now_ns: int) -> list[str]:
    """What the table shows, as aligned lines of text."""
    found = [words.SIMULATED] if view.simulated else []
    found += [_stream_line(view, spec, now_ns) for spec in view.streams]
    found += [_offset_line(view, imu, camera, now_ns) for imu, camera in sorted(view.offsets)]
    bindings = [(imu, view.binding(imu, now_ns)) for imu in sorted(view.bindings)]
    found += [_binding_line(view, imu, item, now_ns) for imu, item in bindings if item]
    for name, seen in sorted(view.processes.items()):
        told = words.process(seen.message)
        memory = seen.message.counters.get("rss_mb", 0.0)
        found.append(
            f"process {name:<14} {seen.message.state:<8} restarts {view.restarts(name):<3} "
            f"cpu {view.cpu.get(name, 0.0):3.0f} %  memory {memory:5.0f} MB  {told}".rstrip()
        )
    return found


def _stream_line(view: RigView, spec: StreamSpec, now_ns: int) -> str:
    known = view.stream(spec.name)
    head = f"stream  {spec.name:<14} {spec.kind:<4}"
    if known is None:
        return f"{head} nothing yet (expected {spec.nominal_hz:g} Hz)"
    health, at_ns = known
    offset, drift, residual, _ = words.clock(spec, health)
    return (
        f"{head} {health.rate_hz:6.1f} of {health.nominal_hz:g} Hz  "
        f"age {words.age(words.age_s(health, at_ns, now_ns))}  loss {words.loss(health)}  "
        f"gaps {view.gaps(spec)}  shed {view.shed(spec)}  "
        f"clock {' '.join(item for item in (offset, drift, residual) if item)}" + _alarm(health.doubt)
    )


def _offset_line(view: RigView, imu: str, camera: str, now_ns: int) -> str:
    message = view.offset(imu, camera, now_ns)
    true_s = view.true_offset_s(imu, camera)
    truth = "" if true_s is None else f"  (truth {true_s:+.3f})"
    text = f"offset  {imu:<14} {camera:<10} {words.offset(message)} s  {words.verdict(message)}{truth}"
    return text + _alarm(message.alarm)


def _binding_line(view: RigView, imu: str, message: Binding, now_ns: int) -> str:
    worn = view.worn(imu)
    action = view.action(imu, now_ns)
    text = (
        f"wearer  {imu:<14} {message.wearer or '-'} {100 * message.p_wearer:.0f} % {message.wearer_verdict}  "
        f"part {message.part or '-'} {100 * message.p_part:.0f} % {message.part_verdict}"
    )
    if action is not None:
        text += f"  action {action.label} {100 * action.p:.0f} % {action.verdict}"
    if worn is not None:
        text += f"  (truth {worn.person} {worn.part})"
    return text + _alarm(message.alarm)


def _alarm(said: str) -> str:
    return f"  ALARM {words.clean(said)}" if said else ""
