"""Sessions taken out as tables: every sample with its time in each camera, every person with their name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from messages import EXAMPLES, binding, imu, offset, pose
from rich.console import Console
from sessions import SECOND, lived, received, session, timed

from mobind_live.bus import TopicCount
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.session import export
from mobind_live.recordings.session.file import Entry, Writer
from mobind_live.recordings.session.lookup import Lookup
from mobind_live.schema import Imu, Message, Pose, Preview, Verdict


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


START = 100 * SECOND
PREVIEW = next(message for message in EXAMPLES if isinstance(message, Preview))


def felt(second: int, quaternion: bool = False) -> Imu:
    """A second of a sensor that hardly moves, from ``second`` on."""
    given = imu(50, quaternion)
    return replace(
        given,
        acc_m_s2=(0.1 * given.acc_m_s2 + np.array([0, 0, 9.81])).astype(np.float32),
        gyro_rad_s=0.1 * given.gyro_rad_s,
        t_ns=START + second * SECOND + np.arange(50, dtype=np.int64) * SECOND // 50,
    )


def seen(second: int) -> Pose:
    return replace(pose(), t_ns=START + second * SECOND)


def at(second: float, message: Message) -> tuple[int, Message]:
    return START + round(second * SECOND), message


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Twenty seconds of a sensor that is 0.25 s ahead of the camera, from second 10 on 0.5 s; on anna from
    second 5 to second 12."""
    near = replace(offset(), reference_ns=START, offset_s=0.25, rate_ppm=0.0)
    far, unsure = replace(near, offset_s=0.5), replace(near, offset_s=9.0, verdict=Verdict.AMBIGUOUS)
    worn = replace(binding(), wearer="anna", tracks={"front": 1}, wearer_verdict=Verdict.OK)
    off = replace(worn, tracks={}, wearer="", wearer_verdict=Verdict.UNBOUND)
    said = [at(8, unsure), *(at(s, worn) for s in (5, 8, 11)), at(12, off)]
    said += [at(s, far if s > 9 else near) for s in (4, 6, 9, 11, 13)]
    data = [at(s + 1, m) for s in range(20) for m in (felt(s), seen(s))]
    path = timed(tmp_path / "s.mcap", sorted([*said, *data], key=lambda item: item[0]))
    export.run(path, tmp_path / "tables", Console(file=io.StringIO(), width=200))
    return tmp_path / "tables"


def ahead(folder: Path) -> list[float | None]:
    """By how much the sensor's samples are ahead of the camera's, one of each message; None if that is not
    said."""
    rows = table(folder / "imu_left.csv")
    return [
        round(float(row["t_s"]) - float(row["t_front_s"]), 5) if row["t_front_s"] else None
        for row in rows[::50]
    ]


def tables(path: Path) -> tuple[Path, str]:
    """The tables of a session, and what is said of them."""
    console = Console(file=io.StringIO(), width=200)
    export.run(path, path.parent / "tables", console)
    return path.parent / "tables", console.file.getvalue()  # type: ignore[attr-defined]


def test_samples_have_their_time_in_each_camera_but_where_the_offset_stepped(exported: Path) -> None:
    assert ahead(exported) == [0.25] * 9 + [None] + [0.5] * 10


NEAR = replace(offset(), reference_ns=START, offset_s=0.25, rate_ppm=0.0)
FAR = replace(NEAR, offset_s=0.5)


def data(seconds: range) -> list[tuple[int, Message]]:
    return [at(s + 0.5, m) for s in seconds for m in (felt(s), seen(s))]


def by_time(messages: list[tuple[int, Message]]) -> list[tuple[int, Message]]:
    return sorted(messages, key=lambda item: item[0])


