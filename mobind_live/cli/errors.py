"""The one place where what a user can cause becomes a line on stderr and an exit code."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def user_errors() -> Iterator[None]:
    """Around a verb: one line for each fault, and exit code 2 for a configuration or a request that makes no
    sense, else 1. Nothing that is imported here is heavy."""
    from mobind_live.bus import BusError
    from mobind_live.config import ConfigError
    from mobind_live.devices.camera.pose import PoseError
    from mobind_live.devices.camera.video import VideoError
    from mobind_live.models.errors import ModelError, RecipeError, RequestError
    from mobind_live.recordings.files.errors import FileError, HintError

    senseless = (ConfigError, HintError, RecipeError, RequestError)
    try:
        yield
    except (*senseless, BusError, FileError, ModelError, PoseError, VideoError) as error:
        for line in str(error).splitlines():
            typer.echo(f"mobind-live: {line}", err=True)
        raise typer.Exit(2 if isinstance(error, senseless) else 1) from error
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        typer.echo(f"mobind-live: the output cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error
