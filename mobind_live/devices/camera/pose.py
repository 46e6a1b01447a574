"""People in a picture: YOLO-pose with a tracker (ultralytics).

Everything heavy is imported when a ``YoloPose`` is made.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mobind_live.vocabulary import KEYPOINTS

log = logging.getLogger(__name__)

MODEL_NAME = re.compile(r"yolo[\w.]*-pose\.pt")  # what ultralytics can fetch
TRACKERS = ("bytetrack", "botsort")  # or a file in their form
TRACKERS_HZ = 30.0  # the frame rate that their settings are for
LEAST_BUFFER = 5  # pictures, at however few per second
CACHE = Path("~/.cache/mobind-live")


class PoseError(Exception):
    """The pose model cannot be had; one line: which, why, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The people in one picture: ``track_ids`` (P,) int32, ``boxes`` (P, 4) and ``keypoints`` (P, 17, 3)
    float32, as in ``schema.Pose``."""

    track_ids: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray

    @classmethod
    def nobody(cls) -> People:
        return cls(
            track_ids=np.empty(0, np.int32),
            boxes=np.empty((0, 4), np.float32),
            keypoints=np.empty((0, len(KEYPOINTS), 3), np.float32),
        )


class Finder(Protocol):
    """Finds and tracks people: called with the newest pictures of its cameras, each (H, W, 3) uint8 BGR."""

    def __call__(self, images: Mapping[str, np.ndarray], /) -> dict[str, People]: ...

    def forget(self, camera: str) -> None:
        """Whoever it sees from now on is somebody else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseOptions:
    """``tracker``: ``bytetrack``, ``botsort``, or a file in the form of ultralytics' own; ``hz``: the frame
    rate of each camera, in their order, 30 where it is not said."""

    model: str
    device: str = "auto"
    imgsz: int = 480
    conf: float = 0.1
    tracker: str = "bytetrack"
    hz: tuple[float, ...] = ()


@lru_cache(maxsize=1)
def finder(options: PoseOptions, cameras: tuple[str, ...]) -> Finder:
    """The pose network for ``cameras``. A process loads it once: a camera that comes back finds it as it was,
    with trackers that give nobody an id that somebody had before. Raises PoseError."""
    return YoloPose(options, cameras)


class YoloPose:
    """A pose network, and a tracker for each camera. Raises PoseError when it cannot be loaded."""

    def __init__(self, options: PoseOptions, cameras: tuple[str, ...]) -> None:
        # The one exception to the rule on environment variables: this must be set before the import, or
        # ultralytics installs packages behind the user's back.
        os.environ["YOLO_AUTOINSTALL"] = "false"
        import torch
        from ultralytics.models import YOLO
        from ultralytics.utils import DEFAULT_CFG_DICT, SETTINGS

        logging.getLogger("ultralytics").setLevel(logging.WARNING)
        if SETTINGS["sync"]:
            SETTINGS.update({"sync": False})
        device = options.device
        if device == "auto":
            device = "cuda:0" if torch.cuda.is_available() else "cpu"
        half = {"quantize": 16} if "quantize" in DEFAULT_CFG_DICT else {"half": True}
        self._options: dict[str, Any] = {
            "verbose": False, "device": device, "imgsz": options.imgsz, "conf": options.conf,
            "classes": [0], **(half if device.startswith("cuda") else {}),
        }  # fmt: skip
        path = weights(options.model)
        try:
            self._model = YOLO(str(path), task="pose")
            blank = np.zeros((options.imgsz, options.imgsz, 3), np.uint8)
            # Loads and warms up, so that errors come here.
            (nobody,) = self._model.predict(blank, **self._options)
            _must_be_coco(nobody, path)
            _honour_imgsz(self._model)
        except _FAILURES as error:
            raise PoseError(f"pose model {path} cannot be loaded: {_reason(error)}") from error
        # All at once: in older versions of ultralytics, making one sets the ids of all back to 1.
        rates = dict(zip(cameras, options.hz, strict=False))
        self._trackers = {
            camera: _tracker(options.tracker, rates.get(camera, TRACKERS_HZ)) for camera in cameras
        }

    def __call__(self, images: Mapping[str, np.ndarray], /) -> dict[str, People]:
        results = self._model.predict(list(images.values()), **self._options)
        return {camera: self._track(camera, result) for camera, result in zip(images, results, strict=True)}

    def forget(self, camera: str) -> None:
        """Whoever it sees from now on is somebody else. A tracker counts pictures and knows no time: who is
        where somebody stood before an outage would be that person. Its own ``reset`` would count from 1."""
        tracker = self._trackers[camera]
        tracker.tracked_stracks, tracker.lost_stracks, tracker.removed_stracks = [], [], []

    def _track(self, camera: str, result: Any) -> People:
        tracks = self._trackers[camera].update(result.boxes.cpu().numpy(), result.orig_img)
        return people(tracks, result.keypoints.data.cpu().numpy())


