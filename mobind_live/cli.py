"""The verbs of ``mobind-live``; no logic. Each imports what it needs when it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from mobind_live import __version__

app = typer.Typer(
    name="mobind-live",
    help="Live synchronization, wearer and body-part binding of cameras and body-worn IMUs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[
    Path | None,
    typer.Argument(
        metavar="[CONFIG]", help="The rig's YAML file; config.yaml here, or else the demo rig, if left out."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key: --set devices.take.rate=4. May be repeated."
    ),
]


@contextmanager
def _user_errors() -> Iterator[None]:
    """What the user can cause is one line on stderr: exit code 2 for a wrong configuration, else 1."""
    from mobind_live.bus import BusError
    from mobind_live.config import ConfigError
    from mobind_live.models.errors import ModelError

    try:
        yield
    except (ConfigError, BusError, ModelError) as error:
        typer.echo(f"mobind-live: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error


def _rig_file(config: Path | None) -> Path:
    """``config``, or the rig that is meant where none is named."""
    from mobind_live.config import DEMO_RIG, default_path

    path = config or default_path()
    if path == DEMO_RIG:
        typer.echo(
            "mobind-live: there is no config.yaml here; this is the demo rig, without hardware", err=True
        )
    return path


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
def run(config: Config = None, overrides: Set = None) -> None:
    """Run the rig: devices in, answers out, until Ctrl-C."""
    with _user_errors():
        from mobind_live import launch
        from mobind_live.config import load

        path = _rig_file(config)
        raise typer.Exit(launch.run(load(path, overrides or ()), str(config or path.name)))


@app.command()
def check(
    config: Config = None,
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
        path = _rig_file(config)
        rig = load(path, overrides or ())
        streams = ", ".join(spec.name for spec in rig.streams())
        typer.echo(f"{path}: ok; rig {rig.name}, devices {', '.join(rig.devices)}; streams {streams}")
        if probe:
            from mobind_live.terminal.probe import run as run_probe

            raise typer.Exit(run_probe(rig, console=Console()))


@app.command()
def preflight(
    config: Config = None,
    overrides: Set = None,
    seconds: Annotated[float, typer.Option(min=5, help="Give up after so long.")] = 90.0,
) -> None:
    """Before a session: pass or fail each sensor and camera, in plain words. Exit code 0 if all pass."""
    with _user_errors():
        from mobind_live import launch
        from mobind_live.config import load

        raise typer.Exit(launch.preflight(load(_rig_file(config), overrides or ()), seconds))


@app.command()
def devices(
    only_yaml: Annotated[bool, typer.Option("--yaml", help="Print nothing but the YAML of a rig.")] = False,
) -> None:
    """List what can be used here: serial ports, Bluetooth devices, LSL streams, cameras; as YAML to paste."""
    from rich.console import Console

    from mobind_live import devices as listing

    errors = Console(stderr=True)
    raise typer.Exit(listing.run(console=Console(), errors=errors, only_yaml=only_yaml))


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

        from mobind_live.terminal import monitor as watch

        raise typer.Exit(watch.run(topic, connect, console=Console(), raw=raw))


@app.command()
def pack(
    root: Annotated[Path, typer.Argument(help="A folder of .bvh files, or a tar archive of them.")],
    output: Annotated[Path, typer.Option("--output", help="The packed file to write (.npz).")],
    most_repeats: Annotated[
        int, typer.Option(min=1, help="Takes to keep of each data set, content and style.")
    ] = 12,
) -> None:
    """Pack motion capture for training into one small file."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.models import pack as packing

        done = packing.pack(root, output, most_repeats, Console(stderr=True))
        typer.echo(f"{done.path}: {done.takes} takes, {done.minutes:.0f} minutes, {done.megabytes:.1f} MB")


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="CONFIG", help="A training recipe (YAML).")],
) -> None:
    """Train the network; Ctrl-C saves, and the same command goes on from there."""
    with _user_errors():
        from mobind_live.models import train as training
        from mobind_live.models.recipe import TrainConfig

        try:
            output = training.train(TrainConfig.read(recipe))
        except training.Interrupted as stopped:
            typer.echo(f"{stopped}; go on with: mobind-live train {recipe}", err=True)
            raise typer.Exit(130) from stopped
        typer.echo(f"{output}: trained")


