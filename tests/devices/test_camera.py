"""The camera driver: frames and their stamps from a small video, poses from a stand-in or the real one."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from cameras import SECOND, StandIn, at, config, play, poses, stand_in
from memory_bus import MemoryBus
from pydantic import ValidationError

from mobind_live.devices.camera import feed, live, playback, pose, video
from mobind_live.devices.camera.pose import PoseError
from mobind_live.driver import DeviceError
from mobind_live.drivers.camera import Config, Driver
from mobind_live.runtime.serve import Service
from mobind_live.schema import Health, Message, Pose, Preview

__all__ = ["stand_in"]  # a fixture

FRAMES, FPS = 20, 40
STEP_NS = SECOND // FPS


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of video in which frame i has the brightness 10 i."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for i in range(FRAMES):
        writer.write(np.full((48, 64, 3), 10 * i, np.uint8))
    writer.release()
    return path


@pytest.mark.usefixtures("stand_in")
def test_at_full_speed_every_frame_comes_with_its_media_time(clip: Path):
    context = at()
    got, driver = play(config(str(clip), rate="max"), context)
    stamps = [message.t_ns - context.epoch_ns for message in poses(got)]
    np.testing.assert_allclose(stamps, np.arange(FRAMES) * STEP_NS, atol=2)
    brightness = [message.keypoints[0, 0, 0] for message in poses(got)]
    np.testing.assert_allclose(brightness, np.arange(FRAMES) * 10, atol=3)
    assert driver.counters.values.get("dropped_frames", 0) == 0
    assert poses(got)[0].image_size == (64, 48)
    assert poses(got)[0].track_ids.tolist() == [7]


@pytest.mark.usefixtures("stand_in")
def test_a_loop_goes_on_with_even_stamps(clip: Path):
    got, _ = play(config(str(clip), rate="max", loop=True, preview_hz=0), at(), at_most=3 * FRAMES)
    np.testing.assert_allclose(np.diff([message.t_ns for message in poses(got)]), STEP_NS, atol=4)


@pytest.mark.usefixtures("stand_in")
def test_a_bare_stream_without_stamps_is_played_and_said_to_be_one_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "walk.mjpeg"
    pictures = [cv2.imencode(".jpg", np.full((48, 64, 3), 10 * n, np.uint8))[1] for n in range(FRAMES)]
    path.write_bytes(b"".join(picture.tobytes() for picture in pictures))
    got, _ = play(config(str(path), rate="max", loop=True, preview_hz=0), at(), at_most=2 * FRAMES)
    np.testing.assert_allclose(np.diff([message.t_ns for message in poses(got)]), SECOND / 25, atol=4)
    assert caplog.text.count("it would be taken as 25 fps") == 1


@pytest.mark.usefixtures("stand_in")
def test_in_real_time_no_frame_comes_before_it_is_due(clip: Path):
    context = at()
    got, driver = play(config(str(clip), rate=2), context)
    assert all(m.received_ns >= context.epoch_ns + (m.t_ns - context.epoch_ns) / 2 for m in poses(got))
    assert len(poses(got)) + driver.counters.values.get("dropped_frames", 0) == FRAMES


@pytest.mark.usefixtures("stand_in")
def test_what_is_long_overdue_is_dropped_and_counted(clip: Path):
    got, driver = play(config(str(clip)), at(seconds_ago=60))
    assert poses(got) == []
    assert driver.counters.values["dropped_frames"] == FRAMES
    assert driver.counters.values["shed/cam0"] == FRAMES


@pytest.mark.usefixtures("stand_in")
def test_a_loop_that_starts_late_skips_the_laps_that_are_past(clip: Path):
    context = at(seconds_ago=3600)
    got, _ = play(config(str(clip), loop=True), context, at_most=3)
    assert poses(got)[0].t_ns - context.epoch_ns > 3599 * SECOND


@pytest.mark.usefixtures("stand_in")
def test_previews_are_small_pictures_with_skeletons(clip: Path):
    got, _ = play(config(str(clip), rate="max"), at())
    previews = [message for message in got if isinstance(message, Preview)]
    assert previews
    assert len(previews) < FRAMES
    picture = cv2.imdecode(previews[0].jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (48, 64, 3)


def until_lost(driver: Driver) -> list[Message]:
    """What comes until the driver gives up."""
    got: list[Message] = []

    def read_on() -> None:
        while True:
            got.extend(driver.read())

    with pytest.raises(DeviceError, match=r"ended|sends no frames"):
        read_on()
    return got


@dataclass
class FakeCamera:
    """A camera of a few frames, which then ends, or hangs until ``stuck`` is set."""

    frames: int
    stuck: threading.Event | None = None
    at: int = 0

    def grab(self) -> bool:
        self.at += 1
        if self.at > self.frames and self.stuck is not None:
            self.stuck.wait()
        return self.at <= self.frames

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        return 0.0

    def set(self, prop: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        pass


@pytest.mark.usefixtures("stand_in")
def test_a_camera_is_stamped_as_it_is_captured_less_its_delay_and_its_end_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(live, "open_live", lambda *_: FakeCamera(1))
    with Driver(config(0, delay_ms=40), at()) as driver:
        (found, *_) = until_lost(driver)
    assert isinstance(found, Pose)
    assert found.received_ns - found.t_ns == 40_000_000


@pytest.mark.usefixtures("stand_in")
def test_a_camera_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch):
    release = threading.Event()
    monkeypatch.setattr(live, "open_live", lambda *_: FakeCamera(1, stuck=release))
    monkeypatch.setattr(video, "STALL_NS", 0)
    with Driver(config(0), at()) as driver:
        until_lost(driver)
        release.set()


@pytest.mark.usefixtures("stand_in")
def test_tries_that_hang_are_not_waited_for_and_are_few(monkeypatch: pytest.MonkeyPatch):
    release = threading.Event()
    monkeypatch.setattr(live, "open_live", lambda *_: FakeCamera(0, stuck=release))
    monkeypatch.setattr(video, "OPEN_NS", 0)
    monkeypatch.setattr(feed, "RETRY_NS", 0)
    before = threading.active_count()
    waited: list[float | None] = []
    join = threading.Thread.join
    monkeypatch.setattr(threading.Thread, "join", lambda self, s=None: (waited.append(s), join(self, s))[1])
    play = playback.Playback(epoch_ns=0, rate=1.0, loop=False)
    options = feed.FeedOptions(source=0, request=live.Request(), play=play, nominal_hz=30.0)
    given = feed.Feed(options, threading.Event())
    for _ in range(8):
        given.restart()
    assert threading.active_count() - before <= feed.MOST_HANGING
    assert set(waited) == {0.0}
    release.set()
    given.stop()


@pytest.mark.usefixtures("stand_in")
def test_one_of_several_cameras_that_is_lost_is_opened_again_while_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, clip: Path, caplog: pytest.LogCaptureFixture
):
    opened: list[FakeCamera] = []

    def open_live(source: int | str, request: live.Request) -> FakeCamera:
        opened.append(FakeCamera(2))
        return opened[-1]

    monkeypatch.setattr(live, "open_live", open_live)
    monkeypatch.setattr(feed, "RETRY_NS", 0)
    several = config(None, sources={"front": 0, "side": {"source": str(clip)}}, loop=True, preview_hz=0)
    got: dict[str, list[int]] = {"front": [], "side": []}
    with Driver(several, at()) as driver:
        while len(got["front"]) < 6 or len(got["side"]) < 3:
            for message in driver.read():
                assert isinstance(message, Pose)
                got[message.stream].append(message.t_ns)
        assert driver.counters.values["reopened"] >= 2
    assert len(opened) >= 3
    assert sorted(got["front"]) == got["front"]
    assert "front: camera 0 ended" in caplog.text


@pytest.mark.usefixtures("stand_in")
def test_one_of_several_cameras_that_is_not_there_is_said_once(
    monkeypatch: pytest.MonkeyPatch, clip: Path, caplog: pytest.LogCaptureFixture
):
    def open_live(source: int | str, request: live.Request) -> FakeCamera:
        raise video.VideoError(f"camera {source} is not there")

    monkeypatch.setattr(live, "open_live", open_live)
    monkeypatch.setattr(feed, "RETRY_NS", 0)
    several = config(None, sources={"front": 0, "side": str(clip)}, loop=True, preview_hz=0)
    got: list[Message] = []
    with Driver(several, at()) as driver:
        while len(got) < FRAMES // 2:
            got.extend(driver.read())
        assert driver.counters.values["reopened"] == 0
    assert caplog.text.count("front: camera 0 is not there") == 1


@pytest.mark.usefixtures("stand_in")
def test_several_files_are_each_a_stream_and_end_together(clip: Path):
    both = {"one": str(clip), "two": {"source": str(clip)}}
    got, _ = play(config(None, sources=both, rate="max", preview_hz=0), at())
    for name in both:
        stamps = [message.t_ns for message in poses(got) if message.stream == name]
        assert len(stamps) == FRAMES
        np.testing.assert_allclose(np.diff(stamps), STEP_NS, atol=4)


def test_the_trackers_are_told_each_cameras_rate(clip: Path, monkeypatch: pytest.MonkeyPatch):
    given: list[pose.PoseOptions] = []
    monkeypatch.setattr(pose, "finder", lambda options, cameras: given.append(options) or StandIn())
    both = {"one": str(clip), "two": {"source": str(clip), "fps": 60}}
    play(config(None, sources=both, rate="max", preview_hz=0), at())
    assert given[0].hz == (30, 60)


def test_what_is_asked_of_all_cameras_goes_for_those_that_do_not_say_otherwise():
    both = config(None, sources={"a": 0, "b": {"source": 1, "fps": 60}}, fps=25, size=[1280, 720])
    assert [spec.nominal_hz for spec in both.streams("rig")] == [25, 60]
    assert [source.size for source in both.cameras("rig").values()] == [(1280, 720)] * 2
    with pytest.raises(ValidationError, match="one of source and sources"):
        config(0, sources={"a": 1})
    with pytest.raises(ValidationError, match="one of source and sources"):
        config(None)


def test_a_source_that_is_gone_or_is_no_video_is_named(tmp_path: Path):
    path = tmp_path / "text.mp4"
    path.write_text("not a video")
    section = config(str(path))
    with pytest.raises(DeviceError, match=r"text\.mp4 cannot be opened"), Driver(section, at()):
        pass
    path.unlink()
    with pytest.raises(DeviceError, match=r"text\.mp4 does not exist"), Driver(section, at()):
        pass


def test_a_model_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, clip: Path):
    def broken(*_: object) -> None:
        raise PoseError("pose model x.pt cannot be loaded: torn")

    monkeypatch.setattr(pose, "finder", broken)
    with pytest.raises(DeviceError, match="torn"), Driver(config(str(clip)), at()):
        pass


def test_paths_count_from_the_yamls_folder_and_must_be_there_but_names_and_urls_stay(tmp_path: Path):
    for name in ("yolo8n-pose.pt", "a.mp4", "mine.yaml"):
        (tmp_path / name).touch()

    def parsed(**section: object) -> Config:
        return Config.model_validate({"driver": "camera", **section}, context={"folder": tmp_path})

    assert parsed(source="a.mp4").source == str(tmp_path / "a.mp4")
    assert parsed(sources={"x": "a.mp4"}).sources["x"].source == str(tmp_path / "a.mp4")
    assert parsed(source="rtsp://host/x").source == "rtsp://host/x"
    assert parsed(source="/dev/v4l/by-id/usb-cam").source == "/dev/v4l/by-id/usb-cam"
    assert parsed(source=1).source == 1
    assert parsed(source=0, model="yolo11n-pose.pt").model == "yolo11n-pose.pt"
    assert parsed(source=0, model="yolo8n-pose.pt").model == str(tmp_path / "yolo8n-pose.pt")
    assert parsed(source=0, tracker="mine.yaml").tracker == str(tmp_path / "mine.yaml")
    for wrong, message in (
        ({"source": "none.mp4"}, r"none\.mp4 does not exist"),
        ({"source": 0, "model": "w/x.pt"}, r"x\.pt does not exist"),
        ({"source": 0, "tracker": "sort"}, "must be bytetrack, botsort, or"),
        ({"source": 0, "imgsz": 500}, "multiple of 32"),
        ({"source": 0, "format": "mjpeg"}, "pattern"),
    ):
        with pytest.raises(ValidationError, match=message):
            parsed(**wrong)


class Server:
    """A real network stream on loopback, which can be killed and started again."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}/live.ts"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        picture = ["-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=30"]
        coded = ["-c:v", "mpeg4", "-g", "5", "-f", "mpegts", "-listen", "1", self.url]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "quiet", *picture, *coded]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.kill()


