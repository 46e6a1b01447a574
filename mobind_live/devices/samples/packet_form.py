"""What a packet of binary samples holds, as a YAML section says it; ``packets.py`` reads them.

A packet is a header (perhaps), then one or more samples, then a checksum (perhaps).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from mobind_live.devices.samples.checksums import Name, size_of
from mobind_live.devices.samples.fields import Record, check_scale, factor, record_name
from mobind_live.devices.samples.names import MOTION, QUATERNION, time_unit
from mobind_live.devices.samples.units import TIME_NS, AccUnit, GyroUnit, TimeUnit
from mobind_live.section import Section


def _is_hex(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch(r"\s*([0-9A-Fa-f]{2}\s*)*", text):
        raise ValueError(f"{text!r} is not bytes in hex, in quotes, such as 'AA 55'")
    return text


Hex = Annotated[str, BeforeValidator(_is_hex)]


class RecordForm(Section):
    """A record: its struct ``format`` and a name for each of its values."""

    format: str
    fields: tuple[str, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        Record(self.format, self.fields)
        return self


# Told apart by what it looks like, so that errors are about the one that was meant.
SampleForm = Annotated[
    Annotated[RecordForm, Tag("one")] | Annotated[tuple[RecordForm, ...], Tag("several")],
    Discriminator(lambda sample: "several" if isinstance(sample, (list, tuple)) else "one"),
]


class PacketForm(Section):
    """What a packet holds. ``sample`` is repeated ``samples`` times, or as often as it fits; where it is a
    list, all of the first kind come before all of the second (three accelerations, three rates).

    ``begins``: the first bytes, in hex, of packets that hold samples; others are passed over. A stamp ``t``
    in the header is that of the ``stamp_of`` sample. ``seq`` counts packets, or samples if it is theirs; it
    stands in for stamps where there are none. ``time_bits``: where the device's clock wraps around, if not at
    the width of its field. ``trailing``: other bytes follow.
    """

    sample: SampleForm
    header: RecordForm | None = None
    samples: int | None = Field(default=None, ge=1)
    begins: Hex = ""
    trailing: bool = False
    checksum: Name | None = None
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    stamp_of: Literal["oldest", "newest"] = "oldest"
    scale: dict[str, float] = Field(default_factory=dict)
    acc: AccUnit = "g"
    gyro: GyroUnit = "deg/s"
    time: TimeUnit | None = None
    time_bits: int | None = Field(default=None, ge=8, le=64)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        check_scale(self.scale)
        fields = [record_name(name) for part in self.parts for name in part.fields if record_name(name)]
        if len(set(fields)) < len(fields):
            raise ValueError("a field is named in more than one place")
        if missing := [name for name in MOTION if name not in fields]:
            raise ValueError(f"sample must name {', '.join(MOTION)}; missing: {', '.join(missing)}")
        if self.header and self.records[0].names & {*MOTION, *QUATERNION}:
            raise ValueError("the header may name t and seq; what is measured belongs to the sample")
        if "seq" in fields and "seq" not in self.spans:
            raise ValueError("seq must be an unsigned integer (B, H, I, Q)")
        if self.trailing and (self.samples is None or self.checksum):
            raise ValueError("trailing needs a fixed number of samples, and no checksum")
        return self

    @property
    def parts(self) -> tuple[RecordForm, ...]:
        """The header, which may be empty, and what makes a sample."""
        samples = self.sample if isinstance(self.sample, tuple) else (self.sample,)
        return (self.header or RecordForm(format="", fields=()), *samples)

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(Record(part.format, part.fields, self.scale) for part in self.parts)

    @property
    def spans(self) -> dict[str, float]:
        """Where counters begin again, scaled."""
        found = {name: span for record in self.records for name, span in record.spans.items()}
        if self.time_bits is not None:
            found["t"] = 2**self.time_bits * factor("t", self.scale)
        return found

    @property
    def tick_ns(self) -> int | None:
        """What one of the device's stamps counts; None where it sends none."""
        stamps = (name for part in self.parts for name in part.fields if record_name(name) == "t")
        name = next(stamps, None)
        return None if name is None else TIME_NS[self.time or time_unit(name)]

    @property
    def clocked(self) -> bool:
        """Whether the device says when its samples were taken, be it only by counting them."""
        return self.tick_ns is not None or any("seq" in record.names for record in self.records)

    @property
    def size(self) -> int | None:
        """Bytes of a packet, or of what is read of it; None where the number of samples varies."""
        header, *each = (record.size for record in self.records)
        return None if self.samples is None else header + self.samples * sum(each) + self.tail

    @property
    def tail(self) -> int:
        """Bytes of the checksum: the last ones, little endian."""
        return size_of(self.checksum)
