"""Text lines from a sensor: bytes to lines, lines to named numbers. Knows no device and no unit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from mobind_live.units import TimeUnit

LINE_BYTES = 2048  # a line longer than this is garbage
MOTION = ("ax", "ay", "az", "gx", "gy", "gz")
QUATERNION = ("qw", "qx", "qy", "qz")

_NAME = re.compile(
    r"(?:(?P<a>a|acc|accel|accelerometer)|(?P<g>g|gyr|gyro|gyroscope))(?P<axis>[xyz])"
    r"|(?P<q>q|quat|quaternion)(?P<part>[wxyz])|(?P<t>t|time|timestamp|millis|micros)(?P<unit>s|ms|us|ns)?"
)


def _plain(name: str) -> str:
    """Letters only, without a unit in brackets."""
    return re.sub(r"\(.*?\)|[^a-z]", "", name.lower())


def field_name(name: str) -> str | None:
    """The field that a device's ``name`` means: ``AccelX`` is ax, ``t_ms`` is t; None for any other."""
    match = _NAME.fullmatch(_plain(name))
    if match is None:
        return None
    if match["t"]:
        return "t"
    return f"q{match['part']}" if match["q"] else f"{'a' if match['a'] else 'g'}{match['axis']}"


def time_unit(name: str) -> TimeUnit:
    """The unit that a time column's name says, ms where it says none."""
    plain = _plain(name)
    match = _NAME.fullmatch(plain)
    said = match["unit"] if match is not None else None
    named: dict[str | None, TimeUnit] = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}
    return named.get(said, "us" if plain == "micros" else "ms")


class BadLine(ValueError):
    """A line that is no sample; the text says why."""


class HeaderError(Exception):
    """The device's header line contradicts the YAML; the text says how."""


class Lines:
    """Framing: bytes in any portions to whole lines. What is too long for a line is one bad line."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False  # inside a line that is too long

    def feed(self, data: bytes) -> Iterator[bytes | BadLine]:
        *whole, self._rest = re.split(rb"[\r\n]+", self._rest + data)
        for line in whole:
            if self._skipping:
                self._skipping = False
            elif len(line) > LINE_BYTES:
                yield BadLine(f"longer than {LINE_BYTES} bytes")
            elif line:
                yield line
        if len(self._rest) > LINE_BYTES:
            if not self._skipping:
                yield BadLine(
                    f"longer than {LINE_BYTES} bytes without an end of line; is the baud rate right?"
                )
            self._rest, self._skipping = b"", True


class Decoder(Protocol):
    """One line to fields; None for a line that rightly holds no sample. Raises BadLine."""

    def __call__(self, line: str) -> Mapping[str, float] | None: ...


class CsvDecoder:
    """Numbers in the order of ``columns``, separated by commas, semicolons, tabs or spaces."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._fields = tuple(field_name(name) for name in columns)

    def __call__(self, line: str) -> Mapping[str, float] | None:
        line = line.strip()
        cells = [cell.strip() for cell in re.split(r"[,;\t]" if re.search(r"[,;\t]", line) else r" +", line)]
        fields = tuple(field_name(cell) for cell in cells)
        if set(MOTION) <= set(fields):
            if "t" in self._fields and "t" not in fields:
                raise HeaderError(f"the header has no time column ({line:.80}); set `columns` without one")
            self._fields = fields
            return None
        if len(cells) != len(self._fields):
            raise BadLine(f"{len(cells)} values, expected {len(self._fields)}")
        return {name: _number(cell) for name, cell in zip(self._fields, cells, strict=True) if name}


def decode_json(line: str) -> Mapping[str, float] | None:
    """An object with a number for each field, or lists: ``{"t": 1, "acc": [x, y, z], "gyro": [x, y, z]}``."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine("not JSON") from error
    if not isinstance(found, dict):
        raise BadLine("not a JSON object")
    sample: dict[str, float] = {}
    for key, value in found.items():
        parts = value if isinstance(value, list) else [value]
        axes = {3: "xyz", 4: "wxyz"}.get(len(parts), " " * len(parts)) if isinstance(value, list) else [""]
        for axis, part in zip(axes, parts, strict=True):
            name = field_name(key + axis)
            if name and isinstance(part, (int, float)) and not isinstance(part, bool):
                sample[name] = _finite(float(part)) if abs(part) < 1e18 else _finite(math.inf)
    return sample


def _number(cell: str) -> float:
    """The number in ``cell``; Python's own 1_000 and nan are none to a sensor."""
    try:
        value = float(cell.replace("_", "?"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadLine(f"{cell[:20]!r} is not a number")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise BadLine("a value is not finite")
    return value
