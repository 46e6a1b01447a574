"""The verbs of ``mobind-live``; no logic. Each imports what it needs when it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from mobind_live import __version__

app = typer.Typer(
    name="mobind-live",
    help="Live synchronization, wearer and body-part binding of cameras and body-worn IMUs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

DEFAULT = Path("config.yaml")
Config = Annotated[Path, typer.Argument(metavar="[CONFIG]", help="The rig's YAML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key: --set devices.take.rate=4. May be repeated."
    ),
]


def main() -> None:
    """The console script."""
    app()


@contextmanager
def _user_errors() -> Iterator[None]:
    """What the user can cause is one line on stderr: exit code 2 for a wrong configuration, else 1."""
    from mobind_live.bus import BusError
    from mobind_live.config import ConfigError

    try:
        yield
    except (ConfigError, BusError) as error:
        typer.echo(f"mobind-live: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error


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


@app.command()
def run(config: Config = DEFAULT, overrides: Set = None) -> None:
    """Run the rig: devices in, answers out, until Ctrl-C."""
    with _user_errors():
        from mobind_live import launch
        from mobind_live.config import load

        raise typer.Exit(launch.run(load(config, overrides or ()), str(config)))


@app.command()
def check(
    config: Config = DEFAULT,
    overrides: Set = None,
    probe: Annotated[bool, typer.Option("--probe", help="Open each device and say what it sends.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the YAML, for editors.")
    ] = False,
) -> None:
    """Validate the configuration without opening any device."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.config import json_schema, load

        if schema:
            typer.echo(json.dumps(json_schema(), indent=2))
            return
        rig = load(config, overrides or ())
        streams = ", ".join(spec.name for spec in rig.streams())
        typer.echo(f"{config}: ok; rig {rig.name}, devices {', '.join(rig.devices)}; streams {streams}")
        if probe:
            from mobind_live.probe import run as run_probe

            raise typer.Exit(run_probe(rig, console=Console()))


@app.command()
def drive(
    name: Annotated[str, typer.Argument(help="A device of CONFIG; without CONFIG, a driver.")],
    config: Annotated[Path | None, typer.Option("--config", help="The rig's YAML file.")] = None,
    overrides: Set = None,
) -> None:
    """Serve one device alone, without the worker."""
    with _user_errors():
        from mobind_live import launch
        from mobind_live.config import rig_of

        raise typer.Exit(launch.drive(rig_of(name, config, overrides or ()), name, str(config or name)))


@app.command()
def monitor(
    topic: Annotated[str, typer.Argument(help="Only topics that begin with this.")] = "",
    connect: Annotated[
        str, typer.Option(help="The running rig's subscribe endpoint.")
    ] = "tcp://127.0.0.1:5572",
    raw: Annotated[bool, typer.Option("--raw", help="Print messages, not the table of topics.")] = False,
) -> None:
    """Watch the topics of a running rig, with rates and gaps; one whole topic: its messages."""
    with _user_errors():
        from rich.console import Console

        from mobind_live import monitor as watch

        raise typer.Exit(watch.run(topic, connect, console=Console(), raw=raw))
