"""Files as other makers' programs write them: read right, or refused with what to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from takes import imu_text, take

from mobind_live.devices.camera.pose import PoseOptions
from mobind_live.recordings.files import clock_text
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints, parse_columns, parse_units
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.files.stamps import rate_hz
from mobind_live.recordings.sync.request import Files, read_imus
from mobind_live.vocabulary import KEYPOINTS

ROWS = take({"arm": ("left_forearm", 0.0)}, 12.0, seed=5).imus["arm"]  # (N, 7): ms, g, deg/s, at 60 Hz
T_S = ROWS[:, 0] / 1000
AXES = "ax,ay,az,gx,gy,gz"
SIX = parse_columns("time=1 acc=2,3,4 gyro=5,6,7")


def write(folder: Path, header: str, rows: np.ndarray | list[list[object]], delimiter: str = ",") -> Path:
    path = folder / "imu.csv"
    lines = [delimiter.join(str(cell) for cell in row) for row in rows]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    return path


def with_times(times: list[object]) -> list[list[object]]:
    return [[time, *row[1:].tolist()] for time, row in zip(times, ROWS, strict=True)]


def refused(path: Path, hints: Hints | None = None) -> str:
    with pytest.raises(FileError) as error:
        read_imu(path, hints=hints or Hints())
    assert "\n" not in str(error.value)
    return str(error.value)


def side_by_side(late_s: float) -> np.ndarray:
    """Acceleration and turn rate, each with its own time in s."""
    return np.column_stack([T_S, ROWS[:, 1:4], T_S + late_s, ROWS[:, 4:]])


def test_two_times_of_one_row_that_differ_are_refused(tmp_path: Path) -> None:
    head = "Time (s),ax,ay,az,Time (s),gx,gy,gz"
    says = refused(write(tmp_path, head, side_by_side(0.05)))
    assert "two times in a row, up to 0.05 s apart: Time (s) (column 1) and Time (s) (column 5)" in says
    assert says.endswith('say which with --imu-columns "time=..."')
    assert len(read_imu(write(tmp_path, head, side_by_side(0.003))).t_ns) == len(ROWS)
    since_1970 = np.column_stack([T_S + 1.7e9, ROWS[:, 1:4], T_S, ROWS[:, 4:]])
    assert len(read_imu(write(tmp_path, head, since_1970)).t_ns) == len(ROWS), "they count from other moments"


@pytest.mark.parametrize("marks", [("_left", "_right"), ("", "")])
def test_several_sensors_side_by_side_are_refused_until_one_is_named(tmp_path: Path, marks: tuple) -> None:
    head = ",".join(["t_ms", *(f"{name}{mark}" for mark in marks for name in AXES.split(","))])
    path = write(tmp_path, head, np.hstack([ROWS, ROWS[::-1, 1:]]))
    assert "acc x is there 2 times: ax" in (says := refused(path))
    assert '--imu-columns "NAME:time=... acc=... gyro=..."' in says
    assert read_imu(path, hints=SIX).found.startswith(f"time t_ms (ms), acc ax{marks[0]}")


def test_a_title_that_is_there_twice_names_no_column(tmp_path: Path) -> None:
    path = write(tmp_path, f"t_ms,{AXES},ax", np.hstack([ROWS, ROWS[:, :1]]))
    assert "several columns are called 'ax'; say its number: 2, 8" in refused(
        path, parse_columns("acc=ax,ay,az")
    )


@pytest.mark.parametrize("first", [True, False])
def test_what_is_filtered_or_raw_gives_way_to_what_is_neither(tmp_path: Path, first: bool) -> None:
    other = "ax_raw,ay_raw,az_raw"
    head = f"t_ms,{other},{AXES}" if first else f"t_ms,{AXES},{other}"
    raw = 4096 * ROWS[:, 1:4]
    rows = np.hstack([ROWS[:, :1], raw, ROWS[:, 1:]] if first else [ROWS, raw])
    assert "acc ax ay az (g)" in read_imu(write(tmp_path, head, rows)).found


@pytest.mark.parametrize("ids", [("left", "right"), ("1", "2")])
def test_several_sensors_below_each_other_are_refused(tmp_path: Path, ids: tuple[str, str]) -> None:
    rows = [[row[0], one, *row[1:]] for row in ROWS.tolist() for one in ids]
    says = refused(write(tmp_path, f"t_ms,Sensor ID,{AXES}", rows))
    assert f"several sensors (Sensor ID {ids[0]}, {ids[1]}); keep the rows of one" in says
    one = write(tmp_path, f"t_ms,Sensor ID,{AXES}", rows[::2])
    assert len(read_imu(one).t_ns) == len(ROWS)


def test_one_sensor_is_not_two(tmp_path: Path) -> None:
    path = write(tmp_path, f"t_ms,{AXES}", ROWS)
    files = Files(imus=(f"left={path}", f"right={path}"), pose=PoseOptions(model="none"))
    with pytest.raises(FileError, match=r"imu right: .*the same samples as imu left's; .*right:acc=\.\.\."):
        read_imus(files.sensors())


def test_a_file_without_a_header_is_read_by_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "", ROWS)
    assert '--imu-columns "time=... acc=... gyro=..."' in refused(path)
    assert len(read_imu(path, hints=SIX).t_ns) == len(ROWS)
    noted = write(tmp_path, '"# walking, slowly"', ROWS)
    assert len(read_imu(noted, hints=SIX).t_ns) == len(ROWS)


def test_columns_named_by_title_say_which_line_is_the_header(tmp_path: Path) -> None:
    path = write(tmp_path, "Subject: Anna,,,,,,\nZeit,p,q,r,u,v,w", np.column_stack([T_S, ROWS[:, 1:]]))
    hints = parse_columns("time=Zeit acc=p,q,r gyro=u,v,w")
    assert read_imu(path, hints=hints).found.startswith("time Zeit (s), acc p q r (g)")
    assert "no column 'nn'" in refused(path, parse_columns("time=Zeit acc=p,q,nn gyro=u,v,w"))


def test_half_a_file_says_to_join_it(tmp_path: Path) -> None:
    says = refused(write(tmp_path, "t_ms,ax,ay,az", ROWS[:, :4]))
    assert "GyroX" in says
    assert "in another file, sync takes both: --imu NAME=ACC.csv,GYRO.csv" in says


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f+02:00", "%H:%M:%S.%f"])
def test_dates_and_clock_times_are_read_past_midnight_too(tmp_path: Path, form: str) -> None:
    began = datetime(2026, 11, 22, 23, 59, 55)
    times = [(began + timedelta(seconds=t)).strftime(form) for t in T_S]
    found = read_imu(write(tmp_path, f"Timestamp,{AXES}", with_times(times)))
    np.testing.assert_allclose((found.t_ns - found.start_ns) * 1e-9, T_S, atol=2e-6)


@pytest.mark.parametrize("day", ["", "2026-11-22 ", "2026-11-22T"])
def test_minutes_and_seconds_of_one_digit_are_read(tmp_path: Path, day: str) -> None:
    began = datetime(2026, 11, 22, 10, 8, 54)
    at = [began + timedelta(seconds=t) for t in T_S]
    times = [f"{day}{one.hour}:{one.minute}:{one.second}.{f'{one:%f}'[:3]}" for one in at]
    found = read_imu(write(tmp_path, f"Time,{AXES}", with_times(times)))
    np.testing.assert_allclose((found.t_ns - found.start_ns) * 1e-9, T_S, atol=1.1e-3)
    assert found.bad_rows == 0


@pytest.mark.parametrize("hz", [15, 20, 30, 60, 100, 250])
def test_milliseconds_without_their_zeros_are_refused(tmp_path: Path, hz: int) -> None:
    """10:23:45.20 would be 20 ms, and most of a second's samples seem to come before it."""
    at = [datetime(2026, 11, 22, 10, 23, 45) + timedelta(seconds=n / hz) for n in range(len(ROWS))]
    times = [f"{one:%H:%M:%S}.{one.microsecond // 1000}" for one in at]
    says = refused(write(tmp_path, f"Time,{AXES}", with_times(times)))
    assert "rows have stamps before an earlier row's, the first at row" in says
    assert "write 10:15:30.020 for 20 ms" in says


