"""The bus over sockets: the only file that knows ZeroMQ."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from socket import AF_UNIX
from socket import socket as Socket
from typing import Self

import zmq

from mobind_live.bus.ends import Intake, Numbering, latest_previews, queue_for
from mobind_live.clock import host_now_ns
from mobind_live.schema import Message, Received

PUBLISH_ENDPOINT = "tcp://127.0.0.1:5571"
SUBSCRIBE_ENDPOINT = "tcp://127.0.0.1:5572"

_PROXY_QUEUE = 10_000
_MAX_DRAIN = 2_000  # messages handed out by one poll, so that a flood cannot hold the caller for ever
_MAX_MESSAGE_BYTES = 64 << 20
_LAST_MS = 500  # for what was sent before the end
_PASSING_S = 0.05


class BusError(Exception):
    """The bus cannot be set up; the text is one line for the user."""


class _Socket:
    """A socket that closes with its ``with`` block and never keeps the process alive."""

    def __init__(
        self, kind: int, endpoint: str, context: zmq.Context[zmq.Socket[bytes]] | None = None
    ) -> None:
        self._socket = (context or zmq.Context.instance()).socket(kind)
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

    def __exit__(self, *_: object) -> None:
        self.close()


class Publisher(_Socket):
    """Sends messages, never waiting for anyone: a reader that is too slow misses some, and can count them.

    An XPUB socket, because it hears of its readers: the first messages would be lost before it does, so
    it waits a moment for them. On closing it waits half a second at most until the last ones are gone: nobody
    could count those.
    """

    def __init__(self, endpoint: str = PUBLISH_ENDPOINT, wait_for_reader_ms: int = 500) -> None:
        # A context of its own: that it has sent all is known by its termination.
        self._context = zmq.Context()
        super().__init__(zmq.XPUB, endpoint, self._context)
        self._socket.setsockopt(zmq.SNDHWM, _PROXY_QUEUE)
        self._connect()
        self._socket.poll(wait_for_reader_ms)
        self._numbering = Numbering()

    def send(self, message: Message) -> None:
        """Raises SchemaError if ``message`` does not fit the schema."""
        while self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:  # type: ignore[operator]
            self._socket.recv()  # subscriptions coming and going: read, so that they do not pile up
        self._socket.send_multipart(self._numbering.frames(message))

    def close(self) -> None:
        self._socket.close(linger=_LAST_MS)
        self._context.term()


class Subscriber(_Socket):
    """Receives the messages under ``topics`` (prefixes); of previews only the latest of each poll."""

    def __init__(
        self, topics: Sequence[str], endpoint: str = SUBSCRIBE_ENDPOINT, hwm: int | None = None
    ) -> None:
        super().__init__(zmq.SUB, endpoint)
        self.intake = Intake(began_ns=host_now_ns())
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

    def __exit__(self, *_: object) -> None:
        threading.Event().wait(_PASSING_S)  # what the last publishers have sent is on its way
        self._context.term()  # returns when the thread has closed both sockets
        self._thread.join()


def _forward(publishers: zmq.Socket[bytes], subscribers: zmq.Socket[bytes]) -> None:
    try:
        zmq.proxy(publishers, subscribers)
    except zmq.ContextTerminated:
        publishers.close(linger=0)
        subscribers.close(linger=_LAST_MS)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    if not is_loopback(endpoint):
        raise BusError(
            f"{endpoint} can be reached from outside this machine, and messages are not encrypted yet: "
            "use a loopback address such as tcp://127.0.0.1:5571"
        )
    try:
        if _answers(endpoint):  # ZeroMQ itself would take the name away from whoever has it
            raise zmq.ZMQError(zmq.EADDRINUSE)
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        hint = "give it another address in the YAML's bus section"
        if error.errno == zmq.EADDRINUSE:
            hint = f"another mobind-live may be running (stop it, or {hint})"
        raise BusError(f"cannot bind {endpoint}: {os.strerror(error.errno or 0)}; {hint}") from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _answers(endpoint: str) -> bool:
    """Whether somebody listens at an ``ipc`` endpoint; a file that is left of one that died does not."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc" or not Path(path).is_socket():
        return False
    with Socket(AF_UNIX) as knocking:
        return knocking.connect_ex(path) == 0


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach ``endpoint``."""
    scheme, _, address = endpoint.partition("://")
    if scheme == "ipc":
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
