"""Recipes: what the training commands read from YAML."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from mobind_live.models.errors import OutputError, RecipeError
from mobind_live.models.losses import Without
from mobind_live.models.output import make_room
from mobind_live.vocabulary import PARTS

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(gt=0, le=600)]
Window = Annotated[float, Field(ge=0.5, le=600)]  # in s; no evidence is shorter
Windows = Annotated[tuple[tuple[Window, Window], ...], Field(min_length=1)]
Steps = Annotated[int, Field(ge=10)]  # a cycle of the rate goes up and comes down
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0)]
People = Annotated[int, Field(ge=2)]
_FASTER = 1.25  # a window takes so much more of a reel than it lasts, played at the highest speed


class Recipe(BaseModel):
    """Base of all recipes: frozen; unknown keys and numbers that are none are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    output: Path

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

    def make_room(self) -> None:
        """See that ``output`` can be written, before the work. Raises RecipeError."""
        try:
            make_room(self.output)
        except OutputError as error:
            raise RecipeError(f"output: {error}") from error

    @classmethod
    def _first(cls, error: ValidationError) -> str:
        """One line: the first key that is wrong, and what is allowed."""
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        if first["type"] == "extra_forbidden":
            return f"{key}: unknown key; allowed: {', '.join(cls.model_fields)}"
        if first["type"] == "missing":
            return f"{key}: must be given"
        text = first["msg"].removeprefix("Value error, ")
        return f"{key}: {text}" if key else text

    def published(self) -> str:
        """The recipe for the weights' header: its files by name, without the folders of this machine."""
        names = {key: value.name for key, value in self if isinstance(value, Path)}
        return self.model_copy(update=names).model_dump_json(warnings=False)


def _content(path: Path) -> str:
    """What tells a file from one of another content; of a folder, its name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else path.name


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


def check_reels(reel_s: float, window_s: float) -> None:
    """Raises ValueError if windows of ``window_s`` cannot be cut from reels of ``reel_s``."""
    if reel_s < (least_s := _FASTER * window_s + 1):
        raise ValueError(f"reel_s: windows of {window_s:g} s need reels of {least_s:g} s")


class TrainConfig(Recipe):
    """What ``mobind-live train`` reads."""

    motion: Path
    steps: Count = 4000
    people: People = 40
    worn: Annotated[int, Field(ge=1, le=len(PARTS))] = 3
    windows_s: Windows = ((4.0, 6.0), (8.0, 12.0))  # of IMU and pose, in turn
    rate: Rate = 2e-3
    seed: Seed = 0
    reels: Count = 240
    reel_s: Seconds = 40.0
    # How reels stray from their takes, beyond what they always do (models/datasets/reels.py).
    limb: Share = 0.0
    warp: Annotated[float, Field(ge=0, le=1)] = 0.0
    gain: Annotated[float, Field(ge=0, le=1)] = 0.0
    workouts: Share = 0.0  # of the reels: exercises drawn at random
    sticks: Share = 0.25  # of the skeletons: rebuilt from angles alone
    place_m: Annotated[float, Field(ge=0, le=0.2)] = 0.03  # off the usual place, each way
    utd_mhad: Path | None = None
    utd_subjects: tuple[int, ...] = (1, 3, 5, 7)
    real_every: Annotated[int, Field(ge=0)] = 0
    real_windows_s: Windows = ((2.0, 4.0),)
    start_from: Path | None = None
    # Candidates or terms that the loss leaves out, to see what each is worth.
    without: tuple[Without, ...] = ()
    # Where both streams last as long as this, the loss sees tokens less their running mean, as they are used.
    centred_from_s: float | None = None
    blend: Rate = 1.0  # of what was learned, the share that goes into what it started from
    device: str = "auto"
    threads: Count = 2
    loaders: Annotated[int, Field(ge=0)] = 1
    save_every: Count = 200
    width: Count = 96
    embedding: Count = 64

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_reels(self.reel_s, max(map(max, self.windows_s)))
        if self.real_every and self.utd_mhad is None:
            raise ValueError("real_every: there are no real pairs without utd_mhad")
        return self

    def fixed(self) -> str:
        """What must not change between a run and its resumption: of files what is in them, wherever they
        lie; what was started from may be written over by now, and is known by its name."""
        free = {"output", "device", "threads", "loaders", "save_every"}
        held = {key: Path(_content(value)) for key, value in self if isinstance(value, Path)}
        if self.start_from:
            held["start_from"] = Path(self.start_from.name)
        return self.model_copy(update=held).model_dump_json(exclude=free)
