"""An IMU in two files, acceleration in one and turn rate in the other: read as if it were one, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from takes import G, Take, take
from typer.testing import CliRunner

from mobind_live.binding.evidence.timeline import IMU_GAP_NS
from mobind_live.cli import app
from mobind_live.devices.camera.pose import PoseOptions
from mobind_live.models import actions as action_models
from mobind_live.models import example_file
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.files.hints import Hints, parse_columns, parse_units
from mobind_live.recordings.files.imu import ImuFile, read_imu
from mobind_live.recordings.files.imu_pair import read_pair
from mobind_live.recordings.sync.request import Files
from mobind_live.schema import Verdict

ACC, GYRO = "Millis,AccelX,AccelY,AccelZ", "Millis,GyroX,GyroY,GyroZ"
BOTH = f"{ACC},GyroX,GyroY,GyroZ"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def made() -> Take:
    return take({"arm": ("left_forearm", 1.3)}, 30.0)


@pytest.fixture(scope="module")
def rows(made: Take) -> np.ndarray:
    """(N, 7): ms, g, deg/s, at 60 Hz."""
    return made.imus["arm"]


def write(path: Path, header: str, rows: np.ndarray) -> Path:
    lines = [",".join(f"{value:.6f}" for value in row) for row in rows]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    return path


def later(rows: np.ndarray, ms: float) -> np.ndarray:
    return np.column_stack([rows[:, 0] + ms, rows[:, 1:]])


def acc_of(rows: np.ndarray, time: float = 1.0, scale: float = 1.0) -> np.ndarray:
    return rows[:, :4] * [time, scale, scale, scale]


def gyro_of(rows: np.ndarray, time: float = 1.0, scale: float = 1.0) -> np.ndarray:
    return rows[:, [0, 4, 5, 6]] * [time, scale, scale, scale]


def pair(*paths: Path, hints: Hints | None = None) -> ImuFile:
    one, other = paths
    return read_pair((one, other), IMU_GAP_NS, hints or Hints())


def refused(*paths: Path, hints: Hints | None = None) -> str:
    with pytest.raises(FileError) as error:
        pair(*paths, hints=hints)
    assert "\n" not in str(error.value)
    return str(error.value)


def same(one: ImuFile, other: ImuFile) -> None:
    np.testing.assert_array_equal(one.t_ns, other.t_ns)
    np.testing.assert_allclose(one.acc_m_s2, other.acc_m_s2, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(one.gyro_rad_s, other.gyro_rad_s, rtol=1e-3, atol=1e-3)


def test_rows_of_the_same_times_are_as_one_file(tmp_path: Path, rows: np.ndarray) -> None:
    acc, gyro = write(tmp_path / "a.csv", ACC, acc_of(rows)), write(tmp_path / "g.csv", GYRO, gyro_of(rows))
    whole = read_imu(write(tmp_path / "w.csv", BOTH, rows))
    for found in (pair(acc, gyro), pair(gyro, acc)):
        same(found, whole)
        assert (found.units, found.start_ns, found.bad_rows) == (whole.units, whole.start_ns, 0)
    assert pair(gyro, acc).path == Path(f"{gyro},{acc}"), "as it was said"


@pytest.mark.parametrize("sparse", ["acc", "gyro"])
def test_the_sparser_is_put_on_the_others_stamps_where_both_measured(
    sparse: str, tmp_path: Path, rows: np.ndarray
) -> None:
    few, many = (acc_of, gyro_of) if sparse == "acc" else (gyro_of, acc_of)
    few_head, many_head = (ACC, GYRO) if sparse == "acc" else (GYRO, ACC)
    start = 61  # the sparser one starts a second later, and ends half a second earlier
    one = write(tmp_path / "few.csv", few_head, few(rows[start:-30:2]))
    other = write(tmp_path / "many.csv", many_head, many(rows))
    whole, found = read_imu(write(tmp_path / "w.csv", BOTH, rows)), pair(one, other)
    last = start + 2 * (len(rows[start:-30:2]) - 1)
    np.testing.assert_array_equal(found.t_ns, whole.t_ns[start : last + 1])
    assert found.start_ns == whole.t_ns[start]
    name, kept = ("acc_m_s2", "gyro_rad_s") if sparse == "acc" else ("gyro_rad_s", "acc_m_s2")
    np.testing.assert_allclose(getattr(found, kept), getattr(whole, kept)[start : last + 1], atol=1e-4)
    own, true = getattr(found, name), getattr(whole, name)[start : last + 1]
    np.testing.assert_allclose(own[::2], true[::2], atol=1e-3)
    np.testing.assert_allclose(own[1::2], (true[:-1:2] + true[2::2]) / 2, atol=1e-3)


@pytest.mark.parametrize("holed", ["acc", "gyro"])
def test_nothing_is_drawn_through_a_gap(holed: str, tmp_path: Path, rows: np.ndarray) -> None:
    out = (rows[:, 0] > 5000) & (rows[:, 0] < 6000)
    short = (rows[:, 0] > 8000) & (rows[:, 0] < 8100)  # of the sensor that has fewer rows: no gap
    acc = write(tmp_path / "a.csv", ACC, acc_of(rows[~(out | short)] if holed == "acc" else rows))
    gyro = write(tmp_path / "g.csv", GYRO, gyro_of(rows[~(out | short)] if holed == "gyro" else rows))
    found = pair(acc, gyro)
    whole = read_imu(write(tmp_path / "w.csv", BOTH, rows))
    np.testing.assert_array_equal(found.t_ns, whole.t_ns[~out])


def test_time_counts_from_the_first_row_of_the_later_file(tmp_path: Path, rows: np.ndarray) -> None:
    late = rows[100:]
    acc = write(tmp_path / "a.csv", ACC, acc_of(rows))
    gyro = write(tmp_path / "g.csv", GYRO, gyro_of(later(late, 4.0)))  # between two of the others' rows
    found = pair(acc, gyro)
    assert found.start_ns == pytest.approx((late[0, 0] + 4.0) * 1e6, abs=1)
    assert 0 < found.t_ns[0] - found.start_ns < 17e6
    assert f"counted from {found.start_ns * 1e-9:.3f} s" in found.found


def test_one_corrupted_number_costs_its_row(tmp_path: Path, rows: np.ndarray) -> None:
    bad = acc_of(rows[::2])
    bad[100, 2] = 1e9
    acc = write(tmp_path / "a.csv", ACC, bad)
    found = pair(acc, write(tmp_path / "g.csv", GYRO, gyro_of(rows)))
    assert found.bad_rows == 1
    assert np.abs(found.acc_m_s2).max() <= np.abs(rows[:, 1:4]).max() * G + 1e-3


@pytest.mark.parametrize(
    ("acc_head", "gyro_head", "time", "acc_scale", "gyro_scale"),
    [
        (  # phyphox
            '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)"',
            '"Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)"',
            1e-3, G, np.pi / 180,
        ),
        ("seconds_elapsed,x,y,z", "seconds_elapsed,x,y,z", 1e-3, G, np.pi / 180),  # Sensor Logger
        (  # Polar Sensor Logger
            "sensor timestamp [ns],X [mg],Y [mg],Z [mg]", "sensor timestamp [ns],X [dps],Y [dps],Z [dps]",
            1e6, 1e3, 1.0,
        ),
        (  # MbientLab
            "epoch (ms),x-axis (g),y-axis (g),z-axis (g)",
            "epoch (ms),x-axis (deg/s),y-axis (deg/s),z-axis (deg/s)",
            1.0, 1.0, 1.0,
        ),
        (
            "epoc (ms),x-axis (g),y-axis (g),z-axis (g)",
            "epoc (ms),x-axis (deg/s),y-axis (deg/s),z-axis (deg/s)",
            1.0, 1.0, 1.0,
        ),
        ("Millis,x,y,z", GYRO, 1.0, 1.0, 1.0),  # only one of them says what it is
        (ACC, "Millis,x,y,z", 1.0, 1.0, 1.0),
    ],
)  # fmt: skip
def test_makers_titles_and_gravity_say_which_is_which(
    acc_head: str, gyro_head: str, time: float, acc_scale: float, gyro_scale: float,
    tmp_path: Path, rows: np.ndarray,
) -> None:  # fmt: skip
    acc = write(tmp_path / "a.csv", acc_head, acc_of(rows, time, acc_scale))
    gyro = write(tmp_path / "g.csv", gyro_head, gyro_of(rows, time, gyro_scale))
    for found in (pair(acc, gyro), pair(gyro, acc)):
        np.testing.assert_allclose(found.acc_m_s2, rows[:, 1:4] * G, rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(found.gyro_rad_s, np.radians(rows[:, 4:]), rtol=1e-3, atol=2e-3)


def test_a_date_is_taken_before_what_counts_from_each_files_own_begin(
    tmp_path: Path, rows: np.ndarray
) -> None:
    """As MbientLab writes it, the gyroscope 40 rows later."""
    paths = []
    for name, unit, own in (("a", "g", acc_of(rows)), ("g", "deg/s", gyro_of(rows)[40:])):
        both = np.column_stack([own[:, 0] + 1.7e12, (own[:, 0] - own[0, 0]) * 1e-3, own[:, 1:]])
        head = f"epoc (ms),elapsed (s),x-axis ({unit}),y-axis ({unit}),z-axis ({unit})"
        paths.append(write(tmp_path / f"{name}.csv", head, both))
    found = pair(*paths)
    np.testing.assert_allclose(found.acc_m_s2, rows[40:, 1:4] * G, rtol=1e-3, atol=2e-3)
    assert "first row" not in found.found
    found = pair(*paths, hints=parse_columns("time='elapsed (s)'"))
    assert found.found.count("each file counts from its own first row") == 1


def test_what_was_elapsed_since_one_begin_needs_no_note(tmp_path: Path, rows: np.ndarray) -> None:
    since = later(rows, 80 - rows[0, 0])
    acc = write(tmp_path / "a.csv", "seconds_elapsed,x,y,z", acc_of(since, 1e-3, G))
    gyro = write(tmp_path / "g.csv", "seconds_elapsed,x,y,z", gyro_of(since, 1e-3, np.pi / 180))
    assert "first row" not in pair(acc, gyro).found


@pytest.mark.parametrize(
    ("acc_head", "gyro_head", "said"),
    [
        ("wann,p,q,r", "wann,u,v,w", "time=wann acc=p,q,r gyro=u,v,w"),
        ("wann,p,q,r", "wann,p,q,r", "time=wann acc=p,q,r gyro=p,q,r"),
        ("wann,p,q,r", GYRO, "time=1 acc=p,q,r"),
        ("wann,p,q,r", GYRO, "time=1 acc=2,3,4"),
        ("wann,p,q,r", "when,u,v,w", "time=1 acc=2,3,4 gyro=2,3,4"),
        ("", "", "time=1 acc=2,3,4 gyro=2,3,4"),
    ],
)
def test_columns_can_be_said_of_both(
    acc_head: str, gyro_head: str, said: str, tmp_path: Path, rows: np.ndarray
) -> None:
    acc = write(tmp_path / "a.csv", acc_head, acc_of(rows))
    gyro = write(tmp_path / "g.csv", gyro_head, gyro_of(rows))
    hints = parse_columns(said).over(parse_units("time=ms"))
    for found in (pair(acc, gyro, hints=hints), pair(gyro, acc, hints=hints)):
        same(found, read_imu(write(tmp_path / "w.csv", BOTH, rows)))


def test_a_column_that_is_nowhere_is_said(tmp_path: Path, rows: np.ndarray) -> None:
    acc, gyro = write(tmp_path / "a.csv", ACC, acc_of(rows)), write(tmp_path / "g.csv", GYRO, gyro_of(rows))
    says = refused(acc, gyro, hints=parse_columns("acc=AccelX,AccelY,AccelQ"))
    assert "no column 'AccelQ' in either; there are: Millis, AccelX" in says


def test_units_can_be_said_and_must_fit(tmp_path: Path, rows: np.ndarray) -> None:
    acc, gyro = write(tmp_path / "a.csv", ACC, acc_of(rows)), write(tmp_path / "g.csv", GYRO, gyro_of(rows))
    assert pair(acc, gyro, hints=parse_units("acc=g gyro=deg/s time=ms")).units == "g, deg/s"
    assert "say so with --units acc=g" in refused(acc, gyro, hints=parse_units("acc=m/s2"))
    assert "say so with --units gyro=deg/s" in refused(acc, gyro, hints=parse_units("gyro=rad/s"))


REFUSED = {
    "two accelerometers": (ACC, ACC, 0.0, "both are of the accelerometer (AccelX AccelY AccelZ, and AccelX"),
    "two gyroscopes": (GYRO, GYRO, 0.0, "both are of the gyroscope"),
    "titles that lie": (GYRO, ACC, 0.0, "are swapped"),
    "one since 1970": (ACC, GYRO, 1.76e12, "the stamps are of different kinds, one since a date"),
    "one of another day": (
        ACC,
        GYRO,
        86.4e6,
        "no time at which both measured: time Millis (ms) from 0.000 to",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_joined_is_one_line(fault: str, tmp_path: Path, rows: np.ndarray) -> None:
    acc_head, gyro_head, late_ms, says = REFUSED[fault]
    acc = write(tmp_path / "a.csv", acc_head, acc_of(rows))
    gyro = write(tmp_path / "g.csv", gyro_head, gyro_of(later(rows, late_ms)))
    line = refused(acc, gyro)
    assert line.startswith(f"{acc},{gyro}: ")
    assert says in line


def test_units_of_time_that_were_guessed_apart_are_refused(tmp_path: Path, rows: np.ndarray) -> None:
    ms = write(tmp_path / "a.csv", ACC.replace("Millis", "Timestamp"), np.round(acc_of(rows), 3))
    us = write(tmp_path / "g.csv", GYRO.replace("Millis", "Timestamp"), gyro_of(rows, 1000.0))
    says = refused(ms, us)
    assert "seem to be in different units: time Timestamp (ms)" in says
    assert "--units time=..." in says


def test_without_titles_or_gravity_nobody_knows_which_is_which(tmp_path: Path, rows: np.ndarray) -> None:
    acc = write(tmp_path / "a.csv", "Millis,x,y,z", acc_of(rows))
    moved = acc_of(rows) - [0, *rows[:, 1:4].mean(axis=0)]
    linear = write(tmp_path / "l.csv", "Millis,x,y,z", moved * [1, 0.05, 0.05, 0.05])
    gyro = write(tmp_path / "g.csv", "Millis,x,y,z", gyro_of(rows, scale=np.pi / 180))
    assert "gravity is in both, as in two accelerometers; write the unit" in refused(acc, acc)
    assert "gravity is in neither, as in turn rate, or without gravity; write" in refused(linear, gyro)
    titled = write(tmp_path / "t.csv", ACC, acc_of(rows))
    assert "both are of the accelerometer (x y z, and AccelX" in refused(acc, titled)
    short = write(tmp_path / "s.csv", "Millis,x,y,z", gyro_of(rows[:100]))
    assert "too short to tell" in refused(acc, short)


def test_a_whole_file_needs_no_second(tmp_path: Path, rows: np.ndarray) -> None:
    whole, gyro = write(tmp_path / "w.csv", BOTH, rows), write(tmp_path / "g.csv", GYRO, gyro_of(rows))
    assert refused(whole, gyro).startswith(f"{whole}: holds both acceleration and turn rate; name it alone")


def test_three_axes_are_needed_and_each_once(tmp_path: Path, rows: np.ndarray) -> None:
    acc = write(tmp_path / "a.csv", ACC, acc_of(rows))
    six = write(tmp_path / "s.csv", "Millis,x,y,z,x,y,z", rows)
    assert "no three axes of one sensor in: Millis, x, y, z, x, y, z; say which" in refused(acc, six)


def test_rows_further_apart_than_a_gap_cannot_be_joined(tmp_path: Path, rows: np.ndarray) -> None:
    acc = write(tmp_path / "a.csv", ACC, acc_of(later(rows, 1.0)))
    gyro = write(tmp_path / "g.csv", GYRO, gyro_of(rows[::12]))  # 5 Hz
    assert "longer than 0.15 s between two rows is a gap" in refused(acc, gyro)


def sources(text: str) -> tuple[Path, ...]:
    files = Files(imus=(f"arm={text}",), pose=PoseOptions(model="none"))
    return files.sensors()["arm"][0]


def test_a_comma_may_be_in_a_name_or_between_two(tmp_path: Path) -> None:
    folder = tmp_path / "take 3, left, again"
    folder.mkdir()
    one, other = folder / "a.csv", folder / "g,1.csv"
    one.touch()
    other.touch()
    assert sources(str(other)) == (other,), "a file that is there"
    assert sources(f"{one},{other}") == (one, other)
    assert sources("a.csv,g.csv") == (Path("a.csv"), Path("g.csv"))
    for wrong in ("a.csv,g.csv,m.csv", "a.csv,", ",g.csv", f"{one},{folder / 'none.csv'}"):
        with pytest.raises(HintError, match="expected one file, or one of acceleration and one of turn rate"):
            sources(wrong)


def sync(folder: Path, imu: str, *words: str | Path) -> tuple[int, str, dict]:
    out = folder / "out.json"
    keypoints = folder / "keypoints.csv"
    given = ["--keypoints", keypoints, "--imu", f"arm={imu}", "--max-offset", "5", "--json", out, *words]
    result = CliRunner().invoke(app, ["sync", *map(str, given)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    answers = json.loads(out.read_text())["imus"]["arm"] if out.exists() else {}
    out.unlink(missing_ok=True)
    return result.exit_code, result.stderr, answers


def test_sync_answers_as_from_one_file(tmp_path: Path, made: Take, rows: np.ndarray) -> None:
    """Other rates, other begins: the same answer, its time counted from the later begin."""
    whole = made.write(tmp_path)["arm"]
    code, _, expected = sync(tmp_path, str(whole))
    assert (code, expected["verdict"]) == (0, Verdict.OK)
    late_s = (rows[40, 0] - rows[0, 0]) * 1e-3
    grid = np.arange(rows[40, 0], rows[-1, 0] - 700, 10.0)
    turns = [np.interp(grid, rows[:, 0], rows[:, axis]) for axis in (4, 5, 6)]
    gyro = write(tmp_path / "g.csv", GYRO, np.column_stack([grid, *turns]))
    acc = write(tmp_path / "a.csv", ACC, acc_of(rows))
    code, _, found = sync(tmp_path, f"{gyro},{acc}")
    assert (code, found["verdict"], found["part"]) == (0, Verdict.OK, expected["part"])
    assert found["offset_s"] == pytest.approx(expected["offset_s"] - late_s, abs=0.01)


def test_enroll_takes_two_files(tmp_path: Path, made: Take, rows: np.ndarray) -> None:
    whole = made.write(tmp_path)["arm"]
    acc, gyro = write(tmp_path / "a.csv", ACC, acc_of(rows)), write(tmp_path / "g.csv", GYRO, gyro_of(rows))
    seen = []
    for name, files in (("one", f"{whole}"), ("two", f"{gyro},{acc}")):
        words = ("enroll", "jack", "--imu", f"left_forearm={files}", "--from", "2", "--to", "9")
        result = CliRunner().invoke(app, [*words, "--output", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
        seen.append(
            example_file.load(tmp_path / name / "jack.safetensors", action_models.load().fingerprint())
        )
    np.testing.assert_allclose(seen[0].seen, seen[1].seen, atol=1e-2)


def test_what_is_wrong_with_two_files_is_one_line_and_no_zero(
    tmp_path: Path, made: Take, rows: np.ndarray
) -> None:
    made.write(tmp_path)
    acc = write(tmp_path / "a.csv", ACC, acc_of(rows))
    for imu, code, says in (
        (f"{acc},{tmp_path / 'none.csv'}", 1, f"imu arm: {tmp_path / 'none.csv'}: no such file"),
        (f"{acc},{acc}", 1, f"imu arm: {acc},{acc}: both are of the accelerometer"),
        (f"{acc},{acc},{acc}", 2, "expected one file, or one of acceleration and one of turn rate"),
    ):
        found, line, answers = sync(tmp_path, imu)
        assert (found, answers) == (code, {})
        assert len(line.strip().splitlines()) == 1
        assert says in line
    found, line, _ = sync(tmp_path, f"{acc},{tmp_path / 'g.csv'}", "--plot", tmp_path / "a.csv")
    assert found == 2, "no file that is read is written over"
