"""``mobind-live record``: everything that a running rig says, into a file, until Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mobind_live.bus import Intake, Receiver
from mobind_live.clock import host_now_ns
from mobind_live.recordings.session.file import Writer
from mobind_live.schema import TOPICS, Preview
from mobind_live.terminal.monitor import batches
from mobind_live.terminal.painter import Painter

_KEEP_NS = 1_000_000_000
_SILENT_NS = 3_000_000_000
QUEUE = 100_000  # messages that may wait while the disk is busy: of an ordinary rig those of minutes


@dataclass(slots=True)
class Tally:
    """What was recorded: how many messages, and when the first and the last one came."""

    messages: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, now_ns: int) -> None:
        self.first_ns = self.first_ns or now_ns
        self.messages, self.last_ns = self.messages + 1, now_ns

    @property
    def seconds(self) -> float:
        return (self.last_ns - self.first_ns) * 1e-9


def default_path() -> Path:
    """A name that says when the session began."""
    return Path(f"session-{datetime.now():%Y%m%d-%H%M%S}.mcap")


def run(
    path: Path,
    receiver: Receiver,
    endpoint: str,
    stop: threading.Event,
    console: Console,
    *,
    previews: bool = False,
) -> int:
    """Record what ``receiver`` hears until ``stop``, and all that had been sent by then, with the cameras'
    previews if wanted. Returns the exit code: 1 if nothing came, and then there is no file. Raises FileError
    if the disk fails; what came before is in the file."""
    kinds = {row.message for row in TOPICS if row.recorded} | ({Preview} if previews else set())
    kept_ns = host_now_ns()
    about = {"wall_clock": datetime.now(UTC).isoformat(), "host_ns": str(kept_ns), "endpoint": endpoint}
    tally, ended_ns = Tally(), 0
    with _shown_on(console) as show, Writer(path, about) as file:
        for batch in batches(receiver, endpoint, console):
            now_ns = host_now_ns()
            for received in batch:
                if type(received.message) in kinds and not 0 < ended_ns < received.sent_ns:
                    file.write(received, now_ns)
                    tally.add(now_ns)
            if ended_ns and (not batch or batch[-1].sent_ns > ended_ns):
                break
            if stop.is_set():
                ended_ns = ended_ns or now_ns  # what waits to be read was sent before
            if now_ns - kept_ns >= _KEEP_NS:
                file.keep()
                kept_ns = now_ns
                show(_progress(path, tally, file.size, receiver.intake, now_ns))
    if not tally.messages:
        path.unlink(missing_ok=True)  # it may have been given another name
        console.print(f"nothing came on {endpoint}: no file was written", style="yellow")
        return 1
    told = f"{path}: {tally.messages} messages in {tally.seconds:.1f} s, {file.size / 1e6:.1f} MB"
    console.print(Text(told), soft_wrap=True)
    for line in _losses(receiver.intake):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    return 0


@contextmanager
def _shown_on(console: Console) -> Iterator[Callable[[Text], None]]:
    """A line that is written anew each time, where there is a terminal; it holds up no recording."""
    with Live(console=console, auto_refresh=False, transient=True) as live, Painter(most=1) as painter:
        yield lambda text: painter.put(partial(live.update, text, refresh=console.is_terminal))


def _progress(path: Path, tally: Tally, size: int, intake: Intake, now_ns: int) -> Text:
    silent_ns = now_ns - (tally.last_ns or now_ns)
    state = f"silent for {silent_ns * 1e-9:.0f} s" if silent_ns > _SILENT_NS else "recording"
    missed = sum(count.missed for count in intake.topics.values())
    return Text(
        f"{state} {path}  {tally.seconds:.0f} s  {tally.messages} messages  {size / 1e6:.1f} MB  "
        f"missed {missed}  Ctrl-C ends it",
        style="yellow" if missed or silent_ns > _SILENT_NS else "",
    )


def _losses(intake: Intake) -> Iterator[str]:
    """A line for each topic of which messages are missing, and for those that could not be read."""
    for topic, count in sorted(intake.topics.items()):
        if count.missed:
            yield f"{topic}: {count.missed} of {count.missed + count.received} messages missed"
    if intake.conflated:
        yield f"{intake.conflated} pictures came while newer ones were waiting, and are left out"
    if intake.malformed:
        yield f"{sum(intake.malformed.values())} messages could not be read: {next(iter(intake.malformed))}"
