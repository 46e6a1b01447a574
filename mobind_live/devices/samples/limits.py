"""What cannot be a sample: how a decoder says so, and what no worn sensor can measure."""

from __future__ import annotations

MOST_M_S2, MOST_RAD_S = 5000.0, 500.0  # beyond these a number is corrupted


class BadLine(ValueError):
    """A line, a frame or a packet that is no sample; the text says why."""


class HeaderError(Exception):
    """The device's header line contradicts the YAML; the text says how."""
