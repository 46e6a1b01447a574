"""A YAML file that remembers its lines, and the one-line errors that name them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import ScalarString

Loc = tuple[Any, ...]

# What others call the parts of the body; where spelling alone would find another limb.
_OTHER_NAMES = {
    "wrist": "forearm", "hand": "forearm", "lower_arm": "forearm", "ankle": "shank", "foot": "shank",
    "calf": "shank", "lower_leg": "shank", "upper_leg": "thigh", "waist": "pelvis", "hip": "pelvis",
    "sternum": "chest", "trunk": "chest", "torso": "chest",
}  # fmt: skip


class ConfigError(Exception):
    """The configuration is wrong. The text is one line: file, line, key, what, and what is allowed."""


@dataclass(frozen=True)
class Document:
    """One YAML file: its ``values`` as plain Python, and the ``tree`` that knows the lines."""

    path: Path
    values: dict[str, Any]
    tree: CommentedMap

    @classmethod
    def read(cls, path: Path, overrides: Sequence[str] = ()) -> Document:
        """Reads and parses ``path``; ``overrides`` such as ``devices.a.rate=4`` win. Raises ConfigError."""
        tree = _parse(path, _text(path))
        if tree is None:
            raise ConfigError(f"{path}: the file is empty; a rig needs at least the section devices:")
        if not isinstance(tree, CommentedMap):
            raise ConfigError(f"{path}:1: not a rig; it must begin with keys such as name: and devices:")
        try:
            values = _plain(tree)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
        for override in overrides:
            _override(values, override)
        return cls(path=path, values=values, tree=tree)

    def error(self, loc: Loc, what: str) -> ConfigError:
        """The error ``what`` at the key ``loc``."""
        return ConfigError(f"{self.path}:{self.line(loc)}: {_dotted(loc)}: {what}")

    def explain(self, error: PydanticError, model: type[BaseModel], prefix: Loc = ()) -> ConfigError:
        """The first of pydantic's errors, by line; ``model`` was validated at ``prefix``.

        A key that is missing comes last: it may be one of the unknown ones, misspelt.
        """
        rows = error.errors()
        details = min(rows, key=lambda row: (row["type"] == "missing", self.line(prefix + row["loc"])))
        loc = self._real(prefix + details["loc"], missing=details["type"] == "missing")
        return self.error(loc, _sentence(details, model))

    def line(self, loc: Loc) -> int:
        """The line, from 1, of the key ``loc``, or of the nearest key above it that is in the file."""
        node: Any = self.tree
        line = 1
        for step in loc:
            if isinstance(node, CommentedMap) and step in node:
                place = (node.lc.data or {}).get(step)  # none for a key that came with ``<<``
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                place = node.lc.item(step)
            else:
                continue  # a union's tag, or a key that is missing
            line = line if place is None else place[0] + 1
            node = node[step]
        return line

    def _real(self, loc: Loc, *, missing: bool) -> Loc:
        """``loc`` without the tags that pydantic puts in for the members of a union."""
        node: Any = self.values
        real: list[Any] = []
        for index, step in enumerate(loc):
            inside = isinstance(node, Mapping) and step in node
            inside = inside or (isinstance(node, list) and isinstance(step, int) and step < len(node))
            if inside:
                node = node[step]
            if inside or (missing and index == len(loc) - 1):
                real.append(step)
        return tuple(real)


def did_you_mean(word: object, allowed: Iterable[str]) -> str:
    """``; did you mean X?`` where one of ``allowed`` is what others call ``word``, or close to it, else
    nothing."""
    known, text = list(allowed), str(word)
    meant = {text.replace(other, part) for other, part in _OTHER_NAMES.items()} & set(known)
    close = sorted(meant - {text}) or difflib.get_close_matches(text, known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; name a rig's YAML file") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: this is a folder; name a rig's YAML file") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if b"\0" in data:
        raise ConfigError(f"{path}: a binary file; a rig is text, YAML in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8; save the file as UTF-8 text") from error


def _parse(path: Path, text: str) -> Any:
    try:
        return YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        name = re.search(r'duplicate key "(.*?)"', str(error.problem))
        what = f"duplicate name {name.group(1)!r}" if name else "a name is there twice"
        raise ConfigError(f"{path}:{_mark_line(error)}: {what}; each name may be there once") from error
    except MarkedYAMLError as error:
        what = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}:{_mark_line(error)}: broken YAML: {' '.join(what.split())}") from error
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: broken YAML: {' '.join(str(error).split())}") from error


def _override(values: dict[str, Any], override: str) -> None:
    """Puts ``a.b=VALUE`` into ``values``, VALUE being YAML, making the sections that are not there."""
    dotted, equals, text = override.partition("=")
    *sections, key = dotted.split(".")
    if not equals or not all((*sections, key)):
        raise ConfigError(f"--set {override}: must be KEY=VALUE, such as worker.threads=2")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {section} is not a section, it has no keys")
    try:
        values[key] = _plain(YAML(typ="rt").load(text))
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"--set {override}: {text!r} is not a YAML value; quote it") from error


def _mark_line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _plain(node: Any) -> Any:
    """``node`` without ruamel's own types. Raises ValueError for a key that is no name."""
    if isinstance(node, Mapping):
        for key in node:
            if not isinstance(key, (str, int, float, type(None))):
                shown = " ".join(str(_plain(key)).split())
                raise ValueError(
                    f"a key must be a name, not {shown}; is a {{{{...}}}} of a template unfilled?"
                )
        return {_plain(key): _plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(item) for item in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str) if not isinstance(node, ScalarString) else (str,):
        if isinstance(node, kind):
            return kind(node)
    return node


def _dotted(loc: Loc) -> str:
    return ".".join(str(step) for step in loc) or "the file"


def _sentence(details: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong, what is allowed, and a guess at what was meant."""
    if details["type"] == "extra_forbidden":
        allowed = sorted(_fields_at(model, details["loc"][:-1]))
        return f"unknown key; allowed: {', '.join(allowed)}{did_you_mean(details['loc'][-1], allowed)}"
    if details["type"] == "missing":
        return "missing; this key is needed"
    what = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    if details["type"] in ("model_type", "model_attributes_type", "dict_type", "mapping_type"):
        what = "must be a section (keys with values)"
    if details["type"] in ("tuple_type", "list_type", "set_type", "frozen_set_type"):
        what = "must be a list, as [a, b]"
    if details["type"] == "invalid_key":
        return "a number is no key; in {...} a comma parts keys, and a decimal point is needed"
    what = " ".join(what.split())
    if details["type"] == "value_error":
        return what
    choices = re.findall(r"'([^']*)'", str(details.get("ctx", {}).get("expected", "")))
    value = details["input"]
    got = f", got {value!r}" if isinstance(value, (str, int, float, bool)) or value is None else ""
    return f"{what[:1].lower()}{what[1:]}{got}{did_you_mean(value, choices)}"


def _fields_at(annotation: Any, loc: Loc) -> set[str]:
    """The keys that the mapping at ``loc`` inside ``annotation`` may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not loc:
            return {field.alias or name for name, field in fields.items()}
        if loc[0] in fields:
            return _fields_at(fields[loc[0]].annotation, loc[1:])
        return _fields_at(annotation, loc[1:])  # the tag of a union's member
    found: set[str] = set()
    is_container = not isinstance(annotation, UnionType) and getattr(annotation, "__origin__", None) in (
        dict, list, tuple, Mapping,
    )  # fmt: skip
    for argument in get_args(annotation):
        found |= _fields_at(argument, loc[1:] if is_container else loc)
    return found
