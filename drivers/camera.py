"""Cameras, network streams or video files through YOLO-pose: tracked people's keypoints, and a preview."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mobind_live import feed, live, playback, pose, v4l2, video
from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    Found,
    StreamSpec,
    resolve_path,
)
from mobind_live.schema import Message, Pose, Preview

log = logging.getLogger(__name__)

READ_S = 0.2
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


class Asked(BaseModel):
    """What is asked of one source; see ``live.Request``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    fps: float | None = Field(default=None, gt=0, le=1000)
    format: str | None = Field(default=None, pattern=r"^[A-Z0-9]{4}$")
    strict: bool = False
    delay_ms: float = Field(default=0.0, ge=0, le=2000)


class Source(Asked):
    """One of several ``sources``."""

    source: Where


class Config(Asked, DriverConfig):
    """``source``: a camera's number or path, a URL, or a video file; or ``sources``, several of them by the
    names of their streams, which share one pose network: what is there is worked off in one batch.

    ``size``, ``fps`` and ``format`` are asked of the camera; it is an error, if ``strict``, when it gives
    something else. ``delay_ms`` from exposure to arrival is taken off the stamps. ``model``: a file or folder
    of YOLO-pose weights, or a name that ultralytics fetches, once (``yolo11n-pose.pt``). ``imgsz`` is the
    longer side of what the network sees, ``conf`` the least score of a person. A file plays at ``rate``
    (``max``: every frame, as fast as they are worked off), and over again with ``loop``.
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
            StreamSpec(name=stream, kind="cam", nominal_hz=self.expected_hz(source))
            for stream, source in self.cameras(name).items()
        )

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


def discover() -> list[Found]:
    """The cameras at this machine. Raises DeviceError where they cannot be listed."""
    try:
        cameras = v4l2.cameras()
    except v4l2.CannotList as error:
        raise DeviceError(str(error)) from error
    return [
        Found(
            name=f"camera{camera.number}",
            about=f"{camera.title}: {camera.problem or camera.modes_text()}",
            yaml={} if camera.problem else {"driver": "camera", "source": camera.path, **camera.best()},
        )
        for camera in cameras
    ]


class Driver:
    """One camera, or several. Frames come from threads that stamp them; poses are found where ``read`` is
    called."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._finder: pose.Finder | None = None
        self._bell = threading.Event()
        self._feeds: dict[str, feed.Feed] = {}
        self._preview_ns: dict[str, int] = {}
        self.counters = Counters()

    def __enter__(self) -> Self:
        try:
            for stream, source in self._config.cameras(self._context.name).items():
                self._feeds[stream] = feed.Feed(self._options(source), self._bell)
            while not any(item.playing or item.done for item in self._feeds.values()):
                self._bell.wait(READ_S)
                self._bell.clear()
                self._tend()
            # Last: it takes long, and a camera that is not there shall not wait for it.
            self._finder = pose.finder(self._pose_options(), tuple(self._feeds))
        except pose.PoseError as error:
            self._stop()
            raise DeviceError(str(error)) from error
        except DeviceError:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        for item in self._feeds.values():
            item.stop()
        self._feeds, self._finder = {}, None

    def read(self) -> Iterator[Message]:
        """The poses in the next frame of each camera that has one, with previews now and then.

        Raises DeviceError when the last live source was lost, EndOfStream after all files' last frames.
        """
        self._tend()
        frames = self._take()
        if not frames:
            self._bell.wait(READ_S)
            self._bell.clear()
            frames = self._take()
        if not frames and all(item.done for item in self._feeds.values()):
            raise EndOfStream(f"{self._context.name} was played to its end")
        return self._messages(frames) if frames else iter(())

    def _take(self) -> dict[str, video.Frame]:
        frames = {}
        for stream, item in self._feeds.items():
            if (frame := item.get()) is not None:
                frames[stream] = frame
            if dropped := item.take_dropped():
                self.counters.add("dropped_frames", dropped)
                self.counters.add(f"shed/{stream}", dropped)
        return frames

    def _options(self, source: Source) -> feed.FeedOptions:
        config = self._config
        rate = None if config.rate == "max" else config.rate
        return feed.FeedOptions(
            source=source.source,
            request=live.Request(
                size=source.size,
                fps=source.fps,
                pixels=source.format,
                strict=source.strict,
                delay_ns=round(source.delay_ms * 1e6),
            ),
            play=playback.Playback(epoch_ns=self._context.epoch_ns, rate=rate, loop=config.loop),
            nominal_hz=config.expected_hz(source),
        )

    def _pose_options(self) -> pose.PoseOptions:
        config = self._config
        return pose.PoseOptions(
            model=config.model,
            device=config.device,
            imgsz=config.imgsz,
            conf=config.conf,
            tracker=config.tracker,
        )

    def _tend(self) -> None:
        """Open anew what was lost, as long as another camera works: if none does, the loop shall say so."""
        going = {stream: item for stream, item in self._feeds.items() if not item.done}
        lost = {stream: reason for stream, item in going.items() if (reason := item.lost)}
        if lost and len(lost) == len(going):
            raise DeviceError("; ".join(lost.values()))
        for stream, reason in lost.items():
            if going[stream].restart():
                log.warning("%s: %s; opening it again", stream, reason)
                self.counters.add("reopened")

    def _messages(self, frames: dict[str, video.Frame]) -> Iterator[Message]:
        assert self._finder is not None
        started_ns = host_now_ns()
        found = self._finder({stream: frame.image for stream, frame in frames.items()})
        self.counters.values["pose_ms"] = round((host_now_ns() - started_ns) * 1e-6, 1)
        for stream, frame in frames.items():
            height, width = frame.image.shape[:2]
            yield Pose(
                stream=stream,
                t_ns=frame.t_ns,
                received_ns=frame.received_ns,
                image_size=(width, height),
                track_ids=found[stream].track_ids,
                boxes=found[stream].boxes,
                keypoints=found[stream].keypoints,
            )
            if self._preview_due(stream):
                jpeg, size = pose.draw(frame.image, found[stream], width=self._config.preview_width)
                yield Preview(stream=stream, t_ns=frame.t_ns, image_size=size, jpeg=jpeg)

    def _preview_due(self, stream: str) -> bool:
        hz, now_ns = self._config.preview_hz, host_now_ns()
        if not hz or (now_ns - self._preview_ns.get(stream, 0)) * 1e-9 < 1 / hz:
            return False
        self._preview_ns[stream] = now_ns
        return True
