"""``mobind-live eval``: how good the network is on recordings whose answers are known."""

from __future__ import annotations

from mobind_live.models.evaluate.command import Request, run

__all__ = ["Request", "run"]
