"""The verbs that measure: the network on recordings, the answers on simulated scenes, their probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mobind_live.cli.errors import user_errors

verbs = typer.Typer()

Json = Annotated[Path | None, typer.Option("--json", metavar="F", help="Write the figures here too.")]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="F", help="Weights instead of those that ship.")
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed for the scenes.")]
Motion = Annotated[
    Path | None,
    typer.Option(
        metavar="F",
        help="Use people from this motion capture (.npz of `pack`), takes held out of training only.",
    ),
]
Jobs = Annotated[int, typer.Option(min=1, help="Scenes played side by side, one core each.")]


@verbs.command("eval")
@user_errors()
def evaluate(
    dataset: Annotated[str, typer.Argument(help="utd-mhad, bench5 or bvh.")],
    root: Annotated[
        Path,
        typer.Option("--root", help="Folder of the data set, or for bvh its packed file, folder or archive."),
    ],
    subjects: Annotated[str, typer.Option(help="Subjects of utd-mhad, such as 2,4.")] = "2,4",
    checkpoint: Checkpoint = None,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Other methods beside the network: correlation, and each trained peer."),
    ] = False,
    peer: Annotated[
        list[Path] | None, typer.Option("--peer", metavar="F", help="A trained peer's file; repeat it.")
    ] = None,
    json_path: Json = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws crops, excerpts and rivals.")] = 0,
) -> None:
    """Measure the network on recordings whose answers are known."""
    from mobind_live.models.evaluate import Request, run
    from mobind_live.recordings.files.outputs import must_be_writable
    from mobind_live.terminal.screen import screen

    must_be_writable(json_path)
    request = Request(dataset, root, subjects, checkpoint, peers, tuple(peer or ()), json_path, seed)
    run(request, screen())


@verbs.command()
@user_errors()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Each scene once, shorter: some minutes.")] = False,
    seed: Seed = 0,
    json_path: Json = None,
    only: Annotated[str | None, typer.Option(metavar="FACTOR", help="Vary this factor alone.")] = None,
    checkpoint: Checkpoint = None,
    jobs: Jobs = 2,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network computes.")] = "cpu",
    motion: Motion = None,
) -> None:
    """Measure the answers on simulated scenes whose truth is known: how soon, how right, at what cost."""
    from mobind_live.measure.bench.run import Request, run
    from mobind_live.terminal.screen import screen

    run(Request(quick, seed, json_path, only, checkpoint, jobs, device, motion), screen())


@verbs.command()
@user_errors()
def calibrate(
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Put the constants into the weights' file: the shipped one, unless --checkpoint names "
            "a copy.",
        ),
    ] = False,
    checkpoint: Checkpoint = None,
    fit: Annotated[bool, typer.Option(help="Search for constants, or only check those there are.")] = True,
    plot: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the reliability diagram here (.png).")
    ] = None,
    json_path: Json = None,
    scenes: Annotated[int, typer.Option(min=2, help="Scenes to fit on; half as many to check on.")] = 16,
    seconds: Annotated[float, typer.Option(min=8, help="Length of each scene.")] = 45.0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    motion: Motion = None,
) -> None:
    """Fit the constants that turn evidence into probability, and show how often answers are right."""
    from mobind_live.measure.calibrate.run import Request, run
    from mobind_live.terminal.screen import screen

    request = Request(checkpoint, seed, scenes, seconds, jobs, fit, write, plot, json_path, motion)
    run(request, screen())
