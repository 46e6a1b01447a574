"""``mobind-live devices``: what can be plugged into a rig here, ready to paste. Each driver searches for its
own kind of device; none is named here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from mobind_live import registry
from mobind_live.config import RESERVED
from mobind_live.driver import DeviceError, Found
from mobind_live.runtime.aside import NoAnswer, Question
from mobind_live.section import WEARER
from mobind_live.terminal import words

LIMIT_S = 40.0


@dataclass(frozen=True, slots=True)
class Search:
    """What one driver found. ``problem`` says why it could not search; empty if it could."""

    driver: str
    found: tuple[Found, ...] = ()
    problem: str = ""


def run(*, console: Console, errors: Console, only_yaml: bool, limit_s: float = LIMIT_S) -> None:
    """Search, and print a table and YAML to ``console``, or the YAML alone."""
    with errors.status("searching for devices"):
        searches = search(registry.discoverers(), limit_s=limit_s)
    if not only_yaml:
        if any(item.found for item in searches):
            console.print(_table(searches))
        for line in _missing(searches):
            console.print(Text(line), soft_wrap=True)
        console.print()
    else:
        for item in searches:
            if item.problem:
                errors.print(Text(f"{item.driver}: {item.problem}"), soft_wrap=True)
    console.print(Text(rig_yaml(searches)), end="", soft_wrap=True)


def search(drivers: Sequence[str], *, limit_s: float) -> tuple[Search, ...]:
    """What each driver finds, all of them searching at once. Names are made to differ."""
    with ExitStack() as stack:
        questions = [stack.enter_context(Question(ask, name, limit_s=limit_s)) for name in drivers]
        searches = [_answer(name, question) for name, question in zip(drivers, questions, strict=True)]
    taken: set[str] = set()
    return tuple(
        replace(item, found=tuple(_renamed(found, taken) for found in item.found)) for item in searches
    )


def ask(driver: str) -> Search:
    """One driver's search, in the process of its own."""
    try:
        return Search(driver, tuple(registry.discover(driver)))
    except DeviceError as error:
        return Search(driver, problem=str(error))


def _answer(driver: str, question: Question) -> Search:
    try:
        return question.answer()
    except NoAnswer as error:
        return Search(driver, problem=f"the search failed: {error}")


def _renamed(found: Found, taken: set[str]) -> Found:
    """``found`` with a name that the YAML takes and nobody else has: devices are called anything."""
    name = plain = re.sub(r"[^A-Za-z0-9_-]", "_", found.name) or "device"
    count = 1
    while name in taken or name in RESERVED or WEARER.fullmatch(name):
        count += 1
        name = f"{plain}-{count}"
    taken.add(name)
    return replace(found, name=name, about=words.clean(found.about))


def _table(searches: Sequence[Search]) -> Table:
    table = Table("device", "driver", "what it is", box=None, header_style="dim", pad_edge=False)
    for item in searches:
        for found in item.found:
            # Text, not markup: what devices call themselves may hold square brackets.
            table.add_row(Text(found.name, "bold"), Text(item.driver), Text(found.about))
    return table


def _missing(searches: Sequence[Search]) -> Iterator[str]:
    for item in searches:
        if item.problem:
            yield f"{item.driver}: cannot search: {words.clean(item.problem)}"
        elif not item.found:
            yield f"{item.driver}: none found"


def rig_yaml(searches: Sequence[Search]) -> str:
    """A rig of everything that was found and can be used, as YAML."""
    usable = [found for item in searches for found in item.found if found.yaml]
    if not usable:
        return "# Nothing was found that a rig could use.\n"
    devices = CommentedMap()
    for found in usable:
        devices[found.name] = _node(found.yaml)
        devices.yaml_set_comment_before_after_key(found.name, before=found.about, indent=2)
    yaml, text = YAML(), io.StringIO()
    yaml.width = 2**16
    yaml.dump(CommentedMap({"name": "found", "devices": devices}), text)
    return text.getvalue()


def _node(value: Any) -> Any:
    """``value`` for ruamel: sections as blocks, lists on one line."""
    if isinstance(value, dict):
        return CommentedMap({key: _node(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        line = CommentedSeq(value)
        line.fa.set_flow_style()
        return line
    return value
