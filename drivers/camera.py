"""A camera, network stream or video file through YOLO-pose: tracked people's keypoints, and a preview."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo

from mobind_live import pose, video
from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    StreamSpec,
    resolve_path,
)
from mobind_live.schema import Message, Pose, Preview

log = logging.getLogger(__name__)

QUEUE = 2  # the newest frames that wait for the pose network
READ_S = 0.2
STALL_NS = 1_500_000_000  # a live source silent for so long is opened anew


def _source(value: int | str, info: ValidationInfo) -> int | str:
    """A camera's number or a URL as it is, a file against the YAML's folder."""
    return value if isinstance(value, int) or "://" in value else str(resolve_path(Path(value), info))


def _model(value: str, info: ValidationInfo) -> str:
    """A file or folder of weights against the YAML's folder; a bare name stays one if no file has it."""
    path = resolve_path(Path(value), info)
    return value if pose.MODEL_NAME.fullmatch(value) and not path.exists() else str(path)


class Config(DriverConfig):
    """``source``: a camera's number, a URL, or a video file. ``model``: a file or folder of YOLO-pose
    weights, or a name that ultralytics fetches, once (``yolo11n-pose.pt``).

    ``imgsz`` is the longer side of what the network sees, ``conf`` the least score of a person. A file
    plays at ``rate`` (``max``: every frame, as fast as they are worked off), and over again with ``loop``.
    """

    source: Annotated[int | str, AfterValidator(_source)]
    model: Annotated[str, AfterValidator(_model)] = "yolo11n-pose.pt"
    rate: Annotated[float, Field(gt=0, le=100)] | Literal["max"] = 1.0
    loop: bool = False
    imgsz: int = Field(default=480, ge=32, le=4096, multiple_of=32)
    conf: float = Field(default=0.1, gt=0, lt=1)
    device: str = "auto"
    tracker: Literal["bytetrack", "botsort"] = "bytetrack"
    nominal_hz: float = Field(default=30.0, gt=0)
    preview_hz: float = Field(default=5.0, ge=0, le=30)
    preview_width: int = Field(default=640, ge=64, le=3840)

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        return (StreamSpec(name=name, kind="cam", nominal_hz=self.nominal_hz),)

    @property
    def is_live(self) -> bool:
        return isinstance(self.source, int) or "://" in self.source


class Driver:
    """One camera. Frames come from a thread that stamps them; poses are found where ``read`` is called."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._finder: pose.Finder | None = None
        self._grabber: video.Grabber | None = None
        self._last_frame_ns = 0
        self._preview_ns = 0
        self.counters = Counters()

    def __enter__(self) -> Self:
        try:
            self._grabber = self._open()
            self._finder = self._load()
        except (video.VideoError, pose.PoseError) as error:
            self.__exit__(None, None, None)
            raise DeviceError(str(error)) from error
        self._last_frame_ns = host_now_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._grabber is not None:
            self._grabber.stop()
        self._grabber = self._finder = None

    def read(self) -> Iterator[Message]:
        """The pose of the next frame, with a preview now and then. Raises DeviceError when a live source
        has stopped, EndOfStream after a file's last frame."""
        grabber = self._grabber
        assert grabber is not None
        frame = grabber.queue.get(READ_S)
        self._count(grabber.queue.take_dropped())
        if frame is not None:
            self._last_frame_ns = host_now_ns()
            return self._messages(frame)
        self._check(grabber)
        return iter(())

    def _open(self) -> video.Grabber:
        """The source, with its frames being taken already while the network loads: otherwise a camera's
        first frames would be old ones from its buffer, and stamped as new."""
        config, stop = self._config, threading.Event()
        capture = video.open_capture(config.source)
        queue = video.FrameQueue(QUEUE, wait=config.rate == "max" and not config.is_live)
        if config.is_live:
            frames = video.live_frames(capture)
        else:
            capture.release()  # it opens; the player does so again for each lap
            rate = None if config.rate == "max" else config.rate
            playback = video.Playback(epoch_ns=self._context.epoch_ns, rate=rate, loop=config.loop)
            frames = video.Player(
                lambda: video.open_capture(config.source), playback, stop, queue.drop
            ).frames()
        grabber = video.Grabber(frames, queue, stop)
        grabber.start()
        return grabber

    def _load(self) -> pose.Finder:
        config = self._config
        return pose.YoloPose(
            config.model, device=config.device, imgsz=config.imgsz, conf=config.conf, tracker=config.tracker
        )

    def _check(self, grabber: video.Grabber) -> None:
        if grabber.error:
            raise DeviceError(grabber.error)
        if grabber.ended and not self._config.is_live:
            raise EndOfStream(f"{self._config.source} was played to its end")
        if grabber.ended:
            raise DeviceError(f"source {self._config.source} ended; was the camera unplugged?")
        if self._config.is_live and host_now_ns() - self._last_frame_ns > STALL_NS:
            raise DeviceError(f"source {self._config.source} sends no frames")

    def _count(self, dropped: int) -> None:
        if dropped:
            self.counters.add("dropped_frames", dropped)
            self.counters.add(f"shed/{self._context.name}", dropped)

    def _messages(self, frame: video.Frame) -> Iterator[Message]:
        assert self._finder is not None
        started_ns = host_now_ns()
        found = self._finder(frame.image)
        now_ns = host_now_ns()
        self.counters.values["pose_ms"] = round((now_ns - started_ns) * 1e-6, 1)
        height, width = frame.image.shape[:2]
        yield Pose(
            stream=self._context.name,
            t_ns=frame.t_ns,
            received_ns=frame.received_ns,
            image_size=(width, height),
            track_ids=found.track_ids,
            boxes=found.boxes,
            keypoints=found.keypoints,
        )
        if self._config.preview_hz and (now_ns - self._preview_ns) * 1e-9 >= 1 / self._config.preview_hz:
            self._preview_ns = now_ns
            jpeg, size = pose.draw(frame.image, found, width=self._config.preview_width)
            yield Preview(stream=self._context.name, t_ns=frame.t_ns, image_size=size, jpeg=jpeg)
