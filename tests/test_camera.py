"""The camera driver: frames and their stamps from a small video, poses from a stand-in or the real one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from mobind_live import pose, video
from mobind_live.clock import host_now_ns
from mobind_live.driver import Context, DeviceError, EndOfStream
from mobind_live.drivers.camera import Config, Driver
from mobind_live.pose import People, PoseError
from mobind_live.schema import Message, Pose, Preview
from mobind_live.video import Frame, FrameQueue

SECOND = 1_000_000_000
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


def one_person(image: np.ndarray) -> People:
    """A stand-in for the network: one person whose nose tells the picture's brightness."""
    keypoints = np.full((1, 17, 3), 0.9, np.float32)
    keypoints[0, :, 0], keypoints[0, :, 1] = image.mean(), np.arange(17)
    return People(
        track_ids=np.array([7], np.int32), boxes=np.array([[0, 0, 9, 9]], np.float32), keypoints=keypoints
    )


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pose network replaced at its border."""
    monkeypatch.setattr(pose, "YoloPose", lambda *_, **__: one_person)


def config(source: object, **more: object) -> Config:
    return Config.model_validate({"driver": "camera", "source": source, **more})


def play(config: Config, context: Context, *, at_most: int = 1000) -> tuple[list[Message], Driver]:
    got: list[Message] = []
    driver = Driver(config, context)
    with driver:
        try:
            while len(got) < at_most:
                got.extend(driver.read())
        except EndOfStream:
            pass
    return got, driver


def poses(messages: list[Message]) -> list[Pose]:
    return [message for message in messages if isinstance(message, Pose)]


def at(seconds_ago: float = 0.0) -> Context:
    return Context(name="cam0", epoch_ns=host_now_ns() - int(seconds_ago * SECOND))


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


@dataclass
class FakeCapture:
    """A capture of given stamps in ms; ``fps`` and stamps as a broken container would say them."""

    stamps_ms: list[float]
    fps: float = 50.0
    at: int = -1
    released: bool = False
    block: threading.Event | None = field(default=None)

    def grab(self) -> bool:
        self.at += 1
        if self.at >= len(self.stamps_ms) and self.block is not None:
            self.block.wait()
        return self.at < len(self.stamps_ms)

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return self.stamps_ms[self.at]
        return self.fps if prop == cv2.CAP_PROP_FPS else 0.0

    def set(self, prop: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(
    ("stamps_ms", "media_ms"),
    [
        ([0, 33, 70, 100], [0, 33, 70, 100]),  # a variable rate: the container knows
        ([0, 0, 0, 0], [0, 20, 40, 60]),  # no stamps: only now the frame rate
    ],
)
def test_stamps_are_the_containers_where_it_has_any(stamps_ms: list[float], media_ms: list[float]):
    capture = FakeCapture(stamps_ms)
    playback = video.Playback(epoch_ns=5, rate=None, loop=False)
    player = video.Player(lambda: capture, playback, threading.Event(), lambda _: None)
    assert [frame.t_ns - 5 for frame in player.frames()] == [ms * 1_000_000 for ms in media_ms]
    assert capture.released


def frame(t_ns: int) -> Frame:
    return Frame(image=np.zeros((2, 2, 3), np.uint8), t_ns=t_ns, received_ns=t_ns)


def test_the_queue_keeps_the_newest_and_counts_the_rest():
    queue = FrameQueue(2, wait=False)
    for t in range(5):
        queue.put(frame(t))
    kept = [queue.get(0), queue.get(0)]
    assert [one.t_ns for one in kept if one is not None] == [3, 4]
    assert queue.take_dropped() == 3
    assert queue.take_dropped() == 0
    assert queue.get(0) is None


def test_a_waiting_queue_loses_nothing_and_lets_go_when_closed():
    queue = FrameQueue(1, wait=True)
    put = threading.Thread(target=lambda: [queue.put(frame(t)) for t in range(4)])
    put.start()
    got = [queue.get(5) for _ in range(4)]
    put.join(5)
    assert [one.t_ns for one in got if one is not None] == [0, 1, 2, 3]
    queue.put(frame(9))
    stuck = threading.Thread(target=queue.put, args=(frame(10),))
    stuck.start()
    queue.close()
    stuck.join(5)
    assert not stuck.is_alive()


def drain(driver: Driver) -> None:
    for _ in range(20):
        list(driver.read())


@pytest.mark.usefixtures("stand_in")
def test_a_live_source_is_stamped_at_capture_and_its_end_is_an_error(monkeypatch: pytest.MonkeyPatch):
    before_ns = host_now_ns()
    monkeypatch.setattr(video, "open_capture", lambda _: FakeCapture([0.0]))
    driver = Driver(config(0), at())
    with driver:
        (found, *_) = driver.read()
        assert isinstance(found, Pose)
        assert before_ns < found.t_ns == found.received_ns <= host_now_ns()
        with pytest.raises(DeviceError, match="ended"):
            drain(driver)


@pytest.mark.usefixtures("stand_in")
def test_a_live_source_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch):
    release = threading.Event()
    monkeypatch.setattr(video, "open_capture", lambda _: FakeCapture([0.0], block=release))
    monkeypatch.setattr("mobind_live.drivers.camera.STALL_NS", 0)
    with Driver(config("rtsp://nowhere/cam"), at()) as driver:
        with pytest.raises(DeviceError, match="no frames"):
            drain(driver)
        release.set()


def test_a_missing_or_unreadable_source_is_named(tmp_path: Path):
    with (
        pytest.raises(DeviceError, match=r"none\.mp4 does not exist"),
        Driver(config(str(tmp_path / "none.mp4")), at()),
    ):
        pass
    (tmp_path / "text.mp4").write_text("not a video")
    with (
        pytest.raises(DeviceError, match=r"text\.mp4 cannot be opened"),
        Driver(config(str(tmp_path / "text.mp4")), at()),
    ):
        pass


def test_a_missing_model_is_named_and_only_known_names_may_be_fetched(tmp_path: Path):
    with pytest.raises(PoseError, match="does not exist"):
        pose.weights(str(tmp_path / "yolo11n-pose.pt"))
    with pytest.raises(PoseError, match="does not exist"):
        pose.weights("weights.onnx")
    assert pose.weights(str(tmp_path)) == tmp_path


def test_paths_count_from_the_yamls_folder_but_names_and_urls_stay(tmp_path: Path):
    (tmp_path / "yolo8n-pose.pt").touch()

    def parsed(**section: object) -> Config:
        return Config.model_validate({"driver": "camera", **section}, context={"folder": tmp_path})

    assert parsed(source="a.mp4").source == str(tmp_path / "a.mp4")
    assert parsed(source="rtsp://host/x").source == "rtsp://host/x"
    assert parsed(source=1).source == 1
    assert parsed(source=0, model="yolo11n-pose.pt").model == "yolo11n-pose.pt"
    assert parsed(source=0, model="yolo8n-pose.pt").model == str(tmp_path / "yolo8n-pose.pt")
    assert parsed(source=0, model="w/x.pt").model == str(tmp_path / "w" / "x.pt")
    with pytest.raises(ValidationError, match="multiple of 32"):
        parsed(source=0, imgsz=500)


def array(values: object) -> SimpleNamespace:
    """What is used of a torch tensor."""
    return SimpleNamespace(cpu=lambda: SimpleNamespace(numpy=lambda: np.array(values)))


def test_only_people_with_a_track_are_taken_from_a_result():
    class Boxes(SimpleNamespace):
        def __len__(self) -> int:
            return 2

    points = np.random.default_rng(0).random((2, 17, 3)) * 1.5
    boxes = Boxes(id=array([4.0, 9.0]), xyxy=array([[0, 0, 1, 1], [1, 1, 2, 2]]))
    found = pose.people(SimpleNamespace(boxes=boxes, keypoints=SimpleNamespace(data=array(points))))
    assert found.track_ids.tolist() == [4, 9]
    assert found.keypoints.shape == (2, 17, 3)
    assert found.keypoints[..., 2].max() <= 1
    nobody = pose.people(SimpleNamespace(boxes=Boxes(id=None), keypoints=SimpleNamespace(data=array(points))))
    assert nobody.keypoints.shape == (0, 17, 3)


def test_a_preview_is_reduced_and_shows_the_skeleton():
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 5] = (100, 100, 0.9)
    keypoints[0, 6] = (700, 100, 0.9)
    keypoints[0, 7] = (100, 500, 0.1)  # hardly seen: not drawn
    found = People(track_ids=np.array([0], np.int32), boxes=np.zeros((1, 4), np.float32), keypoints=keypoints)
    jpeg, size = pose.draw(np.zeros((600, 800, 3), np.uint8), found, width=400)
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    assert size == (400, 300)
    assert picture[50, 200].max() > 120
    assert picture[150, 50].max() < 30


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
