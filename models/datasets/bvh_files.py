"""The BVH files of a folder or an archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path

from mobind_live.models.errors import DatasetError


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every BVH file below a folder, in name order, or in a tar archive, in its own order."""
    if root.is_dir():
        for path in sorted(path for path in root.rglob("*") if _is_bvh(path.name)):
            yield path.stem, _text(path)
        return
    try:
        with tarfile.open(root) as archive:
            members = [member for member in archive.getmembers() if _is_bvh(Path(member.name).name)]
            for member in members:
                stream = archive.extractfile(member)
                if stream is not None:
                    yield Path(member.name).stem, _decoded(f"{root}: {member.name}", stream.read())
    except (OSError, EOFError, LZMAError, tarfile.TarError) as error:
        raise DatasetError(f"{root}: neither a folder of .bvh files nor an archive of them") from error


def _is_bvh(name: str) -> bool:
    """By its name, in letters of any size; what macOS keeps beside a file under ``._`` is none."""
    return name.lower().endswith(".bvh") and not name.startswith("._")


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name}: cannot be read as text") from error


def _text(path: Path) -> str:
    try:
        return _decoded(str(path), path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read as text") from error
