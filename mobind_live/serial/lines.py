"""Text lines from a sensor to named numbers: CSV, JSON, key=value. Knows no device and no unit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from mobind_live.samples.limits import BadLine
from mobind_live.samples.names import MOTION, field_name


class HeaderError(Exception):
    """The device's header line contradicts the YAML; the text says how."""


_MOST = 1e300  # a larger whole number is none to a float

# By what a time under the device's own name for it is multiplied.
TimeScale = Callable[[str], float]


def _as_it_is(_: str) -> float:
    return 1.0


class Decoder(Protocol):
    """One line to fields; None for a line that rightly holds no sample. Raises BadLine."""

    def __call__(self, line: str) -> Mapping[str, float] | None: ...


class CsvDecoder:
    """Numbers in the order of ``columns``, separated by commas, semicolons, tabs or spaces.

    A line that names the columns sets their order, if all that are ``needed`` are in it. With a ``tag``,
    samples are the lines whose first cell that is; lines that begin with another word are other messages.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        tag: str | None = None,
        needed: tuple[str, ...] = MOTION,
        time_scale: TimeScale = _as_it_is,
    ) -> None:
        self._fields = tuple(field_name(name) for name in columns)
        self._tag, self._needed = tag, set(needed)
        self._time_scale, self._scale = time_scale, 1.0

    def __call__(self, line: str) -> Mapping[str, float] | None:
        line = line.strip()
        cells = [cell.strip() for cell in re.split(r"[,;\t]" if re.search(r"[,;\t]", line) else r" +", line)]
        if self._tag is not None:
            word, *cells = cells
            if word != self._tag:
                if word[:1].isalpha() or word[:1] in "$#{":
                    return None
                raise BadLine(f"begins with neither {self._tag} nor another word")
        elif self._is_header(line, cells):
            return None
        if len(cells) != len(self._fields):
            raise BadLine(f"{len(cells)} values, expected {len(self._fields)}")
        found = {name: _number(cell) for name, cell in zip(self._fields, cells, strict=True) if name}
        return found | {"t": found["t"] * self._scale} if self._scale != 1 and "t" in found else found

    def _is_header(self, line: str, cells: list[str]) -> bool:
        """Whether this line names the columns; if so, they have this order from now on."""
        fields = tuple(field_name(cell) for cell in cells)
        if not self._needed <= set(fields):
            return False
        if "t" in self._fields and "t" not in fields:
            raise HeaderError(f"the header has no time column ({line:.80}); set `columns` without one")
        self._fields = fields
        times = [cell for cell, field in zip(cells, fields, strict=True) if field == "t"]
        self._scale = self._time_scale(times[0]) if times else 1.0
        return True


def decode_key_value(line: str, time_scale: TimeScale = _as_it_is) -> Mapping[str, float] | None:
    """``ax=0.1 ay=0.2``: names and numbers joined by ``=`` or ``:``, with commas or spaces between."""
    pairs = re.findall(r"([^\s,;=:]+)\s*[=:]\s*([^\s,;=:]+)", line)
    named = [(field_name(key), key, value) for key, value in pairs]
    found = {
        name: _number(value) * (time_scale(key) if name == "t" else 1.0) for name, key, value in named if name
    }
    if not found:
        raise BadLine("no name=value")
    if len(found) < sum(name is not None for name, *_ in named):
        raise BadLine("a name is there twice")
    return found


def decode_json(line: str, time_scale: TimeScale = _as_it_is) -> Mapping[str, float] | None:
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
                number = _finite(float(part) if abs(part) < _MOST else math.inf)
                sample[name] = number * (time_scale(key) if name == "t" else 1.0)
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
