"""The BVH files of a folder or an archive."""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path

from mobind_live.models.errors import DatasetError, reason

# What reading on in a damaged archive raises, encrypted and rarely used forms of zip among them.
_BROKEN = (
    OSError, EOFError, LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile, RuntimeError,
    NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BvhFile:
    """File ``number`` of ``count``, ``where`` it lies below its folder or in its archive. ``text`` raises
    DatasetError."""

    name: str
    where: str
    number: int
    count: int
    text: Callable[[], str]


def entries(root: Path) -> Iterator[BvhFile]:
    """Every BVH file below a folder, in name order, or in a tar or zip archive, in its own order, or one file
    alone. Raises DatasetError, if there are none, too."""
    if root.is_dir():
        paths = sorted(path for path in root.rglob("*") if _is_bvh(path.name) and path.is_file())
        yield from _numbered(root, [(str(path.relative_to(root)), path.read_bytes) for path in paths])
    elif _is_bvh(root.name):
        yield from _numbered(root, [(root.name, root.read_bytes)])
    else:
        yield from _archived(root)


def _archived(root: Path) -> Iterator[BvhFile]:
    try:
        archive = zipfile.ZipFile(root) if zipfile.is_zipfile(root) else tarfile.open(root)  # noqa: SIM115
    except _BROKEN as error:
        raise DatasetError(
            f"{root}: neither a folder of .bvh files nor an archive (.zip, .tar, .tar.gz, .tar.xz) of them"
        ) from error
    with archive:
        try:
            found = list(_zipped(archive) if isinstance(archive, zipfile.ZipFile) else _tarred(archive))
        except _BROKEN as error:
            raise DatasetError(f"{root}: the archive is damaged or cut short ({reason(error)})") from error
        yield from _numbered(root, found)


def _zipped(archive: zipfile.ZipFile) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for member in archive.infolist():
        if not member.is_dir() and _is_bvh(re.split(r"[\\/]", member.filename)[-1]):
            # Some programs of Windows write backslashes.
            yield member.filename.replace("\\", "/"), lambda member=member: archive.read(member)


def _tarred(archive: tarfile.TarFile) -> Iterator[tuple[str, Callable[[], bytes]]]:
    for member in archive.getmembers():
        if _is_bvh(Path(member.name).name) and (stream := archive.extractfile(member)) is not None:
            yield member.name, stream.read


def _numbered(root: Path, found: list[tuple[str, Callable[[], bytes]]]) -> Iterator[BvhFile]:
    if not found:
        raise DatasetError(f"{root}: holds no .bvh files")
    for number, (where, read) in enumerate(found, start=1):
        text = lambda where=where, read=read: _decoded(where, read)  # noqa: E731
        yield BvhFile(Path(where).stem, where, number, len(found), text)


def _is_bvh(name: str) -> bool:
    """By its name, in letters of any size; what macOS keeps beside a file under ``._`` is none."""
    return name.lower().endswith(".bvh") and not name.startswith("._")


def _decoded(where: str, read: Callable[[], bytes]) -> str:
    try:
        return read().decode()
    except _BROKEN as error:
        raise DatasetError(f"{where}: cannot be read ({reason(error)})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: cannot be read as text") from error
