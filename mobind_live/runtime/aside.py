"""Runs a function in a process of its own: it is quiet, ends in time, and may crash without harm to us.

Devices are opened and searched for like this: what other people's libraries do there is anybody's guess.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from mobind_live.clock import host_now_ns
from mobind_live.runtime.process import die_with_parent, one_line, start_process


class NoAnswer(Exception):
    """The process raised something, died, or took too long; one line."""


class Question:
    """``function(*args)`` in a process of its own, begun at once. On leaving, the process is killed.

    Function, arguments and answer are pickled.
    """

    def __init__(self, function: Callable[..., Any], *args: Any, limit_s: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._limit_s, self._until_ns = limit_s, host_now_ns() + limit_s * 1e9
        self._pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_child, args=(theirs, function, args), daemon=True)
        start_process(self._process)  # Ctrl-C is for us: we kill it
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def answer(self) -> Any:
        """What the function returned, once it has. Raises NoAnswer."""
        left_s = max(0.0, (self._until_ns - host_now_ns()) * 1e-9)
        if not self._pipe.poll(left_s):
            raise NoAnswer(f"no answer in {self._limit_s:g} s")
        try:
            answer = self._pipe.recv()
        except EOFError as error:
            self._process.join(5)
            raise NoAnswer(f"its process ended with code {self._process.exitcode}") from error
        if isinstance(answer, NoAnswer):
            raise answer
        return answer


def _child(pipe: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    die_with_parent()
    # C libraries print what they like; the answer is the line that the user gets.
    with Path(os.devnull).open("wb") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    try:
        answer = function(*args)
    except Exception as error:  # the process border: a bug in a driver is not our end
        answer = NoAnswer(one_line(error))
    pipe.send(answer)
