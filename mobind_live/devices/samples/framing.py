"""The border between a stream of bytes and what is in it: frames, and what cuts them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mobind_live.devices.samples.limits import BadLine


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame without its checksum, and when its last byte came.

    ``whole`` is False for what came before the first separator: it was perhaps cut off where the port was
    opened.
    """

    data: bytes
    received_ns: int
    whole: bool = True


class Framing(Protocol):
    """``bad_bytes`` counts the bytes of what was given out as BadLine."""

    bad_bytes: int

    def feed(self, data: bytes, received_ns: int) -> Iterator[Frame | BadLine]:
        """What ``data`` completes, in order; to be read to its end."""
        ...
