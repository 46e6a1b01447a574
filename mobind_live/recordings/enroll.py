"""An action by example, for ``mobind-live enroll``: a stretch of a recording becomes a label at once.

Everything is done as ``sync`` does it: files are read by the same rules, and each sensor's offset, part and
wearer are found from the motion. The windows between the two times are the example, those of the rest of the
recording the counter-examples.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from mobind_live.binding.example_windows import Samples, look, of_imus, of_person, starts
from mobind_live.binding.timeline import STEP_S
from mobind_live.binding.wearers import groups
from mobind_live.models import actions as action_models
from mobind_live.models import example_file
from mobind_live.models.actions import OTHER, UNKNOWN, WINDOW, ActionNet
from mobind_live.models.examples import Example, Known
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.files.stamps import SINCE_S
from mobind_live.recordings.sync.recording import CAMERA, Recording, tracks_in_words
from mobind_live.recordings.sync.request import Files, Sources, read_imus
from mobind_live.recordings.sync.run import find, read_people, say
from mobind_live.recordings.sync.solve import Found
from mobind_live.schema import Verdict
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


@dataclass(slots=True)
class _Scene:
    """Whom and what the example is taken from: a person, and sensors in the camera's time."""

    length_s: float
    person: np.ndarray | None = None  # keypoints (T, 17, 3) in every frame
    frames_ns: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    sensors: list[Samples] = field(default_factory=list)


def run(request: Request, console: Console) -> None:
    """Add the label. Raises HintError, FileError, VideoError, PoseError and ModelError for what the user can
    cause."""
    check_label(request.label)
    _check_times(request)
    named = _check_files(request.files)
    net = action_models.load()
    path = example_file.path_of(request.output, request.label)
    before = _before(path, request.label, net)
    scene = _scene(request, named, console)
    first_s, last_s = _between(request, scene)
    example = _example(request, scene, net, first_s, last_s)
    if before is not None:
        example = before + example
    example_file.save(path, example)
    _report(console, path, example, added=before is not None)


def check_label(label: str) -> None:
    """Raises HintError if ``label`` cannot be one of the user's own."""
    if not _LABEL.fullmatch(label):
        rule = "letters, digits, spaces, _ and -, at most 40, with a letter or digit at either end"
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


def _scene(request: Request, named: Sources, console: Console) -> _Scene:
    """Read everything, and find where the sensors sit and how far their time is off."""
    imus = read_imus(named)
    if not request.files.has_camera:
        return _sensors_alone(imus, console)
    people = read_people(request.files, console)
    found = find(request.files, people, imus, console)
    kept = _placed(found, console)
    tracks = _whose(request, people, {name: one.tracks for name, one in kept.items()})
    kept = {name: one for name, one in kept.items() if set(one.tracks) & set(tracks)}
    return _Scene(
        length_s=people.length_s,
        person=people.keypoints_of(*tracks),
        frames_ns=people.t_ns,
        sensors=[
            _sensor(imus[name], one.part, imus[name].start_ns + round((one.offset_s or 0.0) * 1e9))
            for name, one in kept.items()
        ],
    )


def _sensors_alone(imus: dict[str, ImuFile], console: Console) -> _Scene:
    """Sensors of one clock, or each in its own time, which is said."""
    files = list(imus.values())
    begin_ns = max(file.start_ns for file in files)
    own = not _of_one_clock(files, begin_ns)
    if own and len({file.path for file in files}) > 1:
        text = (
            "each IMU's time counts from its own first row, since their stamps have no date in common: "
            "let all begin at the same moment"
        )
        _line(console, text, "yellow")
    begins_ns = {name: file.start_ns if own else begin_ns for name, file in imus.items()}
    return _Scene(
        length_s=max(float(file.t_ns[-1] - begins_ns[name]) for name, file in imus.items()) * 1e-9,
        sensors=[_sensor(file, name, begins_ns[name]) for name, file in imus.items()],
    )


def _of_one_clock(files: list[ImuFile], begin_ns: int) -> bool:
    """Whether the stamps of all count from a date, and all still measure when the last begins."""
    dated = all(file.start_ns > SINCE_S * 1e9 for file in files)
    return dated and all(file.t_ns[-1] > begin_ns for file in files)


