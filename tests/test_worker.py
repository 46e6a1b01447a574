"""The worker's loop."""

from __future__ import annotations

from test_wire import imu

from mobind_live.schema import Received
from mobind_live.worker import portions


def test_a_backlog_is_worked_through_piece_by_piece() -> None:
    batch = [Received(topic="", seq=n, boot_ns=0, sent_ns=0, size=0, message=imu()) for n in range(300)]
    pieces = list(portions(batch))
    assert max(len(piece) for piece in pieces) < 100
    assert [item for piece in pieces for item in piece] == batch
