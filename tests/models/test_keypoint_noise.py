"""Recordings beside training's noise: the noise fits itself, and the command reads what users have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobind_live.devices.camera.pose import People, PoseOptions
from mobind_live.models.errors import DatasetError
from mobind_live.models.evaluate import keypoint_noise
from mobind_live.recordings.sync import video
from mobind_live.recordings.sync.recording import Recording
from mobind_live.vocabulary import KEYPOINTS

HZ, HEIGHT_PX = 50, 400.0


def motion(steps: int) -> np.ndarray:
    """A person (T, 17, 2) in heights whose trunk is 0.297 long, swaying and swinging the arms."""
    t = np.arange(steps)[:, None] / HZ
    place = np.zeros((steps, 17, 2))
    joint = np.arange(17)
    place[..., 0] = 0.1 * np.sin(2 * t) + np.where(joint % 2, 0.3, 0.0)
    place[..., 1] = 1.0 + np.where(joint < 11, 0.0, 0.52 / 1.75)
    place[:, 7:11, 1] += 0.1 * np.sin(4 * t + joint[7:11])
    return place


def recording(keypoints: np.ndarray, frames: np.ndarray | None = None) -> Recording:
    """One person's ``keypoints`` (T, 17, 3) in heights, seen in ``frames`` (T,) of a video."""
    frames = np.arange(len(keypoints)) if frames is None else frames
    pixels = keypoints * [HEIGHT_PX, HEIGHT_PX, 1.0]
    return Recording(
        t_ns=np.arange(int(frames[-1]) + 1) * 1_000_000_000 // HZ,
        frame=frames.astype(np.int32),
        track_ids=np.ones(len(keypoints), np.int32),
        keypoints=pixels.astype(np.float32),
    )


def trained(rng: np.random.Generator) -> Recording:
    return recording(np.concatenate([keypoint_noise.noisy(rng, motion(500), HZ) for _ in range(8)]))


def test_trainings_own_noise_fits_itself() -> None:
    (fit,) = keypoint_noise.compare("own", trained(np.random.default_rng(1)), [])
    assert fit.rate_hz == pytest.approx(HZ)
    assert fit.heights_px == pytest.approx((HEIGHT_PX, HEIGHT_PX), rel=0.02)
    for name in ("jitter", "tail"):
        assert getattr(fit.found, name) == pytest.approx(getattr(fit.drawn, name), rel=0.12)
    assert fit.found.jitter == pytest.approx(0.0035, rel=0.15)
    assert fit.found.dropped == pytest.approx(fit.drawn.dropped, abs=0.04)
    assert 0.01 < fit.drawn.swapped < 0.05
    assert 0.07 < fit.drawn.swap_s < 0.25


def test_a_worse_detector_does_not_fit() -> None:
    rng = np.random.default_rng(2)
    people = trained(rng)
    people.keypoints[..., :2] += 0.01 * HEIGHT_PX * rng.standard_normal(people.keypoints.shape)[..., :2]
    people.keypoints[rng.random(people.keypoints.shape[:2]) < 0.2, 2] = 0.1
    (fit,) = keypoint_noise.compare("worse", people, [])
    assert fit.found.jitter > 2.5 * fit.drawn.jitter
    assert fit.found.dropped > fit.drawn.dropped + 0.1


def test_thinned_out_there_is_a_row_for_each_rate_once() -> None:
    fits = keypoint_noise.compare("slow", trained(np.random.default_rng(3)), [25, 24, 50, 10])
    assert [fit.rate_hz for fit in fits] == pytest.approx([50, 25, 10])


def test_a_gap_ends_a_stretch_and_missing_joints_are_told_from_those_at_the_edge() -> None:
    points = np.concatenate([motion(120), np.full((120, 17, 1), 0.9)], axis=-1)
    points[10, 9] = 0.0
    people = recording(points, np.r_[0:60, 70:120, 130:140])
    found = keypoint_noise.stretches(people, HZ)
    assert [len(one) for _, one in found] == [60, 50]  # ten frames are too few
    assert np.isnan(found[0][1][10, 9, :2]).all()
    assert np.isfinite(np.delete(found[0][1], 10, axis=0)).all()
    assert np.isfinite(keypoint_noise.smoothed(found[0][1], HZ)).all()


def test_who_is_never_seen_with_a_trunk_has_no_height() -> None:
    points = np.concatenate([motion(100), np.full((100, 17, 1), 0.9)], axis=-1)
    points[:, 11] = 0.0
    with pytest.raises(DatasetError, match="nobody is seen for half a second with shoulders and hips"):
        keypoint_noise.compare("desk", recording(points), [])


class OnePerson:
    """In the place of the network: one person who moves, clearly seen."""

    def __init__(self, options: PoseOptions, cameras: tuple[str, ...]) -> None:
        self.frames = iter(np.concatenate([motion(100), np.full((100, 17, 1), 0.9)], axis=-1))

    def __call__(self, images: dict[str, np.ndarray], /) -> dict[str, People]:
        points = np.float32(next(self.frames) * [HEIGHT_PX, HEIGHT_PX, 1.0])[None]
        boxes = np.zeros((1, 4), np.float32)
        return {
            name: People(track_ids=np.ones(1, np.int32), boxes=boxes, keypoints=points) for name in images
        }


def test_the_command_reads_videos_and_keypoint_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import cv2

    monkeypatch.setattr(video, "YoloPose", OnePerson)
    film, table = tmp_path / "film.mp4", tmp_path / "points.csv"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"mp4v"), HZ, (64, 48))
    for _ in range(100):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    names = [f"{name}_{axis}" for name in KEYPOINTS for axis in "xy"]
    rows = np.column_stack([np.arange(100) / HZ, HEIGHT_PX * motion(100).reshape(100, 34)])
    np.savetxt(table, rows, delimiter=",", header=",".join(["time_s", *names]), comments="")

    assert keypoint_noise.main([str(film), str(table), "--seconds", "1"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 2 * 2
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| film | 400 to 400 | 50 | found | 0.0")
    assert lines[4].startswith("| points | 400 to 400 | 50 | found | 0.0")
    assert "| training |" in lines[3]


def test_what_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "no.mp4"
    assert keypoint_noise.main([str(path)]) == 2
    assert capsys.readouterr().err == f"{path}: no such file\n"


@pytest.mark.parametrize("words", [["--fps", "0"], ["--seconds", "-1"], ["--seconds", "nan"]])
def test_rates_and_lengths_are_above_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        keypoint_noise.main(["points.csv", *words])
    assert f"{words[1]}: give a number above 0" in capsys.readouterr().err