@pytest.mark.parametrize(("share", "read"), [(0.07, True), (0.15, False)])
def test_a_few_rows_in_the_wrong_place_are_passed_over_and_many_are_not(
    tmp_path: Path, share: float, read: bool
) -> None:
    rows = ROWS.copy()
    swapped = np.arange(0, len(rows) - 1, round(1 / share))
    rows[swapped], rows[swapped + 1] = ROWS[swapped + 1], ROWS[swapped]
    path = write(tmp_path, f"t_ms,{AXES}", rows)
    if read:
        assert read_imu(path).bad_rows == len(swapped)
    else:
        assert f"{len(swapped)} of {len(rows)} rows have stamps before an earlier row's" in refused(path)


def test_packets_that_were_written_twice_are_read(tmp_path: Path) -> None:
    packets = [ROWS[n : n + 6] for n in range(0, len(ROWS), 6)]
    twice = np.concatenate([packet for packet in packets for _ in range(2)])
    assert len(np.unique(read_imu(write(tmp_path, f"t_ms,{AXES}", twice)).t_ns)) >= len(ROWS)


@pytest.mark.parametrize(
    ("title", "digits", "unit"),
    [("Time", 3, "s"), ("time_s", 3, "s"), ("Timestamp", 3, "ms"), ("t_ms", 3, "ms"), ("Time", 6, "us")],
)
@pytest.mark.parametrize("began", [(10, 23, 54), (10, 59, 55), (23, 59, 55), (0, 0, 53)])
def test_clock_times_run_together_to_one_number_have_no_gaps(
    tmp_path: Path, title: str, digits: int, unit: str, began: tuple[int, int, int]
) -> None:
    """102359.98 and then 102400.00; as seconds each minute would be 100 long."""
    times = run_together(T_S, began, digits, "." if unit == "s" else "")
    found = read_imu(write(tmp_path, f"{title},{AXES}", with_times(times)))
    np.testing.assert_allclose((found.t_ns - found.start_ns) * 1e-9, T_S, atol=1.1e-3)
    assert found.found.startswith(f"time {title} as HHMMSS (us)")
    assert found.bad_rows == 0


