"""The bus between processes: the only file that knows ZeroMQ.

Publishers connect to one proxy (XSUB), subscribers to its other side (XPUB); the supervisor owns it.
Nothing is lost in silence: each topic's messages are numbered, receivers count what is missing.
``MemoryBus`` has the same two ends inside one process, for tests.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import zmq

from mobind_live.clock import host_now_ns
from mobind_live.schema import TOPICS, Message, Preview, Received, SchemaError
from mobind_live.wire import decode, encode

PUBLISH_ENDPOINT = "tcp://127.0.0.1:5571"
SUBSCRIBE_ENDPOINT = "tcp://127.0.0.1:5572"

_log = logging.getLogger(__name__)
_PROXY_QUEUE = 10_000
_MAX_DRAIN = 2_000  # messages handed out by one poll, so that a flood cannot hold the caller for ever
_MAX_REASONS = 32
_MAX_SENDERS = 4
_MAX_MESSAGE_BYTES = 64 << 20


class BusError(Exception):
    """The bus cannot be set up; the text is one line for the user."""


class Sender(Protocol):
    """What can send messages: ``Publisher``, or one end of a ``MemoryBus``."""

    def send(self, message: Message) -> None: ...


class Receiver(Protocol):
    """What can receive messages: ``Subscriber``, or one end of a ``MemoryBus``."""

    intake: Intake

    def poll(self, timeout_ms: int) -> list[Received]: ...


class Numbering:
    """Gives each topic's messages their envelope: ``seq`` from 0, and one ``boot_ns`` for this sender."""

    def __init__(self, now_ns: Callable[[], int] = host_now_ns) -> None:
        self._now_ns = now_ns
        self._boot_ns = now_ns()
        self._next: dict[str, int] = {}

    def frames(self, message: Message) -> list[bytes]:
        """The wire form of ``message``, numbered. Raises SchemaError if it does not fit the schema."""
        topic = message.topic
        seq = self._next.get(topic, 0)
        frames = encode(message, seq=seq, boot_ns=self._boot_ns, sent_ns=self._now_ns())
        self._next[topic] = seq + 1
        return frames


@dataclass(slots=True)
class TopicCount:
    """What a receiver knows of one topic: ``missed`` counts holes in ``seq``, ``restarts`` new senders."""

    received: int = 0
    missed: int = 0
    restarts: int = 0
    _last: dict[int, int] = field(default_factory=dict)  # boot_ns of a sender -> its last seq

    def take(self, boot_ns: int, seq: int) -> None:
        """Count one message. A new sender numbers from 0, so its first number is what was missed of it."""
        self.received += 1
        if not self._last:
            pass  # a reader may join at any number: what was sent before it came is not missed
        elif boot_ns in self._last:
            self.missed += max(0, seq - self._last[boot_ns] - 1)
        else:
            self.restarts += 1
            self.missed += seq
        self._last.pop(boot_ns, None)  # so that the one not heard for longest stands first
        self._last[boot_ns] = seq
        # Two at once are the supervisor and the process it speaks for; more are former lives.
        if len(self._last) > _MAX_SENDERS:
            del self._last[next(iter(self._last))]


@dataclass(slots=True)
class Intake:
    """Decodes what arrives and counts it, by topic; malformed messages are counted by reason, never fatal."""

    topics: dict[str, TopicCount] = field(default_factory=dict)
    malformed: dict[str, int] = field(default_factory=dict)
    conflated: int = 0

    def take(self, frames: Sequence[bytes]) -> Received | None:
        """The message in ``frames``, or None if it is malformed."""
        try:
            received = decode(frames)
        except SchemaError as error:
            self._refuse(str(error))
            return None
        self.topics.setdefault(received.topic, TopicCount()).take(received.boot_ns, received.seq)
        return received

    def counters(self) -> dict[str, float]:
        """The counts as a health message carries them; topics with nothing to report are left out."""
        rows = self.topics.items()
        values: dict[str, float] = {
            "missed": sum(count.missed for _, count in rows),
            "sender_restarts": sum(count.restarts for _, count in rows),
            "malformed": sum(self.malformed.values()),
        }
        values |= {f"missed/{topic}": count.missed for topic, count in rows if count.missed}
        return values

    def _refuse(self, reason: str) -> None:
        key = reason if reason in self.malformed or len(self.malformed) < _MAX_REASONS else "other reasons"
        self.malformed[key] = count = self.malformed.get(key, 0) + 1
        if str(count).strip("0") == "1":  # the 1st, 10th, 100th, ...: a flood must not flood the log
            _log.warning("refused a message (%d so far): %s", count, reason)


def latest_previews(batch: list[Received], intake: Intake) -> list[Received]:
    """``batch`` with only the newest preview of each camera; the older ones are counted as conflated."""
    newest = {item.topic: item for item in batch if isinstance(item.message, Preview)}
    kept = [item for item in batch if newest.get(item.topic, item) is item]
    intake.conflated += len(batch) - len(kept)
    return kept


