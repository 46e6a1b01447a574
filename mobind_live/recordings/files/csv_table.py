"""A CSV file as numbers under named columns, wherever its header stands and whatever its delimiter is."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.recordings.files.errors import FileError

HEADER_LINES = 40  # the header is found within these or not at all
_DECIMAL_COMMA = re.compile(r'"-?\d+,\d+"')
_AXES = 3  # so many cells of a row are no text by chance
_COMMAS = "decimal commas need a semicolon or a tab between the columns; or write points"


@dataclass(frozen=True, slots=True)
class Table:
    """``titles`` as the file writes them, ``names`` the same made alike; ``values`` (rows, columns) float64,
    NaN where there is no number, from as many ``lines`` with that ``delimiter``; ``bad_rows`` had not as many
    cells as the header."""

    path: Path
    titles: tuple[str, ...]
    names: tuple[str, ...]
    values: np.ndarray
    bad_rows: int
    lines: tuple[str, ...]
    delimiter: str

    def texts(self, place: int) -> list[str]:
        """A column's cells as they are written."""
        return [_split(line, self.delimiter)[place] for line in self.lines]


def read_table(
    path: Path,
    limit: int | None,
    headers: Sequence[Callable[[list[str]], bool]],
    want: str,
    rows_by: Sequence[int] = (),
) -> Table:
    """The numbers in ``path`` below its header, at most ``limit`` rows. Raises FileError.

    The header is the first line whose names the first of ``headers`` accepts that accepts any; ``want`` says
    what was looked for. Without one, rows begin with the first that has numbers in the columns ``rows_by``.
    """
    titles, body, delimiter = _titled(path, _lines(path), limit, headers, want, rows_by)
    if delimiter == "," and any(len(_DECIMAL_COMMA.findall(line)) >= _AXES for line in body):
        raise FileError(f"{path}: {_COMMAS}")
    kept = [(line, row) for line in body if (row := _numbers(line, delimiter, len(titles))) is not None]
    if len(kept) < 2:
        raise FileError(f"{path}: {_why_no_rows(body, delimiter, len(titles))}")
    return Table(
        path=path,
        titles=tuple(titles),
        names=tuple(_names(titles)),
        values=np.array([row for _, row in kept], dtype=np.float64),
        bad_rows=len(body) - len(kept),
        lines=tuple(line for line, _ in kept),
        delimiter=delimiter,
    )


def _titled(
    path: Path,
    lines: list[str],
    limit: int | None,
    headers: Sequence[Callable[[list[str]], bool]],
    want: str,
    rows_by: Sequence[int],
) -> tuple[list[str], list[str], str]:
    """The titles, the lines below them, and their delimiter. Raises FileError."""
    head = lines[:HEADER_LINES]
    names = [_names(_cells(line)) for line in head]
    header = next((i for known in headers for i, line in enumerate(names) if known(line)), None)
    if header is not None:
        delimiter = _delimiter(lines[header])
        titles, body = _split(lines[header], delimiter), lines[header + 1 :][:limit]
        return titles[: _width(titles, body, delimiter)], body, delimiter
    first = next((i for i, line in enumerate(head) if _has_numbers(line, rows_by)), None)
    if first is not None:
        delimiter = _delimiter(lines[first])
        count = len(_split(lines[first], delimiter))
        return [f"column {place + 1}" for place in range(count)], lines[first:][:limit], delimiter
    some = next((line.strip() for line in head if line.strip()), "")
    found = f"{some[:60]!r} is none" if some else "it is empty"
    raise FileError(f"{path}: no header that is understood ({found}); expected columns {want}")


def _why_no_rows(body: list[str], delimiter: str, titles: int) -> str:
    usual = Counter(len(_split(line, delimiter)) for line in body if line.strip()).most_common(1)
    if not usual or usual[0][0] == titles:
        return "fewer than two rows of numbers under the header"
    cells = usual[0][0]
    hint = f"; {_COMMAS}" if delimiter == "," and cells in (2 * titles - 1, 2 * titles) else ""
    return f"the rows have {cells} cells, the header {titles}{hint}"


def _width(titles: list[str], body: list[str], delimiter: str) -> int:
    """How many ``titles`` there are, without what is behind a delimiter that only the header ends with."""
    if titles[-1] or any(len(_split(line, delimiter)) == len(titles) for line in body):
        return len(titles)
    return len(titles) - 1


def _has_numbers(line: str, places: Sequence[int]) -> bool:
    row = _numbers(line, _delimiter(line)) or []
    return bool(places) and all(place < len(row) and math.isfinite(row[place]) for place in places)


def normal(cell: str) -> str:
    """``"AccelX"`` to ``accel x``, ``"Timestamp (us)"`` to ``timestamp us``, ``"gyro_x_deg/s"`` likewise."""
    cell = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell)
    cell = cell.lower().replace("^", "").replace("\u00b5", "u").replace("\u03bc", "u")  # both are micro
    return re.sub(r"[^a-z0-9]+", " ", cell).strip()


def _lines(path: Path) -> list[str]:
    try:
        text = _text(path.read_bytes())
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: cannot be read: not a text file; a CSV file is needed") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    if not text.strip():
        raise FileError(f"{path}: the file is empty")
    return text.splitlines()


def _text(data: bytes) -> str:
    """UTF-8, or what Windows programs write. Raises UnicodeDecodeError."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            raise
        return data.decode("cp1252")


def _delimiter(line: str) -> str:
    """A tab, comma or semicolon, whichever is there most; a space, for any number of them, if none is."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max("\t,; ", key=lambda one: bare.count(one) if one != " " else 0.5)


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of ``line``, which may be quoted."""
    if delimiter == " ":
        return line.split()
    cells = next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)
    return [cell.strip() for cell in cells]


def _cells(line: str) -> list[str]:
    return _split(line, _delimiter(line))


def _names(cells: list[str]) -> list[str]:
    return [normal(cell) for cell in cells]


def _numbers(line: str, delimiter: str, columns: int | None = None) -> list[float] | None:
    """One row, empty or odd cells as NaN; None if it has not as many cells as there are ``columns``."""
    cells = _split(line, delimiter)
    if len(cells) - 1 == columns and not cells[-1]:
        del cells[-1]  # a delimiter at the end of each row
    decimal = "." if delimiter == "," else ","
    return [_number(cell.replace(decimal, ".")) for cell in cells] if columns in (None, len(cells)) else None


def _number(cell: str) -> float:
    try:
        return math.nan if "_" in cell else float(cell)  # Python would read 20210820_122113
    except ValueError:
        return math.nan
