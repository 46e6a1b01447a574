"""A video file to the people in it, by YOLO-pose; kept beside the video, so that it is done once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import Progress

from mobind_live.devices.camera import pose, video
from mobind_live.devices.camera.boxes import cut_short
from mobind_live.devices.camera.playback import Playback, Player, frame_hz
from mobind_live.devices.camera.pose import Finder, PoseOptions, YoloPose
from mobind_live.devices.camera.turn import Turn
from mobind_live.models import output
from mobind_live.models.errors import BROKEN_NPZ, OutputError
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.sync.recording import CAMERA, Recording
from mobind_live.vocabulary import KEYPOINTS

_log = logging.getLogger(__name__)
_FORM = 3  # of the cache file, and of what is done for it; another one is not read
_ARRAYS = ("t_ns", "frame", "track_ids", "keypoints")


def cache_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.poses.npz")


def read(
    path: Path,
    options: PoseOptions,
    progress: Progress,
    *,
    turn: Turn | None = None,
    seconds: float | None = None,
) -> tuple[Recording, bool]:
    """The people in the video ``path``, its pictures set right by ``turn``, and whether they come from its
    cache. What lies after ``seconds`` need not be looked at; a part is not kept. Raises FileError, VideoError
    or PoseError."""
    if not path.is_file():
        raise FileError(f"{path}: {'a folder, not a video' if path.is_dir() else 'no such file'}")
    if line := video.unstamped(path):
        raise FileError(line)
    turn = turn or Turn()
    key = cache_key(path, options, turn)
    kept = load(cache_path(path), key)
    if kept is not None:
        return kept, True
    frames, hz = _extent(path)  # a file that is no video is refused before the network loads
    network = YoloPose(replace(options, hz=(hz,)), (CAMERA,))
    key = cache_key(path, options, turn)  # its weights may only now have been fetched
    found, whole = _watch(path, network, turn, progress, frames, seconds)
    if whole:
        save(cache_path(path), key, found)
    return found, False


def cache_key(path: Path, options: PoseOptions, turn: Turn) -> str:
    """What the keypoints depend on: the video, how it is turned, the weights and the settings, as text."""
    seen, model = path.stat(), pose.place(options.model)
    return json.dumps(
        {
            "form": _FORM,
            "video": [seen.st_size, seen.st_mtime_ns],
            "model": [model.name, _digest(model)],
            "turn": [turn.rotate, turn.mirror],
            "settings": [options.imgsz, options.conf, options.tracker],
        }
    )


def _digest(model: Path) -> str:
    """Of the weights in a file or a folder, wherever and whenever they were put there."""
    digest = hashlib.sha256()
    with contextlib.suppress(OSError):  # the network says it of weights that cannot be read
        for file in sorted([model, *model.rglob("*")]):
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()


def load(path: Path, key: str) -> Recording | None:
    """What ``path`` holds, if it is a cache made under ``key``."""
    try:
        with path.open("rb") as kept, np.load(kept, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            return Recording(**{name: file[name] for name in _ARRAYS})
    except BROKEN_NPZ:
        return None


def save(path: Path, key: str, found: Recording) -> None:
    """Write the cache, whole or not at all. A folder that cannot be written costs time, not the answer."""
    packed = io.BytesIO()
    np.savez_compressed(packed, key=np.array(key), **{name: getattr(found, name) for name in _ARRAYS})
    try:
        output.write(path, packed.getvalue())
    except OutputError as error:
        _log.warning("the poses are not kept: %s", error)


def _extent(path: Path) -> tuple[int | None, float]:
    """How many frames the container says it has, None if it does not say; and how many per second."""
    import cv2

    capture = video.open_file(str(path))
    try:
        frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT))) or None
        return frames, frame_hz(capture)
    finally:
        capture.release()


def _watch(
    path: Path, finder: Finder, turn: Turn, progress: Progress, frames: int | None, seconds: float | None
) -> tuple[Recording, bool]:
    """The people, and whether the video was looked at to its end."""
    task = progress.add_task(f"poses in {path.name}", total=frames)
    stamps: list[int] = []
    rows: list[tuple[int, np.ndarray, np.ndarray]] = []
    whole = True
    damaged: list[int] = []
    for frame in _frames(path, damaged.append):
        if seconds is not None and stamps and frame.t_ns - stamps[0] > seconds * 1e9:
            whole = False
            break
        people = finder({CAMERA: turn(frame.image)})[CAMERA]
        rows.append((len(stamps), people.track_ids, people.keypoints))
        stamps.append(frame.t_ns)
        progress.advance(task)
    if not stamps:
        raise FileError(f"{path}: not one frame can be read; is it a video?")
    if whole and (missing := cut_short(path)):
        _log.warning("%s: %s; what there is was used", path, missing)
    if damaged:
        _log.warning("%s: %d pictures are damaged or wrongly stamped, and were left out", path, sum(damaged))
    empty = np.empty((0, len(KEYPOINTS), 3), np.float32)
    found = Recording(
        t_ns=np.array(stamps, np.int64) - stamps[0],
        frame=np.concatenate([np.full(len(ids), n, np.int32) for n, ids, _ in rows]),
        track_ids=np.concatenate([ids for _, ids, _ in rows]).astype(np.int32),
        keypoints=np.concatenate([empty, *(points for _, _, points in rows)]).astype(np.float32),
    )
    return found, whole


def _frames(path: Path, skipped: Callable[[int], None]) -> Iterator[video.Frame]:
    playback = Playback(epoch_ns=0, rate=None, loop=False)
    player = Player(lambda: video.open_file(str(path)), playback, threading.Event(), skipped)
    return player.frames()
