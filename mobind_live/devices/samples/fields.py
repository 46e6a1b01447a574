"""Binary records: a struct format with a name for each of its values, to named numbers. Knows no device.

Names are those of a text line's columns (``t_ms``, ``ax`` .. ``gz``, ``qw`` .. ``qz``), and ``seq`` for a
counter of packets. Values with any other name are passed over.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.names import field_name

# What one factor may be given for, and the letter its fields begin with.
GROUPS = {"acc": "a", "gyro": "g", "quat": "q", "t": "t"}


def record_name(name: str) -> str | None:
    """The field that ``name`` means: as in a text line, or ``seq``; None for one to pass over."""
    return "seq" if name.lower() in ("seq", "counter") else field_name(name)


class Record:
    """One record of fixed size. ``names`` are the fields it has, as ``record_name`` gives them; ``spans``
    says of those that are unsigned integers how far they count before they begin again, scaled."""

    def __init__(self, format: str, names: Sequence[str], scale: Mapping[str, float] | None = None) -> None:
        """``format`` is Python's ``struct`` (``<`` little endian, which is the default, ``>`` big endian).

        ``scale`` has a factor for a group (``acc``, ``gyro``, ``quat``, ``t``) or a single field (``ax``).
        Raises ValueError, naming what does not fit.
        """
        if format[:1] in ("@", "=", "!"):
            raise ValueError(f"{format!r}: begin with < (little endian) or > (big endian)")
        try:
            self._struct = struct.Struct(format if format[:1] in ("<", ">") else f"<{format}")
        except struct.error as error:
            raise ValueError(f"{format!r} is no struct format: {error}") from error
        values = self._struct.unpack(bytes(self._struct.size))
        if len(values) != len(names):
            raise ValueError(f"{format!r} has {len(values)} values, but {len(names)} are named")
        fields = [record_name(name) for name in names]
        self.names = frozenset(field for field in fields if field)
        if len(self.names) != sum(field is not None for field in fields):
            raise ValueError(f"a field is named twice in {', '.join(names)}")
        for name, value in zip(names, values, strict=True):
            if record_name(name) and isinstance(value, bytes):
                raise ValueError(f"{name}: a number is needed, {format!r} gives bytes")
        self._fields = [(i, field, factor(field, scale or {})) for i, field in enumerate(fields) if field]
        most = self._struct.unpack(b"\xff" * self._struct.size)
        self.spans = {
            field: (most[i] + 1) * by for i, field, by in self._fields if type(most[i]) is int and most[i] > 0
        }

    @property
    def size(self) -> int:
        """Bytes."""
        return self._struct.size

    def read(self, data: bytes, offset: int = 0) -> dict[str, float]:
        """The fields of the record at ``offset``, scaled. Raises BadLine if it is cut off or not finite."""
        try:
            values = self._struct.unpack_from(data, offset)
        except struct.error as error:
            raise BadLine(f"{len(data) - offset} bytes, a record has {self.size}") from error
        found = {field: values[i] if by == 1 else values[i] * by for i, field, by in self._fields}
        if not all(map(math.isfinite, found.values())):
            raise BadLine("a value is not finite")
        return found


def check_scale(scale: Mapping[str, float]) -> None:
    """Raises ValueError for a factor that is for nothing there is, or that is 0 or not finite."""
    for name, by in scale.items():
        if name not in GROUPS and record_name(name) is None:
            raise ValueError(f"{name!r} is none of {', '.join(GROUPS)} and no field such as ax")
        if not math.isfinite(by) or by == 0:
            raise ValueError(f"{name}: a factor of {by} leaves nothing")


def factor(field: str, scale: Mapping[str, float]) -> float:
    """What ``scale`` says for ``field``, or for its group; else 1."""
    group = next((group for group, letter in GROUPS.items() if field.startswith(letter)), "")
    return scale.get(field, scale.get(group, 1))
