"""``mobind-live preflight``: before a session, pass or fail each sensor and camera in plain words.

The whole rig runs, its wearers move, and every stream is held against what the YAML says of it. A stream
passes when its checks pass (``findings``); the rig passes when all streams have passed for a few seconds on
end.
"""

from __future__ import annotations

import logging
import threading

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mobind_live.clock import host_now_ns
from mobind_live.driver import StreamSpec
from mobind_live.terminal.findings import Finding, State, judge
from mobind_live.terminal.lasting import STEADY_NS, Contradicted, Passed
from mobind_live.terminal.output import Notes, Output
from mobind_live.terminal.view import RigView

LONGEST_START_NS = 60_000_000_000  # of the programs; the wearers' time counts from then on
_SHOW_EVERY_NS = 500_000_000
_ASK = "Have every wearer move for some seconds: walk, bend, lift each arm and each leg on its own."


class Preflight(Output):
    """Where a rig is shown while it is checked; sets ``stop`` when all has passed or time is up. Warnings of
    the rig's processes stand above the table."""

    def __init__(
        self, streams: tuple[StreamSpec, ...], limit_s: float, stop: threading.Event, console: Console
    ) -> None:
        view = RigView(title="", streams=streams, started_ns=host_now_ns())
        super().__init__(view, [Notes(logging.WARNING, self._warn)], every_ns=_SHOW_EVERY_NS)
        self.findings: list[Finding] = []
        self._passed, self._contradicted = Passed(), Contradicted()
        self._limit_ns = int(limit_s * 1e9)
        self._begun_ns = view.started_ns + LONGEST_START_NS  # or when the first device is let go, if sooner
        self._stop = stop
        self._console = console
        self.stopped = True  # unless all pass, or time is up, before
        self._good_since_ns = view.started_ns
        self._live = Live(console=console, auto_refresh=False, transient=True)

    @property
    def passed(self) -> bool:
        return bool(self.findings) and all(item.state is State.PASS for item in self.findings)

    def _begin(self) -> None:
        self._console.print(_ASK)
        self._live.start()

    def _show(self, now_ns: int) -> None:
        self.findings = [
            self._contradicted(self._passed(found, now_ns), now_ns) for found in judge(self.view, now_ns)
        ]
        if not self.passed:
            self._good_since_ns = now_ns
        if now_ns < self._begun_ns and any(map(self._let_go, self.view.streams)):
            self._begun_ns = now_ns
        left_ns = self._limit_ns - max(0, now_ns - self._begun_ns)
        if left_ns <= 0 or now_ns - self._good_since_ns > STEADY_NS:
            self.stopped = False
            self._stop.set()
        left = Text(f"{max(0.0, left_ns * 1e-9):.0f} s left; Ctrl-C ends it", style="dim")
        self._live.update(Group(_table(self.findings), left), refresh=self._console.is_terminal)

    def _let_go(self, spec: StreamSpec) -> bool:
        device = self.view.device(spec.name)
        return device is not None and device.message.state != "starting"

    def _end(self) -> None:
        self._live.stop()
        if self.stopped:
            self._console.print(_table(self.findings), Text("stopped before the end", style="yellow"))
            return
        ended = [
            Finding(f.stream, State.FAIL if f.state is State.WAIT else f.state, f.text) for f in self.findings
        ]
        self._console.print(_table(ended or [Finding("rig", State.FAIL, "stopped before anything came")]))
        self._console.print(_sentence(ended, simulated=self.view.simulated))

    def _warn(self, _: int, text: str) -> None:
        self._console.print(Text(text, style="yellow"))


_STYLE = {State.PASS: "green", State.WAIT: "yellow", State.FAIL: "bold red"}


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for item in findings:
        table.add_row(Text(item.state.value, style=_STYLE[item.state]), item.stream, Text(item.text))
    return table


def _sentence(findings: list[Finding], *, simulated: bool) -> Text:
    bad = [item.stream for item in findings if item.state is not State.PASS]
    what = "simulated streams" if simulated else "streams"
    if findings and not bad:
        return Text(f"ready: all {len(findings)} {what} pass", style="bold green")
    return Text(f"not ready: {', '.join(bad) or 'nothing came'}", style="bold red")
