"""Packing motion capture so that it can be carried to a training machine (``mobind-live pack``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mobind_live.models.datasets import bvh, bvh_takes, reels
from mobind_live.models.datasets.bvh_files import BvhFile
from mobind_live.models.datasets.bvh_takes import LeftOut
from mobind_live.models.errors import DatasetError
from mobind_live.models.output import make_room, write

MOST_BYTES = 40_000_000
_ADULT_M = 0.65  # from the hip to the ankle


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
            f"keep fewer with --most-repeats (now {most_repeats}), or pack a part of it"
        )
    write(output, packed.getvalue())
    minutes = float(arrays["start"][-1]) / bvh.RATE_HZ / 60
    return Packed(output, len(arrays["name"]), minutes, size / 1e6)


def _parsed(root: Path, most_repeats: int, console: Console) -> Iterator[bvh.Take]:
    """The takes, parsed only where they may be kept: parsing is what takes the time. Says which are left out:
    files that cannot be used, takes too short for reels, and repeats; and who seems to be a child."""
    seen: Counter[str] = Counter()
    short: list[str] = []
    repeats: list[str] = []
    small: list[str] = []
    left_out = LeftOut()

    def wanted(name: str) -> bool:
        if seen[bvh.group_of(name)] < most_repeats:
            return True
        repeats.append(name)
        return False

    with _progress(console, root) as tick:
        for take in bvh_takes.takes(root, wanted, tick, left_out):
            if not reels.long_enough([take]):
                short.append(take.name)
            elif wanted(take.name):  # of several people in one file, the first may have been the last wanted
                seen[bvh.group_of(take.name)] += 1
                if bvh.leg(take.offset_m) < _ADULT_M:
                    small.append(take.name)
                yield take
    lines = left_out.lines()
    if short:
        why = f"under {reels.SHORTEST_S:.1f} s, too short to be joined to others"
        lines.append(f"takes left out: {len(short)}, such as {short[0]}: {why}")
    if repeats:
        why = f"there are {most_repeats} of {bvh.group_of(repeats[0])}; --most-repeats keeps more"
        lines.append(f"takes left out: {len(repeats)}, such as {repeats[0]}: {why}")
    if small:
        lines.append(
            f"takes of people whose legs are under {_ADULT_M} m: {len(small)}, such as {small[0]}: "
            "they are children, or their files' unit is none that is known"
        )
    for line in lines:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if not seen:
        raise DatasetError(f"{root}: no takes to pack")


@contextmanager
def _progress(console: Console, root: Path) -> Iterator[Callable[[BvhFile], None]]:
    """A bar that goes on with each file it is called with."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"reading {escape(str(root))}", total=None)

        def tick(file: BvhFile) -> None:
            said = f"reading {escape(file.where)}"
            progress.update(task, completed=file.number - 1, total=file.count, description=said)

        yield tick
