"""How binary frames are told apart in a stream of bytes, as a YAML section says it; makes the framing.

``frames.py`` and ``headers.py`` do the work; what a frame holds is said by a record or a packet.
"""

from __future__ import annotations

import struct
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from mobind_live.devices.samples.checksums import Name
from mobind_live.devices.samples.framing import Framing
from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.packet_form import Hex
from mobind_live.devices.serial.frames import SLIP_END, Seal, cobs, slip
from mobind_live.devices.serial.headers import Headed, Length
from mobind_live.section import Section

LONGEST = 4096


class LengthForm(Section):
    """A length inside the frame: an integer of the struct ``format`` (B, <H, >H) at byte ``at``, to which
    ``plus`` is added for the whole frame, header and checksum counted."""

    at: int = Field(ge=1, le=64)
    format: Literal["B", "<H", ">H"] = "B"
    plus: int = Field(default=0, ge=0, le=256)
    most: int = Field(default=512, ge=4, le=LONGEST)


# Told apart by what it looks like, so that errors are about the one that was meant.
AnyLength = Annotated[
    Annotated[int, Tag("bytes")] | Annotated[LengthForm, Tag("inside")],
    Discriminator(lambda length: "bytes" if isinstance(length, (int, str, float)) else "inside"),
]


class FrameForm(Section):
    """``by: header``: frames begin with ``header`` and have a ``length``, in bytes, or where it is found.
    ``slip`` and ``cobs``: a byte that is nowhere inside ends each frame (``end`` if SLIP's is another).

    Then come a ``checksum`` of the bytes from ``checksum_from`` on, and ``footer``. Bytes are written in hex.
    ``begins``: with what the frames that hold samples begin; if there are several, each sample is spread
    over one frame of each, in this order. Others are passed over.
    """

    by: Literal["header", "slip", "cobs"] = "header"
    header: Hex = ""
    length: AnyLength | None = None
    end: Hex | None = None
    checksum: Name | None = None
    checksum_from: int = Field(default=0, ge=0, le=64)
    checksum_order: Literal["little", "big"] = "little"
    footer: Hex = ""
    begins: tuple[Hex, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.by != "header":
            if self.header or self.length is not None or self.footer:
                raise ValueError(f"header, length and footer are for by: header, not for {self.by}")
        elif not self.header or self.length is None:
            raise ValueError("header (bytes in hex) and length are needed, or by: slip or cobs")
        if self.end is not None and (self.by != "slip" or len(bytes.fromhex(self.end)) != 1):
            raise ValueError("end is one byte in hex, and for by: slip only")
        if self.checksum_from and not self.checksum:
            raise ValueError("checksum_from needs a checksum")
        if isinstance(self.length, int) and not self._least <= self.length <= LONGEST:
            raise ValueError(
                f"length {self.length}: header and checksum need {self._least}, {LONGEST} at most"
            )
        starts = [bytes.fromhex(start) for start in self.begins]
        if any(a is not b and b.startswith(a) for a in starts for b in starts):
            raise ValueError("begins: one of them is the beginning of another")
        return self

    @property
    def seal(self) -> Seal:
        return Seal(self.checksum, self.checksum_from, self.checksum_order, bytes.fromhex(self.footer))

    @property
    def _least(self) -> int:
        """Bytes that the smallest frame has."""
        inside = self.length
        last = inside.at + struct.calcsize(inside.format) if isinstance(inside, LengthForm) else 0
        return max(len(bytes.fromhex(self.header)), last, self.checksum_from) + self.seal.size

    @property
    def size(self) -> int | None:
        """Bytes of a sample's frames together, checksums left out; None where that is not known."""
        if not isinstance(self.length, int):
            return None
        return (self.length - self.seal.size) * max(1, len(self.begins))

    def framing(self) -> Framing:
        if self.by == "cobs":
            return cobs(self.seal)
        if self.by == "slip":
            return slip(self.seal, bytes.fromhex(self.end)[0] if self.end else SLIP_END)
        inside = self.length
        if isinstance(inside, LengthForm):
            length = Length(inside.plus, inside.format, inside.at, max(1, self._least), inside.most)
        else:
            length = Length(inside or 0)
        return Headed(bytes.fromhex(self.header), length, self.seal)


class Join:
    """Picks the frames that begin as ``begins`` says, and joins those that make one sample, in that order."""

    def __init__(self, begins: tuple[str, ...]) -> None:
        self._begins = [bytes.fromhex(start) for start in begins] or [b""]
        self._parts: list[bytes] = []

    def __call__(self, frame: bytes) -> bytes | None:
        """The bytes of a sample that ``frame`` completes. Raises BadLine for one that lacks a frame."""
        part = next((i for i, start in enumerate(self._begins) if frame.startswith(start)), None)
        if part is None:
            return None
        have, self._parts = self._parts, []
        if part == len(have):
            self._parts = [*have, frame]
        elif part == 0:
            self._parts = [frame]
        if have and part != len(have):
            raise BadLine(f"a sample without its frame {self._begins[len(have)].hex(' ')}")
        if len(self._parts) < len(self._begins):
            return None
        whole, self._parts = b"".join(self._parts), []
        return whole
