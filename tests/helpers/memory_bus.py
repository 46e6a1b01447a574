"""The bus inside one process, for tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from mobind_live.bus.ends import Intake, Numbering, latest_previews
from mobind_live.clock import host_now_ns
from mobind_live.schema import Message, Received


class MemoryBus:
    """The bus inside one process, without sockets or threads: messages still take their wire form."""

    def __init__(self, now_ns: Callable[[], int] = host_now_ns) -> None:
        self._now_ns = now_ns
        self._readers: list[MemorySubscriber] = []

    def publisher(self) -> MemoryPublisher:
        return MemoryPublisher(self, Numbering(self._now_ns))

    def subscriber(self, topics: Sequence[str] = ("v1/",)) -> MemorySubscriber:
        reader = MemorySubscriber(topics)
        self._readers.append(reader)
        return reader

    def put(self, frames: Sequence[bytes]) -> None:
        """Hand raw frames to every reader, as any stranger on the bus could."""
        for reader in self._readers:
            reader.put(frames)


def brought(*messages: Message) -> list[Received]:
    """``messages`` as a bus brings them."""
    bus = MemoryBus()
    subscriber, publisher = bus.subscriber(), bus.publisher()
    for message in messages:
        publisher.send(message)
    return subscriber.poll(0)


class MemoryPublisher:
    def __init__(self, bus: MemoryBus, numbering: Numbering) -> None:
        self._bus = bus
        self._numbering = numbering

    def send(self, message: Message) -> None:
        self._bus.put(self._numbering.frames(message))


class MemorySubscriber:
    def __init__(self, topics: Sequence[str]) -> None:
        self.intake = Intake()
        self._prefixes = tuple(topic.encode() for topic in topics)
        self._queue: deque[Sequence[bytes]] = deque(maxlen=100_000)

    def put(self, frames: Sequence[bytes]) -> None:
        if frames and frames[0].startswith(self._prefixes):
            self._queue.append(frames)

    def poll(self, timeout_ms: int) -> list[Received]:
        """All that was sent; never waits."""
        del timeout_ms
        # One by one: a sender in another thread may be adding to the queue.
        waiting = [self._queue.popleft() for _ in range(len(self._queue))]
        batch = [received for frames in waiting if (received := self.intake.take(frames)) is not None]
        return latest_previews(batch, self.intake)