def run_together(times_s: np.ndarray, began: tuple[int, int, int], digits: int, point: str) -> list[object]:
    """Clock times such as 102359.980, or 102359980 without the ``point``."""
    at = [datetime(2026, 11, 22, *began) + timedelta(seconds=t) for t in times_s]
    return [f"{one:%H%M%S}{point}{f'{one:%f}'[:digits]}" for one in at]


@pytest.mark.parametrize("began_s", [102359.0, 102354.0, 30.0, 0.0])
@pytest.mark.parametrize("gap_s", [0, 20, 35, 45, 100])
def test_seconds_are_no_clock_times_whatever_their_digits(began_s: float, gap_s: float) -> None:
    """Nor those with a gap, unless it is just the one that clock times would have."""
    for length_s in (5.5, 50, 500):
        times = began_s + np.arange(0, length_s, 0.02)
        times[times > began_s + 5] += gap_s
        for per_s in (1, 1e3, 1e6):
            for own in (1, 1e3, 1e6):
                assert clock_text.run_together(times * own, per_s) is None


def test_clock_times_run_together_are_known_among_what_is_none() -> None:
    """Cells that are empty or infinite, a corrupted stamp, packets with one stamp each, rounded seconds."""
    at_s = np.arange(0, 70, 0.02)
    numbers = 102352 + at_s + 40 * (at_s >= 7.99) + 40 * (at_s >= 67.99)
    packets = numbers[np.arange(len(numbers)) // 40 * 40]
    rounded = np.where(np.isclose(numbers % 100, 0), numbers - 40, numbers)
    numbers[[5, 6, 7]] = np.nan, np.inf, 4_294_967_295
    for own in (numbers, packets, rounded):
        told = clock_text.run_together(own, 1)
        assert told is not None
        assert np.isnan(told[~np.isfinite(own)]).all()
        assert (told[-1] - told[0]) * 1e-6 == pytest.approx(70, abs=0.9)


def test_a_time_of_words_gives_way_to_one_of_numbers(tmp_path: Path) -> None:
    rows = [["noon", *row] for row in ROWS.tolist()]
    assert read_imu(write(tmp_path, f"Time,t_ms,{AXES}", rows)).found.startswith("time t_ms")


@pytest.mark.parametrize("time", ["20261122_101530_{:03.0f}", "2026112210{:07.0f}", "6377{:014.0f}"])
def test_what_looks_like_a_number_and_is_a_date_is_refused(tmp_path: Path, time: str) -> None:
    scale = {"2": 1e3, "6": 1e7}[time[0]]
    path = write(tmp_path, f"Timestamp,{AXES}", with_times([time.format(t * scale) for t in T_S]))
    assert "2026-11-22 10:15:30.5" in refused(path)


@pytest.mark.parametrize(
    ("title", "full", "per_s"), [("micros", 2**32, 1e6), ("millis", 2**16, 1e3), ("Time (s)", 86400, 1)]
)
def test_a_counter_that_was_full_goes_on(tmp_path: Path, title: str, full: int, per_s: float) -> None:
    times = [(full + (t - 3) * per_s) % full for t in T_S]
    found = read_imu(write(tmp_path, f"{title},{AXES}", with_times(times)))
    np.testing.assert_allclose((found.t_ns - found.t_ns[0]) * 1e-9, T_S - T_S[0], atol=1e-3)
    assert found.bad_rows == 0


def test_a_restart_early_on_is_refused_with_its_row(tmp_path: Path) -> None:
    times = [t + 100 if n < 100 else t for n, t in enumerate(T_S)]
    says = refused(write(tmp_path, f"Time (s),{AXES}", with_times(times)))
    assert "backwards at row 101 of numbers (Time (s)); split the file" in says


@pytest.mark.parametrize("title", ["Timestamp", "t"])
def test_a_counter_of_rows_is_no_time(tmp_path: Path, title: str) -> None:
    path = write(tmp_path, f"{title},{AXES}", with_times(list(range(len(ROWS)))))
    assert f"{title} goes up by 1 each time" in refused(path)
    assert len(read_imu(path, hints=parse_units("time=ms")).t_ns) == len(ROWS)


@pytest.mark.parametrize(
    ("title", "form"),
    [("t_s", ""), ("Time", "%H:%M:%S"), ("Time", "%Y-%m-%d %H:%M:%S")],
)
def test_whole_seconds_are_too_coarse(tmp_path: Path, title: str, form: str) -> None:
    began = datetime(2026, 11, 22, 23, 59, 55)
    times = [(began + timedelta(seconds=t)).strftime(form) or int(t) for t in T_S]
    assert "whole seconds" in refused(write(tmp_path, f"{title},{AXES}", with_times(times)))


@pytest.mark.parametrize(("step", "hz"), [(100, 100.0), (500, 20.0), (16667, 60.0), (8333, 120.0)])
def test_the_ticks_of_xsens_are_told_apart(tmp_path: Path, step: int, hz: float) -> None:
    path = write(tmp_path, f"SampleTimeFine,{AXES}", with_times([5000 + n * step for n in range(len(ROWS))]))
    assert rate_hz(read_imu(path).t_ns) == pytest.approx(hz, rel=1e-3)


def test_ticks_that_fit_no_usual_rate_are_not_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, f"Timestamp,{AXES}", with_times([round(t * 32768) for t in T_S]))
    assert "unit is unclear" in refused(path)


