"""What ``sync`` is made of: recordings, the drift's line, traces, and the cache of a video's poses."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from mobind_live.binding.belief.posterior import Calibration, CameraPosterior
from mobind_live.binding.belief.views import CameraView
from mobind_live.devices.camera import pose
from mobind_live.devices.camera.pose import People, PoseOptions
from mobind_live.devices.camera.turn import Turn
from mobind_live.devices.camera.video import VideoError
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.sync import drift, plot, run, solve, steps, traces, video, whose
from mobind_live.recordings.sync.recording import Recording
from mobind_live.recordings.sync.request import Files
from mobind_live.recordings.sync.solve import Found
from mobind_live.recordings.sync.stretches import Stretches, Sums
from mobind_live.schema import Binding, Offset, Verdict
from mobind_live.vocabulary import PARTS

FPS = 30
OPTIONS = PoseOptions(model="none-pose.pt")


def recording(seconds: float, seen: dict[int, tuple[float, float]]) -> Recording:
    """Tracks that are seen from one second to another, each at a place of its own."""
    t_s = np.arange(round(seconds * FPS)) / FPS
    rows = [(n, track) for n, t in enumerate(t_s) for track, (a, b) in seen.items() if a <= t < b]
    frame, ids = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    keypoints = np.ones((len(rows), 17, 3), np.float32) * ids[:, None, None]
    return Recording(
        t_ns=np.round(t_s * 1e9).astype(np.int64),
        frame=frame,
        track_ids=ids,
        keypoints=keypoints,
    )


def test_those_who_only_pass_by_are_left_out() -> None:
    people = recording(20, {1: (0, 20), 2: (5, 6), 3: (2, 9)})
    assert people.tracks == (1, 3, 2)
    assert people.without_passers_by().tracks == (1, 3)


def test_tracks_beyond_the_most_that_are_looked_at_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for count, says in ((34, "2 tracks are left out, with 3% of what was seen"), (32, "")):
        seen = recording(12, {track: (0, 12 if track <= 32 else 6) for track in range(1, count + 1)})
        monkeypatch.setattr(run, "_watch", lambda *_, seen=seen: (seen, "34 tracks"))
        people = run.read_people(Files(video=Path("film.mp4"), pose=OPTIONS), Console(width=200))
        assert sorted(people.tracks) == list(range(1, 33))
        said = capsys.readouterr().out
        assert says in said
        assert ("left out" in said) == bool(says)


def test_a_person_who_comes_back_was_there_unseen() -> None:
    people = recording(6, {7: (0, 2), 8: (1, 5)})
    hidden = Recording(
        t_ns=people.t_ns,
        frame=np.append(people.frame, np.int32(5 * FPS)),
        track_ids=np.append(people.track_ids, np.int32(7)),
        keypoints=np.concatenate([people.keypoints, np.full((1, 17, 3), 7, np.float32)]),
    )
    poses = list(hidden.poses())
    assert len(poses) == 6 * FPS
    assert poses[0].track_ids.tolist() == [7]
    away = poses[3 * FPS]
    assert away.track_ids.tolist() == [7, 8]
    assert not away.keypoints[0].any()
    assert (away.keypoints[1] == 8).all()
    assert poses[5 * FPS].track_ids.tolist() == [7]
    assert (poses[5 * FPS].keypoints == 7).all()


def view(tracks: tuple[int, ...], wearers: list[list[float]], motion_s: float = 20.0) -> CameraView:
    """Of which each IMU's wearer is one of ``tracks`` by the probabilities in ``wearers``."""
    lags, shape = np.empty((0, 0, 0)), (len(wearers), len(tracks))
    posteriors = []
    for p in wearers:
        place = np.zeros((len(tracks), len(PARTS)))
        place[:, 0] = p
        log_none = float(np.log(max(1 - sum(p), 1e-9)))
        posteriors.append(CameraPosterior(tracks, np.log(place + 1e-12), log_none, lags))
    return CameraView(posteriors, np.empty((*shape, 0, 0)), np.full(shape, motion_s), [], np.empty(0))


