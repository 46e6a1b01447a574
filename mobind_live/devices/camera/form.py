"""What a camera's YAML section says, checked: sources, what is asked of them, and the pose network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mobind_live.devices.camera import live, pose
from mobind_live.devices.camera.turn import Rotation
from mobind_live.driver import DriverConfig, StreamSpec
from mobind_live.section import Section, resolve_path

NOMINAL_HZ = 30.0


def _source(value: int | str, info: ValidationInfo) -> int | str:
    """A camera's number or path or a URL as it is, a file against the YAML's folder. It must be there."""
    if isinstance(value, int) or live.is_live(value):
        return value
    path = resolve_path(Path(value), info)
    if not path.is_file():
        raise ValueError(f"{path} does not exist; name a video file, a camera's number, or a URL")
    return str(path)


def _model(value: str, info: ValidationInfo) -> str:
    """A file or folder of weights against the YAML's folder; a bare name stays one if no file has it."""
    path = resolve_path(Path(value), info)
    if path.exists():
        return str(path)
    if pose.MODEL_NAME.fullmatch(value):
        return value
    raise ValueError(f"{path} does not exist; give a file, a folder, or a name like yolo11n-pose.pt")


def _tracker(value: str, info: ValidationInfo) -> str:
    if value in pose.TRACKERS:
        return value
    path = resolve_path(Path(value), info)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return str(path)
    raise ValueError(
        f"must be {', '.join(pose.TRACKERS)}, or a tracker's YAML file that is there; got {value}"
    )


Where = Annotated[int | str, AfterValidator(_source)]


class Asked(Section):
    """What is asked of one source, see ``live.Request``, and done to its pictures, see ``turn.Turn``."""

    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    fps: float | None = Field(default=None, gt=0, le=1000)
    format: str | None = Field(default=None, pattern=r"^[A-Za-z0-9 ]{1,4}$")
    strict: bool = False
    delay_ms: float = Field(default=0.0, ge=0, le=2000)
    rotate: Rotation = 0
    mirror: bool = False


class Source(Asked):
    """One of several ``sources``."""

    source: Where


class CameraForm(Asked, DriverConfig):
    """``source``: a camera's number or path, a URL, or a video file; or ``sources``, several of them by the
    names of their streams, which share one pose network: what is there is worked off in one batch.

    ``size``, ``fps`` and ``format`` are asked of the camera; it is an error, if ``strict``, when it gives
    something else. ``delay_ms`` from exposure to arrival is taken off the stamps. ``rotate``: by how many
    degrees each picture is turned clockwise; ``mirror``: whether left and right are exchanged then.
    ``model``: a file or folder of YOLO-pose weights, or a name that ultralytics fetches, once
    (``yolo11n-pose.pt``). ``imgsz`` is the longer side of what the network sees, ``conf`` the least score of
    a person. A file plays at ``rate`` (``max``: every frame, as fast as they are worked off), and over again
    with ``loop``.
    """

    source: Where | None = None
    sources: dict[str, Source] = Field(default_factory=dict)
    model: Annotated[str, AfterValidator(_model)] = "yolo11n-pose.pt"
    rate: Annotated[float, Field(gt=0, le=100)] | Literal["max"] = 1.0
    loop: bool = False
    imgsz: int = Field(default=480, ge=32, le=4096, multiple_of=32)
    conf: float = Field(default=0.1, gt=0, lt=1)
    device: str = "auto"
    tracker: Annotated[str, AfterValidator(_tracker)] = "bytetrack"
    nominal_hz: float | None = Field(default=None, gt=0)
    preview_hz: float = Field(default=5.0, ge=0, le=30)
    preview_width: int = Field(default=640, ge=64, le=3840)

    @field_validator("sources", mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        """``front: 0`` is short for ``front: {source: 0}``."""
        if not isinstance(value, dict):
            return value
        return {
            name: item if isinstance(item, (dict, Source)) else {"source": item}
            for name, item in value.items()
        }

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.source is None) == (not self.sources):
            raise ValueError("one of source and sources is needed")
        return self

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        return tuple(
            StreamSpec(
                name=stream,
                kind="cam",
                nominal_hz=self.expected_hz(source),
                rotate=source.rotate,
                mirror=source.mirror,
            )
            for stream, source in self.cameras(name).items()
        )

    def held(self) -> tuple[str, ...]:
        """The cameras; files and network streams may be read by several."""
        where = [source.source for source in self.cameras("").values()]
        paths = [f"/dev/video{item}" if isinstance(item, int) else item for item in where]
        return tuple(os.path.realpath(path) for path in paths if path.startswith("/dev/"))

    def cameras(self, name: str) -> dict[str, Source]:
        """The sources by stream; what is asked for all of them goes for those that do not say otherwise."""
        asked = {key: getattr(self, key) for key in Asked.model_fields}
        if self.source is not None:
            return {name: Source.model_construct(source=self.source, **asked)}  # is valid already
        return {
            stream: source.model_copy(
                update={key: value for key, value in asked.items() if key not in source.model_fields_set}
            )
            for stream, source in self.sources.items()
        }

    def expected_hz(self, source: Source) -> float:
        return self.nominal_hz or source.fps or NOMINAL_HZ
