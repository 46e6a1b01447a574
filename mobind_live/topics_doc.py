"""Writes ``docs/topics.md`` from ``schema.py``: ``python -m mobind_live.topics_doc > docs/topics.md``."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from typing import Any, get_args, get_type_hints

import numpy as np

from mobind_live import schema
from mobind_live.schema import SCHEMA, TOPICS, Topic, Verdict
from mobind_live.vocabulary import KEYPOINTS, PARTS
from mobind_live.wire import arrays_of, shape_text

_HEAD = f"""# Topics and messages

Made from `mobind_live/schema.py` by `python -m mobind_live.topics_doc > docs/topics.md`; a test keeps the
two equal. Schema version {SCHEMA}: a reader ignores keys it does not know and refuses another major version.

Subscribers connect a ZeroMQ SUB socket to `tcp://127.0.0.1:5572` (`bus.subscribe` in the YAML) and subscribe
by prefix; every segment of a topic ends in `/`. Each message has these frames:

1. the topic, UTF-8;
2. a msgpack map: the envelope and the message's plain fields;
3. one raw frame for each array, little-endian, in the order of the map's `arrays`: a list of
   `[field, numpy dtype, shape]`.

A whole subscriber, in any language that has ZeroMQ and msgpack:

```python
import msgpack, numpy as np, zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect("tcp://127.0.0.1:5572")
socket.subscribe("v1/imu/")
while True:
    topic, packed, *raw = socket.recv_multipart()
    message = msgpack.unpackb(packed)
    for (name, dtype, shape), frame in zip(message["arrays"], raw):
        message[name] = np.frombuffer(frame, dtype).reshape(shape)
    print(topic.decode(), message["seq"], message["t_ns"], message["acc_m_s2"])
```

| envelope | type | |
|---|---|---|
| `schema` | text | version of the schema |
| `type` | text | the message's type, below |
| `stream` | text | which camera, IMU, subject or process it is about |
| `seq` | integer | message number on its topic, from 0; a gap means messages were lost, wherever it was |
| `boot_ns` | integer | when the sender started; another value is another sender, which counts from 0 again |
| `sent_ns` | integer | host time of sending |
| `arrays` | list | `[field, dtype, shape]` of each raw frame |
"""


def document() -> str:
    """The whole of ``docs/topics.md``."""
    parts = [_HEAD, _rules(), _table(), *(_section(row) for row in TOPICS), _nested(), _vocabulary()]
    return "\n".join(part.strip() + "\n" for part in parts)


def _rules() -> str:
    """The parts of the schema's own introduction that a reader needs: time and sign."""
    paragraphs = inspect.cleandoc(schema.__doc__ or "").split("\n\n")
    return "\n\n".join(_prose(text) for text in paragraphs if text.startswith(("Time", "Sign")))


def _table() -> str:
    rows = [
        f"| `{topic_text(row)}` | [{row.message.type_name}](#{row.message.type_name}) | {row.rate} "
        f"| {row.queue} | {'yes' if row.recorded else 'no'} |"
        for row in TOPICS
    ]
    return "\n".join(
        ["## Topics", "", "| topic | message | rate | queue | recorded |", "|---|---|---|---|---|", *rows]
    )


def topic_text(row: Topic) -> str:
    """A row's topic with the names of the fields that stand in it: ``v1/imu/<stream>/``."""
    return row.message.pattern.replace("{0.", "<").replace("}", ">")


def _section(row: Topic) -> str:
    cls = row.message
    return "\n".join(
        [f"## {cls.type_name}", "", f"On `{topic_text(row)}`.", "", *_fields(cls, cls.type_name)]
    )


def _nested() -> str:
    found: dict[str, type] = {}
    for row in TOPICS:
        for hint in get_type_hints(row.message).values():
            args = [item for item in get_args(hint) if isinstance(item, type)]
            found |= {item.__name__: item for item in args if dataclasses.is_dataclass(item)}
    parts = ["## Maps inside messages"]
    for name, cls in found.items():
        parts += ["", f"### {name}", "", *_fields(cls, "")]
    return "\n".join(parts)


def _fields(cls: Any, type_name: str) -> list[str]:
    arrays = arrays_of(cls)
    lines = [_prose(inspect.getdoc(cls) or ""), "", "| field | type |", "|---|---|"]
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if field.name == "stream" and type_name:
            continue  # it is in the envelope
        if field.name in arrays:
            dtype, pattern = arrays[field.name]
            kind = f"array {np.dtype(dtype).name} {shape_text(pattern)}"
        else:
            kind = _kind(hints[field.name])
        lines.append(f"| `{field.name}` | {kind} |")
    return lines


def _kind(hint: Any) -> str:
    """A field's type in words."""
    names = {int: "integer", float: "number", str: "text", bool: "true or false", Verdict: "verdict"}
    args = [arg for arg in get_args(hint) if arg is not ...]
    if hint in names:
        return names[hint]
    if dataclasses.is_dataclass(hint):
        return f"map [{getattr(hint, '__name__', '')}](#{getattr(hint, '__name__', '').lower()})"
    if len(args) == 2 and str(hint).startswith("dict"):
        return f"map of {_kind(args[0])} to {_kind(args[1])}"
    many = "" if ... in get_args(hint) else f" of {len(args)}"
    return f"list{many}: {_kind(args[0])}"


def _vocabulary() -> str:
    verdicts = "\n".join(f"- `{verdict}`" for verdict in Verdict)
    parts = ", ".join(f"`{name}`" for name in PARTS)
    keypoints = ", ".join(f"{index} `{name}`" for index, name in enumerate(KEYPOINTS))
    return (
        f"## Words\n\nVerdicts; anything but `ok` means: do not use the number.\n\n{verdicts}\n\n"
        f"Body parts: {parts}.\n\nKeypoints, in order: {keypoints}.\n"
    )


def _prose(text: str) -> str:
    """A docstring as Markdown: one line a paragraph, single backquotes."""
    paragraphs = [" ".join(item.split()) for item in text.split("\n\n")]
    return re.sub(r"``", "`", "\n\n".join(paragraphs))


if __name__ == "__main__":
    sys.stdout.write(document())