@app.command()
def train_actions(
    recipe: Annotated[Path, typer.Argument(metavar="CONFIG", help="A recipe for the action labels (YAML).")],
) -> None:
    """Train and calibrate the action labels: some minutes on one core."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.models import train_actions as training

        output = training.train(training.ActionRecipe.read(recipe), Console(stderr=True))
        typer.echo(f"{output}: trained")


@app.command()
def train_peer(
    recipe: Annotated[Path, typer.Argument(metavar="CONFIG", help="A recipe for a peer (YAML).")],
) -> None:
    """Train another method on the same pairs, for `eval --peer`."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.models import train_peer as training

        output = training.train(training.PeerRecipe.read(recipe), Console(stderr=True))
        typer.echo(f"{output}: trained")


@app.command("eval")
def evaluate(
    dataset: Annotated[str, typer.Argument(help="utd-mhad, bench5 or bvh.")],
    root: Annotated[Path, typer.Option("--root", help="Where the data set lies.")],
    subjects: Annotated[str, typer.Option(help="Subjects of utd-mhad, such as 2,4.")] = "2,4",
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Weights; without it those that ship.")
    ] = None,
    peers: Annotated[bool, typer.Option("--peers", help="Plain correlation beside the network.")] = False,
    peer: Annotated[
        list[Path] | None, typer.Option("--peer", metavar="F", help="A trained peer, too; repeat it.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write the numbers here too.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws crops, excerpts and rivals.")] = 0,
) -> None:
    """Measure the network on recordings whose answers are known."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.models.evaluate import Request
        from mobind_live.models.evaluate import run as measure

        request = Request(dataset, root, subjects, checkpoint, peers, tuple(peer or ()), json_path, seed)
        measure(request, Console())


Weights = Annotated[Path | None, typer.Option(help="Weights; without it those that ship.")]
Seed = Annotated[int, typer.Option(min=0, help="Draws the scenes; the same seed, the same numbers.")]
Jobs = Annotated[int, typer.Option(min=1, help="Scenes played side by side, one core each.")]


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Each scene once, shorter: some minutes.")] = False,
    seed: Seed = 0,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write every figure here too.")
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="FACTOR", help="Vary this factor alone.")] = None,
    weights: Weights = None,
    jobs: Jobs = 2,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network computes.")] = "cpu",
) -> None:
    """Measure the answers on simulated scenes whose truth is known: how soon, how right, at what cost."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.bench.run import Request
        from mobind_live.bench.run import run as measure

        measure(Request(quick, seed, json_path, only, weights, jobs, device), Console())


@app.command()
def calibrate(
    write: Annotated[bool, typer.Option("--write", help="Put the constants into the weights' file.")] = False,
    weights: Weights = None,
    fit: Annotated[bool, typer.Option(help="Search for constants, or only check those there are.")] = True,
    plot: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the reliability diagram here (.png).")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="F", help="Write the figures here too.")
    ] = None,
    scenes: Annotated[int, typer.Option(min=2, help="Scenes to fit on; half as many to check on.")] = 16,
    seconds: Annotated[float, typer.Option(min=8, help="Length of each scene.")] = 45.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
) -> None:
    """Fit the constants that turn evidence into probability, and show how often answers are right."""
    with _user_errors():
        from rich.console import Console

        from mobind_live.calibrate.run import Request
        from mobind_live.calibrate.run import run as measure

        measure(Request(weights, seed, scenes, seconds, jobs, fit, write, plot, json_path), Console())


