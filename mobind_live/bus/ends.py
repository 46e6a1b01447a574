"""The two ends of the bus, whatever lies between: how a sender numbers and a receiver counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mobind_live.clock import host_now_ns
from mobind_live.schema import TOPICS, Health, Message, Preview, Received, SchemaError
from mobind_live.wire import decode, encode

_log = logging.getLogger(__name__)
_MAX_REASONS = 32
_MAX_SENDERS = 4


class Sender(Protocol):
    """What can send messages: ``Publisher``, or one end of the tests' ``MemoryBus``."""

    def send(self, message: Message) -> None: ...


class Receiver(Protocol):
    """What can receive messages: ``Subscriber``, or one end of the tests' ``MemoryBus``."""

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
    """What a receiver knows of one topic: ``missed`` counts holes in ``seq``, ``restarts`` new senders.
    ``since_ns`` is from when on it listens, or where that is not known when the first message that it got
    was sent."""

    received: int = 0
    missed: int = 0
    restarts: int = 0
    since_ns: int = 0
    _last: dict[int, int] = field(default_factory=dict)  # boot_ns of a sender -> its last seq

    def take(self, boot_ns: int, seq: int, sent_ns: int, *, alone: bool = True) -> None:
        """Count one message. A new sender numbers from 0, so its first number is what was missed of it;
        what was sent before the reader came is not, so it may join any sender at any number.
        Where senders are not ``alone``, another one is no restart."""
        self.received += 1
        if not self._last and not self.since_ns:
            self.since_ns = sent_ns
        elif boot_ns in self._last:
            self.missed += max(0, seq - self._last[boot_ns] - 1)
        elif boot_ns >= self.since_ns:
            self.restarts += alone and bool(self._last)
            self.missed += seq
        self._last.pop(boot_ns, None)  # so that the one not heard for longest stands first
        self._last[boot_ns] = seq
        # Two at once are the supervisor and the process it speaks for; more are former lives.
        if len(self._last) > _MAX_SENDERS:
            del self._last[next(iter(self._last))]


@dataclass(slots=True)
class Intake:
    """Decodes what arrives and counts it, by topic; malformed messages are counted by reason, never fatal.
    ``began_ns`` is when it began to listen, if that is known: who starts later is heard from the start."""

    began_ns: int = 0
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
        self.count(received)
        return received

    def count(self, received: Received) -> None:
        """Count the next message of its topic."""
        # Of a process's health the supervisor speaks, too; and a process's first one, which says that it
        # starts, may go out before it knows of all its readers.
        alone = not isinstance(received.message, Health)
        began_ns = self.began_ns if alone else 0
        count = self.topics.setdefault(received.topic, TopicCount(since_ns=began_ns))
        count.take(received.boot_ns, received.seq, received.sent_ns, alone=alone)

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
        return all(row.startswith("{") or row.startswith(asked) for asked, row in pairs)

    return max(
        (row.queue for row in TOPICS for prefix in prefixes if meets(prefix, row.message.pattern)),
        default=1_000,
    )
