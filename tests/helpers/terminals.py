"""A terminal that takes nothing."""

from __future__ import annotations

import io
import threading


class Held(io.StringIO):
    """An output that takes nothing for a while: a terminal after Ctrl-S, a link that hangs, a pager."""

    def __init__(self) -> None:
        super().__init__()
        self.tries, self.takes = threading.Event(), threading.Event()
        self.takes.set()

    def write(self, text: str) -> int:
        self.tries.set()
        self.takes.wait()
        return super().write(text)

    def hold(self) -> None:
        self.tries.clear()
        self.takes.clear()
