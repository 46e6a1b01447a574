"""Whether an MP4 or QuickTime file is all there: a camera that lost power leaves one without an index, and a
copy that broke off one without its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_HEAD, _LONG = 8, 16  # bytes of a box's head; with a size of 64 bits
_FIRST = (b"ftyp", b"wide", b"mdat", b"moov", b"free", b"skip")
_INDEX = b"moov"


def cut_short(path: Path) -> str:
    """What is missing of the file, in words; "" of one that is whole, of another kind, or cannot be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            boxes = list(_boxes(file, size))
    except OSError:
        return ""  # whoever opens it says why
    if not boxes or boxes[0][0] not in _FIRST:
        return ""
    if not any(kind == _INDEX for kind, _ in boxes):
        return "it has no index (moov), as where recording or copying it was cut off"
    missing = max(end for _, end in boxes) - size
    return (
        f"its last {missing / 1e6:.1f} MB are missing, as where copying it was cut off" if missing > 0 else ""
    )


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """The kind of each box of the file, and where it ends."""
    start = 0
    while start + _HEAD <= size:
        file.seek(start)
        head = file.read(_LONG)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[_HEAD:])
        end = start + length if length else size  # 0: to the end of the file
        yield head[4:_HEAD], end
        if end <= start:
            return
        start = end
