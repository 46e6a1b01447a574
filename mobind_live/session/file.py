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
from mcap.exceptions import InvalidMagic, McapError
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader
from zstandard import ZstdError

from mobind_live import __version__
from mobind_live.files.csv_table import FileError
from mobind_live.schema import SCHEMA, Received, SchemaError
from mobind_live.wire import decode, encode

_log = logging.getLogger(__name__)
NAME = "mobind-live"
ENCODING = "msgpack"
_CHUNK_BYTES = 1 << 20


class Entry(NamedTuple):
    """A message, and when it came in, in host time."""

    at_ns: int
    received: Received


class Writer:
    """A new session's file. What ``keep`` has seen to survives a crash of the machine; the rest of what was
    written, one of this process but for what came since.

    Raises FileError if the file is there already or cannot be written; what came before is in it then.
    """

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self.path = path
        self._channels: dict[str, int] = {}
        self._whole = True  # nothing failed to be written
        with self._faults():
            self._file = path.open("xb")
        self._mcap = mcap.writer.Writer(self._file, chunk_size=_CHUNK_BYTES)
        with self._faults():
            self._mcap.start(profile=NAME, library=f"{NAME} {__version__}")
            self._mcap.add_metadata(NAME, {"version": __version__, "schema": SCHEMA, **about})
            self.keep()

    def write(self, received: Received, now_ns: int) -> None:
        """Add a message that has come at ``now_ns``."""
        _, *frames = encode(
            received.message, seq=received.seq, boot_ns=received.boot_ns, sent_ns=received.sent_ns
        )
        data = msgpack.packb(frames)
        assert data is not None  # it is only where a stream is given
        with self._faults():
            if received.topic not in self._channels:
                self._channels[received.topic] = self._mcap.register_channel(received.topic, ENCODING, 0)
            channel = self._channels[received.topic]
            self._mcap.add_message(channel, now_ns, data, received.sent_ns, received.seq & 0xFFFFFFFF)

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
            with contextlib.suppress(OSError):
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


def entries(path: Path, *, again: bool = False) -> Iterator[Entry]:
    """Every message of a session in the order in which they came. A file that was never finished, or is
    damaged, is read as far as it goes, with a warning, if it is not read ``again``. Raises FileError if it
    is no session at all."""
    topics: dict[int, str] = {}
    begun = False
    try:
        with path.open("rb") as file:
            for record in StreamReader(file, validate_crcs=True).records:
                begun = True
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                elif isinstance(record, Message):
                    yield Entry(record.log_time, _decoded(path, topics[record.channel_id], record.data))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    except (McapError, ZstdError, struct.error) as error:
        if not begun or (isinstance(error, InvalidMagic) and not topics):
            raise FileError(f"{path}: not a recorded session (MCAP)") from error
        if not again:
            _log.warning("%s: ends in the middle (recorder killed, or disk full); read up to there", path)


def topics(path: Path) -> set[str]:
    """The topics of a session; at once, if it was finished. Raises FileError."""
    try:
        with path.open("rb") as file:
            summary = mcap.reader.SeekingReader(file).get_summary()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    except (McapError, struct.error):
        summary = None
    if summary is not None:
        return {channel.topic for channel in summary.channels.values()}
    return {entry.received.topic for entry in entries(path, again=True)}


def _decoded(path: Path, topic: str, data: bytes) -> Received:
    try:
        return decode([topic.encode(), *msgpack.unpackb(data)])
    except (SchemaError, ValueError, TypeError, msgpack.UnpackException) as error:
        raise FileError(f"{path}: {topic}: {error}") from error
