"""Sessions: recorded as they came, readable whatever happened to the recorder, and taken out as tables."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import SeekingReader
from memory_bus import MemoryBus
from messages import EXAMPLES, binding, health, imu, offset
from rich.console import Console
from sessions import SECOND, lived, received, session
from terminals import Held

from mobind_live.bus import Proxy, Publisher, Subscriber
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.session import export, record
from mobind_live.recordings.session.file import Entry, Packed, Writer, entries, topics
from mobind_live.schema import Imu, Message, Preview, Received, SchemaError
from mobind_live.wire import encode

ENDPOINT = "tcp://127.0.0.1:5572"


def recorded(
    path: Path, messages: list[Message], *, previews: bool = False, at_end: Callable[[], object] = bool
) -> tuple[int, str]:
    """What the command returns and prints where the bus brings ``messages``; ``at_end``, then Ctrl-C."""
    bus, stop = MemoryBus(), threading.Event()
    subscriber, publisher = bus.subscriber(), bus.publisher()
    for message in messages:
        publisher.send(message)
    inner = subscriber.poll

    def poll(timeout_ms: int) -> list[Received]:
        if got := inner(timeout_ms):
            return got
        if not stop.is_set():
            at_end()
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


def test_the_envelope_is_kept_and_its_time_is_when_it_was_sent(tmp_path: Path) -> None:
    [entry] = entries(lived(tmp_path / "s.mcap", [(3, 5 * SECOND, health())], held_up_to_ns=9 * SECOND))
    assert entry == Entry(5 * SECOND, entry.received)
    assert (entry.received.seq, entry.received.boot_ns, entry.received.sent_ns) == (0, 3, 5 * SECOND)


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


def test_a_file_that_gets_another_name_meanwhile_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_KEEP_NS", 1 << 62)  # where the disk is slow it might be looked for

    def move() -> None:
        (tmp_path / "s.mcap").rename(tmp_path / "moved.mcap")

    code, text = recorded(tmp_path / "s.mcap", [imu()], at_end=move)
    size_mb = (tmp_path / "moved.mcap").stat().st_size / 1e6
    assert (code, f"1 messages in 0.0 s, {size_mb:.1f} MB" in text) == (0, True)
    assert len(list(entries(tmp_path / "moved.mcap"))) == 1
    code, _ = recorded(tmp_path / "s.mcap", [], at_end=lambda: (tmp_path / "s.mcap").unlink())
    assert code == 1


def test_a_terminal_that_takes_nothing_holds_up_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "_KEEP_NS", 0)
    path, screen, stop = tmp_path / "s.mcap", Held(), threading.Event()
    bus = MemoryBus()
    subscriber, publisher = bus.subscriber(), bus.publisher()
    publisher.send(imu())
    inner, kept = subscriber.poll, list[int]()

    def poll(timeout_ms: int) -> list[Received]:
        if not kept:
            screen.hold()
        elif len(kept) == 1:
            screen.tries.wait()
        elif len(kept) == 5:
            stop.set()
            screen.takes.set()
            return []
        kept.append(sum(1 for _ in entries(path, quiet=True)))
        publisher.send(imu())
        return inner(timeout_ms)

    subscriber.poll = poll  # type: ignore[method-assign]
    console = Console(file=screen, force_terminal=True, width=100)
    assert record.run(path, subscriber, ENDPOINT, stop, console) == 0
    assert kept == [0, 2, 3, 4, 5]


def test_a_file_that_is_deleted_meanwhile_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.mcap"

    def write(then: Callable[[], object]) -> None:
        with Writer(path, {}) as file:
            file.write(received(imu()), 1)
            then()
            file.keep()

    write(lambda: path.rename(tmp_path / "moved.mcap"))
    with pytest.raises(FileError, match=r"s\.mcap: was deleted while it was written"):
        write(path.unlink)


def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    with Writer(tmp_path / "s.mcap", {}) as file:
        file.write(received(imu()), 1)
        file.keep()
        assert file.size == file.path.stat().st_size
    assert file.size == file.path.stat().st_size


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


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A hundred seconds, each on the disk before the next."""
    with Writer(tmp_path / "s.mcap", {}) as file:
        for n in range(100):
            file.write(received(replace(imu(), stream=f"s{n // 50}"), n), (n + 1) * SECOND)
            file.keep()
    return tmp_path / "s.mcap"


def damage(path: Path, at: int, length: int = 1) -> None:
    whole = bytearray(path.read_bytes())
    whole[at : at + length] = bytes(byte ^ 0xFF for byte in whole[at : at + length])
    path.write_bytes(whole)


def inside(path: Path, second: int) -> int:
    """A byte of what was written in that second."""
    with path.open("rb") as file:
        summary = SeekingReader(file).get_summary()
    assert summary is not None
    return summary.chunk_indexes[second].chunk_start_offset + 100


def test_a_damaged_second_is_left_out_alone(long: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(long, inside(long, 12))
    damage(long, inside(long, 30))
    seqs = [entry.received.seq for entry in entries(long)]
    assert seqs == [n for n in range(100) if n not in (12, 30)]
    [said] = caplog.messages
    assert "s.mcap: damaged; pieces of a second or less that were left out: 2, the first after 11.0 s" in said
    caplog.clear()
    list(entries(long, quiet=True))
    assert not caplog.messages


def test_what_a_damaged_second_names_is_known_in_a_file_that_was_finished(long: Path) -> None:
    damage(long, inside(long, 0))
    assert [entry.received.seq for entry in entries(long)] == list(range(1, 100))


def test_what_cannot_be_told_apart_any_more_is_counted(long: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(long, inside(long, 0))
    long.write_bytes(long.read_bytes()[: inside(long, 90)])
    assert [entry.received.seq for entry in entries(long)] == list(range(50, 90))
    assert "49 messages left out: what they are was said where it is damaged" in caplog.text
    assert "ends in the middle" in caplog.text


def test_where_nothing_can_be_made_out_any_more_reading_ends(
    long: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at = inside(long, 33) - 100
    damage(long, at)
    assert [entry.received.seq for entry in entries(long)] == list(range(33))
    assert f"is damaged at byte {at}; read up to there" in caplog.text


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


@pytest.mark.parametrize("data", [b"\x01", b"\xc0", b"\x80", b"{}", b""])
def test_what_is_no_message_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(SchemaError, match="not a mobind-live message"):
        Packed(0, "v1/imu/a/", data).unpacked()


DOCS = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")
_TABLES, READER = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.5])
def test_the_documented_reader_reads_what_a_killed_recorder_left(
    share: float, long: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = long.read_bytes()
    (long.parent / "monday.mcap").write_bytes(whole[: round(share * len(whole))])
    monkeypatch.chdir(long.parent)
    exec(READER, {})
    known = [f"{e.received.topic} {e.received.seq}" for e in entries(Path("monday.mcap"))]
    assert capsys.readouterr().out.splitlines() == known
    assert len(known) > 40
