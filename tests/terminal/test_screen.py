"""What the verbs print on: as wide as the terminal, and without an end in a file."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.table import Table

from mobind_live.terminal.screen import screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wide() -> Table:
    table = Table(*(f"heading {n}" for n in range(20)))
    table.add_row(*(f"{n}.123456" for n in range(20)))
    return table


@pytest.mark.parametrize("stderr", [False, True])
def test_a_table_is_whole_in_a_file(monkeypatch: pytest.MonkeyPatch, *, stderr: bool) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr" if stderr else "stdout", file)
    screen(stderr=stderr).print(wide(), "word " * 60)
    text = file.getvalue()
    assert all(f"heading {n}" in text and f"{n}.123456" in text for n in range(20))
    assert "…" not in text
    assert "word " * 59 in text, "and no line is broken"


def test_a_terminal_has_the_width_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    console = screen()
    assert isinstance(console, Console)
    assert (console.is_terminal, console.width) == (True, 80)
