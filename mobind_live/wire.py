"""The wire form of the messages in ``schema.py``: ``encode`` makes it, ``decode`` reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache, partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import numpy as np

from mobind_live.schema import SCHEMA, TOPICS, Array, Message, Received, SchemaError, Verdict


def encode(message: Message, *, seq: int, boot_ns: int, sent_ns: int) -> list[bytes]:
    """The frames of one message: topic, msgpack map, then one raw frame for each array.

    Arrays are brought to their dtype. Raises SchemaError if one does not have its shape, or a plain field
    not its type.
    """
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "type": message.type_name,
        "seq": seq,
        "boot_ns": boot_ns,
        "sent_ns": sent_ns,
    }
    expected = arrays_of(type(message))
    specs: list[tuple[str, str, tuple[int, ...]]] = []
    frames: list[bytes] = []
    for field in dataclasses.fields(message):
        name, value = field.name, getattr(message, field.name)
        if name in expected:
            dtype, pattern = expected[name]
            array = np.ascontiguousarray(value, dtype=dtype)
            if array.size == 0:  # nothing, however it was written
                array = array.reshape([length if isinstance(length, int) else 0 for length in pattern])
            specs.append((name, array.dtype.str, array.shape))
            frames.append(array.tobytes())
        else:
            header[name] = _plain(value)
    try:
        _check_shapes(expected, {name: shape for name, _, shape in specs})
        for name, restore, _ in _plain_fields(type(message)):
            _named(name, restore, header[name])
    except (ValueError, TypeError) as error:
        raise SchemaError(f"{message.type_name} message of {message.stream!r}: {error}") from error
    header["arrays"] = specs
    packed = msgpack.packb(header)
    assert packed is not None  # it is only where a stream is given
    return [message.topic.encode(), packed, *frames]


def decode(frames: Sequence[bytes]) -> Received:
    """The message in ``frames``; unknown keys are ignored.

    Raises SchemaError if the frames are malformed or of another major version, and nothing else.
    """
    try:
        topic, packed, *raw = frames
        header = msgpack.unpackb(packed)
        version, type_name = str(header["schema"]), str(header["type"])
    except (ValueError, TypeError, KeyError, RecursionError, msgpack.UnpackException) as error:
        raise SchemaError(f"not a mobind-live message: {error}") from error
    if version.split(".")[0] != SCHEMA.split(".")[0]:
        raise SchemaError(f"schema {version[:20]} on {topic[:80]!r}; this reader knows {SCHEMA}")
    cls = _types().get(type_name)
    if cls is None:
        raise SchemaError(f"unknown message type {type_name[:40]!r} on {topic[:80]!r}")
    try:
        message = _build(cls, header, raw)
        belongs = message.topic
        if belongs.encode() != topic:
            raise ValueError(f"stream {message.stream!r:.40} does not belong there")
        integer = partial(_plain_value, int)
        numbers = {name: _named(name, integer, header[name]) for name in ("seq", "boot_ns", "sent_ns")}
        return Received(topic=belongs, message=message, size=sum(map(len, frames)), **numbers)
    except KeyError as error:
        raise SchemaError(f"malformed {type_name} message on {topic[:80]!r}: no {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise SchemaError(f"malformed {type_name} message on {topic[:80]!r}: {error}") from error


@cache
def arrays_of(cls: type) -> dict[str, Array]:
    """The array fields of a message, in the order of their frames."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if get_origin(hint) is Annotated}


@cache
def _types() -> dict[str, type[Message]]:
    return {topic.message.type_name: topic.message for topic in TOPICS}


