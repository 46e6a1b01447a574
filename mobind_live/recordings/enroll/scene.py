"""Whom and what an example is taken from, by the same rules as ``sync``: a person, and where on them which
sensors sit and how far their time is off."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from rich.console import Console
from rich.text import Text

from mobind_live.binding.belief.wearers import groups
from mobind_live.binding.output.example_windows import Samples
from mobind_live.recordings.files.errors import HintError
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.files.stamps import SINCE_S
from mobind_live.recordings.sync import report
from mobind_live.recordings.sync.recording import CAMERA, Recording, tracks_in_words
from mobind_live.recordings.sync.request import Files, Sources, length_s, read_imus
from mobind_live.recordings.sync.run import doubt_axes, find, read_people, say
from mobind_live.recordings.sync.solve import Found
from mobind_live.schema import Verdict
from mobind_live.terminal import words
from mobind_live.vocabulary import PARTS


@dataclass(slots=True)
class Scene:
    """Whom and what the example is taken from: a person, and sensors in the camera's time."""

    length_s: float
    person: np.ndarray | None = None  # keypoints (T, 17, 3) in every frame
    frames_ns: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    sensors: list[Samples] = field(default_factory=list)


def read(files: Files, named: Sources, track: int | None, console: Console) -> Scene:
    """Read everything, and find where the sensors sit and how far their time is off; ``track`` says who it is
    of, where nobody's sensors do. Raises HintError, FileError, VideoError, PoseError and ModelError for what
    the user can cause."""
    imus = read_imus(named)
    if not files.has_camera:
        return _sensors_alone(imus, console)
    people = read_people(files, console)
    found = find(files, people, imus, console)
    kept = placed(found, console)
    lengths_s = {name: length_s(file) for name, file in imus.items()}
    if remark := report.unsearched(found, lengths_s, people.length_s, files.max_offset_s):
        line(console, remark, "yellow")
    tracks = whose(track, people, {name: one.tracks for name, one in kept.items()})
    kept = {name: one for name, one in kept.items() if set(one.tracks) & set(tracks)}
    return Scene(
        length_s=people.length_s,
        person=people.keypoints_of(*tracks),
        frames_ns=people.t_ns,
        sensors=[
            _sensor(imus[name], one.part, imus[name].start_ns + round((one.offset_s or 0.0) * 1e9))
            for name, one in kept.items()
        ],
    )


def _sensors_alone(imus: dict[str, ImuFile], console: Console) -> Scene:
    """Sensors of one clock, or each in its own time, which is said."""
    doubt_axes(imus, console)
    files = list(imus.values())
    begin_ns = max(file.start_ns for file in files)
    own = not _of_one_clock(files, begin_ns)
    if own and len({file.path for file in files}) > 1:
        text = (
            "each IMU's time counts from its own first row, since their stamps have no date in common: "
            "let all begin at the same moment"
        )
        line(console, text, "yellow")
    begins_ns = {name: file.start_ns if own else begin_ns for name, file in imus.items()}
    return Scene(
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


def placed(found: dict[str, Found], console: Console) -> dict[str, Found]:
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
                line(console, f"{name} sits on the {words.plain(part)}, and is taken for that", "yellow")
            continue
        line(console, f"{words.clean(name)} is left out: {one.note or _unsure(one, told)}", "yellow")
    if found and not kept:
        line(console, "no IMU can be used: learning from the pose alone", "yellow")
    return kept


def _unsure(found: Found, part_told: bool) -> str:
    """Why an IMU cannot be used."""
    if found.verdict is not Verdict.OK:
        return f"its offset is not sure ({words.plain(found.verdict.value)})"
    if not part_told:
        return f"its part is not sure ({words.plain(found.part_verdict.value)})"
    return "it is not sure who wears it"


def whose(track: int | None, people: Recording, worn: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The tracks of the person whom the example is of, the longest seen first, by one of them or by those of
    each IMU. Raises HintError if it is not clear."""
    tracks = people.tracks
    seats = {name: {(CAMERA, one) for one in own} for name, own in worn.items()}
    wearers = [{one for name in group for one in worn[name]} for group in groups(seats)]
    if track is not None:
        if track not in tracks:
            raise HintError(f"--track {track}: there are {', '.join(map(str, tracks))}")
        own = next((wearer for wearer in wearers if track in wearer), {track})
        return tuple(one for one in tracks if one in own)
    if len(wearers) == 1:
        return tuple(one for one in tracks if one in wearers[0])
    if len(tracks) == 1:
        return tracks
    raise HintError(
        f"several people are seen; say whose action it is: --track {' | '.join(map(str, tracks))}"
    )


def line(console: Console, text: str, style: str = "") -> None:
    """Print ``text`` as it is."""
    console.print(Text(text, style), soft_wrap=True)
