"""How near training's keypoint noise comes to a real detector's: errors measured in recordings, and in the
simulator's noise on the same motion.

``python -m mobind_live.models.evaluate.keypoint_noise VIDEO_OR_KEYPOINTS...`` prints the table of the model
card. Each recording has two rows: what was found in it, and what training's noise, at the middle of its
ranges, makes of the same people once they are smoothed. Motion that a cubic through five frames cannot follow
counts as jitter: it is little from 25 fps on. ``--fps`` also thins the recordings out, where errors that last
for several frames show.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy.signal import medfilt, savgol_filter

from mobind_live.devices.camera.pose import PoseError, PoseOptions
from mobind_live.devices.camera.video import VideoError
from mobind_live.kinematics.camera import yolo_noise
from mobind_live.models.datasets.virtual import Conditions, keypoint_noise, visibility
from mobind_live.models.errors import DatasetError
from mobind_live.models.evaluate.keypoint_errors import BANDS, SEEN, Errors, measure, swaps
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.files.stamps import rate_hz
from mobind_live.recordings.sync import video
from mobind_live.recordings.sync.recording import Recording, of_file

_TABLES = (".csv", ".tsv", ".txt")
_TRUNK = 0.52 / 1.75  # of the height, shoulders to hips, as in training
_TRUNK_JOINTS = [5, 6, 11, 12]
_SMOOTH_S, _SHORTEST_S, _FEWEST = 0.4, 0.5, 5
_DRAWS, _SEED = 20, 0


@dataclass(frozen=True, slots=True)
class Fit:
    """One recording at one frame rate: heights in pixels of the smallest and the tallest person in it, the
    errors ``found``, and those ``drawn`` for training."""

    name: str
    heights_px: tuple[float, float]
    rate_hz: float
    found: Errors
    drawn: Errors


def compare(name: str, people: Recording, fps: list[float]) -> list[Fit]:
    """The errors of a recording, as it is and thinned out to about each of ``fps``. Raises DatasetError where
    nobody is seen for half a second with shoulders and hips."""
    native_hz = rate_hz(people.t_ns)
    found = stretches(people, native_hz)
    if not found:
        raise DatasetError(f"{name}: nobody is seen for half a second with shoulders and hips")
    heights = [height for height, _ in found]
    smooth = [smoothed(one, native_hz) for _, one in found]
    fits = []
    for step in sorted({1, *(max(1, round(native_hz / thin)) for thin in fps)}):
        hz, rng = native_hz / step, np.random.default_rng(_SEED)
        drawn = [noisy(rng, one[::step], hz) for one in smooth for _ in range(_DRAWS)]
        errors = measure([one[::step] for _, one in found], hz), measure(drawn, hz)
        fits.append(Fit(name, (min(heights), max(heights)), hz, *errors))
    return fits


def stretches(people: Recording, native_hz: float) -> list[tuple[float, np.ndarray]]:
    """Each person in each run of frames (T, 17, 3) without a gap and not too short, x and y in heights; and
    that height in pixels. Missing joints are NaN with a score of 0."""
    found = []
    for track in people.tracks:
        mine = people.track_ids == track
        breaks = np.flatnonzero(np.diff(people.frame[mine]) != 1) + 1
        for run in np.split(people.keypoints[mine].astype(np.float64), breaks):
            height = _height_px(run)
            if len(run) >= max(_FEWEST, _SHORTEST_S * native_hz) and height > 0:
                xy = np.where(run.any(axis=-1, keepdims=True), run[..., :2] / height, np.nan)
                found.append((height, np.concatenate([xy, run[..., 2:]], axis=-1)))
    return found


def _height_px(run: np.ndarray) -> float:
    """How tall a person (T, 17, 3) would stand, by the trunk; 0 where it is not seen."""
    whole = run[(run[:, _TRUNK_JOINTS, 2] >= SEEN).all(axis=1)]
    if not len(whole):
        return 0.0
    trunk = whole[:, [5, 6], :2].mean(axis=1) - whole[:, [11, 12], :2].mean(axis=1)
    return float(np.median(np.linalg.norm(trunk, axis=-1))) / _TRUNK


def smoothed(stretch: np.ndarray, native_hz: float) -> np.ndarray:
    """A motion (T, 17, 2) like that of ``stretch`` (T, 17, 3), without what jitters."""
    steps, places = np.arange(len(stretch)), swaps(stretch, native_hz).undone
    out = np.zeros_like(places)
    for joint, axis in np.ndindex(17, 2):
        values = places[:, joint, axis]
        there = np.isfinite(values)
        if there.any():
            out[:, joint, axis] = medfilt(np.interp(steps, steps[there], values[there]), 5)
    # medfilt takes zeros for what lies beyond the ends.
    out[:2], out[-2:] = out[2], out[-3]
    width = min(len(out), 2 * round(_SMOOTH_S * native_hz / 2) + 1)
    return np.asarray(savgol_filter(out, width, min(3, width - 1), axis=0))


def noisy(rng: np.random.Generator, motion: np.ndarray, rate_hz: float) -> np.ndarray:
    """``motion`` (T, 17, 2) in heights with training's noise at the middle of its ranges (T, 17, 3)."""
    conditions = Conditions()
    noise = keypoint_noise(conditions, np.full(5, 0.5))
    seen = visibility(rng, 1, conditions)[0]
    return yolo_noise(rng, motion, np.ones(len(motion)), rate_hz, noise, seen)