def test_who_comes_back_under_another_number_is_the_wearer_all_the_same() -> None:
    people = recording(60, {1: (0, 15), 2: (0, 60), 3: (20, 60), 4: (16, 19)})
    seen = view((1, 2, 3, 4), [[0.6, 0.03, 0.34, 0.001], [0.5, 0.0, 0.46, 0.02], [0.0, 0.97, 0.0, 0.0]])
    assert [whose.tracks(seen, imu, people) for imu in range(3)] == [(3, 1), (3, 1, 4), (2,)]


def test_whom_nothing_tells_apart_are_not_taken_for_one() -> None:
    people = recording(60, {1: (0, 40), 2: (0, 60), 3: (41, 60)})
    assert whose.tracks(view((1, 2), [[0.5, 0.5]]), 0, people) == ()
    assert whose.tracks(view((1, 3), [[0.5, 0.3]]), 0, people) == ()
    assert whose.tracks(view((1, 3), [[0.5, 0.5]], motion_s=0.5), 0, people) == ()


def test_a_subject_keeps_the_name_under_several_numbers() -> None:
    worn = {"arm": (3, 1), "leg": (3,), "back": (2,), "head": ()}
    told = {"arm": "anna", "leg": "anna", "back": "ben", "head": "ben"}
    assert whose.names(worn, told) == {"arm": "anna", "leg": "anna", "back": "ben"}


def test_of_two_numbers_in_one_frame_the_first_counts() -> None:
    people = recording(9, {1: (0, 4), 2: (3, 6)})
    assert people.spans == {1: (0, 4 * FPS - 1), 2: (3 * FPS, 6 * FPS - 1)}
    both = people.keypoints_of(1, 2)[::FPS, 0, 0]
    assert both.tolist() == [1, 1, 1, 1, 2, 2, 0, 0, 0]


def hills(peaks_tokens: np.ndarray, lags: int = 251) -> np.ndarray:
    """Evidence (K, lags) with one hill each, ``peaks_tokens`` from the middle."""
    at = np.arange(lags) - lags // 2
    return 20 * np.exp(-(((at - peaks_tokens[:, None]) / 4) ** 2))


@given(ppm=st.floats(-300, 300), start_s=st.floats(-3, 3), noise_s=st.just(0.002), seed=st.integers(0, 1000))
def test_drift_is_the_slope_of_the_stretches_offsets(
    ppm: float, start_s: float, noise_s: float, seed: int
) -> None:
    at_s = np.linspace(10, 290, 20)
    noise = np.random.default_rng(seed).normal(0, noise_s, 20)
    offsets = start_s + ppm * 1e-6 * at_s + noise
    peak = round(float(np.median(offsets)) / 0.04) + 125
    line = drift.line(drift.points(hills(offsets / 0.04), at_s, peak, 0.04))
    assert abs(line.drift_ppm - ppm) < 25
    assert abs(line.offset_s - (start_s + ppm * 1e-6 * line.middle_s)) < max(0.003, 4 * line.sigma_s)


def test_one_wild_stretch_turns_no_line() -> None:
    at_s = np.linspace(10, 290, 12)
    offsets = np.full(12, 0.5)
    offsets[-1] += 0.25
    line = drift.line(drift.points(hills(offsets / 0.04), at_s, round(0.5 / 0.04) + 125, 0.04))
    assert abs(line.drift_ppm) < 60
    assert abs(line.offset_s - 0.5) < 0.01


def test_a_few_stretches_tell_no_drift() -> None:
    line = drift.line(drift.points(hills(np.zeros(3)), np.arange(3.0), 125, 0.04))
    assert (line.drift_ppm, line.sigma_s) == (0.0, float("inf"))


STRETCHES_S = [12.0 * n for n in range(11)]


def step_in(peaks_tokens: list[float]) -> steps.Step | None:
    return steps.find(hills(np.array(peaks_tokens)), STRETCHES_S, 125, 0.04)


