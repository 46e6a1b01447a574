"""A D-Bus small enough to live in a test: one socket, one service behind it, in a thread of its own.

Clients are real ones (dbus_fast). Every method call goes to ``answer``; ``emit`` reaches all who ever asked
for a match, which is looser than a real bus and all that is needed.
"""

from __future__ import annotations

import asyncio
import io
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

from dbus_fast import Message, MessageType
from dbus_fast._private.unmarshaller import Unmarshaller

DAEMON = "org.freedesktop.DBus"


class DBusError(Exception):
    """What a method answers in place of a value: ``name``, and a text."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(name, text)
        self.name, self.text = name, text


class FakeBus:
    """``with`` it for a bus at ``address``. ``answer`` and all the rest of a subclass run in its thread: call
    them from a test through ``run``."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "bus"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake bus")
        self._writers: dict[str, asyncio.StreamWriter] = {}
        self._listening: set[str] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._serial = self._names = 0
        self._bugs: list[Exception] = []

    @property
    def address(self) -> str:
        return f"unix:path={self._socket}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._bugs:
            raise self._bugs[0]

    def run(self, do: Callable[..., Any], *args: Any) -> Any:
        """The result of ``do(*args)``, a function or coroutine function, called in the bus's thread."""

        async def call() -> Any:
            result = do(*args)
            return await result if asyncio.iscoroutine(result) else result

        future: Future[Any] = asyncio.run_coroutine_threadsafe(call(), self._loop)
        return future.result(10)

    def answer(self, client: str, message: Message) -> tuple[str, list[Any]]:
        """The signature and body of the reply to ``message``. Raises DBusError."""
        raise NotImplementedError

    def left(self, client: str) -> None:
        """``client`` has gone."""

    def emit(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        """Send a signal to all who listen."""
        for client in self._listening & self._writers.keys():
            self._send(client, Message.new_signal(path, interface, member, signature, body))

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        self._loop.call_later(seconds, do)

    def cut(self) -> None:
        """Close all connections, as when the daemon is restarted."""
        for writer in self._writers.values():
            writer.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_unix_server(self._client, str(self._socket))

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._handlers:
            await asyncio.wait(self._handlers)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._names += 1
        name = f":1.{self._names}"
        self._writers[name] = writer
        try:
            await self._authenticate(reader, writer)
            while True:
                self._dispatch(name, await _message(reader))
        except (asyncio.IncompleteReadError, OSError):
            pass
        except Exception as error:  # a bug in the fake: shown when the test is over
            self._bugs.append(error)
        del self._writers[name]
        self.left(name)
        writer.close()
        self._handlers.discard(task)

    async def _authenticate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        while (line := (await reader.readuntil(b"\r\n")).split())[0] != b"BEGIN":
            writer.write(
                b"AGREE_UNIX_FD\r\n" if line[0] == b"NEGOTIATE_UNIX_FD" else b"OK 0123456789abcdef\r\n"
            )

    def _dispatch(self, name: str, message: Message) -> None:
        if message.message_type is not MessageType.METHOD_CALL:
            return
        try:
            if message.destination == DAEMON:
                signature, body = self._daemon(name, message)
            else:
                signature, body = self.answer(name, message)
            reply = Message.new_method_return(message, signature, body)
        except DBusError as error:
            reply = Message.new_error(message, error.name, error.text)
        self._send(name, reply)

    def _daemon(self, name: str, message: Message) -> tuple[str, list[Any]]:
        if message.member == "Hello":
            return "s", [name]
        if message.member == "AddMatch":
            self._listening.add(name)
            return "", []
        raise DBusError(f"{DAEMON}.Error.UnknownMethod", f"{message.member} is not faked")

    def _send(self, client: str, message: Message) -> None:
        self._serial += 1
        message.serial = self._serial
        message.sender = ":1.0"
        self._writers[client].write(message._marshall(False))


async def _message(reader: asyncio.StreamReader) -> Message:
    """The next message: 12 bytes and the length of the fields, the fields padded to 8, the body."""
    head = await reader.readexactly(16)
    body, _, fields = struct.unpack_from("<III", head, 4)
    data = head + await reader.readexactly(-(-fields // 8) * 8 + body)
    message = Unmarshaller(io.BytesIO(data)).unmarshall()
    assert message is not None
    return message
