"""Videos that are not all there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mobind_live.devices.camera.boxes import cut_short
from mobind_live.devices.camera.video import VideoError, open_file


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30.0, (64, 48))
    for shade in range(30):
        writer.write(np.full((48, 64, 3), 8 * shade, np.uint8))
    writer.release()
    return path


def test_a_whole_video_lacks_nothing(film: Path) -> None:
    assert cut_short(film) == ""


def test_a_video_without_its_index_is_said_to_lack_it(film: Path) -> None:
    film.write_bytes(film.read_bytes().partition(b"moov")[0][:-4])
    with pytest.raises(VideoError, match=r"cannot be opened; it has no index \(moov\)"):
        open_file(str(film))


def test_a_video_without_its_end_is_said_to_lack_it(film: Path) -> None:
    whole = film.read_bytes()
    film.write_bytes(whole + (3_000_000).to_bytes(4) + b"mdat" + bytes(500_000))
    assert cut_short(film) == "its last 2.5 MB are missing, as where copying it was cut off"


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF" * 9, b"\x1aE\xdf\xa3" * 9, bytes(64)])
def test_of_other_files_nothing_is_said(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.mp4"
    path.write_bytes(content)
    assert cut_short(path) == ""
