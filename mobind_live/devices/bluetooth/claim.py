"""A lock for each Bluetooth device, so that it is served once on this machine.

It is by address, whichever of its names the device was found by. The system lifts it when
the process that has it ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from pathlib import Path


def claim(address: str) -> int | None:
    """The descriptor of the lock for the device at ``address``, to be closed when it is let go; None while
    another link has it, in this process or another one. Raises OSError where there is no place for it."""
    name = re.sub(r"[^0-9A-Z]", "-", address.upper())
    descriptor = _open(Path(tempfile.gettempdir()) / f"mobind-live-ble-{name}.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open(path: Path) -> int:
    """The descriptor of ``path``, made if it is not there. It stays there: a lock on a file that another
    process has replaced would be none."""
    try:
        # Not to be made anew: the kernel refuses that for a file of another user's in a shared folder.
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