@pytest.mark.parametrize(
    "head",
    [
        "epoch (ms),ax,ay,az,wx,wy,wz,T",
        "T,AccX(g),AccY(g),AccZ(g),AsX(°/s),AsY(°/s),AsZ(°/s),Time (milliseconds)",
        "Elapsed Time (ms),Acceleration X,Acceleration Y,Acceleration Z,"
        "Angular velocity X,Angular velocity Y,Angular velocity Z,T(°)",
        "Shimmer_8E1C_Timestamp_Unix_CAL,Shimmer_8E1C_Accel_LN_X_CAL,Shimmer_8E1C_Accel_LN_Y_CAL,"
        "Shimmer_8E1C_Accel_LN_Z_CAL,Shimmer_8E1C_Gyro_X_CAL,Shimmer_8E1C_Gyro_Y_CAL,Shimmer_8E1C_Gyro_Z_CAL,T",
    ],
)
def test_titles_of_other_makers_are_known(tmp_path: Path, head: str) -> None:
    first = head.startswith("T,")
    warm = np.full((len(ROWS), 1), 25.0)
    rows = np.hstack([warm, ROWS[:, 1:], ROWS[:, :1]] if first else [ROWS, warm])
    found = read_imu(write(tmp_path, head, rows))
    assert found.t_ns[-1] * 1e-6 == pytest.approx(ROWS[-1, 0])
    assert found.units == "g, deg/s"