def test_a_step_is_said_once_with_its_stretch(tmp_path: Path) -> None:
    said = [at(3, NEAR), *(at(s, replace(NEAR, held_s=s - 3.0)) for s in range(4, 12)), at(12, FAR)]
    folder, text = tables(timed(tmp_path / "s.mcap", by_time([*data(range(20)), *said])))
    assert ahead(folder) == [0.25] * 3 + [None] * 9 + [0.5] * 8
    line = (
        "imu_left.csv: t_front_s is empty from t_s 2.5 to 11.5, where the offset stepped by +0.250 s; it may "
    )
    assert text.count("stepped") == text.count(line) == 1
    assert "front (550 rows)" in text


def test_an_offset_that_is_held_on_to_aligns(tmp_path: Path) -> None:
    held = [at(s, replace(NEAR, held_s=s - 3.0)) for s in range(4, 20)]
    folder, text = tables(timed(tmp_path / "s.mcap", by_time([*data(range(20)), at(3, NEAR), *held])))
    assert ahead(folder) == [0.25] * 20
    assert "stepped" not in text


def test_an_offset_of_the_run_before_is_not_used(tmp_path: Path) -> None:
    first = [(1, *item) for item in by_time([*data(range(10)), at(8, NEAR)])]
    second = [(2, *item) for item in by_time([*data(range(12, 25)), at(22, FAR)])]
    folder, text = tables(lived(tmp_path / "s.mcap", [*first, *second]))
    assert ahead(folder) == [0.25] * 10 + [0.5] * 13
    assert "stepped" not in text


def test_a_run_without_an_offset_is_not_aligned_by_another_one(tmp_path: Path) -> None:
    first = [(1, *item) for item in by_time([*data(range(10)), at(8, NEAR)])]
    second = [(2, *item) for item in data(range(12, 20))]
    folder, text = tables(lived(tmp_path / "s.mcap", [*first, *second]))
    assert ahead(folder) == [0.25] * 10 + [None] * 8
    assert "front (500 rows)" in text


@pytest.mark.parametrize("anew", [Imu, Pose])
def test_an_offset_is_of_one_life_of_its_sensor_and_its_camera(anew: type[Message], tmp_path: Path) -> None:
    messages = by_time([*data(range(20)), at(8, NEAR)])
    lives = [(2 if isinstance(m, anew) and t > START + 10 * SECOND else 1, t, m) for t, m in messages]
    assert ahead(tables(lived(tmp_path / "s.mcap", lives))[0]) == [0.25] * 10 + [None] * 10


def test_a_worker_that_began_anew_changes_no_clock(tmp_path: Path) -> None:
    slightly = replace(NEAR, offset_s=0.27)
    lives = [(1, *item) for item in [*data(range(20)), at(4, NEAR)]]
    messages = sorted([*lives, (2, *at(16, slightly))], key=lambda item: item[1])
    assert ahead(tables(lived(tmp_path / "s.mcap", messages))[0]) == [0.25] * 10 + [0.27] * 10


def test_while_no_camera_is_there_the_nearest_offset_counts(tmp_path: Path) -> None:
    """As when a rig begins: sensors are there long before the first frame."""
    frames = [at(s, seen(s)) for s in (0, 20)]
    samples = [at(s + 0.5, felt(s)) for s in range(10, 21)]
    first, *rest = by_time([*frames, *samples, at(21, NEAR)])
    lives = [(1, *first), *((2, *item) for item in rest)]
    assert ahead(tables(lived(tmp_path / "s.mcap", lives))[0]) == [0.25] * 11


