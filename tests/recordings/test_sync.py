"""``mobind-live sync`` from files to answers, and everything that can be wrong with the files."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from takes import IMU_HEADER, Take, imu_text, take
from typer.testing import CliRunner, Result

from mobind_live.cli import app
from mobind_live.recordings.files.hints import Hints
from mobind_live.recordings.sync import report
from mobind_live.recordings.sync.moved import Moved
from mobind_live.recordings.sync.request import read_imus
from mobind_live.recordings.sync.solve import Found, nothing
from mobind_live.recordings.sync.steps import Step
from mobind_live.schema import Verdict
from mobind_live.vocabulary import PARTS

SECONDS = 40.0
KEYS = [
    "offset_s",
    "sigma_s",
    "drift_ppm",
    "verdict",
    "track",
    "tracks",
    "part",
    "p_part",
    "part_verdict",
    "step",
    "moved",
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def made() -> Take:
    return take({"arm": ("left_forearm", 1.3), "leg": ("right_shank", -2.1)}, SECONDS)


@pytest.fixture(scope="module")
def folder(made: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The take's files; nobody changes them."""
    path = tmp_path_factory.mktemp("take")
    made.write(path)
    return path


def sync(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["sync", *(str(word) for word in words)])


def one_line(result: Result) -> str:
    """What a failed call says on stderr: one line, and no traceback."""
    assert result.exit_code in (1, 2), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    (line,) = result.stderr.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def answered(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("out")
    result = sync(
        "--keypoints", folder / "keypoints.csv", "--imu", f"arm={folder / 'imu_arm.csv'}",
        "--imu", f"leg={folder / 'imu_leg.csv'}", "--max-offset", "5",
        "--json", out / "answers.json", "--plot", out / "picture.png",
    )  # fmt: skip
    return result, out


def test_offsets_are_found_and_true(answered: tuple[Result, Path], made: Take) -> None:
    result, out = answered
    assert result.exit_code == 0, result.output
    imus = json.loads((out / "answers.json").read_text())["imus"]
    assert list(imus) == ["arm", "leg"]
    sure = {name: one for name, one in imus.items() if one["verdict"] == Verdict.OK}
    assert sure
    for name, one in sure.items():
        error_s = abs(one["offset_s"] - made.offsets_s[name])
        assert error_s < max(0.05, 3 * one["sigma_s"]), name


def test_who_is_said_to_wear_what_is_named_beside_the_track(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.json"
    result = sync(
        "--keypoints", folder / "keypoints.csv", "--imu", f"arm={folder / 'imu_arm.csv'}",
        "--imu", f"leg={folder / 'imu_leg.csv'}", "--max-offset", "5",
        "--subject", "anna=arm,leg", "--json", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    imus = json.loads(out.read_text())["imus"].values()
    sure = [one for one in imus if one["track"] is not None]
    assert sure
    assert all(one["wearer"] == "anna" and list(one)[1:] == KEYS for one in sure)
    assert "1 anna" in result.output


def test_the_json_has_the_agreed_form(answered: tuple[Result, Path]) -> None:
    _, out = answered
    answers = json.loads((out / "answers.json").read_text())
    assert list(answers) == ["imus"]
    for one in answers["imus"].values():
        assert list(one) == KEYS
        assert one["part"] in PARTS
        assert 0 <= one["p_part"] <= 1
        assert one["verdict"] in set(Verdict)
        assert one["part_verdict"] in set(Verdict)
    assert not list(out.glob("*.part"))


def test_the_screen_says_what_was_recognized_and_found(answered: tuple[Result, Path], folder: Path) -> None:
    lines = answered[0].stdout.splitlines()
    about = next(line for line in lines if line.startswith("arm ") and "imu_arm.csv" in line)
    assert str(folder / "imu_arm.csv") in about
    assert "time Millis (ms), acc AccelX AccelY AccelZ (g), gyro GyroX GyroY GyroZ (deg/s)" in about
    assert any("17 of 17 keypoints with scores" in line for line in lines)
    assert any(line.startswith("arm ") and "ok" in line for line in lines if "csv" not in line)
    table = [line for line in lines if "csv" not in line and not line.startswith("offset = ")]
    assert max(map(len, table)) <= 80


def test_the_picture_is_a_png_with_a_row_for_each_imu(answered: tuple[Result, Path]) -> None:
    import cv2

    picture = cv2.imread(str(answered[1] / "picture.png"))
    assert picture is not None
    assert picture.shape[1] > 1000
    assert picture.shape[0] > 500
    assert picture.std() > 5  # something is drawn


Spoil = Callable[[np.ndarray], str]


SPOILT: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda _: "", "the file is empty"),
    "header only": (lambda _: IMU_HEADER + "\n", "fewer than two rows"),
    "not a csv": (
        lambda _: "To whom it may concern,\nthis is a letter.\n",
        "no header that is understood ('To whom it may concern,' is none)",
    ),
    "swapped": (lambda rows: imu_text(rows[:, [0, 4, 5, 6, 1, 2, 3]]), "are swapped"),
    "acceleration's unit": (
        lambda rows: imu_text(rows, IMU_HEADER.replace("AccelX", "AccelX (m/s^2)")), "--units acc=g"
    ),
    "gyroscope's unit": (
        lambda rows: imu_text(rows, IMU_HEADER.replace("GyroX", "GyroX (rad/s)")), "--units gyro=deg/s"
    ),
    "time's unit": (lambda rows: imu_text(rows, IMU_HEADER.replace("Millis", "time_us")), "per second"),
    "no gravity": (lambda rows: imu_text(rows * [1, 0.01, 0.01, 0.01, 1, 1, 1]), "gravity in no unit"),
    "gyroscope off": (lambda rows: imu_text(rows * [1, 1, 1, 1, 0, 0, 0]), "gyroscope never changes"),
    "backwards": (lambda rows: imu_text(rows[::-1]), "run backwards"),
    "restarted": (
        lambda rows: imu_text(rows - (np.arange(len(rows)) >= 1500)[:, None] * ([20_000] + [0] * 6)),
        "run backwards at row 1501",
    ),
    "too slow": (lambda rows: imu_text(rows[::12]), "imu.csv: 5.0 Hz; at least 7 are needed"),
    "not numbers": (
        lambda rows: imu_text(np.where(np.arange(len(rows))[:, None] % 3 > 0, np.nan, rows)), "lack a number"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILT)
def test_an_imu_file_that_cannot_be_used_is_one_line(
    fault: str, made: Take, folder: Path, tmp_path: Path
) -> None:
    spoil, says = SPOILT[fault]
    path = tmp_path / "imu.csv"
    path.write_text(spoil(made.imus["arm"]))

    line = one_line(sync("--keypoints", folder / "keypoints.csv", "--imu", f"arm={path}"))

    assert line.startswith(f"mobind-live: imu arm: {path}: ")
    assert says in line


def test_each_bad_file_has_its_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    result = sync(
        "--keypoints", folder / "keypoints.csv", "--imu", f"a={tmp_path / 'empty.csv'}",
        "--imu", f"b={tmp_path / 'none.csv'}", "--imu", f"c={folder / 'imu_arm.csv'}",
    )  # fmt: skip
    assert result.exit_code == 1
    first, second = result.stderr.strip().splitlines()
    assert "imu a" in first
    assert "empty" in first
    assert "imu b" in second
    assert "no such file" in second


def test_pauses_make_no_sensor_slow(made: Take, tmp_path: Path) -> None:
    """Nor do whole milliseconds: 7 Hz are 143."""
    for name, rows in {
        "pauses": made.imus["arm"] + np.arange(len(made.imus["arm"]))[:, None] // 100 * ([20_000] + [0] * 6),
        "seven": np.column_stack([np.arange(280) * 143, made.imus["arm"][: 280 * 8 : 8, 1:]]),
    }.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(imu_text(rows))
        assert len(read_imus({"arm": ((path,), Hints())})["arm"].t_ns) == len(rows)


def test_an_imu_that_is_too_short_is_not_asked(made: Take, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "imu.csv").write_text(imu_text(made.imus["arm"][:200]))
    out = tmp_path / "answers.json"
    result = sync(
        "--keypoints", folder / "keypoints.csv", "--imu", f"arm={tmp_path / 'imu.csv'}", "--json", out,
        "--plot", tmp_path / "picture.png",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "only 3.3 s long" in result.stdout
    assert json.loads(out.read_text())["imus"]["arm"] == {
        "offset_s": None, "sigma_s": None, "drift_ppm": None, "verdict": "no_motion", "track": None,
        "tracks": [], "part": None, "p_part": 0.0, "part_verdict": "no_motion", "step": None, "moved": None,
    }  # fmt: skip


def test_a_sensor_at_rest_gets_no_answer(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rest = np.column_stack(
        [np.arange(0, 30_000, 20), np.tile([0, 0, 1], (1500, 1)) + rng.normal(0, 0.003, (1500, 3)),
         rng.normal(0, 0.05, (1500, 3))]
    )  # fmt: skip
    (tmp_path / "imu.csv").write_text(imu_text(rest))
    out = tmp_path / "answers.json"
    result = sync(
        "--keypoints", folder / "keypoints.csv", "--imu", f"box={tmp_path / 'imu.csv'}", "--json", out
    )
    assert result.exit_code == 1
    one = json.loads(out.read_text())["imus"]["box"]
    assert (one["verdict"], one["part_verdict"], one["track"]) == ("no_motion", "no_motion", None)


def test_nobody_in_the_keypoints_is_said(folder: Path, tmp_path: Path) -> None:
    header, *rows = (folder / "keypoints.csv").read_text().splitlines()
    path = tmp_path / "keypoints.csv"
    empty = "," * header.count(",")
    path.write_text("\n".join([header, *(row.split(",")[0] + empty for row in rows)]) + "\n")
    assert "nobody is seen" in one_line(sync("--keypoints", path, "--imu", f"arm={folder / 'imu_arm.csv'}"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: "", "the file is empty"),
        (lambda lines: "\n".join(lines[:60]), "at least 5 s are needed"),
        (lambda lines: "\n".join([lines[0], *lines[:0:-1]]), "run backwards"),
        (
            lambda lines: "\n".join([lines[0], *(re.sub(",[^,]*", ",0.5", line) for line in lines[1:])]),
            "shares of the picture",
        ),
    ],
    ids=["empty", "short", "backwards", "shares"],
)
def test_keypoints_that_cannot_be_used_are_one_line(
    change: Callable[[list[str]], str], says: str, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "keypoints.csv"
    path.write_text(change((folder / "keypoints.csv").read_text().splitlines()))
    line = one_line(sync("--keypoints", path, "--imu", f"arm={folder / 'imu_arm.csv'}"))
    assert str(path) in line
    assert says in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--video or --keypoints"),
        (["--keypoints", "k.csv"], "at least one --imu"),
        (
            ["--keypoints", "k.csv", "--video", "v.mp4", "--imu", "a=b"],
            "one of --video and --keypoints, not both",
        ),
        (["--keypoints", "k.csv", "--imu", "arm.csv"], "NAME=FILE"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--imu", "a=c"], "already an IMU named a"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--subject", "anna"], "NAME=IMU,IMU"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--subject", "anna=a,c"], "no IMU is named c; there are a"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--subject", "an na=a"], "'an na' is not a name"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--subject", "wearer_1=a"], "wearers without a subject"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--subject", "x=a", "--subject", "y=a"], "worn by x"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--units", "acc=stones"], "acc=stones is none of"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--units", "zz:acc=g"], "no IMU is named zz; there are a"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--plot", "p.xyz"], "no picture by this ending"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--imu-columns", "acc=1,2"], "needs three columns"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--imu-columns", "time"], "time=..."),
        (["--video", "v.mp4", "--imu", "a=b", "--rotate", "45"], "0, 90, 180 or 270"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--rotate", "90"], "for a --video: there is none"),
        (["--keypoints", "k.csv", "--imu", "a=b", "--mirror"], "for a --video: there is none"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line(words: list[str], says: str) -> None:
    result = sync(*words)
    assert says in one_line(result)
    assert result.exit_code == 2


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_what_cannot_be_written_is_said_before_anything_is_read(option: str, tmp_path: Path) -> None:
    out = tmp_path / "missing" / "out"
    line = one_line(sync("--keypoints", "none.csv", "--imu", "a=none.csv", option, out))
    assert line == f"mobind-live: {out}: cannot be written: no such folder"


def test_columns_and_units_can_be_said(made: Take, folder: Path, tmp_path: Path) -> None:
    """The columns of an unknown logger: read as told, for the one IMU that is named."""
    rows = made.imus["arm"] * [1, 9.80665, 9.80665, 9.80665, 1, 1, 1]
    path = tmp_path / "imu.csv"
    path.write_text(imu_text(rows, "when,p,q,r,u,v,w"))
    base = ["--keypoints", folder / "keypoints.csv", "--imu", f"arm={path}"]

    assert "no header" in one_line(sync(*base))
    wrong = one_line(sync(*base, "--imu-columns", "arm:time=1 acc=p,q,zz gyro=5,6,7"))
    assert "no column 'zz'; there are: when, p, q" in wrong

    result = sync(*base, "--imu-columns", "arm:time=1 acc=p,q,r gyro=5,6,7", "--units", "time=ms acc=m/s2")
    assert "time when (ms), acc p q r (m/s2), gyro u v w (deg/s)" in result.stdout, result.output
    assert result.stderr == ""


def test_a_sensor_that_was_left_on_is_not_nobodys(folder: Path, tmp_path: Path) -> None:
    """Its wearer left the picture; the logger ran on for minutes."""
    header, *rows = [line.split(",") for line in (folder / "imu_arm.csv").read_text().split()]
    at = header.index("Millis")
    longer = [
        [*row[:at], f"{float(row[at]) + lap * (float(rows[-1][at]) + 20):.6f}", *row[at + 1 :]]
        for lap in range(6)
        for row in rows
    ]
    (tmp_path / "arm.csv").write_text("\n".join(map(",".join, [header, *longer])))
    answers = []
    for path in (folder / "imu_arm.csv", tmp_path / "arm.csv"):
        out = tmp_path / "out.json"
        imu = f"arm={path}"
        said = sync("--keypoints", folder / "keypoints.csv", "--imu", imu, "--max-offset", "5", "--json", out)
        assert "--max-offset" not in said.stdout, "what is ok is found"
        answers.append(json.loads(out.read_text())["imus"]["arm"])
    short, long = answers
    assert long["verdict"] == short["verdict"] == Verdict.OK
    assert long["offset_s"] == pytest.approx(short["offset_s"], abs=0.02)


def test_a_sensor_that_was_on_for_long_before_the_camera_is_found_all_the_same(
    folder: Path, tmp_path: Path
) -> None:
    """What it moved until then, it moved for nobody in view."""
    header, *rows = [line.split(",") for line in (folder / "imu_arm.csv").read_text().split()]
    at = header.index("Millis")
    step = float(rows[-1][at]) / (len(rows) - 1)
    before = [[*row[:at], f"{n * step:.6f}", *row[at + 1 :]] for n, row in enumerate(2 * rows[:0:-1])]
    lead = len(before) * step
    after = [[*row[:at], f"{float(row[at]) + lead:.6f}", *row[at + 1 :]] for row in rows]
    (tmp_path / "arm.csv").write_text("\n".join(map(",".join, [header, *before, *after])))
    answers = []
    for path, most in ((folder / "imu_arm.csv", "5"), (tmp_path / "arm.csv", "100")):
        out = tmp_path / "out.json"
        imu = f"arm={path}"
        sync("--keypoints", folder / "keypoints.csv", "--imu", imu, "--max-offset", most, "--json", out)
        answers.append(json.loads(out.read_text())["imus"]["arm"])
    short, long = answers
    assert long["verdict"] == short["verdict"] == Verdict.OK
    assert long["p_part"] == pytest.approx(short["p_part"], abs=1e-3)
    assert long["offset_s"] == pytest.approx(short["offset_s"] + lead * 1e-3, abs=0.02)

    said = sync("--keypoints", folder / "keypoints.csv", "--imu", imu, "--max-offset", "5").stdout
    (line,) = [line for line in said.splitlines() if "--max-offset" in line]
    assert line == (
        "only offsets up to 5 s were searched, and arm's is 80 s longer than the camera's recording: "
        "try --max-offset 100"
    )


def answer(verdict: Verdict) -> Found:
    return Found(offset_s=1.0, sigma_s=1.0, verdict=verdict, lags_s=np.zeros(1), weights=np.ones(1))


def test_a_step_and_all_tracks_of_the_wearer_are_in_the_json() -> None:
    plain = replace(answer(Verdict.OK), tracks=(2, 5))
    one = report.as_json({"arm": plain})["imus"]["arm"]
    assert (one["track"], one["tracks"], one["step"]) == (2, [2, 5], None)
    stepped = replace(plain, step=Step(0.5, 20.25, None)).shifted(1.0)
    one = json.loads(json.dumps(report.as_json({"arm": stepped})))["imus"]["arm"]
    assert one["step"] == {"offset_s": 1.5, "from_s": 20.25, "until_s": None}


def test_all_that_is_said_is_seen_in_80_columns() -> None:
    full = replace(
        answer(Verdict.AMBIGUOUS), offset_s=-12.5, sigma_s=0.016, tracks=(12,), part="right_upper_arm",
        p_part=0.99, part_verdict=Verdict.AMBIGUOUS, step=Step(0.5, 20.25, None),
    )  # fmt: skip
    sure = replace(full, verdict=Verdict.OK, drift_ppm=-133.0, moved=Moved(72.0, to_other=True))
    console = Console(width=80, record=True, file=io.StringIO())
    report.show(console, {"left_forearm_1": full, "left_forearm_2": sure})
    said = console.export_text()
    assert said.count("ambiguous") == 3
    assert said.count("right upper arm 0.99") == 2
    assert "-133 ok" in said
    assert "_1: the offset is +0.50 s from about 20 s on: split the recording there" in said
    assert "it seems to be on somebody else from about 72 s on: split the recording there" in said
    assert "…" not in said


def test_a_part_of_which_hardly_anything_speaks_is_not_shown() -> None:
    unclear = replace(answer(Verdict.AMBIGUOUS), part="left_shank", part_verdict=Verdict.AMBIGUOUS)
    for p_part, shown in ((0.002, False), (0.4, True)):
        console = Console(width=80, record=True, file=io.StringIO())
        report.show(console, {"leg": replace(unclear, p_part=p_part)})
        assert ("left shank" in console.export_text()) == shown


def test_what_is_no_number_is_null_in_the_json() -> None:
    odd = replace(
        answer(Verdict.AMBIGUOUS), sigma_s=float("inf"), drift_ppm=float("nan"), p_part=float("nan")
    )
    written = json.dumps(report.as_json({"arm": odd}), allow_nan=False)
    one = json.loads(written)["imus"]["arm"]
    assert (one["offset_s"], one["sigma_s"], one["drift_ppm"], one["p_part"]) == (1.0, None, None, None)


def test_when_and_to_whom_a_sensor_went_is_in_the_json() -> None:
    went = replace(answer(Verdict.OK), moved=Moved(72.0, to_other=True))
    assert report.as_json({"arm": went})["imus"]["arm"]["moved"] == {"at_s": 72.0, "to_other": True}


@pytest.mark.parametrize(
    ("lengths_s", "max_offset_s", "says"),
    [
        ({"arm": 250}, 10, "arm's is 190 s longer than the camera's recording: try --max-offset 200"),
        ({"arm": 20, "leg": 75}, 10, "arm's is 40 s shorter, leg's is 15 s longer than the camera's"),
        ({"arm": 655}, 100, "try --max-offset 600"),
        ({"arm": 4000}, 600, "arm's is 3940 s longer than the camera's recording: cut what is longer to fit"),
        ({"arm": 69, "leg": 51}, 10, ""),
    ],
)
def test_where_recordings_differ_by_more_than_was_searched_it_is_said(
    lengths_s: dict[str, float], max_offset_s: float, says: str
) -> None:
    for verdict in (Verdict.UNBOUND, Verdict.AMBIGUOUS, Verdict.NO_MOTION):
        found = {name: answer(verdict) for name in lengths_s}
        line = report.unsearched(found, lengths_s, 60, max_offset_s)
        assert says in line
        assert bool(says) == bool(line)
        assert not report.unsearched(
            {name: answer(Verdict.OK) for name in lengths_s}, lengths_s, 60, max_offset_s
        )
    assert not report.unsearched({name: nothing("too short") for name in lengths_s}, lengths_s, 60, 10)


def test_a_recording_is_never_written_over(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "imu_arm.csv"
    mine.write_text((folder / "imu_arm.csv").read_text())
    before = mine.read_text()
    for more in (["--json", mine], ["--plot", tmp_path / "a.png", "--json", tmp_path / "a.png"]):
        result = sync("--keypoints", folder / "keypoints.csv", "--imu", f"arm={mine}", *more)
        assert result.exit_code == 2
        assert "is named twice, or is read" in result.stderr
    assert mine.read_text() == before
