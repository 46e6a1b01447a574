"""Sessions written without a bus."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from mobind_live.recordings.session.file import Writer
from mobind_live.schema import Message, Received
from mobind_live.wire import decode, encode

SECOND = 1_000_000_000


def received(message: Message, seq: int = 0) -> Received:
    frames = encode(message, seq=seq, boot_ns=1, sent_ns=2)
    return decode(frames)


def session(path: Path, messages: list[Message], first_ns: int = 5 * SECOND) -> Path:
    """A session of ``messages``, one each millisecond."""
    return timed(path, [(first_ns + n * 1_000_000, message) for n, message in enumerate(messages)])


def timed(path: Path, messages: list[tuple[int, Message]], held_up_to_ns: int = 0) -> Path:
    """A session of messages, each with the time at which it was sent, and came, but to a recorder that was
    held up until some time."""
    return lived(path, [(1, *item) for item in messages], held_up_to_ns)


def lived(path: Path, messages: list[tuple[int, int, Message]], held_up_to_ns: int = 0) -> Path:
    """The same of messages from several lives of their senders (``boot_ns``)."""
    with Writer(path, {"wall_clock": "2026-11-22T10:00:00+00:00", "host_ns": "0"}) as file:
        seqs = Counter[tuple[str, int]]()
        for boot_ns, at_ns, message in messages:
            sent = replace(received(message, seqs[message.topic, boot_ns]), boot_ns=boot_ns, sent_ns=at_ns)
            seqs[message.topic, boot_ns] += 1
            file.write(sent, max(at_ns, held_up_to_ns))
    return path
