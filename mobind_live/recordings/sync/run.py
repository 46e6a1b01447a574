"""``mobind-live sync``: files read, people found, answers worked out, shown and written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mobind_live.devices.samples import axes
from mobind_live.kinematics.upright import doubt
from mobind_live.models.output import write_json
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.files.outputs import must_be_new, must_be_picture, must_be_writable
from mobind_live.recordings.sync.limits import SHORTEST_S
from mobind_live.recordings.sync.recording import Recording, left_out, of_file
from mobind_live.recordings.sync.request import Files, Sources, about, length_s, read_imus
from mobind_live.terminal import words

if TYPE_CHECKING:  # torch loads only when all files have been read
    from mobind_live.recordings.sync.solve import Found


def run(files: Files, console: Console, *, json: Path | None = None, plot: Path | None = None) -> int:
    """Work it out, say it, and write it to ``json`` and ``plot``. Returns the exit code: 1 if there is no
    answer at all. Raises HintError, FileError, VideoError, PoseError and ModelError for what the user can
    cause."""
    must_be_writable(json, plot)
    must_be_picture(plot)
    named, worn_by = _named(files), files.worn_by()
    seen = [path for path in (files.video, files.keypoints) if path is not None]
    must_be_new((json, plot), [*seen, *(path for paths, _ in named.values() for path in paths)])
    imus = read_imus(named)
    for name, file in imus.items():
        say(console, name, about(file.path, file.t_ns, file.bad_rows, file.found))
    people = read_people(files, console)
    found = find(files, people, imus, console, worn_by)
    from mobind_live.recordings.sync import report

    lengths_s = {name: length_s(file) for name, file in imus.items()}
    remark = report.unsearched(found, lengths_s, people.length_s, files.max_offset_s)
    report.show(console, found, remark)
    if json is not None:
        write_json(json, report.as_json(found))
    if plot is not None:
        from mobind_live.recordings.sync import plot as drawing

        drawing.write(plot, found, people, imus)
    if any(one.answered for one in found.values()):
        return 0
    console.print("no answer: nothing here can be told for sure", style="yellow")
    return 1


def _named(files: Files) -> Sources:
    """The IMUs' files. Raises HintError; a camera and an IMU are needed."""
    if not files.has_camera:
        raise HintError("no people to look at: give --video or --keypoints")
    found = files.sensors()
    if not found:
        raise HintError("no IMU: give at least one --imu NAME=FILE")
    return found


def read_people(files: Files, console: Console) -> Recording:
    """The people, from keypoints or video. Raises FileError if there is nobody, or for too short a time."""
    if files.keypoints is not None:
        path, file = files.keypoints, read_keypoints(files.keypoints, whole=True)
        seen, line = of_file(file), about(path, file.t_ns, file.bad_rows, file.found)
    else:
        assert files.video is not None
        path = files.video
        seen, line = _watch(path, files, console)
    if seen.length_s < SHORTEST_S:
        raise FileError(f"{path}: only {seen.length_s:.1f} s long; at least {SHORTEST_S:.0f} s are needed")
    turn, video = files.turn, files.video is not None
    lying = doubt(seen.ways_s, turn.rotate, turn.mirror, "--rotate") if video else ""
    everybody = seen.without_passers_by()
    if not everybody.tracks:
        why = f"; {lying or 'a video that is turned needs --rotate'}" if video else ""
        raise FileError(f"{path}: nobody is seen, or for less than two seconds{why}")
    say(console, "camera", line)
    people = everybody.longest()
    for text in filter(None, (left_out(everybody, people), lying)):
        console.print(text, style="yellow", highlight=False, soft_wrap=True)
    return people


def _watch(path: Path, files: Files, console: Console) -> tuple[Recording, str]:
    from mobind_live.recordings.sync import video

    with _progress(console) as bar:
        seen, kept = video.read(path, files.pose, bar, turn=files.turn)
    source = f"kept in {video.cache_path(path).name}" if kept else f"by {Path(files.pose.model).name}"
    return seen, about(path, seen.t_ns, 0, f"{len(seen.tracks)} tracks {source}")


def find(
    files: Files,
    people: Recording,
    imus: dict[str, ImuFile],
    console: Console,
    worn_by: Mapping[str, str] | None = None,
) -> dict[str, Found]:
    """The answers for every IMU, ``worn_by`` whom if that is known; those too short are not asked."""
    import torch

    from mobind_live.models import checkpoint, placement
    from mobind_live.recordings.sync.solve import nothing, solve

    # The products are small: more threads are hardly quicker, and wait for each other on a busy machine.
    torch.set_num_threads(1)
    doubt_axes(imus, console)
    asked = {name: file for name, file in imus.items() if length_s(file) >= SHORTEST_S}
    solved = {}
    if asked:
        nets = checkpoint.load(), placement.load()
        with _progress(console) as bar:
            task = bar.add_task("matching", total=1.0)
            solved = solve(
                people,
                asked,
                *nets,
                files.max_offset_s,
                lambda share: bar.update(task, completed=share),
                worn_by,
            )
    return {
        name: solved.get(name)
        or nothing(f"only {length_s(file):.1f} s long; at least {SHORTEST_S:.0f} s are needed")
        for name, file in imus.items()
    }


def doubt_axes(imus: Mapping[str, ImuFile], console: Console) -> None:
    """Say of which IMUs the axes cannot belong together: nothing found with them can be trusted."""
    for name, file in imus.items():
        if axes.mostly_against(file.acc_m_s2, file.gyro_rad_s, file.t_ns):
            text = (
                f"{words.clean(name)}: {axes.AGAINST} (--imu-columns names them); do not trust what is found"
            )
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    """A bar that goes away when it is full; nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def say(console: Console, name: str, line: str) -> None:
    console.print(f"[bold]{escape(name)}[/]  [dim]{escape(line)}[/]", highlight=False, soft_wrap=True)
