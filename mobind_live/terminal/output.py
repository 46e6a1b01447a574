"""The base of all that shows a running rig: keeps what came, hears the log, draws anew now and then."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

from mobind_live.clock import host_now_ns
from mobind_live.schema import Received
from mobind_live.terminal import words
from mobind_live.terminal.view import RigView

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class Output(ABC):
    """Where what happens on a rig is shown: feed it about ten times a second. It shows ``view`` every
    ``every_ns``, first at once or, if it is to ``wait``, after that time. While it is entered, what is logged
    goes to ``handlers``."""

    def __init__(
        self, view: RigView, handlers: Sequence[logging.Handler], *, every_ns: int, wait: bool = False
    ) -> None:
        self.view = view
        self._handlers = handlers
        self._every_ns = every_ns
        self._next_ns = view.started_ns + every_ns if wait else 0
        self._fed_ns = 0

    def __enter__(self) -> Self:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        for handler in self._handlers:
            handler.setFormatter(logging.Formatter(_FORMAT))
            root.addHandler(handler)
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        for handler in self._handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()

    def feed(self, batch: Sequence[Received]) -> None:
        """Take in ``batch``; show it if it is time to."""
        now_ns = self._fed_ns = host_now_ns()
        self.view.feed(batch, now_ns)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + self._every_ns
            self._show(now_ns)

    @abstractmethod
    def _show(self, now_ns: int) -> None: ...

    def _begin(self) -> None:  # noqa: B027, nothing to do is the rule
        """Before the first feed."""

    def _end(self) -> None:  # noqa: B027
        """After the last feed, or if there was none."""


class Notes(logging.Handler):
    """Each log line from ``level`` on, clean, to ``tell(level, text)``: written to the terminal as it is, it
    would tear what is drawn there."""

    def __init__(self, level: int, tell: Callable[[int, str], None]) -> None:
        super().__init__(level)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.levelno, words.clean(record.getMessage()))
