"""What devices call their values: the fields that a name means, and the unit in a time's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from mobind_live.devices.samples.units import BRACKETS, TimeUnit, split_unit

MOTION = ("ax", "ay", "az", "gx", "gy", "gz")
QUATERNION = ("qw", "qx", "qy", "qz")
ANGLES = ("yaw", "pitch", "roll")

_NAME = re.compile(
    r"(?:(?P<a>a|acc|accel|accelerometer)|(?P<g>g|gyr|gyro|gyroscope))(?P<axis>[xyz])"
    r"|(?P<q>q|quat|quaternion)(?P<part>[wxyz])|(?P<t>t|time|timestamp|millis|micros)(?P<unit>s|ms|us|ns)?"
    r"|(?P<angle>yaw|pitch|roll)"
)


def _plain(name: str) -> str:
    """Letters only, without a unit."""
    return re.sub(r"[^a-z]", "", split_unit(name)[0].lower())


@lru_cache  # the same few names come with each sample
def field_name(name: str) -> str | None:
    """The field that a device's ``name`` means: ``AccelX`` is ax, ``t_ms`` is t; None for any other."""
    match = _NAME.fullmatch(_plain(name))
    if match is None:
        return None
    if match["t"] or match["angle"]:
        return "t" if match["t"] else match["angle"]
    return f"q{match['part']}" if match["q"] else f"{'a' if match['a'] else 'g'}{match['axis']}"


def field_names(names: Sequence[str]) -> tuple[str | None, ...]:
    """The field that each of a sample's ``names`` means. Raises ValueError where two mean the same."""
    fields = tuple(map(field_name, names))
    for field in filter(None, fields):
        if fields.count(field) > 1:
            several = ", ".join(name for name, other in zip(names, fields, strict=True) if other == field)
            raise ValueError(f"several columns are {field}: {several}")
    return fields


@lru_cache
def said_unit(name: str) -> TimeUnit | None:
    """The unit that a time's name says, as ``t_us``, ``time (s)`` and ``millis`` do."""
    plain = _plain(name)
    match = _NAME.fullmatch(plain)
    bracket = BRACKETS.search(name.lower())
    said = bracket[1].strip() if bracket else match["unit"] if match is not None else None
    named: dict[str | None, TimeUnit] = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}
    return named.get(said) or {"micros": "us", "millis": "ms"}.get(plain)  # type: ignore[return-value]


def time_unit(name: str) -> TimeUnit:
    """The unit that a time's name says, ms where it says none."""
    return said_unit(name) or "ms"