def test_an_offset_that_steps_is_said_with_its_place() -> None:
    late, early, between = (
        step_in([0] * a + [50] * b + [0] * (10 - a - b)) for a, b in ((7, 3), (0, 2), (3, 4))
    )
    assert str(late) == "the offset is +2.00 s from about 84 s on: split the recording there"
    assert str(early) == "the offset is +2.00 s until about 24 s: split the recording there"
    assert str(between) == "the offset is +2.00 s from about 36 to 84 s: split the recording there"
    assert late is not None
    assert late.shifted(30).offset_s == pytest.approx(32)


def test_an_answer_whose_offset_steps_is_not_ok() -> None:
    """The wearer is track 1 for half of it, then 2; track 3 fits a little everywhere."""
    added = np.zeros((10, 1, 3, len(PARTS), 251), np.float32)
    fits = hills(np.array([0.0] * 7 + [50.0] * 3)) - 5
    added[:5, 0, 0, 0], added[5:, 0, 1, 0] = fits[:5], fits[5:]
    added[:, 0, 2, 0] = 0.01 * hills(np.full(10, -70.0))
    sums = [
        Sums((1, 2, 3), so_far, np.ones((1, 3)), np.zeros((1, 7)), np.zeros(1))
        for so_far in added.cumsum(axis=0)
    ]
    offset = Offset(
        stream="arm", camera="camera", t_ns=0, offset_s=0.0, sigma_s=0.01, p=1.0, verdict=Verdict.OK,
        reference_ns=0, rate_ppm=0.0, second_peak_ratio=0.0, evidence_s=20.0,
        lags_s=np.zeros(251, np.float32), weights=np.zeros(251, np.float32),
    )  # fmt: skip
    binding = Binding(
        stream="arm", t_ns=0, wearer="", tracks={}, p_wearer=1.0, wearer_verdict=Verdict.OK, part=PARTS[0],
        p_part=1.0, part_verdict=Verdict.OK, p_none=0.0, candidates=(),
        alarm="arm sits on head, not on chest",
    )  # fmt: skip
    found = solve._found(
        offset, binding, (1, 2), Stretches(STRETCHES_S, sums, Calibration(scale=1.0)), 0, 60.0
    )
    assert found.verdict is Verdict.AMBIGUOUS
    assert found.note == (
        "arm sits on head, not on chest; the offset is +2.00 s from about 84 s on: split the recording there"
    )
    assert found.shifted(30.0).note.endswith(
        "the offset is +32.00 s from about 84 s on: split the recording there"
    )


def test_chance_peaks_and_a_drift_are_no_step() -> None:
    assert step_in([0] * 10) is None
    assert step_in([0, 0, 50, 0, 0, -60, 80, 0, 0, 90]) is None, "alone, or at unrelated lags"
    assert step_in(np.linspace(-6, 6, 10).tolist()) is None, "a drift"
    low = 0.3 * hills(np.array([0, 0, 0, 0, 50, 50, 0, 0, 0, 0]))
    assert steps.find(low, STRETCHES_S, 125, 0.04) is None, "too little of it"


@pytest.mark.parametrize("ppm", [280, -300])
def test_an_hours_drift_is_no_step(ppm: int) -> None:
    """It takes the offset further from the whole recording's than a step needs to."""
    borders_s = np.linspace(0, 3600, 25)
    middles_s = (borders_s[1:] + borders_s[:-1]) / 2
    drifted = ppm * 1e-6 * (middles_s - 1800) / 0.04
    assert steps.find(hills(drifted), borders_s.tolist(), 125, 0.04) is not None
    line = drift.line(drift.points(hills(drifted), middles_s, 125, 0.04))
    by = np.round(line.drift_ppm * 1e-6 * (middles_s - line.middle_s) / 0.04).astype(int)
    assert steps.find(steps.straightened(hills(drifted), by), borders_s.tolist(), 125, 0.04) is None
    drifted[18:] += 50
    late = steps.find(steps.straightened(hills(drifted), by), borders_s.tolist(), 125, 0.04)
    assert late is not None
    assert (late.from_s, late.until_s) == (2700, None)


def test_where_nothing_was_compared_there_is_no_step() -> None:
    against = hills(np.zeros(10)) - 30
    against[6:, :100] = 0
    assert steps.find(against, STRETCHES_S, 125, 0.04) is None
    assert steps.find(np.zeros((10, 251)), STRETCHES_S, 125, 0.04) is None


