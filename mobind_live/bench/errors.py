"""What the user of the bench can cause."""

from __future__ import annotations

from mobind_live.models.errors import ModelError


class BenchError(ModelError):
    """What was asked for cannot be done; the text is one line."""
