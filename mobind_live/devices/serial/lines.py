"""Text lines from a sensor to named numbers: CSV, JSON, key=value. Knows no device and no unit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence

from mobind_live.devices.samples.limits import BadLine, HeaderError
from mobind_live.devices.samples.names import field_name, field_names

_MOST = 1e300  # a larger whole number is none to a float

# By what a field's value is multiplied, for the unit in the device's own name for it: (field, name).
Rescale = Callable[[str, str], float]


class CsvDecoder:
    """Numbers in the order of ``columns``, separated by commas, semicolons, tabs or spaces.

    A line that names the columns sets their order, if all that are ``needed`` are in it. With a ``tag``,
    samples are the lines whose first cell that is; lines that begin with another word are other messages.
    Raises ValueError if two ``columns`` mean the same.
    """

    def __init__(
        self, columns: tuple[str, ...], tag: str | None, needed: tuple[str, ...], rescale: Rescale
    ) -> None:
        self._fields = field_names(columns)
        self._tag, self._needed = tag, set(needed)
        self._rescale = rescale
        self._scales = self._scales_of(columns)

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
        named = zip(self._fields, cells, self._scales, strict=True)
        return {name: _number(cell) * scale for name, cell, scale in named if name}

    def _is_header(self, line: str, cells: list[str]) -> bool:
        """Whether this line names the columns; if so, they have this order from now on."""
        if "x" not in line.lower():
            return False  # no axis is named: a sample
        fields = tuple(field_name(cell) for cell in cells)
        if not self._needed <= set(fields):
            return False
        try:
            field_names(cells)
        except ValueError as error:  # of two sensors in one line, the YAML says which
            if len(cells) == len(self._fields):
                return True
            raise HeaderError(f"the header says that {error}; name those to read in `columns`") from error
        if "t" in self._fields and "t" not in fields:
            raise HeaderError(f"the header has no time column ({line:.80}); set `columns` without one")
        self._fields = fields
        self._scales = self._scales_of(cells)
        return True

    def _scales_of(self, names: Sequence[str]) -> tuple[float, ...]:
        named = zip(self._fields, names, strict=True)
        return tuple(self._rescale(field, name) if field else 1.0 for field, name in named)


def decode_key_value(line: str, rescale: Rescale) -> Mapping[str, float] | None:
    """``ax=0.1 ay=0.2``: names and numbers joined by ``=`` or ``:``, with commas or spaces between."""
    pairs = re.findall(r"([^\s,;=:]+)\s*[=:]\s*([^\s,;=:]+)", line)
    named = [(field_name(key), key, value) for key, value in pairs]
    found = {name: _number(value) * rescale(name, key) for name, key, value in named if name}
    if not found:
        raise BadLine("no name=value")
    if len(found) < sum(name is not None for name, *_ in named):
        raise BadLine("a name is there twice")
    return found


def decode_json(line: str, rescale: Rescale) -> Mapping[str, float] | None:
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
                if name in sample:
                    raise BadLine("a name is there twice")
                number = _finite(float(part) if abs(part) < _MOST else math.inf)
                sample[name] = number * rescale(name, key)
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