def _must_be_coco(result: Any, path: Path) -> None:
    """Raises PoseError where a network finds something else than people with COCO's keypoints."""
    points = result.keypoints
    if points is None or tuple(points.data.shape[-2:]) != (len(KEYPOINTS), 3):
        raise PoseError(f"{path} is no pose model with COCO's 17 keypoints; name one like yolo11n-pose.pt")


# What ultralytics and its backends raise when they cannot have what they want.
_FAILURES = (
    OSError,
    RuntimeError,
    ValueError,
    ImportError,
    TypeError,
    AttributeError,
    AssertionError,
    KeyError,
)


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _tracker(name: str, hz: float) -> Any:
    """One of ultralytics' trackers, as its YAML says, for ``hz`` pictures per second. Raises PoseError."""
    from ruamel.yaml import YAML
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import ROOT, IterableSimpleNamespace

    path = ROOT / "cfg" / "trackers" / f"{name}.yaml" if name in TRACKERS else Path(name)
    try:
        settings = IterableSimpleNamespace(**YAML(typ="safe").load(path))
        if getattr(settings, "with_reid", False):
            # It would fetch a network of its own.
            raise PoseError(f"tracker {name}: with_reid is not supported; set it to False")
        if name in TRACKERS:
            # It counts pictures: so that whoever is hidden is waited for as long at any rate.
            settings.track_buffer = max(LEAST_BUFFER, round(settings.track_buffer * hz / TRACKERS_HZ))
        return TRACKER_MAP[settings.tracker_type](args=settings)
    except _FAILURES as error:
        raise PoseError(f"tracker {name} cannot be made: {_reason(error)}") from error


def place(model: str) -> Path:
    """Where the weights ``model`` are, or would be: a known name that is no file here is fetched and kept."""
    path = Path(model)
    known = path.name == model and MODEL_NAME.fullmatch(model)
    return CACHE.expanduser() / model if known and not path.exists() else path


def weights(model: str) -> Path:
    """Where the weights ``model`` are: a file or folder, or the place to which a known name is fetched."""
    kept = place(model)
    if kept.exists():
        return kept
    if kept == Path(model):
        raise PoseError(
            f"model {model} does not exist; give a file, a folder, or a name like yolo11n-pose.pt"
        )
    log.warning("fetching pose weights %s to %s (once; ultralytics, AGPL-3.0)", model, kept)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PoseError(
            f"model {model} cannot be kept in {kept.parent}: {error.strerror}; name its path"
        ) from error
    from ultralytics.utils.downloads import attempt_download_asset

    # Elsewhere at first: a second camera may be at it too, and what breaks off is not to be kept.
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        fetched = Path(folder, model)
        try:
            attempt_download_asset(fetched)
        except (OSError, RuntimeError) as error:
            raise PoseError(f"model {model} could not be fetched to {kept}: {_reason(error)}") from error
        if not fetched.exists():
            raise PoseError(f"model {model} could not be fetched; put the file at {kept} or name its path")
        fetched.replace(kept)
    return kept


def _honour_imgsz(model: Any) -> None:
    """Let an OpenVINO model of free input size run at the size asked for.

    Exports of ultralytics 8.0 do not say that size and batch are free: ``imgsz`` would be ignored, and every
    picture padded to the export's batch (8 for the weights at hand, at eight times the work).
    """
    backend = getattr(model.predictor.model, "backend", None)
    compiled = getattr(backend, "ov_compiled_model", None)
    if backend is None or compiled is None:
        return
    if getattr(backend, "read_model", None) is not None or compiled.input(0).partial_shape.is_dynamic:
        backend.dynamic = True
        backend.metadata["dynamic"] = True


def people(tracks: np.ndarray, keypoints: np.ndarray) -> People:
    """Those people whom the tracker has given an id.

    ``tracks`` (P, 8): x1 y1 x2 y2, id, score, class, and the row of the ``keypoints`` (N, 17, 3).
    """
    if len(tracks) == 0:
        return People.nobody()
    points = keypoints[tracks[:, -1].astype(int)].astype(np.float32)
    points[..., 2] = np.clip(points[..., 2], 0.0, 1.0)
    return People(
        track_ids=tracks[:, 4].astype(np.int32),
        boxes=tracks[:, :4].astype(np.float32),
        keypoints=points.reshape(-1, len(KEYPOINTS), 3),
    )
