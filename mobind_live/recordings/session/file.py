"""A session on disk: the messages of the bus as they came, in one MCAP file. The only file that knows MCAP.

The data of an MCAP message is a msgpack list: what followed the topic on the wire, the map first, then the
bytes of each array. Its times are host time, as every stamp inside is; the metadata record ``mobind-live``
says what the wall clock showed at the start. The messages lie in chunks of a second at most, each with a
checksum.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import mcap.reader
import mcap.writer
import msgpack
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata
from mcap.stream_reader import breakup_chunk
from zstandard import ZstdError

from mobind_live import __version__
from mobind_live.recordings.files.errors import FileError
from mobind_live.schema import SCHEMA, Received, SchemaError
from mobind_live.wire import decode, encode

_log = logging.getLogger(__name__)
NAME = "mobind-live"
ENCODING = "msgpack"
_MAGIC = b"\x89MCAP0\r\n"
_CHUNK_BYTES = 1 << 20
_HEAD = struct.Struct("<BQ")  # of each of MCAP's records: what it is, and its bytes
_OPCODES = frozenset(Opcode)
_U32, _U64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
# What the library raises for a file that ends too soon, or has other bytes in it than were written.
_DAMAGE = (McapError, ZstdError, struct.error, ValueError, LookupError, OverflowError, MemoryError)


class Packed(NamedTuple):
    """A message as it lies in the file, and when it was sent, in host time: a recorder that was held up
    got many at once."""

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
    """A message, and when it was sent, in host time."""

    at_ns: int
    received: Received


class _Ends(Exception):
    """There is nothing more to read; the text says why."""


class Writer:
    """A new session's file. What ``keep`` has seen to survives a crash of the machine; ``size`` is its bytes.

    Raises FileError if the file is there already, cannot be written, or is deleted meanwhile; but for that,
    what came before is in it then.
    """

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self.path = path
        self.size = 0
        self._channels: dict[str, int] = {}
        self._whole = True  # nothing failed to be written
        with self._faults():
            self._file = path.open("xb")
        self._named = self._names() > 0  # some file systems do not count
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
        """See to it that all that was written is on the disk, in a file that somebody can still open."""
        with self._faults():
            self._mcap.flush()
            self._to_disk()
        if self._named and not self._names():
            self._whole = False
            raise FileError(f"{self.path}: was deleted while it was written; what was recorded is gone")

    def _names(self) -> int:
        """How many names the file has; none once it was deleted."""
        return os.fstat(self._file.fileno()).st_nlink

    def _to_disk(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size = self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._whole:
                with self._faults():
                    self._mcap.finish()
                    self._to_disk()
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


def packed(path: Path, *, quiet: bool = False) -> Iterator[Packed]:
    """Every message of a session in the order in which they came. Of a file that was never finished, or is
    damaged, all that is whole is read, with a warning unless ``quiet``. Raises FileError if it is no session
    at all."""
    named = dict(_channels(path))  # the chunk that says it may be the one that is damaged
    unnamed = 0
    for record in _records(path, quiet=quiet):
        if isinstance(record, Channel):
            named[record.id] = record.topic
        elif isinstance(record, Message) and record.channel_id in named:
            yield Packed(record.publish_time, named[record.channel_id], record.data)
        elif isinstance(record, Message):
            unnamed += 1
    if unnamed and not quiet:
        _log.warning("%s: %d messages left out: what they are was said where it is damaged", path, unnamed)


def entries(path: Path, *, quiet: bool = False) -> Iterator[Entry]:
    """The same, unpacked. What another version has written and this one cannot read is left out, with a
    warning unless ``quiet``. Raises FileError."""
    refused: dict[str, int] = {}
    for item in packed(path, quiet=quiet):
        try:
            yield Entry(item.at_ns, item.unpacked())
        except SchemaError as error:
            refused[str(error)] = refused.get(str(error), 0) + 1
    for reason, count in refused.items():
        if not quiet:
            _log.warning("%s: %d messages left out: %s", path, count, reason)


def topics(path: Path) -> set[str]:
    """The topics of a session; at once, if it was finished. Raises FileError."""
    return set(_channels(path).values()) or {item.topic for item in packed(path, quiet=True)}


def about(path: Path) -> dict[str, str]:
    """What was noted at the session's start. Raises FileError."""
    found = (record.metadata for record in _records(path, quiet=True) if isinstance(record, Metadata))
    return next(found, {})


def _channels(path: Path) -> dict[int, str]:
    """The topic of each channel, as it says at the end of a file that was finished; of another, nothing."""
    with contextlib.suppress(OSError, *_DAMAGE), path.open("rb") as file:
        summary = mcap.reader.SeekingReader(file).get_summary()
        if summary is not None:
            return {channel.id: channel.topic for channel in summary.channels.values()}
    return {}


def _records(path: Path, *, quiet: bool) -> Iterator[McapRecord]:
    """What was noted, and what is in the chunks, but for those that are damaged."""
    damaged: list[float] = []  # how many seconds after the first message each was
    first_ns = last_ns = 0
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise FileError(f"{path}: not a recorded session (MCAP)")
            while True:
                try:
                    found = _parsed(*_record(file))
                except _Ends as end:
                    if str(end) and not quiet:
                        _log.warning("%s: %s; read up to there", path, end)
                    break
                except _DAMAGE:
                    damaged.append((last_ns - first_ns) * 1e-9)
                    continue
                for record in found:
                    if isinstance(record, Message):
                        first_ns, last_ns = first_ns or record.log_time, record.log_time
                    yield record
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    if damaged and not quiet:
        _log.warning(
            "%s: damaged; pieces of a second or less that were left out: %d, the first after %.1f s",
            path, len(damaged), damaged[0],
        )  # fmt: skip


def _record(file: BinaryIO) -> tuple[int, bytes]:
    """What the next record is, and its content. Raises _Ends behind the last."""
    at = file.tell()
    head = file.read(_HEAD.size)
    if len(head) == _HEAD.size:
        opcode, length = _HEAD.unpack(head)
        if opcode == Opcode.FOOTER:
            raise _Ends
        if opcode not in _OPCODES:
            raise _Ends(f"is damaged at byte {at}")
        if length <= os.fstat(file.fileno()).st_size - file.tell():
            return opcode, file.read(length)
    raise _Ends("ends in the middle (still recording, killed, or the disk was full)")


def _parsed(opcode: int, content: bytes) -> list[McapRecord]:
    """Raises what _DAMAGE names."""
    stream = ReadDataStream(BytesIO(content))
    if opcode == Opcode.CHUNK:
        return breakup_chunk(Chunk.read(stream), validate_crc=True)
    return [Metadata.read(stream)] if opcode == Opcode.METADATA else []
