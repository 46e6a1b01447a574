"""The pose network's border to ultralytics: batches, trackers, weights; and the preview."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch

from mobind_live.devices.camera import pose, preview
from mobind_live.devices.camera.pose import People, PoseError, PoseOptions


def test_a_missing_model_is_named_and_only_known_names_may_be_fetched(tmp_path: Path):
    with pytest.raises(PoseError, match="does not exist"):
        pose.weights(str(tmp_path / "yolo11n-pose.pt"))
    with pytest.raises(PoseError, match="does not exist"):
        pose.weights("weights.onnx")
    assert pose.weights(str(tmp_path)) == tmp_path


class FakeYolo:
    """What is used of ``ultralytics.YOLO``: one person in each picture, who stands where it is bright."""

    batches: ClassVar[list[int]] = []

    def __init__(self, path: str, task: str) -> None:
        self.predictor = SimpleNamespace(model=SimpleNamespace())

    def predict(self, source: Any, **options: Any) -> list[Any]:
        from ultralytics.engine.results import Results

        pictures = source if isinstance(source, list) else [source]
        self.batches.append(len(pictures))
        results = []
        for picture in pictures:
            if not picture.any():
                boxes, points = torch.zeros(0, 6), torch.zeros(0, 17, 3)
            else:
                x = float(np.argmax(picture[..., 0].max(axis=0)))
                boxes = torch.tensor([[x, 10, x + 40, 90, 0.9, 0]])
                points = torch.full((1, 17, 3), 1.5)
                points[0, :, 0] = x
            results.append(Results(picture, "", {0: "person"}, boxes=boxes, keypoints=points))
        return results


@pytest.fixture
def yolo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PoseOptions:
    """Ultralytics with its own trackers and a network of ours."""
    monkeypatch.setattr("ultralytics.models.YOLO", FakeYolo)
    monkeypatch.setattr(FakeYolo, "batches", [])
    (tmp_path / "w.pt").touch()
    return PoseOptions(model=str(tmp_path / "w.pt"), device="cpu")


def picture(x: int) -> np.ndarray:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, x:] = 200
    return image


def test_several_cameras_share_a_batch_and_each_has_a_tracker_of_its_own(yolo: PoseOptions):
    find = pose.YoloPose(yolo, ("left", "right"))
    seen: list[dict[str, People]] = [find({"left": picture(i), "right": picture(200 - i)}) for i in range(20)]
    assert FakeYolo.batches[1:] == [2] * 20
    ids = {camera: {int(found[camera].track_ids[0]) for found in seen} for camera in ("left", "right")}
    assert all(len(one) == 1 for one in ids.values())
    assert seen[-1]["left"].keypoints[0, 0].tolist() == [19, 1.5, 1]
    alone = find({"right": picture(181)})
    assert list(alone) == ["right"]
    assert {int(alone["right"].track_ids[0])} == ids["right"]


def test_nobody_is_nobody(yolo: PoseOptions):
    found = pose.YoloPose(yolo, ("cam",))({"cam": np.zeros((50, 50, 3), np.uint8)})["cam"]
    assert found.keypoints.shape == (0, 17, 3)


def test_a_network_is_loaded_once_and_gives_no_id_twice(yolo: PoseOptions):
    pose.finder.cache_clear()
    first = pose.finder(yolo, ("cam",))
    before = first({"cam": picture(10)})["cam"].track_ids
    for _ in range(40):
        first({"cam": np.zeros((100, 300, 3), np.uint8)})  # longer than a tracker remembers
    again = pose.finder(yolo, ("cam",))
    found = [again({"cam": picture(10)})["cam"] for _ in range(3)][-1]
    assert found.track_ids[0] > before[0]
    pose.finder.cache_clear()


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
def test_after_an_outage_nobody_is_who_stood_there_before(yolo: PoseOptions, tracker: str):
    find = pose.YoloPose(replace(yolo, tracker=tracker), ("cam", "other"))

    def seen() -> tuple[int, int]:
        for _ in range(5):
            found = find({"cam": picture(10), "other": picture(10)})
        return int(found["cam"].track_ids[0]), int(found["other"].track_ids[0])

    before = seen()
    assert seen() == before
    for camera in ("cam", "other"):
        find.forget(camera)
    after = seen()
    assert after[0] > before[0]
    assert after[1] > before[1]
    find.forget("cam")
    reopened = seen()
    assert reopened[0] > after[0]
    assert reopened[1] == after[1]


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
@pytest.mark.parametrize("hz", [5.0, 30.0, 120.0])
def test_whoever_is_hidden_is_waited_for_as_long_at_any_rate(yolo: PoseOptions, tracker: str, hz: float):
    find = pose.YoloPose(replace(yolo, tracker=tracker, hz=(30.0, hz)), ("other", "cam"))

    def seen_after(hidden_s: float) -> int:
        for _ in range(round(hidden_s * hz)):
            find({"cam": np.zeros((100, 300, 3), np.uint8)})
        return [int(n) for _ in range(5) for n in find({"cam": picture(10)})["cam"].track_ids][-1]

    before = seen_after(0)
    assert seen_after(0.6) == before
    assert seen_after(2) > before


def test_a_tracker_of_ones_own_is_as_its_file_says(yolo: PoseOptions, tmp_path: Path):
    from ultralytics.utils import ROOT

    path = tmp_path / "mine.yaml"
    path.write_text((ROOT / "cfg" / "trackers" / "bytetrack.yaml").read_text())
    find = pose.YoloPose(replace(yolo, tracker=str(path), hz=(120.0,)), ("cam",))
    before = [find({"cam": picture(10)})["cam"] for _ in range(5)][-1].track_ids[0]
    for _ in range(40):
        find({"cam": np.zeros((100, 300, 3), np.uint8)})
    assert [find({"cam": picture(10)})["cam"] for _ in range(5)][-1].track_ids[0] > before


@pytest.mark.parametrize("keypoints", [None, torch.zeros(0, 21, 3), torch.zeros(0, 17, 2)])
def test_a_network_that_finds_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, yolo: PoseOptions, keypoints: torch.Tensor | None
):
    from ultralytics.engine.results import Results

    found = Results(picture(1), "", {0: "dog"}, boxes=torch.zeros(0, 6), keypoints=keypoints)
    monkeypatch.setattr(FakeYolo, "predict", lambda *_, **__: [found])
    with pytest.raises(PoseError, match=r"w\.pt is no pose model with COCO's 17 keypoints"):
        pose.YoloPose(yolo, ("cam",))


def test_where_weights_cannot_be_kept_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(pose, "CACHE", tmp_path / "file" / "cache")
    with pytest.raises(PoseError, match=r"yolo11n-pose\.pt cannot be kept in .*cache: Not a directory"):
        pose.weights("yolo11n-pose.pt")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tracker_type: botsort\nwith_reid: true\n", "with_reid is not supported"),
        ("tracker_type: magic\n", "cannot be made: 'magic'"),
    ],
)
def test_a_tracker_that_would_fetch_something_or_is_unknown_is_refused(
    yolo: PoseOptions, tmp_path: Path, text: str, reason: str
):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PoseError, match=reason):
        pose.YoloPose(replace(yolo, tracker=str(path)), ("cam",))


def test_a_torn_model_is_named(monkeypatch: pytest.MonkeyPatch, yolo: PoseOptions):
    def torn(*_: object, **__: object) -> None:
        raise RuntimeError("not a zip archive\nsecond line")

    monkeypatch.setattr(FakeYolo, "predict", torn)
    with pytest.raises(PoseError, match=r"w\.pt cannot be loaded: not a zip archive$"):
        pose.YoloPose(yolo, ("cam",))


def fetcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, works: bool) -> None:
    """Ultralytics' download, which must never run in a test."""

    def fetch(path: Path) -> None:
        if not works:
            raise ConnectionError("no network")
        path.write_text("weights")

    monkeypatch.setattr("ultralytics.utils.downloads.attempt_download_asset", fetch)
    monkeypatch.setattr(pose, "CACHE", tmp_path / "cache")


