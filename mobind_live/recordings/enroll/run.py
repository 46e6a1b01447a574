"""A label learned: the windows of a recording between two times are the example, those of the rest of it
the counter-examples."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from mobind_live.binding.evidence.timeline import STEP_S
from mobind_live.binding.output.example_windows import look, of_imus, of_person, starts
from mobind_live.models import actions as action_models
from mobind_live.models import example_file
from mobind_live.models.actions import OTHER, UNKNOWN, WINDOW, ActionNet
from mobind_live.models.examples import Example, Known
from mobind_live.recordings.enroll.scene import Scene, line, read
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.sync.request import Files, Sources
from mobind_live.terminal import words
from mobind_live.vocabulary import PARTS

SHORTEST_S = 2.0
_EVERY = 12  # steps between the example's windows
_MOST_REST = 256  # counter-examples of one recording
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 _-]{0,38}[A-Za-z0-9])?")
_LIKE_REST, _UNLIKE_ITSELF = 0.2, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``files`` names the recording as for ``sync``; both the camera and the IMUs may be missing, not both.
    The example lies between ``from_s`` and ``to_s`` of the camera's time (without one, of the IMUs': from
    the latest first row, or from each one's own where their clocks are not the same), by default all of it.
    ``track`` says who it is of, where nobody's sensors do."""

    label: str
    files: Files
    from_s: float | None = None
    to_s: float | None = None
    track: int | None = None
    output: Path


def run(request: Request, console: Console) -> None:
    """Add the label. Raises HintError, FileError, VideoError, PoseError and ModelError for what the user can
    cause."""
    check_label(request.label)
    _check_times(request)
    named = _check_files(request.files)
    net = action_models.load()
    path = example_file.path_of(request.output, request.label)
    before = _before(path, request.label, net)
    scene = read(request.files, named, request.track, console)
    first_s, last_s = _between(request, scene)
    example = _example(request, scene, net, first_s, last_s)
    if before is not None:
        example = before + example
    example_file.save(path, example)
    _report(console, path, example, added=before is not None)


def check_label(label: str) -> None:
    """Raises HintError if ``label`` cannot be one of the user's own."""
    if not _LABEL.fullmatch(label):
        rule = "a to z, A to Z, digits, spaces, _ and -, at most 40, with a letter or digit at either end"
        raise HintError(f"label {label!r}: allowed are {rule}")
    taken = (*action_models.DAILY, UNKNOWN, OTHER)
    if label.lower() in taken:
        raise HintError(f"label {label!r} is taken; choose another, such as '{label} 2'")


def _check_times(request: Request) -> None:
    first, last = request.from_s, request.to_s
    for name, given in (("--from", first), ("--to", last)):
        if given is not None and not math.isfinite(given):
            raise HintError(f"{name} {given:g}: a time in s is needed")
    if first is not None and first < 0:
        raise HintError(f"--from {first:g}: times count from the recording's begin, so from 0 on")
    if first is not None and last is not None and last <= first:
        raise HintError(f"--to {last:g} is not after --from {first:g}")
    if last is not None and last - (first or 0) < SHORTEST_S:
        raise HintError(f"--from {first or 0:g} --to {last:g}: at least {SHORTEST_S:.0f} s are needed")


def _check_files(files: Files) -> Sources:
    """The IMUs' files. Raises HintError if there is nothing to learn from, or nobody to say what it is."""
    camera, named = files.has_camera, files.sensors()
    if not camera and not named:
        raise HintError("nothing to learn from: give --keypoints or --video, --imu NAME=FILE, or both")
    if not camera and (other := [name for name in named if name not in PARTS]):
        raise HintError(
            f"--imu {other[0]}: without a camera an IMU's name must be the part it is on: {', '.join(PARTS)}"
        )
    return named


def _before(path: Path, label: str, net: ActionNet) -> Example | None:
    """What is known of the label already. Raises ExampleError."""
    if not path.exists():
        return None
    found = example_file.load(path, net.fingerprint())
    if found.label != label:
        raise HintError(f"{path} holds the label {found.label!r}; choose a name that differs by more")
    return found


def _between(request: Request, scene: Scene) -> tuple[float, float]:
    """The example's begin and end. Raises HintError if they are not in the recording."""
    first_s = request.from_s or 0.0
    last_s = scene.length_s if request.to_s is None else request.to_s
    if last_s > scene.length_s + STEP_S:
        raise HintError(f"--to {last_s:g}: the recording is only {scene.length_s:.1f} s long")
    if last_s - first_s < SHORTEST_S:
        raise HintError(f"--from {first_s:g}: at least {SHORTEST_S:.0f} s of the recording must be left")
    return first_s, last_s


def _example(request: Request, scene: Scene, net: ActionNet, first_s: float, last_s: float) -> Example:
    channels = of_imus(scene.sensors)
    if scene.person is not None:
        channels.append(of_person(scene.frames_ns, scene.person))
    mine = starts(first_s, last_s, _EVERY)
    whole = starts(0.0, scene.length_s, _EVERY)
    first, last = round(first_s / STEP_S), round(last_s / STEP_S)
    rest = whole[(whole + WINDOW <= first) | (whole >= last)]
    rest = rest[:: max(1, -(-len(rest) // _MOST_REST))]
    start = np.concatenate([mine, rest])
    seen = look(net, channels, start)
    something = np.isfinite(seen[..., 0]).any(axis=1)
    own = np.arange(len(start)) < len(mine)
    if not (own & something).any():
        nothing = (
            "no IMU has samples there" if scene.person is None else "nobody is seen there for long enough"
        )
        raise FileError(f"from {first_s:g} to {last_s:g} s: {nothing}")
    return Example(
        label=request.label,
        weights=net.fingerprint(),
        seen=seen[something],
        mine=own[something],
        recording=np.zeros(int(something.sum()), np.int64),
        start=start[something],
        recordings=(_mark(scene),),
    )


def _mark(scene: Scene) -> str:
    """Tells one recording from another, whatever its files are called."""
    found = hashlib.sha256(scene.frames_ns.tobytes())
    if scene.person is not None:
        found.update(scene.person.tobytes())
    else:
        for sensor in scene.sensors:
            found.update(sensor.acc_m_s2.tobytes())
    return found.hexdigest()[:16]


def _report(console: Console, path: Path, example: Example, *, added: bool) -> None:
    known = Known([example])
    own, rest = known.check(example.label)
    mine = int(example.mine.sum())
    names = ", ".join(words.plain(name) for name in example.modalities)
    line(console, f"{example.label}: {mine} windows{' in all' if added else ''}, by {names}")
    counter = len(example.mine) - mine
    if not counter:
        line(console, "no counter-examples: leave some other motion before --from or after --to", "yellow")
    elif np.isfinite(own):
        line(console, f"found again in {own:.0%} of it, and in {rest:.0%} of {counter} other windows")
    else:
        line(console, f"found in {rest:.0%} of {counter} other windows; too short to test it on itself")
    if rest > _LIKE_REST:
        text = "much of the other motion looks the same: it will often stay unknown, or be said too often"
        line(console, text, "yellow")
    if own < _UNLIKE_ITSELF:
        line(console, "it varies a lot: enroll more of it, the same label adds up", "yellow")
    line(console, f"written to {path}; delete this file to forget it. A running rig must be restarted.")
