"""People in a picture: YOLO-pose with a tracker (ultralytics), and the preview that is drawn of them.

Everything heavy is imported when a ``YoloPose`` is made; the rest is numpy and, for drawing, cv2.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mobind_live.schema import KEYPOINTS, SKELETON

log = logging.getLogger(__name__)

MODEL_NAME = re.compile(r"yolo[\w.]*-pose\.pt")  # what ultralytics can fetch
CACHE = Path("~/.cache/mobind-live")
SEEN = 0.3  # keypoints with a lower score are not drawn
COLOURS = ((80, 200, 120), (240, 160, 60), (90, 120, 240), (60, 200, 230), (200, 100, 220), (180, 190, 90))


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
    """Finds and tracks people: called with a camera's pictures (H, W, 3) uint8 BGR, one after the other."""

    def __call__(self, image: np.ndarray) -> People: ...


class YoloPose:
    """A pose network and its tracker, for one camera. Raises PoseError when it cannot be loaded."""

    def __init__(self, model: str, *, device: str, imgsz: int, conf: float, tracker: str) -> None:
        # The one exception to the rule on environment variables: this must be set before the import, or
        # ultralytics installs packages behind the user's back.
        os.environ["YOLO_AUTOINSTALL"] = "false"
        import torch
        from ultralytics.models import YOLO
        from ultralytics.utils import DEFAULT_CFG_DICT, SETTINGS

        logging.getLogger("ultralytics").setLevel(logging.WARNING)
        if SETTINGS["sync"]:
            SETTINGS.update({"sync": False})
        if device == "auto":
            device = "cuda:0" if torch.cuda.is_available() else "cpu"
        half = {"quantize": 16} if "quantize" in DEFAULT_CFG_DICT else {"half": True}
        self._options: dict[str, Any] = {
            "persist": True, "verbose": False, "device": device, "imgsz": imgsz, "conf": conf,
            "tracker": f"{tracker}.yaml", "classes": [0], **(half if device.startswith("cuda") else {}),
        }  # fmt: skip
        path = weights(model)
        try:
            self._model = YOLO(str(path), task="pose")
            self(np.zeros((imgsz, imgsz, 3), np.uint8))  # loads and warms up, so that errors come here
            _honour_imgsz(self._model)
        except (
            OSError,
            RuntimeError,
            ValueError,
            ImportError,
            TypeError,
            AttributeError,
            AssertionError,
        ) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise PoseError(f"pose model {path} cannot be loaded: {reason}") from error

    def __call__(self, image: np.ndarray) -> People:
        return people(next(iter(self._model.track(image, **self._options))))


def weights(model: str) -> Path:
    """Where the weights ``model`` are: a file or folder, or the place to which a known name is fetched."""
    path = Path(model)
    if path.exists():
        return path
    if path.name != model or not MODEL_NAME.fullmatch(model):
        raise PoseError(
            f"model {model} does not exist; give a file, a folder, or a name like yolo11n-pose.pt"
        )
    kept = CACHE.expanduser() / model
    if kept.exists():
        return kept
    log.warning("fetching pose weights %s to %s (once; ultralytics, AGPL-3.0)", model, kept)
    kept.parent.mkdir(parents=True, exist_ok=True)
    from ultralytics.utils.downloads import attempt_download_asset

    try:
        attempt_download_asset(kept)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PoseError(f"model {model} could not be fetched to {kept}: {reason}") from error
    if not kept.exists():
        raise PoseError(f"model {model} could not be fetched; put the file at {kept} or name its path")
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


def people(result: Any) -> People:
    """What an ultralytics ``Results`` holds; only those people whom the tracker has given an id."""
    boxes, keypoints = result.boxes, result.keypoints
    if boxes is None or keypoints is None or boxes.id is None or len(boxes) == 0:
        return People.nobody()
    points = keypoints.data.cpu().numpy().astype(np.float32)
    points[..., 2] = np.clip(points[..., 2], 0.0, 1.0)
    return People(
        track_ids=boxes.id.cpu().numpy().astype(np.int32),
        boxes=boxes.xyxy.cpu().numpy().astype(np.float32),
        keypoints=points.reshape(-1, len(KEYPOINTS), 3),
    )


def draw(
    image: np.ndarray, found: People, *, width: int, quality: int = 70
) -> tuple[np.ndarray, tuple[int, int]]:
    """A JPEG (N,) uint8 of ``image`` (H, W, 3), at most ``width`` wide, with the skeletons; and its size."""
    import cv2

    scale = min(1.0, width / image.shape[1])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.copy()
    for track, points in zip(found.track_ids.tolist(), found.keypoints, strict=True):
        colour = COLOURS[track % len(COLOURS)]
        xy = np.round(points[:, :2] * scale).astype(int).tolist()
        seen = points[:, 2] >= SEEN
        for a, b in SKELETON:
            if seen[a] and seen[b]:
                cv2.line(small, xy[a], xy[b], colour, 2, cv2.LINE_AA)
        if seen.any():
            x, y = xy[int(np.argmax(seen))]
            cv2.putText(
                small, str(track), (x + 4, y - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA
            )
    ok, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok  # an 8-bit BGR picture can always be encoded
    return jpeg.reshape(-1), size