def test_a_named_model_is_fetched_once_and_announced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    fetcher(monkeypatch, tmp_path, works=True)
    kept = pose.weights("yolo11n-pose.pt")
    assert "fetching pose weights yolo11n-pose.pt" in caplog.text
    fetcher(monkeypatch, tmp_path, works=False)
    assert pose.weights("yolo11n-pose.pt") == kept
    assert kept.read_text() == "weights"


def test_what_cannot_be_fetched_is_said_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    fetcher(monkeypatch, tmp_path, works=False)
    with pytest.raises(PoseError, match=r"model yolo11n-pose\.pt could not be fetched to .*: no network"):
        pose.weights("yolo11n-pose.pt")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_preview_is_reduced_and_shows_the_skeleton():
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 5] = (100, 100, 0.9)
    keypoints[0, 6] = (700, 100, 0.9)
    keypoints[0, 7] = (100, 500, 0.1)  # hardly seen: not drawn
    found = People(track_ids=np.array([0], np.int32), boxes=np.zeros((1, 4), np.float32), keypoints=keypoints)
    jpeg, size = preview.draw(np.zeros((600, 800, 3), np.uint8), found, width=400)
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert picture is not None
    assert size == (400, 300)
    assert picture[50, 200].max() > 120
    assert picture[150, 50].max() < 30
