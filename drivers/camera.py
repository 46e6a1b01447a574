"""Cameras, network streams or video files through YOLO-pose: tracked people's keypoints, and a preview."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Self

from mobind_live.clock import host_now_ns
from mobind_live.devices.camera import feed, live, playback, pose, preview, v4l2, video
from mobind_live.devices.camera.form import CameraForm, Source
from mobind_live.devices.camera.turn import Turn
from mobind_live.driver import IDS_EACH_LIFE, Context, Counters, DeviceError, EndOfStream, Found
from mobind_live.schema import Message, Pose, Preview

log = logging.getLogger(__name__)

READ_S = 0.2


class Config(CameraForm):
    """Nothing beside what ``CameraForm`` says."""


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
        # A process begins to count at 1: nobody shall have the number of whom its former life saw.
        self._first_id = context.restarts * IDS_EACH_LIFE
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
            for stream in self._feeds:
                self._finder.forget(stream)
        except pose.PoseError as error:
            self._stop()
            raise DeviceError(str(error)) from error
        except DeviceError:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
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
            turn=Turn(source.rotate, source.mirror),
        )

    def _pose_options(self) -> pose.PoseOptions:
        config = self._config
        return pose.PoseOptions(
            model=config.model,
            device=config.device,
            imgsz=config.imgsz,
            conf=config.conf,
            tracker=config.tracker,
            hz=tuple(map(config.expected_hz, config.cameras(self._context.name).values())),
        )

    def _tend(self) -> None:
        """Open anew what was lost, as long as another camera works: if none does, the loop shall say so."""
        going = {stream: item for stream, item in self._feeds.items() if not item.done}
        lost = {stream: reason for stream, item in going.items() if (reason := item.lost)}
        if lost and len(lost) == len(going):
            raise DeviceError("; ".join(lost.values()))
        for stream, reason in lost.items():
            self.counters.add("reopened", going[stream].playing)
            if self._finder is not None:
                self._finder.forget(stream)
            if going[stream].restart():
                log.warning("%s: %s; it will be opened again", stream, reason)

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
                track_ids=found[stream].track_ids + self._first_id,
                boxes=found[stream].boxes,
                keypoints=found[stream].keypoints,
            )
            if self._preview_due(stream):
                jpeg, size = preview.draw(frame.image, found[stream], width=self._config.preview_width)
                yield Preview(stream=stream, t_ns=frame.t_ns, image_size=size, jpeg=jpeg)

    def _preview_due(self, stream: str) -> bool:
        hz, now_ns = self._config.preview_hz, host_now_ns()
        if not hz or (now_ns - self._preview_ns.get(stream, 0)) * 1e-9 < 1 / hz:
            return False
        self._preview_ns[stream] = now_ns
        return True
