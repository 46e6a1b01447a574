"""The worker: receives the streams, lets the engine work, and publishes its answers."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import numpy as np
import torch

from mobind_live.binding.changes.watch import Watch
from mobind_live.binding.engine import Engine
from mobind_live.binding.output.actions import Actions
from mobind_live.binding.output.answers import Answers
from mobind_live.binding.output.latency import latencies_s
from mobind_live.bus import Receiver, Sender
from mobind_live.clock import host_now_ns
from mobind_live.config import Rig, WorkerConfig
from mobind_live.models import actions as action_models
from mobind_live.models import checkpoint, placement
from mobind_live.models.errors import CheckpointError, ModelError
from mobind_live.models.example_file import load_folder
from mobind_live.models.examples import Known
from mobind_live.runtime.health import Heartbeat
from mobind_live.runtime.shedding import Shedding
from mobind_live.schema import Health, Received

_log = logging.getLogger(__name__)
_POLL_MS = 20
_PORTION = 64  # messages between two looks at what is due: those of less than a second
_KEEP_EVERY_NS = 5_000_000_000
_LATENCIES = 240  # the answers over which the published latency is taken


def run(
    rig: Rig,
    sender: Sender,
    receiver: Receiver,
    stop: Event,
    restarts: int = 0,
    saved: bytes | None = None,
    save: Callable[[Callable[[], bytes]], None] = lambda _: None,
) -> None:
    """Work until ``stop`` is set. Raises ModelError if the weights or the device cannot be used.

    ``saved`` is what a worker before this one has given to its ``save``.
    """
    beat = Heartbeat("worker", sender, restarts)
    beat.send("starting", "loading the network")
    device = torch_device(rig.worker)
    engine, answers, watch = _ready(rig, device, saved)
    period_ns = round(1e9 / rig.worker.publish_hz)
    latencies: deque[float] = deque(maxlen=_LATENCIES)
    shedding = Shedding()
    next_ns = keep_ns = host_now_ns()
    while not stop.is_set():
        for portion in portions(receiver.poll(_POLL_MS)):
            _take(portion, engine, answers, shedding)
            engine.advance()
            began_ns = host_now_ns()
            if began_ns >= next_ns:
                _answer(answers, watch, sender)
                if began_ns >= keep_ns:
                    save(answers.save)
                    keep_ns = began_ns + _KEEP_EVERY_NS
                latencies.extend(latencies_s(engine, host_now_ns()))
                # Half of the time at most: in a backlog every portion finds the next answers due.
                next_ns = max(next_ns + period_ns, 2 * host_now_ns() - began_ns)
            if beat.due():
                beat.send("running", str(device), (), _counters(engine, receiver, latencies, shedding))
            if stop.is_set():
                return


def _ready(rig: Rig, device: torch.device, saved: bytes | None) -> tuple[Engine, Answers, Watch]:
    """The engine, what answers from it and what watches it, with what the worker before has ``saved``. Raises
    ModelError."""
    torch.set_num_threads(rig.worker.threads)
    model = checkpoint.load(rig.worker.weights)
    imus = tuple(spec for spec in rig.streams() if spec.kind == "imu")
    engine = Engine(imus, model, rig.worker.max_offset_s, device, placement.load())
    answers, watch = Answers(engine, _actions(engine, rig.worker.actions)), Watch(engine)
    if saved is not None:
        answers.restore(saved)
        _log.info("going on from what the worker before knew")
    _log.info("network on %s, %d IMUs", device, len(imus))
    return engine, answers, watch


def _take(portion: list[Received], engine: Engine, answers: Answers, shedding: Shedding) -> None:
    for received in portion:
        if isinstance(received.message, Health):
            answers.note_health(received.message)
        elif shedding.keep(received, host_now_ns()):
            engine.take(received.message, host_now_ns())


def _answer(answers: Answers, watch: Watch, sender: Sender) -> None:
    for sentence in watch.notice():
        _log.warning("%s", sentence)
    for message in answers.messages(host_now_ns()):
        sender.send(message)


def portions(batch: list[Received]) -> Iterator[list[Received]]:
    """A batch piece by piece, and nothing as one empty piece: whoever works through a backlog must still give
    answers, and be seen to live."""
    for start in range(0, max(1, len(batch)), _PORTION):
        yield batch[start : start + _PORTION]


def _actions(engine: Engine, own: Path | None) -> Actions | None:
    """The action labels, with those learned by example in the folder ``own``; or None, with one line in the
    log, where their weights cannot be used."""
    try:
        net = action_models.load()
    except CheckpointError as error:
        _log.warning("no action labels: %s", error)
        return None
    if own is None:
        return Actions(engine, net)
    found = load_folder(own, net.fingerprint(), (*net.sizes.labels, action_models.UNKNOWN))
    for line in found.refused:
        _log.warning("%s", line)
    known = Known(found.examples)
    _log.info("actions by example from %s: %s", own, ", ".join(known.labels) or "none")
    return Actions(engine, net, known)


def torch_device(config: WorkerConfig) -> torch.device:
    """The device to compute on; ``auto`` is CUDA where there is one. Raises ModelError for a CUDA device that
    is not there."""
    there = torch.cuda.is_available()
    if config.device == "auto":
        return torch.device("cuda" if there else "cpu")
    device = torch.device(config.device)
    if device.type == "cuda" and not (there and (device.index or 0) < torch.cuda.device_count()):
        raise ModelError(f"worker.device: {config.device} is not here; use auto or cpu")
    return device


def _counters(
    engine: Engine, receiver: Receiver, latencies: deque[float], shedding: Shedding
) -> dict[str, float]:
    counters = receiver.intake.counters() | shedding.counters()
    counters |= {"late_samples": float(engine.late), "broken_samples": float(engine.broken)}
    if latencies:
        p50, p95 = np.percentile(np.array(latencies) * 1e3, (50, 95))
        counters |= {"latency_p50_ms": float(p50), "latency_p95_ms": float(p95)}
    return counters
