"""A thread that prints, so that nobody who records or watches over a rig waits for a terminal.

One may take nothing for long: stopped by Ctrl-S, or at the end of a link that hangs.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Self


class Painter:
    """Does what it is given, one after the other. Of more than ``most`` that wait the oldest are left out and
    counted in ``left_out``. On leaving it waits until all is printed, as any program does: the work is done
    by then. Nobody minds a terminal that is gone."""

    def __init__(self, most: int) -> None:
        self.left_out = 0
        self._most = most
        self._waiting: deque[Callable[[], object]] = deque()
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="painter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def put(self, print_it: Callable[[], object]) -> None:
        """Have ``print_it`` called when its turn comes. Never waits."""
        with self._changed:
            self._waiting.append(print_it)
            if len(self._waiting) > self._most:
                self._waiting.popleft()
                self.left_out += 1
            self._changed.notify()

    def _run(self) -> None:
        while print_it := self._next():
            with suppress(OSError):
                print_it()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return self._waiting.popleft() if self._waiting else None


class PaintedLines(logging.Handler):
    """Log lines to ``inner``, by a painter; those that it had to leave out are said to be missing."""

    def __init__(self, inner: logging.Handler, painter: Painter) -> None:
        super().__init__()
        self._inner, self._painter, self._said = inner, painter, 0

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        self._inner.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        self._painter.put(partial(self._print, record))

    def _print(self, record: logging.LogRecord) -> None:
        self._inner.emit(record)
        left_out, self._said = self._painter.left_out - self._said, self._painter.left_out
        if left_out:
            text = f"{left_out} lines are left out before this one: the output took none meanwhile"
            self._inner.emit(logging.makeLogRecord({"levelname": "WARNING", "msg": text}))