@pytest.mark.usefixtures("stand_in")
def test_a_network_stream_that_ends_is_opened_again_once_it_is_back(server: Server):
    stop, bus = threading.Event(), MemoryBus()
    subscriber = bus.subscriber()
    service = Service(Driver, config(server.url, preview_hz=0), at(), bus.publisher(), stop)  # type: ignore[arg-type]
    thread = threading.Thread(target=service.run)
    thread.start()
    stamps: list[int] = []
    beats: list[Health] = []

    def more() -> None:
        """Five poses more than there are."""
        enough = len(stamps) + 5
        while len(stamps) < enough:
            for received in subscriber.poll(100):
                if isinstance(received.message, Pose):
                    stamps.append(received.message.t_ns)
                elif isinstance(received.message, Health):
                    beats.append(received.message)

    try:
        more()
        server.kill()
        server.start()
        more()
        more()
    finally:
        stop.set()
        thread.join()
    assert (np.diff(stamps) > 0).all()
    assert any(beat.state == "waiting" and "source http" in beat.detail for beat in beats)
    service.beat("running")
    beats += [item.message for item in subscriber.poll(0) if isinstance(item.message, Health)]
    assert beats[-1].counters["reopened"] == 1


@pytest.mark.usefixtures("stand_in")
def test_a_network_stream_that_falls_silent_is_given_up(server: Server):
    driver = Driver(config(server.url), at())
    while True:
        with contextlib.suppress(DeviceError):  # the server may not be up yet
            driver.__enter__()
            break
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)  # the connection stays, nothing comes
    until_lost(driver)
    driver.__exit__(None, None, None)


def test_real_people_are_tracked(shared_data: Path):
    model = shared_data.parent / "weights" / "yolov8n-pose_int8_openvino_model"
    source = shared_data / "video" / "walkers_10people_1280x720_50fps.mp4"
    if not (model.is_dir() and source.is_file()):
        pytest.skip("needs the pose weights and videos in ../shared")
    pytest.importorskip("openvino")
    section = config(str(source), model=str(model), imgsz=320, rate="max", device="cpu", loop=True)
    got, _ = play(section, at(), at_most=25)
    found = poses(got)[5:]
    assert np.median([len(message.track_ids) for message in found]) >= 2
    first, last = set(found[0].track_ids.tolist()), set(found[-1].track_ids.tolist())
    assert first & last
    assert all(message.keypoints[..., 0].max() < 1280 for message in found)
