"""Cameras that are mounted turned, or that mirror: their pictures are set right before anything is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from cameras import StandIn, at, config, play, poses, stand_in
from pydantic import ValidationError

from mobind_live.devices.camera import pose
from mobind_live.devices.camera.pose import People
from mobind_live.devices.camera.turn import ROTATIONS, Rotation, Turn
from mobind_live.schema import Preview

__all__ = ["stand_in"]  # a fixture
WIDTH, HEIGHT = 64, 48


def picture() -> np.ndarray:
    """Black, but for its upper left corner."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = 255
    return image


def bright(image: np.ndarray) -> str:
    """Which corner of ``image`` (H, W, 3) is the bright one."""
    height, width = image.shape[:2]
    row, column = divmod(
        int(cv2.resize(image.mean(axis=2), (2, 2), interpolation=cv2.INTER_AREA).argmax()), 2
    )
    assert image[row * height // 2 : (row + 1) * height // 2, column * width // 2 :][:, : width // 2].all()
    return f"{('upper', 'lower')[row]} {('left', 'right')[column]}"


CORNERS = [
    (0, False, "upper left"),
    (90, False, "upper right"),
    (180, False, "lower right"),
    (270, False, "lower left"),
    (0, True, "upper right"),
    (90, True, "upper left"),
    (180, True, "lower left"),
    (270, True, "lower right"),
]


@pytest.mark.parametrize(("rotate", "mirror", "corner"), CORNERS)
def test_a_picture_is_turned_clockwise_and_then_mirrored(rotate: Rotation, mirror: bool, corner: str):
    image = Turn(rotate, mirror)(picture())
    assert image.shape == ((HEIGHT, WIDTH, 3) if rotate in (0, 180) else (WIDTH, HEIGHT, 3))
    assert bright(image) == corner


def test_a_picture_that_is_right_is_not_copied():
    image = picture()
    assert Turn()(image) is image


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (WIDTH, HEIGHT))
    for _ in range(5):
        writer.write(picture())
    writer.release()
    return path


class Corner(StandIn):
    """Sees one person, whose nose is in the middle of what is bright."""

    def __call__(self, images: dict[str, np.ndarray], /) -> dict[str, People]:  # type: ignore[override]
        found = super().__call__(images)
        for camera, image in images.items():
            y, x = np.nonzero(image.mean(axis=2) > 128)
            found[camera].keypoints[0, 0, :2] = x.mean(), y.mean()
        return found


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_keypoints_sizes_and_previews_are_those_of_the_turned_picture(
    rotate: Rotation, clip: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pose, "finder", lambda options, cameras: Corner())
    got, _ = play(config(str(clip), rate="max", rotate=rotate, preview_hz=30), at())
    size = (WIDTH, HEIGHT) if rotate in (0, 180) else (HEIGHT, WIDTH)
    share = {0: (0.25, 0.25), 90: (0.75, 0.25), 180: (0.75, 0.75), 270: (0.25, 0.75)}[rotate]
    assert len(poses(got)) == 5
    for message in poses(got):
        assert message.image_size == size
        np.testing.assert_allclose(message.keypoints[0, 0, :2] / size, share, atol=0.03)
    preview = next(message for message in got if isinstance(message, Preview))
    drawn = cv2.imdecode(preview.jpeg, cv2.IMREAD_COLOR)
    assert drawn is not None
    assert preview.image_size == size == drawn.shape[1::-1]
    x, y = (np.array(size) * share).astype(int)
    assert drawn[y - 4 : y + 4, x - 4 : x + 4].mean() > 128


@pytest.mark.usefixtures("stand_in")
def test_a_file_that_says_how_it_was_held_is_turned_by_that_first(clip: Path, tmp_path: Path):
    """By OpenCV. What a phone writes: the pictures as the sensor took them, and by how much to turn them."""
    held = tmp_path / "held.mp4"
    ffmpeg, how = imageio_ffmpeg.get_ffmpeg_exe(), ["-c:v", "mpeg4"]
    upright = tmp_path / "upright.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-i", clip, *how, upright], check=True)
    turned = ["-display_rotation", "90", "-i", upright, "-c", "copy", held]
    subprocess.run([ffmpeg, "-v", "error", *turned], check=True)
    for rotate, size in ((0, (HEIGHT, WIDTH)), (90, (WIDTH, HEIGHT))):
        got, _ = play(config(str(held), rate="max", rotate=rotate), at())
        assert {message.image_size for message in poses(got)} == {size}


def test_each_of_several_cameras_is_turned_as_it_says():
    section = config(None, rotate=180, sources={"a": 0, "b": {"source": 1, "rotate": 90, "mirror": True}})
    turns = {name: (source.rotate, source.mirror) for name, source in section.cameras("round").items()}
    assert turns == {"a": (180, False), "b": (90, True)}
    told = {spec.name: (spec.rotate, spec.mirror) for spec in section.streams("round")}
    assert told == turns


@pytest.mark.parametrize("rotate", [45, -90, 360, "left"])
def test_another_angle_is_refused(rotate: object):
    with pytest.raises(ValidationError, match="0, 90, 180 or 270"):
        config(0, rotate=rotate)