def table(fits: list[Fit]) -> str:
    """The fits in Markdown; a cell of a band is the jitter, and how many of the joints are in the band."""
    bands = [f"{low:g} to {high:g}" for low, high in BANDS[1:-1]]
    head = ["recording", "height, px", "fps", "", "jitter", "tail", "body", "score 0.9 to 1", *bands]
    head += [f"below {SEEN:g}", "swapped"]
    lines = [f"| {' | '.join(head)} |", f"| --- | ---: | ---: | --- |{' ---: |' * (len(head) - 4)}"]
    for fit in fits:
        low, high = fit.heights_px
        about = [fit.name, f"{low:.0f} to {high:.0f}", f"{fit.rate_hz:.3g}", "found"]
        for first, errors in ((about, fit.found), (["", "", "", "training"], fit.drawn)):
            lines.append(f"| {' | '.join(first + _cells(errors))} |")
    return "\n".join(lines) + "\n"


def _cells(errors: Errors) -> list[str]:
    bands = [
        f"{jitter:.4f} ({share:.0%})" if np.isfinite(jitter) else f"({share:.0%})"
        for jitter, share in zip(errors.bands, errors.shares, strict=True)
    ]
    lengths = [f"{length:.4f}" for length in (errors.jitter, errors.tail, errors.body)]
    swapped = f"{errors.swapped:.2%}" + (f" ({errors.swap_s:.2f} s)" if errors.swapped > 0 else "")
    return [*lengths, *bands, swapped]


def read(path: Path, pose: PoseOptions, seconds: float) -> Recording:
    """The people in the first ``seconds`` of a video or keypoint file. Raises FileError, VideoError or
    PoseError."""
    if path.suffix.lower() in _TABLES:
        people = of_file(read_keypoints(path))
    else:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            people, _ = video.read(path, pose, bar, seconds=seconds)
    frames = int(np.searchsorted(people.t_ns, seconds * 1e9, side="right"))
    rows = people.frame < frames
    return replace(
        people,
        t_ns=people.t_ns[:frames],
        frame=people.frame[rows],
        track_ids=people.track_ids[rows],
        keypoints=people.keypoints[rows],
    )


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mobind_live.models.evaluate.keypoint_noise",
        description="Errors of a real detector's keypoints, beside those of the noise that training draws.",
    )
    parser.add_argument("paths", metavar="VIDEO_OR_KEYPOINTS", nargs="+", type=Path)
    parser.add_argument("--seconds", type=_positive, default=10.0, help="of each recording (default: 10)")
    parser.add_argument(
        "--fps", type=_positive, nargs="*", default=[], help="also thinned out to these rates"
    )
    parser.add_argument("--pose-model", default="yolo11n-pose.pt", help="weights: a file, a folder or a name")
    return parser


def main(words: list[str]) -> int:
    """The command: 0, or 2 and one line on stderr."""
    asked = _parser().parse_args(words)
    fits = []
    try:
        for path in asked.paths:
            people = read(path, PoseOptions(model=asked.pose_model), asked.seconds)
            fits += compare(path.stem, people, asked.fps)
    except (DatasetError, FileError, VideoError, PoseError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(table(fits))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
