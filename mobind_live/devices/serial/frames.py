"""Framing: bytes in any portions to whole frames, by what separates them: ends of lines, SLIP or COBS.

``headers.py`` has the other kind, frames that begin with a header. Nothing here knows what is in a frame.
Memory is bounded, nothing raises, and whatever belongs to no good frame comes out as a BadLine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from mobind_live.devices.samples.checksums import CHECKSUMS, Name, size_of
from mobind_live.devices.samples.framing import Frame
from mobind_live.devices.samples.limits import BadLine

LINE_BYTES = 2048  # a line or frame longer than this is garbage
SLIP_END, SLIP_ESCAPE, SLIP_ESCAPED_END, SLIP_ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD


@dataclass(frozen=True, slots=True)
class Seal:
    """What ends a frame and proves it whole: a checksum of its bytes from ``start`` on, then ``footer``."""

    checksum: Name | None = None
    start: int = 0
    order: Literal["little", "big"] = "little"
    footer: bytes = b""

    @property
    def size(self) -> int:
        return size_of(self.checksum) + len(self.footer)

    def open(self, frame: bytes) -> bytes:
        """``frame`` without its seal. Raises BadLine if that is broken."""
        body = len(frame) - self.size
        if body < self.start or not frame.endswith(self.footer):
            raise BadLine("does not end as it should" if self.footer else "too short")
        given = frame[body : body + size_of(self.checksum)]
        if self.checksum and not CHECKSUMS[self.checksum].holds(frame[self.start : body], given, self.order):
            raise BadLine("wrong checksum")
        return frame[:body]


class Delimited:
    """Frames with a separator between them. What is too long for a frame is one bad frame."""

    def __init__(
        self,
        separator: re.Pattern[bytes],
        unpack: Callable[[bytes], bytes],
        seal: Seal | None = None,
    ) -> None:
        """``unpack`` undoes the escapes of a frame, raising BadLine if there is no such frame."""
        self._separator, self._unpack, self._seal = separator, unpack, seal or Seal()
        self._rest = b""
        self._skipping = False  # inside a frame that is too long
        self._first = True
        self.bad_bytes = 0

    def feed(self, data: bytes, received_ns: int) -> Iterator[Frame | BadLine]:
        *pieces, self._rest = self._separator.split(self._rest + data)
        for piece in pieces:
            if self._skipping:
                self._skipping = False
                self.bad_bytes += len(piece)
            elif len(piece) > LINE_BYTES:
                yield self._too_long(piece)
            elif piece or self._first:
                yield from self._frame(piece, received_ns)
            self._first = False
        if len(self._rest) > LINE_BYTES:
            bad = self._too_long(self._rest)
            if not self._skipping:
                yield bad
            self._rest, self._skipping = b"", True

    def _frame(self, piece: bytes, received_ns: int) -> Iterator[Frame | BadLine]:
        try:
            frame = self._seal.open(self._unpack(piece))
            if frame:
                yield Frame(frame, received_ns, not self._first)
        except BadLine as error:
            if not self._first:
                self.bad_bytes += len(piece)
                yield BadLine(f"{error}: {piece[:24].hex(' ')}")

    def _too_long(self, piece: bytes) -> BadLine:
        self.bad_bytes += len(piece)
        return BadLine(f"longer than {LINE_BYTES} bytes without an end; is the baud rate right?")


def lines() -> Delimited:
    """Lines of text, ended by CR, LF or both."""
    return Delimited(re.compile(rb"[\r\n]+"), lambda line: line)


def slip(seal: Seal, end: int = SLIP_END) -> Delimited:
    """SLIP, RFC 1055; ``end`` where a device ends its frames with another byte."""
    return Delimited(re.compile(re.escape(bytes([end]))), lambda frame: unslip(frame, end), seal)


def cobs(seal: Seal) -> Delimited:
    """Consistent overhead byte stuffing, a zero at each frame's end."""
    return Delimited(re.compile(rb"\0"), uncobs, seal)


def unslip(data: bytes, end: int = SLIP_END) -> bytes:
    """The frame that SLIP made ``data`` of. Raises BadLine for an escape that there is not."""
    first, *rest = data.split(bytes([SLIP_ESCAPE]))
    meant = {SLIP_ESCAPED_END: end, SLIP_ESCAPED_ESCAPE: SLIP_ESCAPE}
    if not all(part and part[0] in meant for part in rest):
        raise BadLine("a wrong SLIP escape")
    return first + b"".join(bytes([meant[part[0]]]) + part[1:] for part in rest)


def uncobs(data: bytes) -> bytes:
    """The frame that COBS made ``data`` of, which has no zeros. Raises BadLine if it is cut off."""
    frame = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        if at + code > len(data):
            raise BadLine("a COBS frame that is cut off")
        frame += data[at + 1 : at + code]
        at += code
        if code < 0xFF and at < len(data):
            frame.append(0)
    return bytes(frame)
