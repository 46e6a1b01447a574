"""A child process from its own side: the link to the supervisor, signals, logging, and its end.

One duplex pipe joins a child to the supervisor: ``Go``, ``Stop`` and ``StateSaved`` come in, ``LogLine``
and ``SaveState`` go out, and its closing tells that the supervisor is gone, however it went.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TextIO

_log = logging.getLogger(__name__)
_PR_SET_PDEATHSIG = 1
HOPELESS_EXIT = 3
NEW_LIFE_EXIT = 4
# What the terminal sends to the whole process group: Ctrl-C, and that it was closed.
_OF_THE_TERMINAL = (signal.SIGINT, signal.SIGHUP)


class Hopeless(Exception):
    """Raised by a target that would fail in the same way after a restart: a file it needs is not what it
    should be. The text is one line for the user."""


class NewLife(Exception):
    """Raised by a target that is well, but must begin anew as if it had never been. The text is one line for
    the user: why."""


@dataclass(frozen=True, slots=True)
class Go:
    """Command: the rig has started, at host time ``epoch_ns``."""

    epoch_ns: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Command: finish and exit."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A child's log line on its way to the supervisor."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class SaveState:
    """What a child leaves to its next life, on its way to the supervisor, who does not look into it."""

    state: bytes


@dataclass(frozen=True, slots=True)
class StateSaved:
    """Answer: the supervisor has it, and would take another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What a child is told at its start. ``output``: the file for its stdout and stderr, if any. ``saved``:
    what it left in its life before."""

    name: str
    publish: str
    subscribe: str
    restarts: int = 0
    output: Path | None = None
    saved: bytes | None = None


class Link:
    """A child's link to its supervisor: ``stop`` is set when it must end, ``wait`` waits for the start."""

    def __init__(
        self,
        boot: Boot,
        connection: Connection,
        orphan_grace_s: float = 3.0,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self.boot = boot
        self._orphan_grace_s = orphan_grace_s
        self._end = end
        self.stop = threading.Event()
        self.epoch_ns = 0
        self._started = threading.Event()
        self._connection = connection
        self._sending = threading.Lock()
        self._saved = threading.Event()
        self._saved.set()

    def wait(self, timeout_s: float) -> int | None:
        """``epoch_ns`` once the rig has started, None if it has not after ``timeout_s``."""
        return self.epoch_ns if self._started.wait(timeout_s) else None

    def listen(self) -> None:
        """Take commands until the supervisor is gone; then end, gently first. Runs in a thread."""
        try:
            while True:
                command = self._connection.recv()
                if isinstance(command, Go):
                    self.epoch_ns = command.epoch_ns
                    self._started.set()
                elif isinstance(command, StateSaved):
                    self._saved.set()
                elif isinstance(command, Stop):
                    self.stop.set()
        except (EOFError, OSError):
            self.stop.set()
            threading.Event().wait(self._orphan_grace_s)
            self._end(1)

    def send(self, message: LogLine | SaveState) -> None:
        """Tell the supervisor; one that is gone hears nothing, and ``listen`` sees to the rest."""
        with self._sending, contextlib.suppress(OSError):
            self._connection.send(message)

    def save_state(self, state: Callable[[], bytes]) -> None:
        """Save the result of ``state`` for this process's next run, replacing what was saved before. Skipped
        until the supervisor has acknowledged the last one: a full pipe would block the work."""
        if self._saved.is_set():
            self._saved.clear()
            self.send(SaveState(state()))


# What runs in a child: called with its link and the arguments of its spec.
Target = Callable[..., None]


class PipeHandler(logging.Handler):
    """Sends log lines to the supervisor, whose terminal it is: each as one line, and of other people's
    libraries only warnings. Tracebacks go to ``traces``, if there is a place for them."""

    def __init__(self, send: Callable[[LogLine], None], traces: TextIO | None = None) -> None:
        super().__init__(logging.INFO)
        self._send = send
        self._traces = traces

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and not record.name.startswith("mobind_live"):
            return
        if record.exc_info and self._traces is not None:
            traceback.print_exception(record.exc_info[1], file=self._traces)
        text = " ".join(record.getMessage().split())
        self._send(LogLine(record.levelno, text))


def child_main(boot: Boot, connection: Connection, target: Target, args: tuple[Any, ...]) -> None:
    """The entry of every child: run ``target(link, *args)``; exit 0 if it returns, 1 if it raises, 3 if it
    raises ``Hopeless``, 4 if ``NewLife``."""
    link = Link(boot, connection)
    # The supervisor decides who stops, and when.
    for number in _OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    _mask_interrupts(block=False)
    signal.signal(signal.SIGTERM, lambda *_: link.stop.set())
    die_with_parent()
    if boot.output is not None:
        _redirect_output(boot.output)
    faulthandler.enable()
    traces = None if boot.output is None else sys.stderr
    logging.basicConfig(level=logging.INFO, handlers=[PipeHandler(link.send, traces)], force=True)
    logging.captureWarnings(True)
    threading.Thread(target=link.listen, name="link", daemon=True).start()
    try:
        target(link, *args)
    except Hopeless as error:
        _log.error("%s", error)
        sys.exit(HOPELESS_EXIT)
    except NewLife as error:
        _log.warning("%s", error)
        sys.exit(NEW_LIFE_EXIT)
    except Exception as error:  # the process border: say what happened, let the supervisor restart
        _log.error("%s", one_line(error), exc_info=True)
        sys.exit(1)


def start_process(process: BaseProcess) -> None:
    """Start ``process`` with Ctrl-C and hangups blocked, until ``child_main`` ignores them; otherwise Ctrl-C
    during its imports would print a traceback."""
    resource_tracker.ensure_running()  # begun with the first process, it would lift the block
    _mask_interrupts(block=True)
    try:
        process.start()
    finally:
        _mask_interrupts(block=False)


def _mask_interrupts(*, block: bool) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK if block else signal.SIG_UNBLOCK, _OF_THE_TERMINAL)


def one_line(error: BaseException) -> str:
    """``error`` as one line, with the place it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL (Linux; else ``listen`` does).

    The signal is tied to the parent's thread that started us: the supervisor spawns from its main thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _redirect_output(path: Path) -> None:
    """Send this process's stdout and stderr to ``path``, C libraries' too: the terminal shows a table."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
