"""Packing motion capture so that it can be carried to a training machine (``mobind-live pack``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mobind_live.models.datasets import bvh, bvh_files, reels
from mobind_live.models.errors import DatasetError
from mobind_live.models.output import make_room, write

MOST_BYTES = 40_000_000


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written."""

    path: Path
    takes: int
    minutes: float
    megabytes: float


def pack(root: Path, output: Path, most_repeats: int, console: Console) -> Packed:
    """Pack the takes of a BVH folder or archive into the .npz file ``output``, at most 40 MB.

    At most ``most_repeats`` takes of each data set, content and style are kept. Raises DatasetError,
    OutputError.
    """
    if not root.exists():
        raise DatasetError(f"{root}: no such folder or archive of .bvh files")
    if output.suffix != ".npz":
        raise DatasetError(f"{output}: the packed file's name must end in .npz")
    make_room(output)
    arrays = bvh.pack(_parsed(root, most_repeats, console), most_repeats)
    packed = BytesIO()
    np.savez_compressed(packed, **arrays)  # pyright: ignore[reportArgumentType]
    size = len(packed.getbuffer())
    if size > MOST_BYTES:
        raise DatasetError(
            f"{root}: packs into {size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f} MB; "
            f"keep fewer with --most-repeats (now {most_repeats})"
        )
    write(output, packed.getvalue())
    minutes = float(arrays["start"][-1]) / bvh.RATE_HZ / 60
    return Packed(output, len(arrays["name"]), minutes, size / 1e6)


def _parsed(root: Path, most_repeats: int, console: Console) -> Iterator[bvh.Take]:
    """The takes, parsed only where they may be kept: parsing is what takes the time. Says which are too short
    for reels."""
    seen: Counter[str] = Counter()
    short: list[str] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"reading {root}")
        for count, (name, text) in enumerate(bvh_files.texts(root), start=1):
            progress.update(task, description=f"take {count}: {name}")
            group = bvh.group_of(name)
            if seen[group] == most_repeats:
                continue
            take = bvh.parse(name, text)
            if reels.long_enough([take]):
                seen[group] += 1
                yield take
            else:
                short.append(name)
    if short:
        why = f"under {reels.SHORTEST_S:.1f} s, too short to be joined to others"
        text = f"takes left out: {len(short)}, such as {short[0]}: {why}"
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if not seen:
        raise DatasetError(f"{root}: no takes to pack")