def queue_for(prefixes: Iterable[str]) -> int:
    """The high-water mark for a subscription: the deepest queue of the ``schema.TOPICS`` it meets."""

    def meets(prefix: str, pattern: str) -> bool:
        pairs = zip(prefix.split("/"), pattern.split("/"), strict=False)
        return all(row.startswith("<") or row.startswith(asked) for asked, row in pairs)

    return max(
        (row.queue for row in TOPICS for prefix in prefixes if meets(prefix, row.pattern)), default=1_000
    )


class _Socket:
    """A socket that closes with its ``with`` block and never keeps the process alive."""

    def __init__(self, kind: int, endpoint: str) -> None:
        self._socket = zmq.Context.instance().socket(kind)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._endpoint = endpoint

    def _connect(self) -> None:
        try:
            self._socket.connect(self._endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise BusError(f"cannot connect to {self._endpoint}: {error}; use tcp://host:port") from error

    def close(self) -> None:
        self._socket.close(linger=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Publisher(_Socket):
    """Sends messages, never waiting for anyone: a reader that is too slow misses some, and can count them.

    An XPUB socket, because it hears of its readers: the first messages would be lost before it does, so
    it waits a moment for them.
    """

    def __init__(
        self, endpoint: str = PUBLISH_ENDPOINT, hwm: int = _PROXY_QUEUE, wait_for_reader_ms: int = 500
    ) -> None:
        super().__init__(zmq.XPUB, endpoint)
        self._socket.setsockopt(zmq.SNDHWM, hwm)
        self._connect()
        self._socket.poll(wait_for_reader_ms)
        self._numbering = Numbering()

    def send(self, message: Message) -> None:
        """Raises SchemaError if ``message`` does not fit the schema."""
        while self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # type: ignore[operator]
            self._socket.recv()  # subscriptions coming and going: read, so that they do not pile up
        self._socket.send_multipart(self._numbering.frames(message))


class Subscriber(_Socket):
    """Receives the messages under ``topics`` (prefixes); of previews only the latest of each poll."""

    def __init__(
        self, topics: Sequence[str], endpoint: str = SUBSCRIBE_ENDPOINT, hwm: int | None = None
    ) -> None:
        super().__init__(zmq.SUB, endpoint)
        self.intake = Intake()
        self._socket.setsockopt(zmq.RCVHWM, queue_for(topics) if hwm is None else hwm)
        for topic in topics:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        self._connect()

    def poll(self, timeout_ms: int) -> list[Received]:
        """What has arrived; waits at most ``timeout_ms`` for the first message. May be empty."""
        batch: list[Received] = []
        if not self._socket.poll(timeout_ms):
            return batch
        for _ in range(_MAX_DRAIN):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            received = self.intake.take(frames)
            if received is not None:
                batch.append(received)
        return latest_previews(batch, self.intake)


class Proxy:
    """Joins publishers and subscribers, in a thread of its own, until the ``with`` block ends.

    ``publish_endpoint`` and ``subscribe_endpoint`` are the addresses bound (a port may be given as ``*``).
    Raises BusError if an endpoint is not loopback or is taken.
    """

    def __init__(self, publish: str = PUBLISH_ENDPOINT, subscribe: str = SUBSCRIBE_ENDPOINT) -> None:
        self._publish, self._subscribe = publish, subscribe
        self.publish_endpoint, self.subscribe_endpoint = publish, subscribe

    def __enter__(self) -> Self:
        # A context of its own: terminating it is what ends the thread.
        self._context = zmq.Context()
        sockets = [self._context.socket(zmq.XSUB), self._context.socket(zmq.XPUB)]
        for socket in sockets:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, _PROXY_QUEUE)
            socket.setsockopt(zmq.SNDHWM, _PROXY_QUEUE)
            socket.setsockopt(zmq.MAXMSGSIZE, _MAX_MESSAGE_BYTES)
        try:
            self.publish_endpoint = _bind(sockets[0], self._publish)
            self.subscribe_endpoint = _bind(sockets[1], self._subscribe)
        except BusError:
            self._context.destroy(linger=0)
            raise
        self._thread = threading.Thread(target=_forward, args=sockets, name="bus-proxy", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.term()  # returns when the thread has closed both sockets
        self._thread.join()


def _forward(publishers: zmq.Socket[bytes], subscribers: zmq.Socket[bytes]) -> None:
    try:
        zmq.proxy(publishers, subscribers)
    except zmq.ContextTerminated:
        publishers.close(linger=0)
        subscribers.close(linger=0)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    if not is_loopback(endpoint):
        raise BusError(
            f"{endpoint} can be reached from outside this machine, and messages are not encrypted yet: "
            "use a loopback address such as tcp://127.0.0.1:5571"
        )
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise BusError(
            f"cannot bind {endpoint}: {os.strerror(error.errno or 0)}; another mobind-live may be running "
            "(stop it, or give this one other ports in the YAML's bus section)"
        ) from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach ``endpoint``."""
    scheme, _, address = endpoint.partition("://")
    if scheme in ("ipc", "inproc"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
