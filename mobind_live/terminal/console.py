"""The terminal of a running rig: a live table, or the same as lines where there is no terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TextIO

from rich import console as rich_console
from rich.live import Live

from mobind_live.clock import host_now_ns
from mobind_live.driver import StreamSpec
from mobind_live.terminal.lines import lines
from mobind_live.terminal.output import Notes, Output
from mobind_live.terminal.painter import PaintedLines, Painter
from mobind_live.terminal.table import render
from mobind_live.terminal.view import Note, RigView

_log = logging.getLogger(__name__)
TABLE_EVERY_NS = 500_000_000
LINES_EVERY_NS = 5_000_000_000
_MOST_LINES = 10_000


class LiveTable(Output):
    """The table, redrawn twice a second on the terminal's other screen; the last one stays on the first.
    What is logged becomes notes below it."""

    def __init__(self, view: RigView, log: Path | None, terminal: rich_console.Console | None = None) -> None:
        super().__init__(view, [Notes(logging.INFO, self._note), *_file(log)], every_ns=TABLE_EVERY_NS)
        self._terminal = terminal or rich_console.Console()
        self._live = Live(console=self._terminal, screen=True, auto_refresh=False, transient=True)
        self._painter = Painter(most=1)

    def _begin(self) -> None:
        self._live.start()
        self._painter.__enter__()

    def _show(self, now_ns: int) -> None:
        self._painter.put(partial(self._live.update, self._picture(now_ns), refresh=True))

    def _end(self) -> None:
        self._painter.put(self._last)
        self._painter.__exit__()

    def _last(self) -> None:
        self._live.stop()
        self._terminal.print(self._picture(self._fed_ns))  # as it was: by now all have fallen silent
        if self.view.log:
            self._terminal.print(f"stopped; the log is in {self.view.log}", style="dim", highlight=False)

    def _picture(self, now_ns: int) -> rich_console.RenderableType:
        size = self._terminal.size
        return render(self.view, now_ns, size.width, size.height)

    def _note(self, level: int, text: str) -> None:
        self.view.notes.append(Note(host_now_ns(), level, text))


class LogLines(Output):
    """The same as log lines, every 5 s."""

    def __init__(self, view: RigView, stream: TextIO | None = None) -> None:
        self._painter = Painter(_MOST_LINES)
        lines_to = PaintedLines(logging.StreamHandler(stream), self._painter)
        super().__init__(view, [lines_to], every_ns=LINES_EVERY_NS, wait=True)

    def _begin(self) -> None:
        self._painter.__enter__()

    def _end(self) -> None:
        self._painter.__exit__()

    def _show(self, now_ns: int) -> None:
        for line in lines(self.view, now_ns):
            _log.info("%s", line)


def output(streams: tuple[StreamSpec, ...], title: str, *, table: bool, log: Path | None) -> Output:
    """The terminal for a rig with these ``streams``; a table puts what is logged into ``log``, too."""
    view = RigView(title=title, streams=streams, started_ns=host_now_ns(), log=str(log or ""))
    return LiveTable(view, log) if table else LogLines(view)


class LogFile(logging.FileHandler):
    """A log file that says once that it cannot be written, as on a full disk, and is left alone then."""

    def handleError(self, record: logging.LogRecord) -> None:
        logging.getLogger().removeHandler(self)
        reason = getattr(sys.exc_info()[1], "strerror", None) or "an error"
        _log.warning("the log %s ends here, it cannot be written: %s", self.baseFilename, reason)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what was not written is tried once more
            super().close()


def _file(log: Path | None) -> list[logging.Handler]:
    return [] if log is None else [LogFile(log)]
