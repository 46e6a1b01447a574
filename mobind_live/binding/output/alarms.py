"""A sentence where what was found contradicts what the YAML says of an IMU: where it sits, and on whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mobind_live.schema import Binding, Verdict


def with_alarms(bindings: list[Binding]) -> list[Binding]:
    """The bindings with a sentence where what was found contradicts what the YAML expects."""
    worn = Counter((b.wearer, b.expected_wearer) for b in bindings if b.wearer and b.expected_wearer)
    names = {expected for _, expected in worn}
    found = {wearer for wearer, _ in worn} & names
    # Whose body it is, is clear where more sensors of its own are on it than of anybody else's.
    clear = {name for name in found if all(worn[name, name] > worn[name, other] for other in names - {name})}
    parts = {b.stream: b.part for b in bindings if b.part_verdict is Verdict.OK}
    expected = {b.stream: b.expected_part for b in bindings}
    return [
        replace(b, alarm=_on_nobody(b) or _on_another(b, found, clear) or _misplaced(b, parts, expected))
        for b in bindings
    ]


def _on_nobody(given: Binding) -> str:
    awaited = given.expected_part or given.expected_wearer
    return (
        f"{given.stream} is on nobody in view" if awaited and given.wearer_verdict is Verdict.UNBOUND else ""
    )


def _on_another(given: Binding, found: set[str], clear: set[str]) -> str:
    """Said where it is clear whose body it is on, or that its own subject is elsewhere."""
    own = given.expected_wearer
    if not own or given.wearer == own or given.wearer not in (found if own in clear else clear):
        return ""
    return f"{given.stream} is on {given.wearer}, not on {own}"


def _misplaced(given: Binding, found: dict[str, str], expected: dict[str, str]) -> str:
    imu, want = given.stream, given.expected_part
    here = found.get(imu, want)
    if not want or here == want:
        return ""
    for other, its in found.items():
        if other != imu and its == want and expected[other] == here:
            return f"{imu} and {other} are swapped: {imu} sits on {here}, {other} on {want}"
    return f"{imu} sits on {here}, not on {want}"
