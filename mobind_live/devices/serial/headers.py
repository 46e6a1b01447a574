"""Framing: bytes in any portions to frames that begin with a header and have a length, fixed or inside.

After damage the search goes on one byte behind the false header, so that no more is lost than what
was damaged. Nothing here knows what is in a frame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from mobind_live.devices.samples.framing import Frame
from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.serial.frames import Seal


@dataclass(frozen=True, slots=True)
class Length:
    """How long a frame is, in all: ``plus`` bytes, and if there is a ``format``, the number at ``at`` more.

    A frame that says it is shorter than ``least`` or longer than ``most`` is none.
    """

    plus: int
    format: str = ""
    at: int = 0
    least: int = 1
    most: int = 2048

    def of(self, buffer: bytearray, start: int) -> int | None:
        """Bytes of the frame at ``start``: 0 if it cannot be one, None if that is not known yet."""
        if not self.format:
            return self.plus
        where = start + self.at
        if where + struct.calcsize(self.format) > len(buffer):
            return None
        size = struct.unpack_from(self.format, buffer, where)[0] + self.plus
        return size if self.least <= size <= self.most else 0


class Headed:
    """Frames that begin with ``header``. Those without a seal are believed only if another follows.

    A run of bad bytes counts as the number of frames that it has room for. What comes before the first
    header was cut off where the port was opened, and is not bad unless there is more than a frame of it.
    """

    def __init__(self, header: bytes, length: Length, seal: Seal) -> None:
        self._header, self._length, self._seal = header, length, seal
        self._buffer = bytearray()
        self._start = 0  # of the buffer in the stream
        self._usual = length.least if length.format else length.plus
        self._counted = self._trusted = (length.most if length.format else length.plus) - 1
        self._chained = -1  # where the frame after the last good one begins
        self._whole = (-1, 0)  # the frame that waits to be believed, and when it was complete
        self.bad_bytes = 0

    def feed(self, data: bytes, received_ns: int) -> Iterator[Frame | BadLine]:
        self._buffer += data
        at = 0
        while True:
            found = self._buffer.find(self._header, at)
            if found < 0:
                found = max(at, len(self._buffer) - len(self._header) + 1)
            yield from self._skip(at, found, "no frame begins here")
            at = found
            if at + len(self._header) > len(self._buffer):
                break
            try:
                frame = self._frame(at, received_ns)
            except BadLine as error:
                yield from self._skip(at, at + 1, str(error))
                at += 1
                continue
            if frame is None:
                break
            yield frame
            at += self._usual
            self._counted = self._trusted = 0
            self._chained = self._start + at
        del self._buffer[:at]
        self._start += at

    def _frame(self, at: int, received_ns: int) -> Frame | None:
        """The frame at ``at``, None if it is not all there yet. Raises BadLine if it is none."""
        size = self._length.of(self._buffer, at)
        if size == 0:
            raise BadLine("says an impossible length")
        if size is None or at + size > len(self._buffer):
            return None
        if not self._seal.size:
            if self._whole[0] != self._start + at:
                self._whole = (self._start + at, received_ns)
            if not self._believed(at, at + size):
                return None
            received_ns = self._whole[1]
        body = self._seal.open(bytes(self._buffer[at : at + size]))
        self._usual = size
        return Frame(body, received_ns)

    def _believed(self, at: int, end: int) -> bool:
        """Whether another frame follows this one, False if that is not known yet. Raises BadLine if not."""
        after = self._buffer[end : end + len(self._header)]
        if after == self._header:
            return True
        if self._header.startswith(after):
            return False
        # Either this frame is cut short, and the next header lies inside it, or it is the next that is bad.
        cut = self._buffer.find(self._header, at + 1, end + len(self._header) - 1) >= 0
        if cut or self._chained != self._start + at:
            raise BadLine("no other frame follows it")
        return True

    def _skip(self, at: int, to: int, reason: str) -> Iterator[BadLine]:
        """Count the bytes ``at`` .. ``to`` as bad, and as one frame for each that they have room for."""
        at, to = self._start + at, self._start + to
        self.bad_bytes += max(0, to - max(at, self._trusted))
        while max(at, self._counted) < to:
            at = max(at, self._counted)
            shown = self._buffer[at - self._start :][:24]
            self._counted = at + self._usual
            yield BadLine(f"{reason}: {shown.hex(' ')}")
