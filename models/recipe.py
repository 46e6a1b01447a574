"""Recipes: what the training commands read from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML, YAMLError

from mobind_live.models.errors import RecipeError
from mobind_live.models.losses import Without


class Recipe(BaseModel):
    """Base of all recipes: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recipe in a YAML file; its relative paths count from the file's folder.

        Raises RecipeError: no such file, not YAML, an unknown key, a wrong value.
        """
        values = _mapping(path)
        for key, field in cls.model_fields.items():
            if field.annotation in (Path, Path | None) and isinstance(values.get(key), str):
                values[key] = (path.parent / values[key]).resolve()
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(f"{path}: {cls._first(error)}") from error

    @classmethod
    def _first(cls, error: ValidationError) -> str:
        """One line: the first key that is wrong, and what is allowed."""
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        if first["type"] == "extra_forbidden":
            return f"{key}: unknown key; allowed: {', '.join(cls.model_fields)}"
        if first["type"] == "missing":
            return f"{key}: must be given"
        return f"{key}: {first['msg']}"

    def published(self) -> str:
        """The recipe for the weights' header: its files by name, without the folders of this machine."""
        names = {key: value.name for key, value in self if isinstance(value, Path)}
        return self.model_copy(update=names).model_dump_json(warnings=False)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such file; name a training recipe (YAML)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as text") from error
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{path}: not YAML: {reason}") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{path}: must be keys and values, such as `motion: motion.npz`")
    return values


class TrainConfig(Recipe):
    """What ``mobind-live train`` reads."""

    motion: Path
    output: Path
    steps: int = 4000
    people: int = 40
    worn: int = 3
    windows_s: tuple[tuple[float, float], ...] = ((4.0, 6.0), (8.0, 12.0))  # of IMU and pose, in turn
    rate: float = 2e-3
    seed: int = 0
    reels: int = 240
    reel_s: float = 40.0
    workouts: float = Field(0.0, ge=0, le=1)  # share of the reels that show exercises drawn at random
    sticks: float = Field(0.25, ge=0, le=1)  # share of the skeletons that are rebuilt from angles alone
    utd_mhad: Path | None = None
    utd_subjects: tuple[int, ...] = (1, 3, 5, 7)
    real_every: int = 0
    real_windows_s: tuple[tuple[float, float], ...] = ((2.0, 4.0),)
    start_from: Path | None = None
    # Candidates or terms that the loss leaves out, to see what each is worth.
    without: tuple[Without, ...] = ()
    # Where both streams last as long as this, the loss sees tokens less their running mean, as they are used.
    centred_from_s: float | None = None
    blend: float = Field(
        1.0, gt=0, le=1
    )  # of what was learned, the share that goes into what it started from
    device: str = "auto"
    threads: int = 2
    loaders: int = 1
    save_every: int = 200
    width: int = 96
    embedding: int = 64

    def fixed(self) -> str:
        """What must not change between a run and its resumption."""
        free = {"output", "device", "threads", "loaders", "save_every", "start_from"}
        return self.model_dump_json(exclude=free)