def _plain(value: Any) -> Any:
    """``value`` as msgpack takes it: dataclasses become maps."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, StrEnum):
        return value.value
    return value


def _build(cls: type[Message], header: Mapping[str, Any], raw: Sequence[bytes]) -> Message:
    expected = arrays_of(cls)
    specs = header["arrays"]
    if len(specs) != len(raw):
        raise ValueError(f"{len(specs)} arrays announced, {len(raw)} frames came")
    arrays: dict[str, np.ndarray] = {}
    for (name, dtype, shape), frame in zip(specs, raw, strict=True):
        if name not in expected:
            continue  # a later minor version's
        if dtype != expected[name].dtype:
            raise TypeError(f"{name} is {dtype!s:.20}, expected {expected[name].dtype}")
        if not all(isinstance(length, int) and length >= 0 for length in shape):
            raise ValueError(f"{name} has shape {shape!s:.40}")
        arrays[name] = np.frombuffer(frame, dtype=dtype).reshape(shape)
    _check_shapes(expected, {name: array.shape for name, array in arrays.items()})
    values: dict[str, Any] = dict(arrays)
    for name, restore, needed in _plain_fields(cls):
        if name in header:
            values[name] = _named(name, restore, header[name])
        elif needed:
            raise KeyError(name)
    return cls(**values)


def _check_shapes(expected: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError if ``shapes`` are not the ``expected`` ones, KeyError if one is missing."""
    lengths: dict[str, int] = {}
    for name, (_, pattern) in expected.items():
        shape = shapes[name]
        if len(shape) != len(pattern):
            raise ValueError(f"{name} has shape {shape}, expected {shape_text(pattern)}")
        for length, want in zip(shape, pattern, strict=True):
            if isinstance(want, str) and want.startswith("0|") and length == 0:
                continue
            known = want if isinstance(want, int) else lengths.setdefault(want.removeprefix("0|"), length)
            if length != known:
                raise ValueError(f"{name} has shape {shape}, expected {shape_text(pattern)} {lengths}")


def shape_text(pattern: tuple[str | int, ...]) -> str:
    lengths = ", ".join(str(length).replace("0|", "0 or ") for length in pattern)
    return f"({lengths},)" if len(pattern) == 1 else f"({lengths})"


# Takes a value from the wire and gives what the field holds, or raises ValueError or TypeError.
Restore = Callable[[Any], Any]


@cache
def _plain_fields(cls: type) -> tuple[tuple[str, Restore, bool], ...]:
    """(name, how to restore it, whether it must be there) of each field that is not an array."""
    hints = get_type_hints(cls)
    return tuple(
        (field.name, _restorer(hints[field.name]), field.default is dataclasses.MISSING)
        for field in dataclasses.fields(cls)
        if hints[field.name] is not np.ndarray
    )


def _restorer(hint: Any) -> Restore:
    """How to restore a value of type ``hint``: the few types that messages are made of."""
    if hint is Verdict:
        return _verdict
    if hint in _WANTED:
        return partial(_plain_value, hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return partial(_nested, hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict:
        return partial(_map, _restorer(args[0]), _restorer(args[1]))
    if origin is tuple and args[1:] == (...,):
        return partial(_sequence, _restorer(args[0]), None)
    if origin is tuple and len(set(args)) == 1:
        return partial(_sequence, _restorer(args[0]), len(args))
    raise TypeError(f"messages cannot carry {hint}")


def _wrong(value: Any, wanted: str) -> TypeError:
    """Without the value itself: refusals are counted by their text."""
    got = f"{type(value).__name__} of {len(value)}" if isinstance(value, list) else type(value).__name__
    return TypeError(f"must be {wanted}, got {got}")


def _verdict(value: Any) -> Verdict:
    if value not in tuple(Verdict):
        raise _wrong(value, f"one of {', '.join(Verdict)}")
    return Verdict(value)


_WANTED = {int: "an integer", float: "a number", str: "text", bool: "true or false"}


def _plain_value(kind: type, value: Any) -> Any:
    """``value``, exactly of ``kind``: Python would take True for an integer, and 1 for a truth."""
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise _wrong(value, _WANTED[kind])
    return kind(value)


def _named(name: str, restore: Restore, value: Any) -> Any:
    try:
        return restore(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def _nested(cls: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise _wrong(value, "a map")
    fields = _plain_fields(cls)
    missing = [name for name, _, needed in fields if needed and name not in value]
    if missing:
        raise ValueError(f"no {missing[0]!r}")
    return cls(**{name: _named(name, restore, value[name]) for name, restore, _ in fields if name in value})


def _map(key: Restore, item: Restore, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _wrong(value, "a map")
    return {key(k): item(v) for k, v in value.items()}


def _sequence(item: Restore, length: int | None, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or length not in (None, len(value)):
        raise _wrong(value, f"a list of {length}" if length else "a list")
    return tuple(item(one) for one in value)
