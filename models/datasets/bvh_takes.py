"""The takes of a folder or archive of BVH files, and those that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mobind_live.models.datasets import bvh, bvh_files
from mobind_live.models.datasets.bvh_files import BvhFile
from mobind_live.models.errors import DatasetError

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out, a line for each file that cannot be used; filled while takes are read."""

    broken: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What to tell of them, a few lines."""
        more = len(self.broken) - _SHOWN
        shown = [f"take left out: {line}" for line in self.broken[:_SHOWN]]
        return [*shown, f"takes left out for such reasons: {more} more"] if more > 0 else shown


def takes(
    root: Path, wanted: Callable[[str], bool], tick: Callable[[BvhFile], None], left_out: LeftOut
) -> Iterator[bvh.Take]:
    """Everybody in those files below ``root`` whose names are ``wanted``. Files that cannot be used are left
    out, so that one of them does not spoil a thousand; raises DatasetError if all are."""
    used = 0
    for file in bvh_files.entries(root):
        tick(file)
        if not wanted(file.name):
            continue
        try:
            found = bvh.everybody(file.name, file.text())
        except DatasetError as error:
            left_out.broken.append(f"{file.where}: {_why(str(error), file)}")
            continue
        used += 1
        yield from found
    if left_out.broken and not used:
        first, more = left_out.broken[0], len(left_out.broken) - 1
        others = f"; and {more} more file{'s' if more > 1 else ''} cannot be used" if more else ""
        raise DatasetError(f"{root}: {first}{others}")


def _why(line: str, file: BvhFile) -> str:
    return line.removeprefix(f"{file.where}: ").removeprefix(f"{file.name}: ")
