"""The terminal of a running rig: a live table, or the same as lines where there is no terminal."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich import console as rich_console
from rich.live import Live

from mobind_live.clock import host_now_ns
from mobind_live.driver import StreamSpec
from mobind_live.schema import Received
from mobind_live.terminal import words
from mobind_live.terminal.table import render
from mobind_live.terminal.view import Note, RigView

_log = logging.getLogger(__name__)
TABLE_EVERY_NS = 500_000_000
LINES_EVERY_NS = 5_000_000_000
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


class Output(Protocol):
    """Where what happens on a rig is shown: feed it about ten times a second."""

    view: RigView

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def feed(self, batch: list[Received]) -> None: ...


class _NoteHandler(logging.Handler):
    """Log lines become notes below the table, which they would tear otherwise."""

    def __init__(self, view: RigView) -> None:
        super().__init__(logging.INFO)
        self._view = view

    def emit(self, record: logging.LogRecord) -> None:
        self._view.notes.append(Note(host_now_ns(), record.levelno, words.clean(record.getMessage())))


class LiveTable:
    """The table, redrawn twice a second on the terminal's other screen; the last one stays on the first."""

    def __init__(self, view: RigView, log: Path | None, terminal: rich_console.Console | None = None) -> None:
        self.view = view
        self._terminal = terminal or rich_console.Console()
        self._live = Live(console=self._terminal, screen=True, auto_refresh=False, transient=True)
        self._next_ns = self._last_ns = 0
        self._handlers: list[logging.Handler] = [_NoteHandler(view)]
        if log is not None:
            self._handlers.append(logging.FileHandler(log))

    def __enter__(self) -> Self:
        _install(self._handlers)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        _remove(self._handlers)
        self._terminal.print(self._picture(self._last_ns))  # as it was: by now all have fallen silent
        if self.view.log:
            self._terminal.print(f"stopped; the log is in {self.view.log}", style="dim", highlight=False)

    def feed(self, batch: list[Received]) -> None:
        """Take in ``batch``; redraw if it is time to."""
        now_ns = self._last_ns = host_now_ns()
        self.view.feed(batch, now_ns)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + TABLE_EVERY_NS
            self._live.update(self._picture(now_ns), refresh=True)

    def _picture(self, now_ns: int) -> rich_console.RenderableType:
        size = self._terminal.size
        return render(self.view, now_ns, size.width, size.height)


class LogLines:
    """The same as log lines, every 5 s."""

    def __init__(self, view: RigView, log: Path | None, stream: TextIO | None = None) -> None:
        self.view = view
        self._handlers: list[logging.Handler] = [logging.StreamHandler(stream)]
        if log is not None:
            self._handlers.append(logging.FileHandler(log))
        self._next_ns = host_now_ns() + LINES_EVERY_NS

    def __enter__(self) -> Self:
        _install(self._handlers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _remove(self._handlers)

    def feed(self, batch: list[Received]) -> None:
        now_ns = host_now_ns()
        self.view.feed(batch, now_ns)
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + LINES_EVERY_NS
            for line in lines(self.view, now_ns):
                _log.info("%s", line)


def output(streams: tuple[StreamSpec, ...], title: str, *, table: bool, log: Path | None) -> Output:
    """The terminal for a rig with these ``streams``; everything logged goes to ``log`` too."""
    view = RigView(title=title, streams=streams, started_ns=host_now_ns(), log=str(log or ""))
    return LiveTable(view, log) if table else LogLines(view, log)


def lines(view: RigView, now_ns: int) -> list[str]:
    """What the table shows, as aligned lines of text."""
    found = ["SIMULATED: no real person, camera or sensor"] if view.simulated else []
    found += [_stream_line(view, spec, now_ns) for spec in view.streams]
    found += [_offset_line(view, imu, camera) for imu, camera in sorted(view.offsets)]
    found += [_binding_line(view, imu) for imu in sorted(view.bindings)]
    for name, seen in sorted(view.processes.items()):
        told = words.process(seen.message)
        memory = seen.message.counters.get("rss_mb", 0.0)
        found.append(
            f"process {name:<14} {seen.message.state:<8} restarts {view.restarts(name):<3} "
            f"cpu {view.cpu.get(name, 0.0):3.0f} %  memory {memory:5.0f} MB  {told}".rstrip()
        )
    return found


def _stream_line(view: RigView, spec: StreamSpec, now_ns: int) -> str:
    known = view.stream(spec.name)
    head = f"stream  {spec.name:<14} {spec.kind:<4}"
    if known is None:
        return f"{head} nothing yet (expected {spec.nominal_hz:g} Hz)"
    health, at_ns = known
    offset, drift, residual, _ = words.clock(spec, health)
    return (
        f"{head} {health.rate_hz:6.1f} of {health.nominal_hz:g} Hz  "
        f"age {words.age(words.age_s(health, at_ns, now_ns))}  loss {words.loss(health)}  "
        f"gaps {view.gaps(spec.kind, spec.name)}  shed {health.shed}  "
        f"clock {' '.join(item for item in (offset, drift, residual) if item)}"
    )


def _offset_line(view: RigView, imu: str, camera: str) -> str:
    message = view.offsets[imu, camera].message
    true_s = view.true_offset_s(imu, camera)
    truth = "" if true_s is None else f"  (truth {true_s:+.3f})"
    return f"offset  {imu:<14} {camera:<10} {words.offset(message)} s  {message.verdict}{truth}"


def _binding_line(view: RigView, imu: str) -> str:
    message = view.bindings[imu].message
    worn = view.worn(imu)
    action = view.action_of(imu)
    text = (
        f"wearer  {imu:<14} {message.wearer or '-'} {100 * message.p_wearer:.0f} % {message.wearer_verdict}  "
        f"part {message.part or '-'} {100 * message.p_part:.0f} % {message.part_verdict}"
    )
    if action is not None:
        text += f"  action {action.message.label} {100 * action.message.p:.0f} % {action.message.verdict}"
    if worn is not None:
        text += f"  (truth {worn.person} {worn.part})"
    return f"{text}  ALARM {words.clean(message.alarm)}" if message.alarm else text


def _install(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        root.addHandler(handler)


def _remove(handlers: list[logging.Handler]) -> None:
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()
