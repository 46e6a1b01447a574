"""The bus between processes.

Publishers connect to one proxy (XSUB), subscribers to its other side (XPUB); ``runtime/launch.py`` opens it.
Nothing is lost in silence: each topic's messages are numbered, receivers count what is missing.
"""

from __future__ import annotations

from mobind_live.bus.ends import Intake, Receiver, Sender, TopicCount, queue_for
from mobind_live.bus.zeromq import (
    PUBLISH_ENDPOINT,
    SUBSCRIBE_ENDPOINT,
    BusError,
    Proxy,
    Publisher,
    Subscriber,
    is_loopback,
)

__all__ = [
    "PUBLISH_ENDPOINT",
    "SUBSCRIBE_ENDPOINT",
    "BusError",
    "Intake",
    "Proxy",
    "Publisher",
    "Receiver",
    "Sender",
    "Subscriber",
    "TopicCount",
    "is_loopback",
    "queue_for",
]
