"""Reading recordings made elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobind_live.devices.samples.units import axes_matrix
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints, parse_columns
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.files.stamps import rate_hz

G = 9.80665
DEG = np.pi / 180


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def imu_text(header: str, rows: list[tuple[float, ...]], delimiter: str = ",") -> str:
    return "\n".join([header, *(delimiter.join(map(str, row)) for row in rows)]) + "\n"


ROWS = [(0, 1, 0, 0, 90, 0, 0), (20, 1, 0, 0, 0, 90, 0), (40, 0, 1, 0, 0, 0, 90)]


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_the_columns_of_the_five_imu_bench(tmp_path: Path, delimiter: str):
    header = delimiter.join(["Millis", "AccelX", "AccelY", "AccelZ", "GyroX", "GyroY", "GyroZ"])
    imu = read_imu(write(tmp_path / "imu.csv", imu_text(header, ROWS, delimiter)))
    np.testing.assert_array_equal(imu.t_ns, [0, 20_000_000, 40_000_000])
    np.testing.assert_allclose(imu.acc_m_s2[0], [G, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(imu.gyro_rad_s[2], [0, 0, 90 * DEG], rtol=1e-6)
    assert imu.acc_m_s2.dtype == imu.gyro_rad_s.dtype == np.float32
    assert rate_hz(imu.t_ns) == pytest.approx(50)


@pytest.mark.parametrize("each", [5, 10, 20])
def test_samples_that_share_a_packets_stamp_get_their_own(tmp_path: Path, each: int):
    rows = [(20 * (n - n % each), 1, 0, 0, n % 7, 0, 0) for n in range(5 * each)]
    kept = rows[: 2 * each] + rows[3 * each :]  # one packet was lost
    imu = read_imu(write(tmp_path / "imu.csv", imu_text("t_ms,ax,ay,az,gx,gy,gz", kept)))
    at = np.array([n for n in range(5 * each) if not 2 * each <= n < 3 * each])
    late = np.abs(imu.t_ns - at * 20_000_000)
    assert (np.delete(late, np.arange(each, 2 * each)) == 0).all()
    assert late.max() <= 10_000_000 * each, "the last before a hole are not drawn out over all of it"
    assert f"one for {each} samples: the oldest's" in imu.found


def test_units_in_the_header_are_followed_whatever_the_order(tmp_path: Path):
    header = "Gyroscope X (rad/s),Gyroscope Y (rad/s),Gyroscope Z (rad/s),note,"
    header += "Accelerometer X (m/s^2),Accelerometer Y (m/s^2),Accelerometer Z (m/s^2),Timestamp (us)"
    rows = [(1, 2, 3, "a", 9.8, 0, 0, 5_000_000), (1, 2, 3, "b", 9.8, 0, 0, 5_010_000)]
    imu = read_imu(write(tmp_path / "imu.csv", imu_text(header, rows)))
    np.testing.assert_allclose(imu.gyro_rad_s[0], [1, 2, 3])
    np.testing.assert_allclose(imu.acc_m_s2[0], [9.8, 0, 0], rtol=1e-6)
    assert imu.t_ns[1] == 5_010_000_000


@pytest.mark.parametrize(("acc", "unit"), [(1.0, "g"), (9.8, "m/s2"), (1000.0, "mg")])
def test_a_unit_that_is_not_named_is_told_from_gravity(tmp_path: Path, acc: float, unit: str):
    rows = [(0, acc, 0, 0, 1, 0, 0), (20, acc, 0, 0, 1, 0, 0)]
    imu = read_imu(write(tmp_path / "imu.csv", imu_text("t_ms,ax,ay,az,gx,gy,gz", rows)))
    assert imu.units.startswith(unit)
    assert imu.acc_m_s2[0, 0] == pytest.approx(G, rel=0.01)


def test_broken_rows_are_passed_over_and_counted(tmp_path: Path):
    text = imu_text("Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ", ROWS)
    text += "60,1,0,0,0,0\n80,1,nonsense,0,0,0,0\n30,1,0,0,0,0,0\n100,1,0,0,0,0,0\n12"
    imu = read_imu(write(tmp_path / "imu.csv", text))
    assert imu.t_ns.tolist() == [0, 20_000_000, 40_000_000, 100_000_000]
    assert imu.bad_rows == 4


def test_missing_keypoints_have_no_score(tmp_path: Path):
    text = "time_s,nose_x,nose_y,left_wrist_x,left_wrist_y\n0.00,1,2,,\n0.02,1,2,3,4\n0.04,nan,nan,3,4\n"
    file = read_keypoints(write(tmp_path / "keypoints.csv", text))
    assert file.keypoints.shape == (3, 17, 3)
    np.testing.assert_array_equal(file.keypoints[0, 0], [1, 2, 1])
    np.testing.assert_array_equal(file.keypoints[0, 9], [0, 0, 0])
    np.testing.assert_array_equal(file.keypoints[1, 9], [3, 4, 1])
    assert file.keypoints[2, 0, 2] == 0
    assert not file.keypoints[:, 5, 2].any()


def test_scores_are_read_where_there_are_any(tmp_path: Path):
    text = "time_s,nose_x,nose_y,nose_score\n0,1,2,0.5\n0.1,1,2,0.25\n"
    file = read_keypoints(write(tmp_path / "keypoints.csv", text))
    np.testing.assert_allclose(file.keypoints[:, 0, 2], [0.5, 0.25])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("a,b,c,d\n1,2,3,4\n", "no header"),
        ("Millis,AccelX,AccelY,AccelZ\n0,1,2,3\n1,1,2,3\n", "GyroX"),
        ("AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ\n1,2,3,1,2,3\n1,2,3,1,2,3\n", "no time column"),
        ("Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ\n", "fewer than two rows"),
        ("Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ\n1,a,a,a,a,a,a\n2,a,a,a,a,a,a\n", "fewer than two"),
    ],
)
def test_an_unusable_file_is_named_in_one_line(tmp_path: Path, text: str, says: str):
    path = write(tmp_path / "imu_x.csv", text)
    with pytest.raises(FileError, match=says) as error:
        read_imu(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_binary_file_is_named(tmp_path: Path):
    with pytest.raises(FileError, match="no such file"):
        read_imu(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(FileError, match="not a text file"):
        read_keypoints(tmp_path / "binary.csv")


def test_axes_are_turned_and_mirrors_refused():
    np.testing.assert_array_equal(axes_matrix(("x", "-z", "y")) @ [1, 2, 3], [1, -3, 2])
    for wrong in (("x", "z", "y"), ("x", "x", "y"), ("x", "y", "w")):
        with pytest.raises(ValueError, match="ax"):
            axes_matrix(wrong)


def test_the_real_recordings_are_read_whole(shared_data: Path):
    take = shared_data / "bench5" / "take_1"
    keypoints = read_keypoints(take / "keypoints.csv")
    assert len(keypoints.t_ns) == 9049
    assert keypoints.bad_rows == 0
    imu = read_imu(take / "imu_left_arm.csv")
    assert (len(imu.t_ns), imu.units, imu.bad_rows) == (8928, "g, deg/s", 0)
    assert rate_hz(read_imu(shared_data / "formats" / "ximu3_inertial.csv").t_ns) == pytest.approx(
        48.3, abs=0.1
    )


HEAD = "Millis;AccelX;AccelY;AccelZ;GyroX;GyroY;GyroZ"


def turning(seconds: float, hz: float = 50.0) -> list[tuple[float, ...]]:
    """A sensor that is turned to and fro, now and then, in ms, g and deg/s."""
    t = np.arange(round(seconds * hz)) / hz
    angle = 60 * DEG * np.sin(2 * np.pi * 0.2 * t) * (t % 10 < 5)
    rate = np.gradient(angle, 1 / hz) / DEG
    zero = np.zeros_like(t)
    columns = [np.round(1000 * t), np.sin(angle), zero, np.cos(angle), zero, -rate, zero]
    return [tuple(row) for row in np.column_stack(columns).tolist()]


def test_decimal_commas_are_read(tmp_path: Path):
    plain = imu_text(HEAD, turning(10), ";")
    comma = read_imu(write(tmp_path / "comma.csv", plain.replace(".", ",")))
    np.testing.assert_array_equal(comma.acc_m_s2, read_imu(write(tmp_path / "point.csv", plain)).acc_m_s2)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_what_windows_programs_write_is_read(tmp_path: Path, encoding: str):
    head = [f"Acc{axis} (m/s\u00b2)" for axis in "XYZ"] + [f"Gyro{axis} (\u00b0/s)" for axis in "XYZ"]
    rows = [(t, 9.8 * x, 9.8 * y, 9.8 * z, *gyro) for t, x, y, z, *gyro in turning(10)]
    path = tmp_path / "imu.csv"
    path.write_bytes(imu_text(",".join(["t_ms", *head]), rows).encode(encoding))
    assert len(read_imu(path).t_ns) == 500


def test_a_delimiter_at_the_end_of_each_row_is_no_cell(tmp_path: Path):
    text = imu_text(HEAD, turning(10), ";").replace("\n", ";\n").replace(f"{HEAD};", HEAD)
    assert len(read_imu(write(tmp_path / "imu.csv", text)).t_ns) == 500


def test_times_that_are_no_numbers_are_named(tmp_path: Path):
    text = imu_text("timestamp,ax,ay,az,gx,gy,gz", turning(2)).replace("\n", "\n2026-11-22T10:")
    with pytest.raises(FileError, match=r"timestamp holds '2026-11-22T10:.*', no number"):
        read_imu(write(tmp_path / "imu.csv", text))


@pytest.mark.parametrize("gap_s", [20, 200])
def test_a_gap_is_no_rest(tmp_path: Path, gap_s: int):
    """A straight line from one end of a gap to the other would be the quietest that there is."""
    rows = [row for row in turning(60 + gap_s) if not 22.3 < row[0] / 1000 < 22.3 + gap_s]
    found = read_imu(write(tmp_path / "imu.csv", imu_text(HEAD, rows, ";")))
    assert found.units == "g, deg/s"
    assert len(found.t_ns) == len(rows)


@pytest.mark.parametrize("whole", [False, True])
def test_a_clock_that_was_not_set_at_first_is_passed_over(tmp_path: Path, whole: bool):
    rows = [(row[0] + 1.795e12, *row[1:]) for row in turning(10)]
    first = ";".join(["0", *(map(str, rows[0][1:]) if whole else [""] * 6)])
    found = read_imu(write(tmp_path / "imu.csv", imu_text(f"{HEAD}\n{first}", rows, ";")))
    assert (found.t_ns[0] - found.start_ns, len(found.t_ns)) == (0, 500)


def test_a_gyroscope_in_thousandths_must_be_said_to_be_so(tmp_path: Path):
    """Raw counts look much like it, so that it is not guessed."""
    rows = [(*row[:4], *(1000 * value for value in row[4:])) for row in turning(30)]
    path = write(tmp_path / "imu.csv", imu_text(HEAD, rows, ";"))
    with pytest.raises(FileError, match="--units gyro=mdeg/s"):
        read_imu(path)

    told = read_imu(path, hints=Hints(gyro_unit="mdeg/s"))
    plain = read_imu(write(tmp_path / "plain.csv", imu_text(HEAD, turning(30), ";")))
    assert told.units == "g, mdeg/s"
    np.testing.assert_allclose(told.gyro_rad_s, plain.gyro_rad_s, rtol=1e-4)
    with pytest.raises(FileError, match="turn gravity as deg/s would, not as mdeg/s"):
        read_imu(plain.path, hints=Hints(gyro_unit="mdeg/s"))


EYES = "time_s,nose_x,nose_y,nose_score,left_eye_x,left_eye_y,left_eye_score\n"


def test_keypoints_at_zero_or_with_a_score_below_it_are_not_there(tmp_path: Path):
    text = EYES + "0,0,0,1,50,60,0.9\n0.02,10,20,-1,50,60,0.9\n0.04,10,20,0.8,50,60,0.9\n"
    found = read_keypoints(write(tmp_path / "k.csv", text))
    np.testing.assert_allclose(found.keypoints[:, 0, 2], [0, 0, 0.8], rtol=1e-6)


def test_scores_in_percent_are_refused(tmp_path: Path):
    text = EYES + "0,10,20,90,50,60,90\n0.02,10,20,90,50,60,90\n"
    with pytest.raises(FileError, match="scores go from 0 to 1"):
        read_keypoints(write(tmp_path / "k.csv", text))


def test_quoted_cells_may_hold_the_delimiter(tmp_path: Path):
    head = ",".join(['"time, ms"', *(f'"acc {a}, g"' for a in "xyz"), *(f'"gyro {a}, deg/s"' for a in "xyz")])
    rows = "\n".join(",".join(f'"{value}"' for value in row) for row in turning(10))
    found = read_imu(write(tmp_path / "imu.csv", f"{head}\n{rows}\n"))
    assert (found.units, len(found.t_ns)) == ("g, deg/s", 500)


@pytest.mark.parametrize(("written", "means"), [("rad/sec", "rad/s"), ("°/s", "deg/s"), ("mdps", "mdeg/s")])
def test_units_are_read_however_they_are_spelt_even_where_the_motion_cannot_tell(
    tmp_path: Path, written: str, means: str
):
    names = [*(f"acc {a} (g)" for a in "xyz"), *(f"Gyro {a} [{written}]" for a in "XYZ")]
    path = write(tmp_path / "imu.csv", imu_text(";".join(["Millis", *names]), turning(3), ";"))
    assert read_imu(path).units == f"g, {means}"


@pytest.mark.parametrize("title", ["Timestamp [\u00b5s]", "Timestamp (\u03bcs)", "time_usec", "Time micros"])
def test_microseconds_are_read_however_they_are_spelled(title: str, tmp_path: Path) -> None:
    found = read_imu(still(tmp_path / "imu.csv", title, 20_000))
    assert found.t_ns[1] - found.t_ns[0] == 20_000_000


def still(path: Path, title: str, tick: int) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        f"{n * tick},{a[0]},{a[1]},{a[2] + 9.81},{a[0]},{a[1]},{a[2]}"
        for n, a in enumerate(rng.normal(0, 0.01, (200, 3)))
    ]
    path.write_text("\n".join([f"{title},acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z", *rows]))
    return path


@pytest.mark.parametrize("said", ["gyro=4,5,6", "gyro=2,3,4", "acc=2,3,3", "time=acc_x"])
def test_one_column_is_not_two_things(said: str, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="would be two things at once"):
        read_imu(still(tmp_path / "imu.csv", "time_us", 20_000), hints=parse_columns(said))


def test_a_table_of_several_people_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cam.csv"
    rows = [f"{n / 30},{1 + n % 2},10,20,30,40" for n in range(60)]
    path.write_text("\n".join(["t_s,track,nose_x,nose_y,left_wrist_x,left_wrist_y", *rows]))
    with pytest.raises(FileError, match=r"several people \(track 1, 2\)"):
        read_keypoints(path)
