"""Recordings made without the daemon: the engine over whole files, for ``mobind-live sync``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mobind_live.camera.pose import PoseError
from mobind_live.camera.video import VideoError
from mobind_live.files.columns import HintError
from mobind_live.files.recordings import FileError, ImuFile, read_keypoints
from mobind_live.models.errors import ModelError
from mobind_live.sync.recording import Recording, of_file
from mobind_live.sync.request import Request, about, length_s, read_imus

if TYPE_CHECKING:  # torch loads only when all files have been read
    from mobind_live.sync.solve import Found

__all__ = ["Request", "find", "read_people", "run", "say"]

SHORTEST_S = 5.0


def run(request: Request, console: Console, errors: Console) -> int:
    """Work it out and say it. Returns the exit code: 1 if a file cannot be used or there is no answer at
    all, 2 if the request itself makes no sense, 130 after Ctrl-C."""
    try:
        return _run(request, console)
    except (HintError, FileError, VideoError, PoseError, ModelError) as error:
        for line in str(error).splitlines():
            errors.print(f"mobind-live: {line}", markup=False, highlight=False, soft_wrap=True)
        return 2 if isinstance(error, HintError) else 1
    except KeyboardInterrupt:
        return 130


def _run(request: Request, console: Console) -> int:
    imus = read_imus(request.files())
    for name, file in imus.items():
        say(console, name, about(file.path, file.t_ns, file.bad_rows, file.found))
    people = read_people(request, console)
    found = find(request, people, imus, console)
    from mobind_live.sync import report

    report.show(console, found)
    if request.json is not None:
        report.write_json(request.json, found)
    if request.plot is not None:
        from mobind_live.sync import plot

        plot.write(request.plot, found, people, imus)
    if any(one.answered for one in found.values()):
        return 0
    console.print("no answer: nothing here can be told for sure", style="yellow")
    return 1


def read_people(request: Request, console: Console) -> Recording:
    """The people, from keypoints or video. Raises FileError if there is nobody, or for too short a time."""
    if request.keypoints is not None:
        path, file = request.keypoints, read_keypoints(request.keypoints)
        seen, line = of_file(file), about(path, file.t_ns, file.bad_rows, file.found)
    else:
        assert request.video is not None
        path = request.video
        seen, line = _watch(path, request, console)
    if seen.length_s < SHORTEST_S:
        raise FileError(f"{path}: only {seen.length_s:.1f} s long; at least {SHORTEST_S:.0f} s are needed")
    people = seen.without_passers_by()
    if not people.tracks:
        raise FileError(f"{path}: nobody is seen, or for less than two seconds")
    say(console, "camera", line)
    return people


def _watch(path: Path, request: Request, console: Console) -> tuple[Recording, str]:
    from mobind_live.sync import video

    with _progress(console) as bar:
        seen, kept = video.read(path, request.pose, bar)
    source = f"kept in {video.cache_path(path).name}" if kept else f"by {Path(request.pose.model).name}"
    return seen, about(path, seen.t_ns, 0, f"{len(seen.tracks)} tracks {source}")


def find(request: Request, people: Recording, imus: dict[str, ImuFile], console: Console) -> dict[str, Found]:
    """The answers for every IMU; those that are too short are not asked."""
    from mobind_live.models import checkpoint
    from mobind_live.sync.solve import nothing, solve

    asked = {name: file for name, file in imus.items() if length_s(file) >= SHORTEST_S}
    solved = {}
    if asked:
        model = checkpoint.load()
        with _progress(console) as bar:
            task = bar.add_task("matching", total=1.0)
            solved = solve(
                people, asked, model, request.max_offset_s, lambda share: bar.update(task, completed=share)
            )
    return {
        name: solved.get(name)
        or nothing(f"only {length_s(file):.1f} s long; at least {SHORTEST_S:.0f} s are needed")
        for name, file in imus.items()
    }


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