def _sensor(file: ImuFile, part: str, begin_ns: int) -> Samples:
    """``begin_ns``: where 0 is, on the file's clock."""
    return Samples(part, file.t_ns - begin_ns, file.acc_m_s2, file.gyro_rad_s)


def _placed(found: dict[str, Found], console: Console) -> dict[str, Found]:
    """The IMUs whose offset and part are sure; an IMU named like a part counts as sitting there as long as
    the motion does not tell. Says which are left out."""
    kept = {}
    for name, one in found.items():
        part, told = one.part, one.part_verdict is Verdict.OK
        if not told and name in PARTS:
            part, told = name, True
        if one.verdict is Verdict.OK and told and one.tracks:
            kept[name] = replace(one, part=part)
            where = f"{words.plain(part)} of {tracks_in_words(one.tracks)}"
            say(console, name, f"{where}, offset {one.offset_s:+.3f} s")
            if name in PARTS and name != part:
                _line(console, f"{name} sits on the {words.plain(part)}, and is taken for that", "yellow")
            continue
        _line(console, f"{words.clean(name)} is left out: {one.note or _unsure(one, told)}", "yellow")
    if found and not kept:
        _line(console, "no IMU can be used: learning from the pose alone", "yellow")
    return kept


def _unsure(found: Found, part_told: bool) -> str:
    """Why an IMU cannot be used."""
    if found.verdict is not Verdict.OK:
        return f"its offset is not sure ({words.plain(found.verdict.value)})"
    if not part_told:
        return f"its part is not sure ({words.plain(found.part_verdict.value)})"
    return "it is not sure who wears it"


def _whose(request: Request, people: Recording, worn: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The tracks of the person whom the example is of, the longest seen first, by those of each IMU. Raises
    HintError if it is not clear."""
    tracks = people.tracks
    seats = {name: {(CAMERA, track) for track in own} for name, own in worn.items()}
    wearers = [{track for name in group for track in worn[name]} for group in groups(seats)]
    if request.track is not None:
        if request.track not in tracks:
            raise HintError(f"--track {request.track}: there are {', '.join(map(str, tracks))}")
        own = next((wearer for wearer in wearers if request.track in wearer), {request.track})
        return tuple(track for track in tracks if track in own)
    if len(wearers) == 1:
        return tuple(track for track in tracks if track in wearers[0])
    if len(tracks) == 1:
        return tracks
    raise HintError(
        f"several people are seen; say whose action it is: --track {' | '.join(map(str, tracks))}"
    )


def _between(request: Request, scene: _Scene) -> tuple[float, float]:
    """The example's begin and end. Raises HintError if they are not in the recording."""
    first_s = request.from_s or 0.0
    last_s = scene.length_s if request.to_s is None else request.to_s
    if last_s > scene.length_s + STEP_S:
        raise HintError(f"--to {last_s:g}: the recording is only {scene.length_s:.1f} s long")
    if last_s - first_s < SHORTEST_S:
        raise HintError(f"--from {first_s:g}: at least {SHORTEST_S:.0f} s of the recording must be left")
    return first_s, last_s


def _example(request: Request, scene: _Scene, net: ActionNet, first_s: float, last_s: float) -> Example:
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


def _mark(scene: _Scene) -> str:
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
    _line(console, f"{example.label}: {mine} windows{' in all' if added else ''}, by {names}")
    counter = len(example.mine) - mine
    if not counter:
        _line(console, "no counter-examples: leave some other motion before --from or after --to", "yellow")
    elif np.isfinite(own):
        _line(console, f"found again in {own:.0%} of it, and in {rest:.0%} of {counter} other windows")
    else:
        _line(console, f"found in {rest:.0%} of {counter} other windows; too short to test it on itself")
    if rest > _LIKE_REST:
        text = "much of the other motion looks the same: it will often stay unknown, or be said too often"
        _line(console, text, "yellow")
    if own < _UNLIKE_ITSELF:
        _line(console, "it varies a lot: enroll more of it, the same label adds up", "yellow")
    _line(console, f"written to {path}; delete this file to forget it. A running rig must be restarted.")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)
