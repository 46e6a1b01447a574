"""Units and columns told from gravity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from takes import imu_text, take

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.files.hints import Hints, parse_columns, parse_units
from mobind_live.recordings.files.imu import read_imu

SECONDS = 12.0
ROWS = take({"arm": ("left_forearm", 0.0), "chest": ("chest", 0.0)}, SECONDS, seed=5).imus


def write(path: Path, rows: np.ndarray, header: str = "t,ax,ay,az,gx,gy,gz") -> Path:
    path.write_text(imu_text(rows, header))
    return path


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("acc", ACC_M_S2)
@pytest.mark.parametrize("gyro", ["deg/s", "rad/s"])  # mdeg/s must be said
@pytest.mark.parametrize("time", TIME_NS)
def test_units_that_nobody_names_are_told(name: str, acc: str, gyro: str, time: str, tmp_path: Path) -> None:
    scale = np.array(
        [1e6 / TIME_NS[time], *[ACC_M_S2["g"] / ACC_M_S2[acc]] * 3, *[np.pi / 180 / GYRO_RAD_S[gyro]] * 3]
    )
    file = read_imu(write(tmp_path / "imu.csv", ROWS[name] * scale))
    assert file.units == f"{acc}, {gyro}"
    assert (file.t_ns[-1] - file.t_ns[0]) * 1e-9 == pytest.approx(SECONDS, abs=0.3)


@given(seed=st.integers(0, 1000))
def test_the_mounting_changes_nothing(seed: int) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    rows = ROWS["arm"]
    t_ns = np.round(rows[:, 0] * 1e6).astype(np.int64)
    acc, gyro = rows[:, 1:4] @ turn.T, rows[:, 4:] @ turn.T
    assert plausible.rest(acc, t_ns).gravity_unit == "g"
    assert plausible.gyro_unit(acc * ACC_M_S2["g"], gyro, t_ns) == "deg/s"
    assert not plausible.swapped(plausible.rest(acc, t_ns), plausible.rest(gyro, t_ns))
    assert plausible.swapped(plausible.rest(gyro, t_ns), plausible.rest(acc, t_ns))


def test_one_wild_stamp_costs_one_row(tmp_path: Path) -> None:
    rows = ROWS["arm"].copy()
    rows[100, 0] += 4_294_967
    file = read_imu(write(tmp_path / "imu.csv", rows))
    assert file.bad_rows == 1
    assert len(file.t_ns) == len(rows) - 1


@pytest.mark.parametrize("gyro", ["deg/s", "rad/s"])
@pytest.mark.parametrize(("column", "value"), [(1, -32768.0), (2, 1e39), (4, 1e5), (5, -1e39), (6, 1e300)])
def test_one_corrupted_number_costs_one_row_and_misleads_nobody(
    column: int, value: float, gyro: str, tmp_path: Path
) -> None:
    rows = ROWS["arm"].copy()
    rows[:, 4:] *= np.pi / 180 / GYRO_RAD_S[gyro]
    rows[300, column] = value
    file = read_imu(write(tmp_path / "imu.csv", rows))
    assert (file.units, file.bad_rows, len(file.t_ns)) == (f"g, {gyro}", 1, len(rows) - 1)
    assert np.abs(file.acc_m_s2).max() < 200
    assert np.abs(file.gyro_rad_s).max() < 40


@pytest.mark.parametrize(
    ("scale", "said", "unit"),
    [
        (1.0, "", "deg/s"),
        (np.pi / 180, "", "rad/s"),
        (1000.0, "mdeg/s", "mdeg/s"),
        (1000.0, "", ""),
        (1.0, "rad/s", ""),
    ],
)
def test_a_gyroscope_at_rest_does_not_turn_gravity(
    scale: float, said: str, unit: str, tmp_path: Path
) -> None:
    """Acceleration in m/s2 does not make it one in rad/s; it is off by 2 deg/s, as many are."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.arange(0, 10_000, 20), rng.normal(0, 0.02, (500, 6))])
    rows[:, 1:4] += (0.0, 9.81, 0.5)
    rows[:, 4:] = (rows[:, 4:] * 10 + (0.0, 1.0, -2.0)) * scale
    path = write(tmp_path / "imu.csv", rows)
    if unit:
        assert read_imu(path, hints=Hints(gyro_unit=said)).units == f"m/s2, {unit}"
    else:
        with pytest.raises(FileError, match=r"gravity as deg/s would, not as rad/s|faster than gravity"):
            read_imu(path, hints=Hints(gyro_unit=said))


