"""A picture that seems to be turned is said to be, with the angle that sets it right."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from takes import take

from mobind_live.devices.camera.pose import People, PoseOptions
from mobind_live.devices.camera.turn import ROTATIONS, Rotation, Turn
from mobind_live.driver import StreamSpec
from mobind_live.kinematics import upright
from mobind_live.kinematics.exercises import EXERCISES
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.sync import run, video
from mobind_live.recordings.sync.request import Files
from mobind_live.runtime.serve import Lane
from mobind_live.runtime.turned import Turned
from mobind_live.schema import Pose
from mobind_live.vocabulary import KEYPOINT

SECOND = 1_000_000_000
HZ = 10


def standing() -> np.ndarray:
    """Somebody upright, as a picture: bright from the head to the hips."""
    image = np.zeros((60, 60, 3), np.uint8)
    image[5:30, 20:40] = 255
    return image


def seen_in(image: np.ndarray) -> np.ndarray:
    """The keypoints (1, 17, 3) of whoever is in such a picture; what is not bright of them are the legs."""
    y, x = np.nonzero(image.mean(axis=2) > 128)
    middle = np.array([x.mean(), y.mean()])
    down = np.array([29.5, 29.5]) - middle
    points = np.zeros((1, 17, 3), np.float32)
    points[0, :, 2] = 0.9
    for name, place in KEYPOINT.items():
        below = 0 if place < 5 or "shoulder" in name else 1 if "hip" in name else 2
        points[0, place, :2] = middle + below * down
    return points


def seen(way: int, seconds: float, start_s: float = 0.0) -> list[Pose]:
    """Somebody in a picture that is turned by ``way`` quarters."""
    points = seen_in(Turn(ROTATIONS[way])(standing()))
    return [
        Pose(
            stream="cam", t_ns=round((start_s + n / HZ) * SECOND), received_ns=0, image_size=(60, 60),
            track_ids=np.ones(1, np.int32), boxes=np.zeros((1, 4), np.float32), keypoints=points,
        )
        for n in range(round(seconds * HZ))
    ]  # fmt: skip


def said(*poses: Pose, rotate: int = 0) -> str:
    watch = Turned(rotate, mirror=False)
    for message in poses:
        watch.add(message)
    return watch.text


@pytest.mark.parametrize(("held", "rotate", "mirror"), list(product(ROTATIONS, ROTATIONS, (False, True))))
def test_the_angle_that_is_said_sets_the_picture_right(held: Rotation, rotate: Rotation, mirror: bool):
    """However the camera is held, and whatever is set already."""
    taken = Turn(held)(standing())
    ways = upright.ways(seen_in(Turn(rotate, mirror)(taken)))
    text = upright.doubt(20.0 * ways, rotate, mirror)
    if ways[0]:
        assert text == ""
        return
    angle = next(r for r in ROTATIONS if r == int(text.rsplit(maxsplit=1)[1]))
    assert upright.ways(seen_in(Turn(angle, mirror)(taken))).tolist() == [1, 0, 0, 0]


def test_what_is_said_leaves_room_for_people_who_lie():
    assert said(*seen(2, 12)) == "people are seen upside down; if they are not, set rotate: 180"
    assert said(*seen(1, 12)) == "people are seen lying; if they stand, set rotate: 270"
    assert said(*seen(3, 12), rotate=180) == "people are seen lying; if they stand, set rotate: 270"


@pytest.mark.parametrize("exercise", EXERCISES)
def test_people_who_exercise_are_upright(exercise: str):
    assert said(*take({}, 20.0, script=(exercise,)).frames) == ""


def test_a_few_seconds_are_too_few_and_pauses_do_not_count():
    assert said(*seen(1, 9)) == ""
    assert said(*seen(1, 5), *seen(1, 4, start_s=60)) == ""
    assert said(*seen(1, 5), *seen(1, 6, start_s=60))


def test_who_lies_down_after_standing_lies_in_a_picture_that_is_right():
    assert said(*seen(0, 4), *seen(1, 600, start_s=4)) == ""


def test_a_turned_picture_in_which_a_few_seem_upright_stays_said_until_many_do():
    """As a network will now and then see them."""
    now_and_then = [*seen(1, 20), *seen(0, 4, start_s=20), *seen(1, 10, start_s=24)]
    assert said(*now_and_then)
    assert said(*now_and_then, *seen(0, 20, start_s=34)) == ""


def test_who_is_hardly_seen_counts_for_nothing():
    points = seen_in(standing())
    for hidden, count in (("knee", 1), ("hip", 1), ("shoulder", 0)):
        points[0, KEYPOINT[f"left_{hidden}"], 2] = 0.1
        points[0, KEYPOINT["right_hip"], 2] = 0.9
        assert upright.ways(points).sum() == (count if hidden != "hip" else 0)
    assert upright.ways(points[:0]).tolist() == [0, 0, 0, 0]


def test_who_bends_over_a_handlebar_is_upright():
    points = seen_in(standing())
    for side in ("left", "right"):
        points[0, KEYPOINT[f"{side}_shoulder"], :2] = 30, 20
        points[0, KEYPOINT[f"{side}_hip"], :2] = 10, 22
        points[0, KEYPOINT[f"{side}_knee"], :2] = 22, 40
    assert upright.ways(points)[0] == 1


@pytest.mark.parametrize("rotate", [None, 0])
def test_it_is_told_with_the_stream_where_it_can_be_set(rotate: int | None):
    lane = Lane(StreamSpec(name="cam", kind="cam", nominal_hz=HZ, rotate=rotate))
    for message in seen(2, 12):
        lane.ask(message)
    assert ("rotate: 180" in lane.health(0).doubt) == (rotate is not None)


# --- sync ---


class Looker:
    """In the place of the network: looks at the picture."""

    def __init__(self, options: PoseOptions, cameras: tuple[str, ...]) -> None:
        (self.camera,) = cameras

    def __call__(self, images: dict[str, np.ndarray], /) -> dict[str, People]:
        points = seen_in(images[self.camera])
        boxes = np.zeros((1, 4), np.float32)
        return {self.camera: People(track_ids=np.ones(1, np.int32), boxes=boxes, keypoints=points)}


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve seconds of somebody, on the side."""
    monkeypatch.setattr(video, "YoloPose", Looker)
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), HZ, (60, 60))
    for _ in range(12 * HZ):
        writer.write(Turn(90)(standing()))
    writer.release()
    return path


