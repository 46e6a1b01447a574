"""A sentence where what was found contradicts what the YAML says of an IMU: where it sits, and on whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mobind_live.schema import Binding, Verdict


def with_alarms(bindings: list[Binding]) -> list[Binding]:
    """The bindings with a sentence where what was found contradicts what the YAML expects."""
    found = {b.stream: b.part for b in bindings if b.part_verdict is Verdict.OK}
    expected = {b.stream: b.expected_part for b in bindings}
    return [replace(b, alarm=_alarm(b, found, expected, _not_theirs(b, bindings))) for b in bindings]


def _not_theirs(binding_: Binding, bindings: list[Binding]) -> set[str]:
    """The subjects that an IMU may be said to be on though it is another's: those who wear more of their own
    sensors than of anybody else's, or, while the other is such a one, anybody."""
    own = binding_.expected_wearer
    if not own:
        return set()
    worn = Counter((b.wearer, b.expected_wearer) for b in bindings if b.wearer and b.expected_wearer)
    names = {expected for _, expected in worn}
    found = {wearer for wearer, _ in worn} & names
    clear = {name for name in found if all(worn[name, name] > worn[name, other] for other in names - {name})}
    return (found if own in clear else clear) - {own}


def _alarm(binding_: Binding, found: dict[str, str], expected: dict[str, str], others: set[str]) -> str:
    imu, want = binding_.stream, binding_.expected_part
    if not want and not binding_.expected_wearer:
        return ""
    if binding_.wearer_verdict is Verdict.UNBOUND:
        return f"{imu} is on nobody in view"
    if binding_.wearer in others:
        return f"{imu} is on {binding_.wearer}, not on {binding_.expected_wearer}"
    if not want:
        return ""
    here = found.get(imu, want)
    if here == want:
        return ""
    for other, its in found.items():
        if other != imu and its == want and expected[other] == here:
            return f"{imu} and {other} are swapped: {imu} sits on {here}, {other} on {want}"
    return f"{imu} sits on {here}, not on {want}"
