"""The verbs of ``mobind-live``; no logic. Each imports what it needs when it is called, so that ``--help`` is
quick."""

from __future__ import annotations

from typing import Annotated

import typer

from mobind_live import __version__
from mobind_live.cli import measuring, recordings, rig, training

app = typer.Typer(
    name="mobind-live",
    help="Live synchronization, wearer and body-part binding of cameras and body-worn IMUs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (rig, training, measuring, recordings):  # as ``--help`` lists them
    app.add_typer(group.verbs)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mobind-live {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