def test_spaces_may_stand_between_cells(tmp_path: Path) -> None:
    text = imu_text(ROWS, f"t_ms,{AXES}").replace(",", "   ")
    (tmp_path / "imu.txt").write_text(text)
    assert len(read_imu(tmp_path / "imu.txt").t_ns) == len(ROWS)


def test_rows_that_do_not_go_with_the_header_are_said_to(tmp_path: Path) -> None:
    assert len(read_imu(write(tmp_path, f"t_ms,{AXES},", ROWS)).t_ns) == len(ROWS)
    longer = [[n, *row] for n, row in enumerate(ROWS.tolist())]
    said = refused(write(tmp_path, f"t_ms,{AXES}", longer))
    assert "the rows have 8 cells, the header 7" in said
    assert "decimal" not in said


@pytest.mark.parametrize("quote", ["", '"'])
def test_decimal_commas_between_commas_are_named(quote: str, tmp_path: Path) -> None:
    rows = (",".join(f"{quote}{value:.3f}{quote}".replace(".", ",") for value in row) for row in ROWS)
    path = tmp_path / "imu.csv"
    path.write_text("\n".join([f"t_ms,{AXES}", *rows]))
    assert "decimal commas need a semicolon or a tab" in refused(path)


def test_a_clock_that_stands_still_is_named(tmp_path: Path) -> None:
    rows = np.column_stack([np.full(len(ROWS), 1.7e12), ROWS[:, 1:]])
    assert "t_ms is the same in every row" in refused(write(tmp_path, f"t_ms,{AXES}", rows))


@pytest.mark.parametrize(("per_g", "per_deg_s"), [(16384, 131), (4096, 32.8), (2048, 16.4)])
def test_raw_counts_are_called_so(tmp_path: Path, per_g: float, per_deg_s: float) -> None:
    counts = np.round(ROWS * [1, *[per_g] * 3, *[per_deg_s] * 3]).astype(int)
    assert "raw counts? divide" in refused(write(tmp_path, f"t_ms,{AXES}", counts))


KEYS = dict(zip(KEYPOINTS, np.linspace(100, 500, len(KEYPOINTS)), strict=True))  # y, from head to feet


