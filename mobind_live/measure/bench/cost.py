"""What the answers cost: CPU by stage, memory, and how old they are.

The stages are told apart by looking at the main thread's stack many times a second: it needs nothing from the
code it measures, and hardly slows it. Where a stack is in numpy or torch, whoever called them is charged.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STAGES = ("encode", "evidence", "posterior", "actions", "rest")
_EVERY_S = 0.004
_MODULES = {
    "mobind_live.models.rolling": "encode",
    "mobind_live.models.encoders": "encode",
    "mobind_live.models.features": "encode",
    "mobind_live.binding.evidence.tensor": "evidence",
    "mobind_live.binding.belief.posterior": "posterior",
    "mobind_live.binding.output.answers": "posterior",
    "mobind_live.binding.belief.wearers": "posterior",
    "mobind_live.binding.changes.watch": "posterior",
    "mobind_live.binding.output.actions": "actions",
    "mobind_live.models.actions": "actions",
}
_READOUT = ("view", "views")  # what of the engine itself belongs to the posterior
_OTHERS = ("mobind_live.kinematics", "mobind_live.measure.bench.judge", "mobind_live.measure.bench.score")


@contextmanager
def stages() -> Iterator[Counter[str]]:
    """Counts, while it is open, how often the calling thread was seen in each of STAGES."""
    seen: Counter[str] = Counter()
    stop, watched = threading.Event(), threading.get_ident()

    def watch() -> None:
        while not stop.wait(_EVERY_S):
            stage = _stage(sys._current_frames().get(watched))
            if stage:
                seen[stage] += 1

    thread = threading.Thread(target=watch, name="stages", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def shares(seen: Counter[str]) -> dict[str, float]:
    """Per cent of the engine's time in each of STAGES."""
    total = sum(seen.values())
    return {stage: 100.0 * seen[stage] / total if total else 0.0 for stage in STAGES}


def _stage(frame: FrameType | None) -> str:
    """The stage of the innermost frame that has one; empty for the simulator and the scoring."""
    engine = False
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name in _MODULES:
            return _MODULES[name]
        if name.startswith(_OTHERS):
            return ""
        if name == "mobind_live.binding.engine" and frame.f_code.co_name in _READOUT:
            return "posterior"
        engine |= name in (
            "mobind_live.binding.engine",
            "mobind_live.binding.output.latency",
            "mobind_live.binding.evidence.timeline",
            "mobind_live.binding.evidence.rows",
        )
        frame = frame.f_back
    return "rest" if engine else ""