def turning(delay_s: float, seconds: float = 40.0) -> tuple[ImuFile, Recording]:
    """A forearm that swings in the picture plane, and a sensor on it whose stamps are ``delay_s`` ahead."""

    def angle(t_s: np.ndarray) -> np.ndarray:
        return np.sin(2 * t_s) + 0.7 * np.sin(0.9 * t_s**1.1)

    t_s = np.arange(round(seconds * FPS)) / FPS
    keypoints = np.ones((len(t_s), 17, 3), np.float32)
    keypoints[:, 9, 0] = 1 + 80 * np.cos(angle(t_s))
    keypoints[:, 9, 1] = 1 + 80 * np.sin(angle(t_s))
    frames = np.arange(len(t_s), dtype=np.int32)
    people = Recording(
        t_ns=np.round(t_s * 1e9).astype(np.int64),
        frame=frames,
        track_ids=np.ones(len(t_s), np.int32),
        keypoints=keypoints,
    )
    own_s = np.arange(round(seconds * 100)) / 100
    gyro = np.zeros((len(own_s), 3), np.float32)
    gyro[:, 1] = np.gradient(angle(np.abs(own_s - delay_s)), 0.01)
    file = ImuFile(
        path=Path("imu.csv"),
        t_ns=np.round(own_s * 1e9).astype(np.int64),
        acc_m_s2=gyro,
        gyro_rad_s=gyro,
        bad_rows=0,
        start_ns=0,
        units="",
        found="",
    )
    return file, people


def test_traces_are_alike_where_they_are_aligned() -> None:
    file, people = turning(1.5)
    sensor, limb = traces.sensor_turning(file), traces.limb_turning(people, (1,), "left_forearm")
    assert traces.likeness(sensor, limb, 1.5) > 0.95
    assert traces.likeness(sensor, limb, 0.0) < 0.6
    first_s, last_s = traces.busiest_s(sensor, limb, 1.5)
    assert 0 <= first_s < last_s <= 40
    assert last_s - first_s == pytest.approx(10, abs=0.1)


def test_a_limb_that_is_not_seen_has_no_trace() -> None:
    file, people = turning(0.0)
    people.keypoints[:, 9, 2] = 0.0
    limb = traces.limb_turning(people, (1,), "left_forearm")
    assert np.isnan(limb.values).all()
    assert np.isnan(traces.likeness(traces.sensor_turning(file), limb, 0.0))


def test_a_limb_seen_for_a_moment_has_no_trace() -> None:
    _, people = turning(0.0)
    people.keypoints[3:, 9, 2] = 0.0
    people.t_ns[:] = people.t_ns[0] + np.arange(len(people.t_ns)) * 8_333_333  # 120 fps
    assert np.isnan(traces.limb_turning(people, (1,), "left_forearm").values).all()


@pytest.mark.parametrize(("tracks", "says"), [((1,), "of track 1:"), ((), "of nobody for sure:")])
def test_the_picture_shows_nobodys_limb_where_nobody_is_sure(tracks: tuple[int, ...], says: str) -> None:
    file, people = turning(0.5)
    one = Found(
        offset_s=0.5,
        sigma_s=0.01,
        verdict=Verdict.OK,
        tracks=tracks,
        part="left_forearm",
        lags_s=np.linspace(-1, 1, 51),
        weights=np.ones(51),
    )
    _, before, after = plot.draw({"arm": one}, people, {"arm": file}).axes[:3]
    assert says in before.texts[0].get_text()
    for panel in (before, after):
        limb, sensor = (np.asarray(line.get_ydata(), float) for line in panel.lines)
        assert np.isfinite(sensor).any()
        assert np.isfinite(limb).any() == bool(tracks)


