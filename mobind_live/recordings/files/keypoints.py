"""Reading one person's keypoints from a CSV file.

They stand under ``nose_x``, ``nose_y``, ``nose_score`` and so on, in pixels. A file that cannot be what it
says is refused with one line, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.recordings.files import columns, stamps
from mobind_live.recordings.files.csv_table import Table, read_table
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints
from mobind_live.vocabulary import KEYPOINT, KEYPOINTS

_SCORES = ("score", "confidence", "conf", "likelihood", "visibility", "probability", "prob", "c", "p", "s")
_MOST_SCORE = 1.5
_FEWEST = 8
_SOME = 6
_LIMBS = [
    [f"{side}_{joint}" for joint in limb]
    for side in ("left", "right")
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
]
_UPSIDE_DOWN = 0.8  # of the frames
_REPEATED = 0.3
_PEOPLE = re.compile(
    r"(?:track|person|people|instance|subject|player|object|identity)(?: ?(?:id|index|idx|name|number))?|id"
)
_ADVICE = "write the time in s, under time_s"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointFile:
    """One person's keypoints: ``t_ns`` (T,) int64, the file's own stamps, rising; ``keypoints``
    (T, 17, 3) float32, x y in pixels and score, 0 0 0 where missing. ``bad_rows`` could not be read;
    ``start_ns`` is the first row's stamp; ``found`` says what was recognized."""

    path: Path
    t_ns: np.ndarray
    keypoints: np.ndarray
    bad_rows: int
    start_ns: int
    found: str


def read_keypoints(path: Path, *, limit: int | None = None, whole: bool = False) -> KeypointFile:
    """The keypoints in ``path``, at most ``limit`` rows; of a ``whole`` body, or nearly so, if it must be.

    Columns ``time_s`` (or another unit) and ``<keypoint>_x``, ``<keypoint>_y`` in pixels, with an optional
    ``<keypoint>_score``; without scores, what is finite counts 1. Raises FileError.
    """
    table = read_table(path, limit, (_is_header,), "time_s, nose_x, nose_y, ...")
    found = _columns(table)
    keypoints = np.zeros((len(table.values), len(KEYPOINTS), 3), dtype=np.float32)
    for name, (x, y, score_column) in found.items():
        xy = table.values[:, [x, y]]
        # Many write 0, 0 or -1, -1 for what is not there.
        seen = np.isfinite(xy[:, 0] + xy[:, 1]) & xy.any(axis=1) & ~(xy < 0).all(axis=1)
        score = np.ones(len(xy)) if score_column is None else table.values[:, score_column]
        score = np.where(seen & np.isfinite(score), np.maximum(score, 0.0), 0.0)
        if score.max(initial=0.0) > _MOST_SCORE:
            raise FileError(f"{path}: {name}_score reaches {score.max():g}; scores go from 0 to 1")
        keypoints[:, KEYPOINT[name]] = np.column_stack([np.where(seen[:, None], xy, 0.0), score])
    columns.refuse_several(table, _PEOPLE, "people")
    time, *_ = stamps.readable(table, columns.time_columns(table, Hints(), _ADVICE), _ADVICE)
    _refuse_repeated(table, time)
    _refuse_shares(path, keypoints)
    _refuse_few(table, found, whole)
    read = stamps.of_rows(table, time, np.ones(len(keypoints), dtype=bool), _ADVICE, strictly=True)
    scores = "with scores" if any(score is not None for *_, score in found.values()) else "without scores"
    return KeypointFile(
        path=path,
        t_ns=read.t_ns,
        keypoints=keypoints[read.keep],
        bad_rows=table.bad_rows + int((~read.keep).sum()),
        start_ns=read.start_ns,
        found=f"{read.found}, {len(found)} of {len(KEYPOINTS)} keypoints {scores}{_unread(table, found)}"
        + _upside_down(keypoints),
    )


def _is_header(names: list[str]) -> bool:
    known = sum(name.replace(" ", "_").rpartition("_")[0] in KEYPOINTS for name in names)
    return known >= 2 and known + sum(map(columns.is_time, names)) >= 4


def _columns(table: Table) -> dict[str, tuple[int, int, int | None]]:
    """For each keypoint found: the columns of x, y and, if there is one, its score. Raises FileError."""
    places = {name.replace(" ", "_"): index for index, name in enumerate(table.names)}
    return {
        k: (places[f"{k}_x"], places[f"{k}_y"], _score(places, k))
        for k in KEYPOINTS
        if f"{k}_x" in places and f"{k}_y" in places
    }


def _refuse_few(table: Table, found: Collection[str], whole: bool) -> None:
    """Raises FileError where nobody is, or nobody can be seen to move where that is asked."""
    enough = len(found) >= _FEWEST and any(set(limb) <= set(found) for limb in _LIMBS)
    if not (enough if whole else found):
        other = [t for t, name in zip(table.titles, table.names, strict=True) if not _known(name)]
        some = f"; not understood: {', '.join(other[:_SOME])}" + ", ..." * (len(other) > _SOME)
        raise FileError(
            f"{table.path}: {len(found)} of {len(KEYPOINTS)} keypoints; at least {_FEWEST} are needed, and a "
            f"whole arm or leg among them, such as left_shoulder_x, left_elbow_x, left_wrist_x"
            f"{some if other else ''}"
        )


def _known(name: str) -> bool:
    return columns.is_time(name) or name.replace(" ", "_").rpartition("_")[0] in KEYPOINTS


def _score(places: dict[str, int], keypoint: str) -> int | None:
    return next((places[f"{keypoint}_{s}"] for s in _SCORES if f"{keypoint}_{s}" in places), None)


def _unread(table: Table, found: dict[str, tuple[int, int, int | None]]) -> str:
    """What else there is of the keypoints: a score under a name that is not known would be missed."""
    read = {place for places in found.values() for place in places}
    left = [
        title
        for place, (title, name) in enumerate(zip(table.titles, table.names, strict=True))
        if place not in read and _known(name) and not columns.is_time(name)
    ]
    return f"; not read: {left[0]}{', ...' if len(left) > 1 else ''}" if left else ""


def _refuse_repeated(table: Table, time: columns.Column) -> None:
    ticks = time.values[np.isfinite(time.values)]
    if 1 - len(np.unique(ticks)) / len(ticks) > _REPEATED:
        raise FileError(
            f"{table.path}: several rows for one stamp ({time.titles[0]}): several people, of whom one's "
            "rows must be kept, or stamps that were rounded and need more digits"
        )


def _refuse_shares(path: Path, keypoints: np.ndarray) -> None:
    seen = keypoints[keypoints[..., 2] > 0]
    if len(seen) and float(np.abs(seen[:, :2]).max()) <= 1.5:
        raise FileError(
            f"{path}: keypoints between 0 and 1 are shares of the picture; "
            "multiply x by its width and y by its height, in pixels"
        )


def _upside_down(keypoints: np.ndarray) -> str:
    """A remark where y seems to grow upwards. Somebody lying with the head towards the camera is so, too."""
    torso = keypoints[:, [KEYPOINT[f"{side}_{j}"] for j in ("shoulder", "hip") for side in ("left", "right")]]
    torso = torso[(torso[..., 2] > 0).all(axis=1)]
    if len(torso) and (torso[:, :2, 1].sum(axis=1) > torso[:, 2:, 1].sum(axis=1)).mean() > _UPSIDE_DOWN:
        return "; the shoulders are below the hips: does y grow downwards, from the picture's top?"
    return ""
