"""The trained peers that stand in every table: where their recipes write them, and how to make one."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ConfigDict

from mobind_live.models.evaluate.peers import mobind
from mobind_live.models.evaluate.peers.mobind import Voting
from mobind_live.models.recipe import Recipe

_MODELS = Path(__file__).resolve().parents[2]
RECIPES = tuple(_MODELS / "recipes" / f"{form}.yaml" for form in ("mobind", "imu2clip"))


class _Written(Recipe):
    """Of a peer's recipe, where it writes."""

    model_config = ConfigDict(extra="ignore")


def chosen(given: tuple[Path, ...], recipes: tuple[Path, ...]) -> tuple[list[Voting], list[str]]:
    """The peers of the files ``given`` and, of the other kinds, those that ``recipes`` have written; and one
    line on each that is missing. Raises CheckpointError, RecipeError."""
    peers, missing = [Voting(mobind.load(path)) for path in given], []
    known = {peer.name for peer in peers}
    for recipe in recipes:
        path = _Written.read(recipe).output
        if recipe.stem in known:
            continue
        if path.is_file():
            peers.append(Voting(mobind.load(path)))
        else:
            missing.append(
                f"without the peer {recipe.stem}: {os.path.relpath(path)} is not there; train it with: "
                f"mobind-live train-peer {os.path.relpath(recipe)}"
            )
    return peers, missing
