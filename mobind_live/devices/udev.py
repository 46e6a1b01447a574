"""Names of device nodes that stay when others are plugged in, as udev links them on Linux."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def lasting_name(node: Path, equals: Iterable[Path], links: Path) -> str:
    """The name of ``node`` in ``links`` (``/dev/v4l``, ``/dev/serial``): the device's own, or, where not all
    of its ``equals`` have one, its socket's; ``node`` itself where there is neither.

    Of equal devices without serial numbers all claim one name, and any of them may get it.
    """
    by_id, by_path = (
        {link.resolve(): link for link in sorted((links / kind).glob("*"))} for kind in ("by-id", "by-path")
    )
    own = all(other.resolve() in by_id for other in equals)
    return str((by_id if own else by_path).get(node.resolve(), node))
