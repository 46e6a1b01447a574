"""A supervisor with a bus of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from mobind_live.bus import Intake, Proxy, Publisher, Subscriber
from mobind_live.runtime.child import ProcessSpec
from mobind_live.runtime.supervisor import Supervisor
from mobind_live.schema import Health, Received

ANY = "tcp://127.0.0.1:*"
SECOND = 1_000_000_000

# A condition on what was heard so far, and what to do once it holds.
Step = tuple[Callable[[], object], Callable[[], object]]


class Stage:
    """A supervisor on a bus of its own; ``play`` runs it through a story, step by step."""

    def __init__(self, proxy: Proxy, sender: Publisher, receiver: Subscriber) -> None:
        self.endpoints = (proxy.publish_endpoint, proxy.subscribe_endpoint)
        self.sender, self.receiver = sender, receiver
        self.heard: list[Health] = []
        self.supervisor: Supervisor

    @property
    def intake(self) -> Intake:
        return self.receiver.intake

    def play(self, specs: list[ProcessSpec], *steps: Step) -> None:
        self.supervisor = Supervisor(specs, self.sender, self.receiver, self.endpoints)
        stop, left = threading.Event(), list(steps)

        def listen(batch: list[Received]) -> None:
            self.heard += [item.message for item in batch if isinstance(item.message, Health)]
            while left and left[0][0]():
                left.pop(0)[1]()
            if not left:
                stop.set()

        self.supervisor.run(stop, listen)

    def of(self, name: str, state: str = "running", restarts: int = 0) -> list[Health]:
        """The heartbeats of one process in one state, after so many restarts."""
        return [
            item
            for item in self.heard
            if (item.stream, item.state, item.restarts) == (name, state, restarts) and item.pid != os.getpid()
        ]

    def pid(self, name: str) -> int:
        pid = self.supervisor.children[name].pid
        assert pid is not None
        return pid


@pytest.fixture
def stage() -> Iterator[Stage]:
    with (
        Proxy(ANY, ANY) as proxy,
        Subscriber(["v1/"], proxy.subscribe_endpoint) as receiver,
        Publisher(proxy.publish_endpoint) as sender,
    ):
        yield Stage(proxy, sender, receiver)
    assert multiprocessing.active_children() == []


def nothing() -> None:
    pass
