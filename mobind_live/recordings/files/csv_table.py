"""A CSV file as numbers under named columns, wherever its header stands and whatever its delimiter is."""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.recordings.files.errors import FileError

HEADER_LINES = 40  # the header is found within these or not at all


@dataclass(frozen=True, slots=True)
class Table:
    """``titles`` as the file writes them, ``names`` the same made alike; ``values`` (rows, columns) float64,
    NaN where there is no number; ``bad_rows`` had not as many cells as the header."""

    path: Path
    titles: tuple[str, ...]
    names: tuple[str, ...]
    values: np.ndarray
    bad_rows: int


def read_table(path: Path, limit: int | None, is_header: Callable[[list[str]], bool], want: str) -> Table:
    """The numbers in ``path`` below its header, at most ``limit`` rows. Raises FileError.

    The header is the first line whose names ``is_header`` accepts; ``want`` says what was looked for.
    """
    lines = _lines(path)
    head = lines[:HEADER_LINES]
    header = next((i for i, line in enumerate(head) if is_header(_names(_cells(line)))), None)
    if header is None:
        first = next((line.strip() for line in head if line.strip()), "")
        found = f"{first[:60]!r} is none" if first else "it is empty"
        raise FileError(f"{path}: no header that is understood ({found}); expected columns {want}")
    delimiter = _delimiter(lines[header])
    titles = tuple(_split(lines[header], delimiter))
    body = lines[header + 1 :][:limit]
    rows = [row for line in body if (row := _numbers(line, delimiter, len(titles))) is not None]
    if len(rows) < 2:
        raise FileError(f"{path}: fewer than two rows of numbers under the header")
    values = np.array(rows, dtype=np.float64)
    return Table(path, titles, tuple(_names(list(titles))), values, len(body) - len(rows))


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
    return max("\t,;", key=re.sub(r'"[^"]*"', "", line).count)


def _split(line: str, delimiter: str) -> list[str]:
    """The cells of ``line``, which may be quoted."""
    cells = next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)
    return [cell.strip() for cell in cells]


def _cells(line: str) -> list[str]:
    return _split(line, _delimiter(line))


def _names(cells: list[str]) -> list[str]:
    return [normal(cell) for cell in cells]


def _numbers(line: str, delimiter: str, columns: int) -> list[float] | None:
    """One row, empty or odd cells as NaN; None if it has not as many cells as the header."""
    cells = _split(line, delimiter)
    if len(cells) == columns + 1 and not cells[-1]:
        del cells[-1]  # a delimiter at the end of each row
    decimal = "." if delimiter == "," else ","
    return [_number(cell.replace(decimal, ".")) for cell in cells] if len(cells) == columns else None


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
