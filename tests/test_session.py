"""Sessions: recorded as they came, readable whatever happened to the recorder, and taken out as tables."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from test_wire import EXAMPLES, binding, health, imu, offset, pose

from mobind_live.bus import MemoryBus, Proxy, Publisher, Subscriber
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.recordings import read_imu
from mobind_live.recordings.session import export, record
from mobind_live.recordings.session.file import Entry, Packed, Writer, entries, topics
from mobind_live.schema import Imu, Message, Pose, Preview, Received, SchemaError, Verdict
from mobind_live.wire import decode, encode

SECOND = 1_000_000_000
ENDPOINT = "tcp://127.0.0.1:5572"


def received(message: Message, seq: int = 0) -> Received:
    frames = encode(message, seq=seq, boot_ns=1, sent_ns=2)
    return decode(frames)


def session(path: Path, messages: list[Message], first_ns: int = 5 * SECOND) -> Path:
    """A session of ``messages``, one each millisecond."""
    return timed(path, [(first_ns + n * 1_000_000, message) for n, message in enumerate(messages)])


def timed(path: Path, messages: list[tuple[int, Message]], boot_ns: int = 1) -> Path:
    """A session of messages, each with the time at which it came."""
    with Writer(path, {"wall_clock": "2026-11-22T10:00:00+00:00", "host_ns": "0"}) as file:
        for n, (at_ns, message) in enumerate(messages):
            file.write(replace(received(message, n), boot_ns=boot_ns), at_ns)
    return path


def recorded(path: Path, messages: list[Message], *, previews: bool = False) -> tuple[int, str]:
    """What the command returns and prints when the bus brings ``messages``."""
    bus, stop = MemoryBus(), threading.Event()
    subscriber, publisher = bus.subscriber(), bus.publisher()
    for message in messages:
        publisher.send(message)
    inner = subscriber.poll

    def poll(timeout_ms: int) -> list[Received]:
        if got := inner(timeout_ms):
            return got
        stop.set()
        return []

    subscriber.poll = poll  # type: ignore[method-assign]
    console = Console(file=io.StringIO(), width=200)
    code = record.run(path, subscriber, ENDPOINT, stop, console, previews=previews)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def same(one: Message, other: Message) -> bool:
    """Whether they are alike once ``other`` has been on the wire, too."""
    return encode(one, seq=0, boot_ns=0, sent_ns=0) == encode(
        received(other).message, seq=0, boot_ns=0, sent_ns=0
    )


def test_every_message_comes_out_as_it_came_in(tmp_path: Path) -> None:
    code, text = recorded(tmp_path / "s.mcap", list(EXAMPLES))
    kept = [message for message in EXAMPLES if not isinstance(message, Preview)]
    got = list(entries(tmp_path / "s.mcap"))
    assert all(same(e.received.message, m) for e, m in zip(got, kept, strict=True))
    assert (code, topics(tmp_path / "s.mcap")) == (0, {message.topic for message in kept})
    assert f"{len(kept)} messages" in text


def test_pictures_are_recorded_only_if_asked_for(tmp_path: Path) -> None:
    recorded(tmp_path / "s.mcap", list(EXAMPLES), previews=True)
    kinds = [type(entry.received.message) for entry in entries(tmp_path / "s.mcap")]
    assert Preview in kinds


def test_the_envelope_and_the_times_are_kept(tmp_path: Path) -> None:
    [entry] = entries(session(tmp_path / "s.mcap", [health()]))
    assert entry == Entry(5 * SECOND, entry.received)
    assert (entry.received.seq, entry.received.boot_ns, entry.received.sent_ns) == (0, 1, 2)


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [health()])
    before = path.read_bytes()
    with pytest.raises(FileError, match="is there already"):
        recorded(path, [imu()])
    assert path.read_bytes() == before


def test_where_nothing_comes_there_is_no_file(tmp_path: Path) -> None:
    code, text = recorded(tmp_path / "s.mcap", [])
    assert code == 1
    assert "nothing came" in text
    assert not list(tmp_path.iterdir())


def test_what_was_sent_before_the_end_is_recorded(tmp_path: Path) -> None:
    """Ctrl-C while the disk was slow: thousands wait to be read."""
    stop = threading.Event()
    stop.set()
    with (
        Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy,
        Subscriber(("v1/",), proxy.subscribe_endpoint, record.QUEUE) as subscriber,
        Publisher(proxy.publish_endpoint, wait_for_reader_ms=10_000) as publisher,
    ):
        for _ in range(6_000):
            publisher.send(health())
        record.run(tmp_path / "s.mcap", subscriber, ENDPOINT, stop, Console(file=io.StringIO()))
    assert [entry.received.seq for entry in entries(tmp_path / "s.mcap")] == list(range(6_000))


def test_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    code, text = recorded(tmp_path / "x[b].mcap", [imu()])
    assert (code, "x[b].mcap: 1 messages" in text.replace("\n", "")) == (0, True)
    export.run(tmp_path / "x[b].mcap", tmp_path / "t[anna]", Console(file=io.StringIO()))


def test_what_was_missed_is_said(tmp_path: Path) -> None:
    bus, stop = MemoryBus(), threading.Event()
    subscriber = bus.subscriber()
    for seq in (0, 1, 5):
        bus.put(encode(imu(), seq=seq, boot_ns=1, sent_ns=2))
    bus.put([b"v1/imu/left/", b"\xc1"])
    stop_soon = threading.Timer(0.5, stop.set)
    stop_soon.start()
    console = Console(file=io.StringIO(), width=200)
    record.run(tmp_path / "s.mcap", subscriber, ENDPOINT, stop, console)
    stop_soon.join()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "v1/imu/left/: 3 of 6 messages missed" in text
    assert "1 messages could not be read" in text


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.99])
def test_a_cut_file_is_read_as_far_as_it_goes(
    share: float, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Writer(tmp_path / "s.mcap", {}) as file:
        for n in range(300):
            file.write(received(imu(), n), n)
            if n % 20 == 0:
                file.keep()
    whole = (tmp_path / "s.mcap").read_bytes()
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole[: round(share * len(whole))])
    seqs = [entry.received.seq for entry in entries(cut)]
    assert seqs == list(range(len(seqs)))
    assert len(seqs) > 200 * share
    assert "ends in the middle" in caplog.text
    assert topics(cut) == {"v1/imu/left/"}


def test_one_wrong_byte_is_no_crash(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [imu(), offset(), binding(), health()] * 20)
    whole = path.read_bytes()
    for place in range(9, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        for read in (lambda: list(entries(path)), lambda: topics(path)):
            with contextlib.suppress(FileError):
                read()


def test_what_another_version_wrote_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = session(tmp_path / "s.mcap", [imu(), health(), imu()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mobind_live.wire._types", lambda: {"imu": Imu})
        assert len(list(entries(path))) == 2
    assert "1 messages left out: unknown message type 'health'" in caplog.text


def test_a_damaged_file_is_read_up_to_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "s.mcap"
    with Writer(path, {}) as file:
        for n in range(100):
            file.write(received(imu(), n), n)
            file.keep()
    damaged = bytearray(path.read_bytes())
    third = len(damaged) // 3
    damaged[third : third + 500] = bytes(500)
    path.write_bytes(damaged)
    seqs = [entry.received.seq for entry in entries(path)]
    assert seqs == list(range(len(seqs)))
    assert 10 < len(seqs) < 100
    assert "ends in the middle" in caplog.text


@pytest.mark.parametrize("content", [b"", b"x", b"time_s,nose_x\n0,1\n" * 100, bytes(500)])
def test_what_is_no_session_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.mcap"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"s\.mcap: not a recorded session"):
        list(entries(path))


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_one_line_and_loses_nothing_of_before(tmp_path: Path) -> None:
    path = tmp_path / "s.mcap"
    rng = np.random.default_rng(0)

    def fill() -> None:
        with Writer(path, {}) as file:
            for n in range(10_000):
                noise = rng.standard_normal((200, 3)).astype(np.float32)
                message = replace(
                    imu(200, quaternion=False), acc_m_s2=noise, gyro_rad_s=noise, stream=f"s{n % 3}"
                )
                file.write(received(message, n), n)
                file.keep()

    with (
        no_file_longer_than(100_000),
        pytest.raises(FileError, match=r"s\.mcap: cannot be written: File") as e,
    ):
        fill()
    assert "\n" not in str(e.value)
    seqs = [entry.received.seq for entry in entries(path)]
    assert len(seqs) > 20
    assert seqs == list(range(len(seqs)))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_command_ends_well_and_killed_keeps_what_it_had(
    how: signal.Signals, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.mcap"
    with Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        words = ["-m", "mobind_live", "record", str(path), "--connect", proxy.subscribe_endpoint]
        recorder = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        sent = kept = 0
        with Publisher(proxy.publish_endpoint, wait_for_reader_ms=60_000) as publisher:
            while kept < 10:  # what is in the file, while the recorder goes on
                publisher.send(imu())
                sent += 1
                threading.Event().wait(0.01)
                if path.exists() and path.stat().st_size > 500:
                    kept = sum(1 for _ in entries(path))
        os.kill(recorder.pid, how)
        out, _ = recorder.communicate(timeout=60)
    seqs = [entry.received.seq for entry in entries(path)]
    assert len(seqs) >= kept
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    if how == signal.SIGINT:
        caplog.clear()
        assert list(entries(path))
        assert "ends in the middle" not in caplog.text
        assert (recorder.returncode, f"{len(seqs)} messages" in out) == (0, True)


# Tables


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


START = 100 * SECOND


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


def test_samples_have_their_time_in_each_camera(exported: Path) -> None:
    rows = table(exported / "imu_left.csv")
    ahead = [round(float(row["t_s"]) - float(row["t_front_s"]), 5) for row in rows]
    assert ahead == [0.25] * 50 * 10 + [0.5] * 50 * 10


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


def test_people_have_a_name_while_a_sensor_is_surely_on_them(exported: Path) -> None:
    rows = [row for row in table(exported / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == [""] * 4 + ["anna"] * 7 + [""] * 9
    assert rows[0]["nose_score"] == "1"
    assert not any(row["wearer"] for row in table(exported / "cam_front.csv") if row["track"] == "0")


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
    with Writer(tmp_path / "s.mcap", {}) as file:
        for boot_ns, messages in ((1, before), (2, [*after[:1], at(6, worn), *after[1:]])):
            for at_ns, message in messages:
                file.write(replace(received(message), boot_ns=boot_ns), at_ns)
    export.run(tmp_path / "s.mcap", tmp_path / "t", Console(file=io.StringIO()))
    rows = [row for row in table(tmp_path / "t" / "cam_front.csv") if row["track"] == "1"]
    assert [row["wearer"] for row in rows] == ["", "", "", "anna"]


def test_media_time_that_runs_ahead_does_not_mislead(tmp_path: Path) -> None:
    """At rate 4 stamps run ahead of the answers' times; what came together belongs together."""
    near = replace(offset(), reference_ns=START, offset_s=0.25, rate_ppm=0.0)
    data = [at((s + 1) / 4, felt(s)) for s in range(20)]
    said = [at(2.2, near), at(2.9, replace(near, offset_s=0.5))]
    messages = sorted([at(0, seen(0)), *said, *data], key=lambda item: item[0])
    export.run(timed(tmp_path / "s.mcap", messages), tmp_path / "t", Console(file=io.StringIO()))
    rows = table(tmp_path / "t" / "imu_left.csv")
    ahead = [round(float(row["t_s"]) - float(row["t_front_s"]), 5) for row in rows]
    assert ahead == [0.25] * 50 * 10 + [0.5] * 50 * 10


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


def test_an_empty_session_is_said_and_leaves_no_folder(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [])
    with pytest.raises(FileError, match="nothing was recorded"):
        export.run(path, tmp_path / "tables", Console(file=io.StringIO()))
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("data", [b"\x01", b"\xc0", b"\x80", b"{}", b""])
def test_what_is_no_message_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(SchemaError, match="not a mobind-live message"):
        Packed(0, "v1/imu/a/", data).unpacked()
