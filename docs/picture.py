"""Draws docs/daemon.svg, the picture in the README, from a running rig: ``python docs/picture.py CONFIG``."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from mobind_live import config
from mobind_live.bus import Subscriber
from mobind_live.clock import host_now_ns
from mobind_live.terminal.table import render
from mobind_live.terminal.view import RigView

_WATCH_S = 6
_WIDTH, _HEIGHT = 118, 40


def main(path: Path) -> None:
    rig = config.load(path)
    view = RigView(title=path.name, streams=rig.streams(), started_ns=host_now_ns())
    until_ns = host_now_ns() + _WATCH_S * 1_000_000_000
    with Subscriber(("v1/health/", "v1/out/", "v1/sim/"), rig.bus.subscribe) as subscriber:
        while host_now_ns() < until_ns:
            view.feed(subscriber.poll(200), host_now_ns())
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(render(view, host_now_ns(), _WIDTH, _HEIGHT))
    svg = console.export_svg(title="mobind-live run")
    # The picture must show without fetching fonts from elsewhere.
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    Path(__file__).with_name("daemon.svg").write_text(svg)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