def test_what_is_drawn_as_aligned_follows_the_drift() -> None:
    """By as much in 40 s as 200 ppm come to in an hour."""
    file, people = turning(0.5)
    fast = 1.02
    file = replace(file, t_ns=np.round(file.t_ns * fast).astype(np.int64))
    one = Found(
        offset_s=(people.length_s / 2 + 0.5) * fast - people.length_s / 2,
        sigma_s=0.01,
        drift_ppm=(fast - 1) * 1e6,
        verdict=Verdict.OK,
        tracks=(1,),
        part="left_forearm",
        lags_s=np.linspace(-1, 1, 51),
        weights=np.ones(51),
    )
    _, before, after = plot.draw({"arm": one}, people, {"arm": file}).axes[:3]
    assert [float(panel.get_title("right").split()[2]) > 0.97 for panel in (before, after)] == [False, True]
    without = plot.draw({"arm": replace(one, drift_ppm=0.0)}, people, {"arm": file}).axes[2]
    assert float(without.get_title("right").split()[2]) < 0.97


# --- video ---


class TwoPeople:
    """In the place of the network: two people who stand still, the second from the tenth picture on."""

    made = 0
    hz: tuple[float, ...] = ()

    def __init__(self, options: PoseOptions, cameras: tuple[str, ...]) -> None:
        TwoPeople.made += 1
        TwoPeople.hz = options.hz
        self.calls = 0
        (self.camera,) = cameras

    def __call__(self, images: dict[str, np.ndarray], /) -> dict[str, People]:
        self.calls += 1
        count = 1 + (self.calls > 10)
        ids = np.arange(1, count + 1, dtype=np.int32)
        points = np.ones((count, 17, 3), np.float32) * ids[:, None, None]
        return {self.camera: People(track_ids=ids, boxes=np.zeros((count, 4), np.float32), keypoints=points)}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two seconds of grey."""
    import cv2

    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, (64, 48))
    for _ in range(2 * FPS):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    return path


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> type[TwoPeople]:
    monkeypatch.setattr(video, "YoloPose", TwoPeople)
    TwoPeople.made = 0
    return TwoPeople


def test_a_video_is_looked_at_once(film: Path, network: type[TwoPeople]) -> None:
    first, kept = video.read(film, OPTIONS, Progress(disable=True))
    assert (kept, network.made) == (False, 1)
    assert network.hz == (FPS,)
    assert first.t_ns[0] == 0
    np.testing.assert_allclose(np.diff(first.t_ns) * 1e-9, 1 / FPS, atol=1e-3)
    assert [(first.track_ids == track).sum() for track in (1, 2)] == [60, 50]
    assert first.frame[first.track_ids == 2].min() == 10

    second, kept = video.read(film, OPTIONS, Progress(disable=True))
    assert (kept, network.made) == (True, 1)
    for name in ("t_ns", "frame", "track_ids", "keypoints"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))


def test_other_settings_or_another_video_are_looked_at_anew(film: Path, network: type[TwoPeople]) -> None:
    video.read(film, OPTIONS, Progress(disable=True))
    video.read(film, PoseOptions(model="none-pose.pt", imgsz=640), Progress(disable=True))
    assert network.made == 2
    film.write_bytes(film.read_bytes() + b"\0" * 8)
    video.read(film, OPTIONS, Progress(disable=True))
    assert network.made == 3


def test_weights_made_anew_in_the_same_files_are_noticed(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pose, "CACHE", tmp_path)
    folder, named = tmp_path / "yolo_openvino_model", tmp_path / "yolo11n-pose.pt"
    folder.mkdir()
    for model, file in ((str(folder), folder / "yolo.bin"), (named.name, named)):
        options, keys = PoseOptions(model=model), set[str]()
        for weights in (b"weights", b"Weights", b"weights"):
            file.write_bytes(weights)
            os.utime(file, ns=(0, 0))
            keys.add(video.cache_key(film, options, Turn()))
        assert len(keys) == 2


def test_weights_that_are_fetched_on_the_way_are_those_of_the_cache(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fetching(TwoPeople):
        def __init__(self, options: PoseOptions, cameras: tuple[str, ...]) -> None:
            super().__init__(options, cameras)
            (tmp_path / options.model).write_bytes(b"weights")

    monkeypatch.setattr(pose, "CACHE", tmp_path)
    monkeypatch.setattr(video, "YoloPose", Fetching)
    options = PoseOptions(model="yolo11n-pose.pt")
    assert not video.read(film, options, Progress(disable=True))[1]
    assert video.read(film, options, Progress(disable=True))[1]


def test_a_video_may_be_named_by_the_time_of_day(
    film: Path, network: type[TwoPeople], monkeypatch: pytest.MonkeyPatch
) -> None:
    film.rename(film.with_name("12:30:05.mp4"))
    monkeypatch.chdir(film.parent)
    found, _ = video.read(Path("12:30:05.mp4"), OPTIONS, Progress(disable=True))
    assert len(found.t_ns) == 2 * FPS


def test_a_part_of_a_video_is_not_kept_in_place_of_the_whole(film: Path, network: type[TwoPeople]) -> None:
    part, _ = video.read(film, OPTIONS, Progress(disable=True), seconds=0.5)
    assert 0.4 < part.length_s <= 0.5
    assert not video.cache_path(film).exists()

    whole, kept = video.read(film, OPTIONS, Progress(disable=True), seconds=5)
    assert (len(whole.t_ns), kept) == (2 * FPS, False)
    assert video.read(film, OPTIONS, Progress(disable=True))[1]


@pytest.mark.parametrize("broken", [b"PK\3\4 cut off", b"", b"\x93NUMPY", b"no cache"])
def test_a_broken_cache_is_made_anew(broken: bytes, film: Path, network: type[TwoPeople]) -> None:
    video.cache_path(film).write_bytes(broken)
    _, kept = video.read(film, OPTIONS, Progress(disable=True))
    assert not kept
    assert video.read(film, OPTIONS, Progress(disable=True))[1]
    assert network.made == 1
    assert not list(film.parent.glob("*.part"))


def test_a_read_only_mount_costs_the_cache_and_not_the_answer(
    film: Path,
    network: type[TwoPeople],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There an unlink fails even of what is not there."""

    def refuse(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    found, _ = video.read(film, OPTIONS, Progress(disable=True))
    assert len(found.t_ns) == 2 * FPS
    assert "film.mp4.poses.npz: cannot be written: Read-only file system" in caplog.text


def test_a_cache_with_any_byte_broken_is_no_traceback(film: Path, network: type[TwoPeople]) -> None:
    video.read(film, OPTIONS, Progress(disable=True))
    cache = video.cache_path(film)
    whole, key = cache.read_bytes(), video.cache_key(film, OPTIONS, Turn())
    assert video.load(cache, key) is not None
    for place, bit in product(range(0, len(whole), 3), (0x01, 0xFF)):
        cache.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        video.load(cache, key)


@pytest.mark.parametrize(
    "start", [b"\0\0\0\1\x67\x42\0\x1e", b"\0\0\1\x09\xf0", b"\0\0\0\1\x40\1\x0c\1", b""]
)
def test_a_bare_stream_without_stamps_is_refused_before_the_network_loads(
    start: bytes, tmp_path: Path, network: type[TwoPeople]
) -> None:
    """H.264, H.265 and MJPEG; a rate that is made up may be a fifth wrong."""
    import cv2

    path = tmp_path / "walk.raw"
    pictures = [cv2.imencode(".jpg", np.full((16, 16, 3), n, np.uint8))[1].tobytes() for n in range(10)]
    path.write_bytes(start or b"".join(pictures))
    with pytest.raises(FileError, match=r"taken as 25 fps .* `ffmpeg -framerate FPS -i walk.raw walk.mp4`"):
        video.read(path, OPTIONS, Progress(disable=True))
    assert network.made == 0


def test_what_is_no_video_is_said_before_the_network_loads(tmp_path: Path, network: type[TwoPeople]) -> None:
    path = tmp_path / "film.mp4"
    with pytest.raises(FileError, match="no such file"):
        video.read(path, OPTIONS, Progress(disable=True))
    path.write_text("no film")
    with pytest.raises((FileError, VideoError), match=r"is it a video\?"):
        video.read(path, OPTIONS, Progress(disable=True))
    assert network.made == 0
