"""The verbs that work on recordings, made with the daemon or without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobind_live.cli.errors import user_errors
from mobind_live.recordings.sync.limits import MOST_OFFSET_S

if TYPE_CHECKING:
    from mobind_live.recordings.sync.request import Files

verbs = typer.Typer()

Imus = Annotated[
    list[str] | None,
    typer.Option(
        "--imu",
        metavar="NAME=FILE",
        help="An IMU's CSV file, by a name of yours; repeat it. NAME=ACC.csv,GYRO.csv where acceleration and "
        "turn rate are in a file each: its time then counts from the first row of the one that starts later.",
    ),
]
ImusOrParts = Annotated[
    list[str] | None,
    typer.Option(
        "--imu",
        metavar="NAME=FILE",
        help="An IMU's CSV file, or two (ACC.csv,GYRO.csv) as for sync; repeat it. Without a camera NAME is "
        "its part, such as right_forearm.",
    ),
]
Subjects = Annotated[
    list[str] | None,
    typer.Option("--subject", metavar="NAME=IMU,IMU", help="IMUs known to be on one person; repeat it."),
]
Video = Annotated[Path | None, typer.Option(help="The video; its poses are kept beside it.")]
Keypoints = Annotated[
    Path | None, typer.Option(help="Instead of a video: one person's COCO-17 keypoints (CSV).")
]
Rotate = Annotated[
    int,
    typer.Option(
        metavar="0|90|180|270",
        help="Turn the video clockwise, until people stand upright; beyond what a player turns it by itself.",
    ),
]
Mirror = Annotated[
    bool,
    typer.Option("--mirror", help="Exchange left and right of a video that shows them as a mirror does."),
]
MaxOffset = Annotated[
    float,
    typer.Option(
        "--max-offset",
        metavar="S",
        min=1,
        max=MOST_OFFSET_S,
        help="Search offsets within +- this many seconds.",
    ),
]
PoseModel = Annotated[str, typer.Option(help="YOLO-pose weights: a file, a folder, or a name to fetch once.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME:]COLUMNS",
        help='Which columns to read, by title, or number from 1: "time=1 acc=2,3,4 gyro=GyroX,GyroY,GyroZ"; '
        "all by number where there is no header.",
    ),
]
Units = Annotated[
    list[str] | None,
    typer.Option(metavar="[NAME:]UNITS", help='What they are measured in: "time=ms acc=g gyro=deg/s".'),
]


def _files(
    *,
    imu: list[str] | None,
    video: Path | None,
    keypoints: Path | None,
    max_offset: float,
    pose_model: str,
    imu_columns: list[str] | None,
    units: list[str] | None,
    rotate: int,
    mirror: bool,
    subject: list[str] | None = None,
) -> Files:
    """What the options say of a recording."""
    from mobind_live.devices.camera.pose import PoseOptions
    from mobind_live.recordings.sync.request import Files

    return Files(
        imus=tuple(imu or ()),
        subjects=tuple(subject or ()),
        video=video,
        keypoints=keypoints,
        max_offset_s=max_offset,
        imu_columns=tuple(imu_columns or ()),
        units=tuple(units or ()),
        pose=PoseOptions(model=pose_model),
        rotate=rotate,
        mirror=mirror,
    )


@verbs.command()
@user_errors()
def sync(
    imu: Imus = None,
    subject: Subjects = None,
    video: Video = None,
    rotate: Rotate = 0,
    mirror: Mirror = False,
    keypoints: Keypoints = None,
    max_offset: MaxOffset = 10.0,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="OUT", help="Write the answers.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Draw a picture to check the answers by.")
    ] = None,
    pose_model: PoseModel = "yolo11n-pose.pt",
    imu_columns: Columns = None,
    units: Units = None,
) -> None:
    """Find each sensor's offset, wearer and body part in recordings made without the daemon."""
    from mobind_live.recordings.sync.run import run
    from mobind_live.terminal.screen import screen

    files = _files(
        imu=imu, subject=subject, video=video, keypoints=keypoints, max_offset=max_offset,
        pose_model=pose_model, imu_columns=imu_columns, units=units, rotate=rotate, mirror=mirror,
    )  # fmt: skip
    raise typer.Exit(run(files, screen(), json=json_path, plot=plot))


@verbs.command()
@user_errors()
def enroll(
    label: Annotated[str, typer.Argument(help="The action's name.")],
    keypoints: Keypoints = None,
    video: Video = None,
    rotate: Rotate = 0,
    mirror: Mirror = False,
    imu: ImusOrParts = None,
    from_s: Annotated[
        float | None, typer.Option("--from", metavar="S", help="Where the action begins, in s.")
    ] = None,
    to_s: Annotated[float | None, typer.Option("--to", metavar="S", help="Where it ends, in s.")] = None,
    output: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The folder of labels; by default the one beside ./config.yaml."),
    ] = Path("actions"),
    track: Annotated[int | None, typer.Option(help="Whose action, where several people are seen.")] = None,
    max_offset: MaxOffset = 10.0,
    pose_model: PoseModel = "yolo11n-pose.pt",
    imu_columns: Columns = None,
    units: Units = None,
) -> None:
    """Teach an action by example: works at once, without training.

    The part from --from to --to is the example; the rest serves as counter-examples. Enrolling the same label
    again adds another example. To remove a label, delete its file.
    """
    from mobind_live.recordings.enroll.run import Request, run
    from mobind_live.terminal.screen import screen

    files = _files(
        imu=imu, video=video, keypoints=keypoints, max_offset=max_offset,
        pose_model=pose_model, imu_columns=imu_columns, units=units, rotate=rotate, mirror=mirror,
    )  # fmt: skip
    run(Request(label=label, files=files, from_s=from_s, to_s=to_s, track=track, output=output), screen())


@verbs.command()
@user_errors()
def export(
    session: Annotated[Path, typer.Argument(help="What `mobind-live record` wrote.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for the tables.")],
) -> None:
    """Write a recorded session as tables (CSV), every sensor's samples with their time in each camera."""
    from mobind_live.recordings.session import export as exporting
    from mobind_live.terminal.screen import screen

    exporting.run(session, folder, screen())
