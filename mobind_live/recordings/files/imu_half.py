"""Reading one of the two files into which accelerometer and gyroscope were written apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S
from mobind_live.recordings.files import columns, imu_rows
from mobind_live.recordings.files.columns import Column
from mobind_live.recordings.files.csv_table import Table, normal, read_table
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints
from mobind_live.recordings.files.stamps import Stamps

_WANT = f"a time and three axes of one sensor; {columns.SAY.format(columns.ALL)}"
_FEWEST = 4  # a time and three axes
_UNITS = ACC_M_S2 | GYRO_RAD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One sensor's samples as its file has them: ``vectors`` (N, 3) float64, in no unit yet, of the columns
    ``column`` (all rows), at ``t_ns`` (N,) int64, never falling. ``kind`` is acc or gyro, "" where no title
    says which; ``stamps`` are the file's, ``titles`` all of its columns'. ``bad_rows`` hold no sample."""

    path: Path
    kind: str
    t_ns: np.ndarray
    vectors: np.ndarray
    column: Column
    stamps: Stamps
    titles: tuple[str, ...]
    bad_rows: int

    def only(self, rows: np.ndarray) -> Half:
        """The samples ``rows`` (N,) bool; the others are bad."""
        lost = int((~rows).sum())
        return replace(self, t_ns=self.t_ns[rows], vectors=self.vectors[rows], bad_rows=self.bad_rows + lost)


def read_half(path: Path, hints: Hints) -> Half:
    """The samples of the one sensor in ``path``. What ``hints`` say of columns that are not there is for the
    other file. Raises FileError."""
    numbered = columns.rows_by(hints, hints.acc or hints.gyro)
    table = read_table(path, None, _headers(hints), _WANT, numbered)
    columns.refuse_several_devices(table)
    kind, places = _sensor(table, hints)
    column = columns.column_at(table, places, _UNITS)
    read = imu_rows.stamped(table, hints, column)
    return Half(
        path=path,
        kind=kind,
        t_ns=read.t_ns,
        vectors=column.values[read.keep],
        column=column,
        stamps=read,
        titles=table.titles,
        bad_rows=table.bad_rows + int((~read.keep).sum()),
    )


def _headers(hints: Hints) -> tuple[Callable[[list[str]], bool], ...]:
    """By what a line of names is known to be the header, the surest first."""
    time = (hints.time,) if hints.time else ()
    said = [(*time, *triple) for triple in (hints.acc, hints.gyro) if triple]
    titled = [one for one in said if not all(map(str.isdigit, one))]
    return (
        lambda names: any(columns.holds(names, one) for one in titled),
        columns.is_header,
        lambda names: any(columns.holds(names, one) and _are_words(names, one) for one in said),
    )


def _are_words(names: list[str], said: tuple[str, ...]) -> bool:
    own = [names[int(one) - 1] if one.isdigit() else normal(one) for one in said]
    return len(own) == _FEWEST and all(own) and not any(map(columns.is_number, own))


def _sensor(table: Table, hints: Hints) -> tuple[str, tuple[int, ...]]:
    """Which sensor's the file is, "" if no title says, and where its three axes stand. Raises FileError."""
    found = {}
    for kind, said in (("acc", hints.acc), ("gyro", hints.gyro)):
        places = _said(table, kind, said) or columns.places_titled(table, kind)
        if len(places) == 3:
            found[kind] = places
    apart = set(found.values())
    if len(apart) > 1:
        raise FileError(
            f"{table.path}: holds both acceleration and turn rate; name it alone, without the other file"
        )
    if not found:
        return "", _lone(table)
    return next(iter(found)) if len(found) == 1 else "", apart.pop()


def _said(table: Table, kind: str, said: tuple[str, ...]) -> tuple[int, ...]:
    """Where the columns stand that are said to be ``kind``; nowhere if they are the other file's: a number
    stands in both files, so the titles there must not say the other kind."""
    if not said or not columns.holds(table.names, said):
        return ()
    places = tuple(columns.place_of(table, one) for one in said)
    other = {columns.kind_named(table.names[place]) for place in places} - {kind, ""}
    return () if other and all(map(str.isdigit, said)) else places


def _lone(table: Table) -> tuple[int, ...]:
    """Where x, y and z stand, each once, whatever is measured along them. Raises FileError."""
    found = sorted((name[0], place) for place, name in enumerate(table.names) if columns.is_lone(name))
    if [axis for axis, _ in found] != ["x", "y", "z"]:
        raise FileError(
            f"{table.path}: no three axes of one sensor in: {', '.join(table.titles)}; "
            f"{columns.SAY.format('acc=... gyro=...')}"
        )
    return tuple(place for _, place in found)