@app.command()
def sync(
    imu: Annotated[
        list[str] | None,
        typer.Option("--imu", metavar="NAME=FILE", help="An IMU's CSV file, by a name of yours; repeat it."),
    ] = None,
    video: Annotated[Path | None, typer.Option(help="The video; its poses are kept beside it.")] = None,
    keypoints: Annotated[
        Path | None, typer.Option(help="Instead of a video: one person's COCO-17 keypoints (CSV).")
    ] = None,
    max_offset: Annotated[
        float, typer.Option("--max-offset", metavar="S", min=1, max=600, help="Offsets to look for, in s.")
    ] = 10.0,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the answers.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Draw a picture to check the answers by.")
    ] = None,
    pose_model: Annotated[
        str, typer.Option(help="YOLO-pose weights: a file, a folder, or a name to fetch once.")
    ] = "yolo11n-pose.pt",
    imu_columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:]COLUMNS",
            help='Which columns to read, by title or number: "time=1 acc=2,3,4 gyro=GyroX,GyroY,GyroZ".',
        ),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME:]UNITS", help='What they are measured in: "time=ms acc=g gyro=deg/s".'),
    ] = None,
) -> None:
    """Find each sensor's offset, wearer and body part in recordings made without the daemon."""
    with _user_errors():
        from rich.console import Console

        from mobind_live import sync as syncing
        from mobind_live.camera.pose import PoseOptions

        request = syncing.Request(
            imus=tuple(imu or ()),
            video=video,
            keypoints=keypoints,
            max_offset_s=max_offset,
            imu_columns=tuple(imu_columns or ()),
            units=tuple(units or ()),
            pose=PoseOptions(model=pose_model),
            json=json_path,
            plot=plot,
        )
        raise typer.Exit(syncing.run(request, Console(), Console(stderr=True)))


@app.command()
def enroll(
    label: Annotated[str, typer.Argument(help="The action's name.")],
    keypoints: Annotated[Path | None, typer.Option(help="One person's COCO-17 keypoints (CSV).")] = None,
    video: Annotated[Path | None, typer.Option(help="Instead of keypoints: the video.")] = None,
    imu: Annotated[
        list[str] | None,
        typer.Option(
            "--imu",
            metavar="NAME=FILE",
            help="An IMU's CSV file; repeat it. Without a camera NAME is its part, such as right_forearm.",
        ),
    ] = None,
    from_s: Annotated[
        float | None, typer.Option("--from", metavar="S", help="Where the action begins, in s.")
    ] = None,
    to_s: Annotated[float | None, typer.Option("--to", metavar="S", help="Where it ends, in s.")] = None,
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of labels; by default the one beside ./config.yaml."),
    ] = Path("actions"),
    track: Annotated[int | None, typer.Option(help="Whose action, where several people are seen.")] = None,
    max_offset: Annotated[
        float, typer.Option("--max-offset", metavar="S", min=1, max=600, help="Offsets to look for, in s.")
    ] = 10.0,
    pose_model: Annotated[str, typer.Option(help="YOLO-pose weights, for --video.")] = "yolo11n-pose.pt",
    imu_columns: Annotated[
        list[str] | None, typer.Option(metavar="[NAME:]COLUMNS", help="As for mobind-live sync.")
    ] = None,
    units: Annotated[
        list[str] | None, typer.Option(metavar="[NAME:]UNITS", help="As for mobind-live sync.")
    ] = None,
) -> None:
    """Teach an action by example: works at once, without training.

    The recording from --from to --to shows the action, the rest of it is what the action is not. The same
    label again adds up. To remove a label, delete its file.
    """
    with _user_errors():
        from rich.console import Console

        from mobind_live import sync as syncing
        from mobind_live.binding import enroll as enrolling
        from mobind_live.camera.pose import PoseOptions

        files = syncing.Request(
            imus=tuple(imu or ()),
            video=video,
            keypoints=keypoints,
            max_offset_s=max_offset,
            imu_columns=tuple(imu_columns or ()),
            units=tuple(units or ()),
            pose=PoseOptions(model=pose_model),
        )
        request = enrolling.Request(
            label=label, files=files, from_s=from_s, to_s=to_s, track=track, output=output
        )
        raise typer.Exit(enrolling.run(request, Console(), Console(stderr=True)))