def people(
    folder: Path, ids: tuple[str, ...] = (), title: str = "", y=lambda y: y, keys: tuple[str, ...] = KEYPOINTS
) -> Path:
    """Some seconds of somebody, or of all ``ids``."""
    head = ["time_s", *([title] if title else []), *(f"{key}_{axis}" for key in keys for axis in "xy")]
    rows = [
        [
            f"{n / 50:.2f}",
            *([one] if title else []),
            *(v for key in keys for v in (300 + n % 9, y(KEYS[key]))),
        ]
        for n in range(300)
        for one in ids or ("",)
    ]
    return write(folder, ",".join(head), rows)


def no_people(path: Path) -> str:
    with pytest.raises(FileError) as error:
        read_keypoints(path, whole=True)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("title", ["track_id", "person", "Person ID", "id", "instance"])
def test_several_people_are_refused_whatever_they_are_called(tmp_path: Path, title: str) -> None:
    assert f"several people ({title} anna, ben)" in no_people(people(tmp_path, ("anna", "ben"), title))
    assert len(read_keypoints(people(tmp_path, ("anna",), title)).t_ns) == 300


def test_rows_that_share_stamps_are_several_people_or_rounded(tmp_path: Path) -> None:
    assert "several rows for one stamp (time_s)" in no_people(people(tmp_path, ("anna", "ben")))
    path = people(tmp_path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows, *rows]))
    assert "several rows for one stamp (time_s)" in no_people(path)


def test_clock_times_run_together_are_read_with_keypoints_too(tmp_path: Path) -> None:
    path = people(tmp_path)
    head, *rows = path.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    own_s = np.array([float(row[0]) for row in cells])
    times = run_together(own_s, (10, 23, 57), 3, ".")
    path.write_text(
        "\n".join([head, *(",".join([str(t), *row[1:]]) for t, row in zip(times, cells, strict=True))])
    )
    found = read_keypoints(path)
    np.testing.assert_allclose((found.t_ns - found.start_ns) * 1e-9, own_s, atol=1e-6)
    assert found.found.startswith("time time_s as HHMMSS (us)")


def test_keypoints_at_minus_one_are_not_there(tmp_path: Path) -> None:
    path = people(tmp_path)
    head, *rows = path.read_text().splitlines()
    rows[7] = ",".join([rows[7].split(",")[0], *["-1"] * (2 * len(KEYPOINTS))])
    path.write_text("\n".join([head, *rows]))
    seen = read_keypoints(path).keypoints[..., 2] > 0
    assert not seen[7].any()
    assert seen.sum() == 299 * len(KEYPOINTS)


def test_a_picture_upside_down_is_remarked_on(tmp_path: Path) -> None:
    assert "does y grow downwards" in read_keypoints(people(tmp_path, y=lambda y: 1080 - y)).found
    assert "does y grow downwards" not in read_keypoints(people(tmp_path)).found


@pytest.mark.parametrize("count", [5, 9])
def test_too_little_of_a_body_is_refused(tmp_path: Path, count: int) -> None:
    path = people(tmp_path, keys=KEYPOINTS[:count])
    path.write_text(path.read_text().replace("right_eye", "r_eye"))
    says = no_people(path)
    assert f"{count - 1} of 17 keypoints" in says
    assert "not understood: r_eye_x, r_eye_y" in says


@pytest.mark.parametrize(("title", "known"), [("prob", True), ("s", True), ("z", False)])
def test_scores_are_known_by_more_names_and_others_named(tmp_path: Path, title: str, known: bool) -> None:
    path = people(tmp_path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},nose_{title}", *(f"{row},0.25" for row in rows)]))
    found = read_keypoints(path)
    assert found.keypoints[0, 0, 2] == (0.25 if known else 1.0)
    assert (f"not read: nose_{title}" in found.found) != known