def test_a_recorder_that_was_held_up_changes_nothing(tmp_path: Path) -> None:
    anna = replace(binding(), wearer="anna", tracks={"front": 1}, wearer_verdict=Verdict.OK)
    ben = replace(anna, wearer="ben")
    said = [at(s, m) for s in range(1, 20) for m in ((anna, NEAR) if s < 10 else (ben, FAR))]
    path = timed(tmp_path / "s.mcap", by_time([*data(range(20)), *said]), START + 18 * SECOND)
    folder, _ = tables(path)
    assert ahead(folder) == [0.25] * 9 + [None] + [0.5] * 10
    rows = [row for row in table(folder / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == ["", *["anna"] * 9, *["ben"] * 10]


def test_the_tables_of_sensors_can_be_given_to_sync(exported: Path) -> None:
    found = read_imu(exported / "imu_left.csv")
    assert len(found.t_ns) == 1000
    assert found.acc_m_s2[:50] == pytest.approx(felt(0).acc_m_s2, rel=1e-5)
    assert found.gyro_rad_s[:50] == pytest.approx(felt(0).gyro_rad_s, rel=1e-5)
    assert set(np.diff(found.t_ns).tolist()) == {SECOND // 50}


def test_orientation_is_there_if_the_sensor_has_it(tmp_path: Path) -> None:
    messages = [at(s + 1, felt(s, quaternion=True)) for s in range(6)]
    export.run(timed(tmp_path / "s.mcap", messages), tmp_path / "t", Console(file=io.StringIO()))
    first = table(tmp_path / "t" / "imu_left.csv")[0]
    assert float(first["quat_w"]) == pytest.approx(felt(0, quaternion=True).quaternion[0, 0], rel=1e-5)
    assert len(read_imu(tmp_path / "t" / "imu_left.csv").t_ns) == 300


def test_orientation_that_comes_later_has_its_columns_from_the_start(tmp_path: Path) -> None:
    messages = [at(s + 1, felt(s, quaternion=s > 2)) for s in range(6)]
    export.run(timed(tmp_path / "s.mcap", messages), tmp_path / "t", Console(file=io.StringIO()))
    rows = table(tmp_path / "t" / "imu_left.csv")
    assert [row["quat_w"] != "" for row in rows] == [False] * 150 + [True] * 150
    assert len(read_imu(tmp_path / "t" / "imu_left.csv").t_ns) == 300


def test_what_is_recorded_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is switched on, and orientation, between the export's two readings."""
    first = [at(s + 1, m) for s in range(3) for m in (felt(s), seen(s))]
    since = [at(s + 1, m) for s in range(3, 6) for m in (felt(s, True), replace(seen(s), stream="side"))]
    path, longer = timed(tmp_path / "s.mcap", first), timed(tmp_path / "longer.mcap", [*first, *since])
    both = export._answers

    def go_on(every: Iterator[Entry], *made: Any) -> tuple[Lookup, dict[str, TopicCount]]:
        found = both(every, *made)
        longer.replace(path)
        return found

    monkeypatch.setattr(export, "_answers", go_on)
    folder, _ = tables(path)
    with (folder / "imu_left.csv").open() as file:
        assert [len(row) for row in csv.reader(file)] == [8] * (1 + 3 * 50)
    assert sorted(one.name for one in folder.glob("cam_*")) == ["cam_front.csv"]


def test_people_have_a_name_while_a_sensor_is_surely_on_them(exported: Path) -> None:
    rows = [row for row in table(exported / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == [""] * 4 + ["anna"] * 7 + [""] * 9
    assert rows[0]["nose_score"] == "1"
    assert not any(row["wearer"] for row in table(exported / "cam_front.csv") if row["track"] == "0")


def test_a_frame_in_which_nobody_is_seen_has_a_row(tmp_path: Path) -> None:
    """Unlike a camera that sends nothing."""
    nobody = replace(
        seen(1), track_ids=np.empty(0, np.int32), boxes=np.empty((0, 4), np.float32),
        keypoints=np.empty((0, 17, 3), np.float32),
    )  # fmt: skip
    folder, _ = tables(timed(tmp_path / "s.mcap", [at(1, seen(0)), at(2, nobody), at(3, seen(2))]))
    people = len(seen(0).track_ids)
    assert [row["people"] for row in table(folder / "frames_front.csv")] == [str(people), "0", str(people)]
    assert len(table(folder / "cam_front.csv")) == 2 * people


def test_a_name_ends_with_the_answers(tmp_path: Path) -> None:
    """As where the worker has died."""
    worn = replace(binding(), wearer="anna", tracks={"front": 1}, wearer_verdict=Verdict.OK)
    path = timed(tmp_path / "s.mcap", [at(1, seen(1)), at(2, worn), *(at(s, seen(s)) for s in range(3, 30))])
    export.run(path, tmp_path / "t", Console(file=io.StringIO()))
    rows = [row for row in table(tmp_path / "t" / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == ["", *["anna"] * 5, *[""] * 22]


def test_a_track_of_a_camera_that_was_restarted_is_somebody_else(tmp_path: Path) -> None:
    worn = replace(binding(), wearer="anna", tracks={"front": 1}, wearer_verdict=Verdict.OK)
    before, after = [at(s, seen(s)) for s in (1, 2)], [at(s, seen(s)) for s in (5, 7)]
    lives = [*((1, *item) for item in before), *((2, *item) for item in (after[0], at(6, worn), after[1]))]
    lived(tmp_path / "s.mcap", lives)
    export.run(tmp_path / "s.mcap", tmp_path / "t", Console(file=io.StringIO()))
    rows = [row for row in table(tmp_path / "t" / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == ["", "", "", "anna"]


def test_media_time_that_runs_ahead_does_not_mislead(tmp_path: Path) -> None:
    """At rate 4 stamps run ahead of the answers' times; what came together belongs together."""
    samples = [at((s + 1) / 4, felt(s)) for s in range(20)]
    messages = by_time([at(0, seen(0)), at(2.55, NEAR), at(2.7, FAR), *samples])
    assert ahead(tables(timed(tmp_path / "s.mcap", messages))[0]) == [0.25] * 10 + [0.5] * 10


def test_answers_have_tables_too(exported: Path) -> None:
    verdicts = [row["verdict"] for row in table(exported / "offsets.csv")]
    assert verdicts == ["ok", "ok", "ambiguous", "ok", "ok", "ok"]
    assert [row["wearer"] for row in table(exported / "bindings.csv")] == ["anna"] * 3 + [""]
    assert json.loads((exported / "session.json").read_text())["t_0"] == "2026-11-22T10:01:41+00:00"


def test_a_sensor_without_an_offset_has_no_time_in_the_camera(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [imu(), pose()])
    console = Console(file=io.StringIO(), width=200)
    export.run(path, tmp_path / "tables", console)
    assert [row["t_front_s"] for row in table(tmp_path / "tables" / "imu_left.csv")] == ["", "", ""]
    assert "no camera: no offset was ok" in console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_in_a_folder_is_never_overwritten(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not empty"):
        export.run(tmp_path / "s.mcap", exported, Console(file=io.StringIO()))


@pytest.mark.parametrize("there", [True, False], ids=["an empty folder", "no folder"])
def test_an_export_that_is_interrupted_leaves_nothing(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables cut short look like whole ones."""
    path, folder = session(tmp_path / "s.mcap", [imu(), pose()]), tmp_path / "tables"
    if there:
        folder.mkdir()

    def interrupted(*_: object) -> None:
        assert list(folder.rglob("*.csv"))
        assert not list(folder.glob("*.csv"))
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "_noted", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export.run(path, folder, Console(file=io.StringIO()))
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())


def test_what_the_recorder_missed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.mcap"
    with Writer(path, {}) as file:
        for seq in (0, 1, 2, 7, 9):
            sent = received(felt(seq), seq)
            file.write(sent, sent.sent_ns)
            file.write(received(PREVIEW, 10 * seq), sent.sent_ns)  # of which only the newest are kept
    folder, text = tables(path)
    assert [line for line in text.splitlines() if "not in the session" in line] == [
        "v1/imu/left/: 5 of 10 messages are not in the session"
    ]
    assert json.loads((folder / "session.json").read_text())["missed"] == {"v1/imu/left/": 5}


def test_of_a_whole_session_nothing_is_missing(exported: Path) -> None:
    assert json.loads((exported / "session.json").read_text())["missed"] == {}


def test_an_empty_session_is_said_and_leaves_no_folder(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [])
    with pytest.raises(FileError, match="nothing was recorded"):
        export.run(path, tmp_path / "tables", Console(file=io.StringIO()))
    assert not (tmp_path / "tables").exists()