def test_units_in_which_hardly_a_row_can_be_measured_are_refused(tmp_path: Path) -> None:
    rows = ROWS["arm"][:200] * np.array([1, 1, 1, 1, 1e5, 1e5, 1e5])
    with pytest.raises(FileError, match=r"no sensor measures most of these rows in g, deg/s"):
        read_imu(write(tmp_path / "imu.csv", rows))


def test_time_counts_from_the_first_row_even_if_it_lacks_a_number(tmp_path: Path) -> None:
    rows = ROWS["arm"].copy()
    rows[:5, 3] = np.nan
    file = read_imu(write(tmp_path / "imu.csv", rows))
    assert file.start_ns == 0
    assert file.t_ns[0] == round(rows[5, 0] * 1e4) * 100
    assert file.bad_rows == 5


def test_packets_out_of_order_are_no_restart(tmp_path: Path) -> None:
    rows = ROWS["arm"].copy()
    rows[[200, 205]] = rows[[205, 200]]
    assert read_imu(write(tmp_path / "imu.csv", rows)).bad_rows == 5


def test_a_restart_is_refused(tmp_path: Path) -> None:
    rows = ROWS["arm"].copy()
    rows[300:, 0] -= 3000
    with pytest.raises(FileError, match="run backwards at row 301"):
        read_imu(write(tmp_path / "imu.csv", rows))


def test_what_the_user_says_goes_before_what_holds_for_all() -> None:
    everywhere = parse_columns("time=1 acc=2,3,4").over(parse_units("acc=g gyro=deg/s"))
    own = parse_units("acc=m/s2").over(everywhere)
    assert own == Hints(time="1", acc=("2", "3", "4"), acc_unit="m/s2", gyro_unit="deg/s")


@pytest.mark.parametrize("text", ["", "acc", "speed=1", "time=", 'time="1'])
def test_hints_that_say_nothing_are_refused(text: str) -> None:
    if text:
        with pytest.raises(HintError, match="--imu-columns"):
            parse_columns(text)
    else:
        assert parse_columns(text) == Hints()


@pytest.mark.parametrize("names", [("arm", "chest"), ("chest", "arm", "leg")])
def test_rows_of_several_sensors_in_turn_are_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever a column calls them, and if none does: their gravity goes to and fro."""
    worn = {"arm": ("left_forearm", 0.0), "chest": ("chest", 0.0), "leg": ("right_shank", 0.0)}
    imus = take(worn, SECONDS, seed=5).imus
    count = min(len(imus[name]) for name in names)
    mixed = np.stack([imus[name][:count] for name in names], axis=1).reshape(-1, 7)
    with pytest.raises(
        FileError, match=f"its rows are of {len(names)} sensors in turn; keep the rows of one"
    ):
        read_imu(write(tmp_path / "imu.csv", mixed))


@pytest.mark.parametrize("every", [1, 2, 5])
def test_one_sensor_takes_no_turns_however_seldom_it_is_read(every: int) -> None:
    for rows in ROWS.values():
        assert plausible.in_turn(rows[::every, 1:4]) == 1
    still = np.random.default_rng(0).normal((0, 0, 1), 0.002, (500, 3))
    assert plausible.in_turn(still) == plausible.in_turn(np.zeros((500, 3))) == 1
    assert plausible.in_turn(still[:2]) == 1
