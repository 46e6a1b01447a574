"""Which rows of an IMU's table can be used, and their stamps."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.units import TIME_NS
from mobind_live.recordings.files import columns, stamps
from mobind_live.recordings.files.columns import Column
from mobind_live.recordings.files.csv_table import Table
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints
from mobind_live.recordings.files.stamps import Stamps

ANOTHER = columns.SAY.format("time=...")
ADVICE = f"{ANOTHER}, or its unit with --units time=..."
_SAME_ZERO_S = 60.0  # two times that begin so close to each other count from the same moment
_USUAL = 95  # percent; a corrupted stamp is no second clock


def stamped(table: Table, hints: Hints, *meanings: Column) -> Stamps:
    """The rows that have all their numbers in ``meanings``, and their stamps. Raises FileError."""
    time, *others = stamps.readable(table, columns.time_columns(table, hints, ANOTHER), ANOTHER)
    _refuse_shared(table, time, *meanings)
    whole = np.isfinite(np.hstack([column.values for column in meanings])).min(axis=1)
    read = stamps.of_rows(table, time, whole, ADVICE, strictly=False)
    for other in others:
        _refuse_apart(table, read, other)
    return read


def _refuse_shared(table: Table, *meanings: Column) -> None:
    """Raises FileError where one column would be two things."""
    counts = Counter(place for column in meanings for place in column.places)
    twice = [table.titles[place] for place, count in counts.items() if count > 1]
    if twice:
        raise FileError(f"{table.path}: {twice[0]} would be two things at once; name other columns")


def _refuse_apart(table: Table, read: Stamps, other: Column) -> None:
    """Raises FileError where a second time says that what stands in one row was not measured at once: some
    write acceleration and turn rate side by side, each with its own stamps."""
    ticks = other.values[read.keep]
    both = np.isfinite(ticks)
    unit = other.unit or (plausible.time_unit(ticks[both]) if both.sum() > 1 else "")
    if unit != read.time.unit or not both.any():
        return
    apart_s = (ticks[both] - read.time.values[read.keep][both]) * TIME_NS[unit] * 1e-9
    if abs(apart_s[0]) > _SAME_ZERO_S:
        return
    most_s = float(np.percentile(np.abs(apart_s), _USUAL))
    if most_s * stamps.rate_hz(read.t_ns) > 0.5:
        names = " and ".join(f"{one.titles[0]} (column {one.places[0] + 1})" for one in (read.time, other))
        raise FileError(
            f"{table.path}: two times in a row, up to {most_s:.3g} s apart: {names}; write what was measured "
            f"at once into one row, or, if one of them is right for all of it, {ANOTHER}"
        )
