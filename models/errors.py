"""What a user can cause in this package. Light to import: the command line knows these before torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pickle import UnpicklingError
from tokenize import TokenError
from zipfile import BadZipFile
from zlib import error as ZlibError

# What a state file leads to whatever byte of it is broken, and whatever else was saved there.
BROKEN_STATE = (
    OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, EOFError, UnpicklingError,
)  # fmt: skip
# What reading an .npz raises whatever byte of it is broken.
BROKEN_NPZ = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, SyntaxError, TokenError, BadZipFile,
    ZlibError,
)  # fmt: skip


class ModelError(Exception):
    """One line for the user: what, where, what to do."""


def answered(work: Callable[[], object]) -> int:
    """What a tool of this package (``python -m``) exits with: 0, or 2 and one line on stderr."""
    try:
        work()
    except (ModelError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def reason(error: Exception) -> str:
    """What another library's error says, in one line."""
    return next(iter(str(error).splitlines()), type(error).__name__)


class RequestError(ModelError):
    """What was asked for makes no sense, whatever the files hold."""


class DatasetError(ModelError):
    """The data are missing or not in the form expected."""


class CheckpointError(ModelError):
    """A weights or state file is missing, corrupt, or not this network's."""


class OutputError(ModelError):
    """A file cannot be written: which, and why."""


class RecipeError(ModelError):
    """A training configuration that cannot be used."""
