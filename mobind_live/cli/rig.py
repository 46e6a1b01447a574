"""The verbs about a rig: what is here, is it right, run it, watch it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mobind_live.cli.errors import user_errors

verbs = typer.Typer()

Config = Annotated[
    Path | None,
    typer.Argument(
        metavar="[CONFIG]", help="The rig's YAML file; config.yaml here, or else the demo rig, if left out."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key: --set devices.take.rate=4. May be repeated. Relative paths count from the "
        "YAML's folder, not from the one you are in.",
    ),
]


def _rig_file(config: Path | None) -> Path:
    """``config``, or the rig that is meant where none is named."""
    from mobind_live.config import DEMO_RIG, default_path

    path = config or default_path()
    if path == DEMO_RIG:
        typer.echo(
            "mobind-live: there is no config.yaml here; this is the demo rig, without hardware", err=True
        )
    return path


@verbs.command()
@user_errors()
def run(config: Config = None, overrides: Set = None) -> None:
    """Run the rig: devices in, answers out, until Ctrl-C."""
    from mobind_live.config import load
    from mobind_live.runtime import launch

    path = _rig_file(config)
    raise typer.Exit(launch.run(load(path, overrides or ()), str(config or path.name)))


@verbs.command()
@user_errors()
def check(
    config: Config = None,
    overrides: Set = None,
    probe: Annotated[bool, typer.Option("--probe", help="Open each device and say what it sends.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of the YAML, for editors.")
    ] = False,
) -> None:
    """Validate the configuration without opening any device."""
    from mobind_live.config import json_schema, load
    from mobind_live.terminal.words import NO_CAMERA

    if schema:
        typer.echo(json.dumps(json_schema(), indent=2))
        return
    path = _rig_file(config)
    rig = load(path, overrides or ())
    if rig.worker.weights is not None:
        from mobind_live.models import checkpoint

        checkpoint.load(rig.worker.weights)  # raises ModelError: what the worker would not start with
    if rig.worker.device != "auto":
        from mobind_live.runtime.worker import torch_device

        torch_device(rig.worker)
    streams = ", ".join(spec.name for spec in rig.streams())
    typer.echo(f"{path}: ok; rig {rig.name}, devices {', '.join(rig.devices)}; streams {streams}")
    if all(spec.kind == "imu" for spec in rig.streams()):
        typer.echo(f"{path}: {NO_CAMERA}")
    if probe:
        from mobind_live.terminal import probe as probing
        from mobind_live.terminal.screen import screen

        raise typer.Exit(probing.run(rig, console=screen()))


@verbs.command()
@user_errors()
def preflight(
    config: Config = None,
    overrides: Set = None,
    seconds: Annotated[float, typer.Option(min=5, help="Give up after so long.")] = 90.0,
) -> None:
    """Before a session: pass or fail each sensor and camera, in plain words. Exit code 0 if all pass."""
    from mobind_live.config import load
    from mobind_live.runtime import launch

    raise typer.Exit(launch.preflight(load(_rig_file(config), overrides or ()), seconds))


@verbs.command()
@user_errors()
def devices(
    only_yaml: Annotated[bool, typer.Option("--yaml", help="Print nothing but the YAML of a rig.")] = False,
) -> None:
    """List what can be used here: serial ports, Bluetooth devices, LSL streams, cameras; as YAML to paste."""
    from mobind_live.terminal import devices as listing
    from mobind_live.terminal.screen import screen

    listing.run(console=screen(), errors=screen(stderr=True), only_yaml=only_yaml)


@verbs.command()
@user_errors()
def drive(
    name: Annotated[str, typer.Argument(help="A device of CONFIG; without CONFIG, a driver.")],
    config: Annotated[Path | None, typer.Option("--config", help="The rig's YAML file.")] = None,
    overrides: Set = None,
) -> None:
    """Serve one device alone, without the worker."""
    from mobind_live.config import rig_of
    from mobind_live.runtime import launch

    raise typer.Exit(launch.drive(rig_of(name, config, overrides or ()), str(config or name)))


_RIG = "tcp://127.0.0.1:5572"  # as the YAML has it by default
Connect = Annotated[str, typer.Option(help="The running rig's subscribe endpoint.")]


@verbs.command()
@user_errors()
def monitor(
    topic: Annotated[
        str,
        typer.Argument(
            help="Only topics that begin with this. One that names a stream, such as v1/out/binding/wrist/, "
            "prints its messages."
        ),
    ] = "",
    connect: Connect = _RIG,
    raw: Annotated[bool, typer.Option("--raw", help="Print messages, not the table of topics.")] = False,
) -> None:
    """Watch the topics of a running rig, with rates and gaps; of one stream: its messages."""
    from mobind_live.terminal import monitor as watch
    from mobind_live.terminal.screen import screen

    watch.run(topic, connect, console=screen(), raw=raw)


@verbs.command()
@user_errors()
def record(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A new file, MCAP; without it, named by the date.")
    ] = None,
    connect: Connect = _RIG,
    previews: Annotated[
        bool, typer.Option("--previews", help="The cameras' small pictures, too: they show faces.")
    ] = False,
) -> None:
    """Record all that a running rig says, sensors and answers, until Ctrl-C."""
    from mobind_live.bus import Subscriber
    from mobind_live.recordings.session import record as recording
    from mobind_live.runtime.launch import stop_signals
    from mobind_live.terminal.screen import screen

    with stop_signals() as stop, Subscriber(("v1/",), connect, recording.QUEUE) as receiver:
        path = file or recording.default_path()
        raise typer.Exit(recording.run(path, receiver, connect, stop, screen(), previews=previews))