def people_of(path: Path, rotate: int) -> str:
    """What ``sync`` says of the camera."""
    out = io.StringIO()
    files = Files(video=path, rotate=rotate, pose=PoseOptions(model="none-pose.pt"))
    run.read_people(files, Console(file=out, width=1000))
    return out.getvalue()


def test_a_video_that_seems_turned_is_said_and_looked_at_anew_once_it_is_turned(film: Path):
    assert "set --rotate 270\n" in people_of(film, 0)
    turned = people_of(film, 270)
    assert "--rotate" not in turned
    assert "kept in" not in turned
    again = people_of(film, 270)
    assert "--rotate" not in again
    assert "kept in film.avi.poses.npz" in again


def test_glimpses_of_people_are_enough_to_tell(film: Path, monkeypatch: pytest.MonkeyPatch):
    ids, look = iter(range(1, 1000)), Looker.__call__

    def glimpse(self: Looker, images: dict[str, np.ndarray], /) -> dict[str, People]:
        return {
            camera: replace(people, track_ids=np.array([next(ids)], np.int32))
            for camera, people in look(self, images).items()
        }

    monkeypatch.setattr(Looker, "__call__", glimpse)
    with pytest.raises(FileError, match=r"nobody is seen, .*; people are seen lying; .* set --rotate 270"):
        people_of(film, 0)


def test_nobody_in_a_video_may_be_because_it_is_turned(film: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Looker, "__call__", lambda *_: {"camera": People.nobody()})
    with pytest.raises(FileError, match=re.escape("a video that is turned needs --rotate")):
        people_of(film, 0)
