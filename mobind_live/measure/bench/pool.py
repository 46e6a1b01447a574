"""Scenes side by side, each in a fresh process, with a progress bar."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from rich.console import Console

from mobind_live.models.errors import ModelError
from mobind_live.terminal.screen import progress

T = TypeVar("T")


def in_parallel(
    work: Callable[..., T], given: Iterable[tuple[Any, ...]], jobs: int, what: str, console: Console
) -> list[T]:
    """``work(*arguments)`` for each of ``given``, ``jobs`` at a time; the results in order.

    A fresh process for each, so that its memory is its own; where the system can fork, from one that has
    imported everything. Raises ModelError if a process dies.
    """
    arguments = list(given)
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([work.__module__])
    with (
        progress(console) as bar,
        ProcessPoolExecutor(jobs, context, initializer=_leave_quietly, max_tasks_per_child=1) as pool,
    ):
        task = bar.add_task(what, total=len(arguments))
        futures = [pool.submit(work, *each) for each in arguments]
        try:
            for _ in as_completed(futures):
                bar.advance(task)
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise ModelError(f"a process of the {what} died; is there enough memory?") from error
        except BaseException:
            # Not after success: the pool may still be replacing its last process, and would lose it.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_quietly() -> None:
    """Ctrl-C ends a process without a word: the one that started it speaks for all."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
