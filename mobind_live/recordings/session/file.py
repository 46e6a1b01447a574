"""A session on disk: the messages of the bus as they came, in one MCAP file. The only file that knows MCAP.

The data of an MCAP message is a msgpack list: what followed the topic on the wire, the map first, then the
bytes of each array. Its times are host time, as every stamp inside is; the metadata record ``mobind-live``
says what the wall clock showed at the start.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import mcap.reader
import mcap.writer
import msgpack
from mcap.exceptions import McapError
from mcap.records import Channel, McapRecord, Message, Metadata
from mcap.stream_reader import StreamReader
from zstandard import ZstdError

from mobind_live import __version__
from mobind_live.recordings.files.errors import FileError
from mobind_live.schema import SCHEMA, Received, SchemaError
from mobind_live.wire import decode, encode

_log = logging.getLogger(__name__)
NAME = "mobind-live"
ENCODING = "msgpack"
_CHUNK_BYTES = 1 << 20
_U32, _U64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
# What the library raises for a file that ends too soon, or has other bytes in it than were written.
_DAMAGE = (McapError, ZstdError, struct.error, ValueError, LookupError, OverflowError, MemoryError)


class Packed(NamedTuple):
    """A message as it lies in the file, and when it came in, in host time."""

    at_ns: int
    topic: str
    data: bytes

    def unpacked(self) -> Received:
        """Raises SchemaError for what this version cannot read."""
        try:
            frames = msgpack.unpackb(self.data)
        except (ValueError, msgpack.UnpackException) as error:
            raise SchemaError(f"not a mobind-live message: {error}") from error
        if not isinstance(frames, list):
            raise SchemaError("not a mobind-live message")
        return decode([self.topic.encode(), *frames])


class Entry(NamedTuple):
    """A message, and when it came in, in host time."""

    at_ns: int
    received: Received


class Writer:
    """A new session's file. What ``keep`` has seen to survives a crash of the machine.

    Raises FileError if the file is there already or cannot be written; what came before is in it then.
    """

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self.path = path
        self._channels: dict[str, int] = {}
        self._whole = True  # nothing failed to be written
        with self._faults():
            self._file = path.open("xb")
        self._mcap = mcap.writer.Writer(self._file, chunk_size=_CHUNK_BYTES)
        try:
            with self._faults():
                self._mcap.start(profile=NAME, library=f"{NAME} {__version__}")
                self._mcap.add_metadata(NAME, {"version": __version__, "schema": SCHEMA, **about})
                self.keep()
        except FileError:
            self._close()
            path.unlink()
            raise

    def write(self, received: Received, now_ns: int) -> None:
        """Add a message that has come at ``now_ns``."""
        _, *frames = encode(
            received.message, seq=received.seq, boot_ns=received.boot_ns, sent_ns=received.sent_ns
        )
        data = msgpack.packb(frames)
        assert data is not None  # it is only where a stream is given
        sent_ns = max(0, received.sent_ns) & _U64
        with self._faults():
            if received.topic not in self._channels:
                self._channels[received.topic] = self._mcap.register_channel(received.topic, ENCODING, 0)
            channel = self._channels[received.topic]
            self._mcap.add_message(channel, now_ns, data, sent_ns, received.seq & _U32)

    def keep(self) -> None:
        """See to it that all that was written is on the disk."""
        with self._faults():
            self._mcap.flush()
            os.fsync(self._file.fileno())

    def size(self) -> int:
        """The file's bytes so far."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._whole:
                with self._faults():
                    self._mcap.finish()
                    self._file.flush()
                    os.fsync(self._file.fileno())
        finally:
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk takes what is left in the buffer no more than before
            self._file.close()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise FileError(f"{self.path}: is there already; a recording is never overwritten") from None
        except OSError as error:
            self._whole = False
            raise FileError(f"{self.path}: cannot be written: {error.strerror or error}") from error


def packed(path: Path, *, again: bool = False) -> Iterator[Packed]:
    """Every message of a session in the order in which they came. A file that was never finished, or is
    damaged, is read as far as it goes, with a warning, if it is not read ``again``. Raises FileError if it
    is no session at all."""
    topics: dict[int, str] = {}
    for record in _records(path, again=again):
        if isinstance(record, Channel):
            topics[record.id] = record.topic
        elif isinstance(record, Message) and record.channel_id in topics:
            yield Packed(record.log_time, topics[record.channel_id], record.data)


def entries(path: Path, *, again: bool = False) -> Iterator[Entry]:
    """The same, unpacked. What another version has written and this one cannot read is left out, with a
    warning, if it is not read ``again``. Raises FileError."""
    refused: dict[str, int] = {}
    for item in packed(path, again=again):
        try:
            yield Entry(item.at_ns, item.unpacked())
        except SchemaError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
    for reason, count in refused.items():
        if not again:
            _log.warning("%s: %d messages left out: %s", path, count, reason)


def topics(path: Path) -> set[str]:
    """The topics of a session; at once, if it was finished. Raises FileError."""
    with contextlib.suppress(OSError, *_DAMAGE), path.open("rb") as file:
        summary = mcap.reader.SeekingReader(file).get_summary()
        if summary is not None and summary.statistics is not None:
            return {channel.topic for channel in summary.channels.values()}
    return {item.topic for item in packed(path, again=True)}


def about(path: Path) -> dict[str, str]:
    """What was noted at the session's start. Raises FileError."""
    found = (record.metadata for record in _records(path, again=True) if isinstance(record, Metadata))
    return next(found, {})


def _records(path: Path, *, again: bool) -> Iterator[McapRecord]:
    begun = False
    try:
        with path.open("rb") as file:
            records = StreamReader(file, validate_crcs=True).records
            while True:
                try:
                    record = next(records, None)
                except _DAMAGE as error:
                    if not begun:
                        raise FileError(f"{path}: not a recorded session (MCAP)") from error
                    if not again:
                        _log.warning(
                            "%s: ends in the middle (still recording, killed, or the disk was full); "
                            "read up to there",
                            path,
                        )
                    return
                if record is None:
                    return
                begun = True
                yield record
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
