"""The verbs that make weights: motion capture in, networks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobind_live.cli.errors import user_errors

verbs = typer.Typer()

Recipe = Annotated[Path, typer.Argument(metavar="CONFIG", help="A training recipe (YAML).")]


@verbs.command()
@user_errors()
def pack(
    root: Annotated[Path, typer.Argument(help="A folder of .bvh files, or a zip or tar archive of them.")],
    output: Annotated[Path, typer.Option("--output", help="The packed file to write (.npz).")],
    most_repeats: Annotated[
        int, typer.Option(min=1, help="Takes to keep of each data set, content and style.")
    ] = 12,
) -> None:
    """Pack motion capture for training into one small file."""
    from mobind_live.models import pack as packing
    from mobind_live.terminal.screen import screen

    done = packing.pack(root, output, most_repeats, screen(stderr=True))
    typer.echo(f"{done.path}: {done.takes} takes, {done.minutes:.0f} minutes, {done.megabytes:.1f} MB")


@verbs.command()
@user_errors()
def train(recipe: Recipe) -> None:
    """Train the network; Ctrl-C saves, and the same command goes on from there."""
    from mobind_live.models import train as training
    from mobind_live.models.recipe import TrainConfig

    try:
        output = training.train(TrainConfig.read(recipe))
    except training.Interrupted as stopped:
        typer.echo(f"{stopped}; go on with: mobind-live train {recipe}", err=True)
        raise typer.Exit(130) from stopped
    typer.echo(f"{output}: trained")


@verbs.command()
@user_errors()
def train_actions(recipe: Recipe) -> None:
    """Train and calibrate the action labels: some minutes on one core."""
    from mobind_live.models import train_actions as training
    from mobind_live.terminal.screen import screen

    output = training.train(training.ActionRecipe.read(recipe), screen(stderr=True))
    typer.echo(f"{output}: trained")


@verbs.command()
@user_errors()
def train_placement(recipe: Recipe) -> None:
    """Train the classifier of where a sensor sits: some minutes on one core."""
    from mobind_live.models import train_placement as training
    from mobind_live.terminal.screen import screen

    output = training.train(training.PlacementRecipe.read(recipe), screen(stderr=True))
    typer.echo(f"{output}: trained")


@verbs.command()
@user_errors()
def train_peer(recipe: Recipe) -> None:
    """Train another method on the same pairs, for `eval --peers`."""
    from mobind_live.models import train_peer as training
    from mobind_live.terminal.screen import screen

    output = training.train(training.PeerRecipe.read(recipe), screen(stderr=True))
    typer.echo(f"{output}: trained")
