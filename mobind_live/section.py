"""What every section of a rig's YAML has in common, and what may stand in one: paths and names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


class Section(BaseModel):
    """Immutable after parsing; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def resolve_path(path: Path, info: ValidationInfo) -> Path:
    """``path`` against the folder of the YAML file (the validation context's ``folder``), ``~`` expanded."""
    return located(path, (info.context or {}).get("folder") or Path())


def located(path: Path, folder: Path) -> Path:
    """``path`` against ``folder``, ``~`` expanded. Raises ValueError if there can be no such path."""
    try:
        found = Path(folder, path.expanduser())
        found.exists()
    except (OSError, RuntimeError) as error:  # a name too long; ``~`` of nobody
        raise ValueError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    return found


# A file or folder named in the YAML: relative ones count from the YAML's own folder.
RigPath = Annotated[Path, AfterValidator(resolve_path)]


def _file(path: Path) -> Path:
    if path.is_file():
        return path
    raise ValueError(f"{path} {'is a folder, not a file' if path.is_dir() else 'does not exist'}")


def _folder(path: Path) -> Path:
    if path.is_dir():
        return path
    raise ValueError(f"{path} {'is a file, not a folder' if path.is_file() else 'does not exist'}")


# The same, where nothing can run without it: it is looked for when the YAML is read.
RigFile = Annotated[RigPath, AfterValidator(_file)]
RigFolder = Annotated[RigPath, AfterValidator(_folder)]


# What streams, devices and subjects may be called.
NAME = re.compile(r"[A-Za-z0-9_-]+")
NAME_RULE = "a to z, A to Z, digits, _ and - only"
WEARER = re.compile(r"wearer_\d+")  # so wearers without a subject are called, and nothing else


def subject_name(name: str) -> str:
    """``name``, if somebody who wears an IMU may be called so. Raises ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name; allowed: {NAME_RULE}")
    if WEARER.fullmatch(name):
        raise ValueError("wearer_1, wearer_2, ... are what wearers without a subject are called")
    return name


# Who wears an IMU, as the user calls them.
SubjectName = Annotated[str, AfterValidator(subject_name)]
