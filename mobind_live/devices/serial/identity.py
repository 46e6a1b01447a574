"""Which USB device is behind a serial port: ``/dev/ttyUSB0`` is whichever was plugged in first."""

from __future__ import annotations

import os
from collections.abc import Iterable

from serial.tools.list_ports_common import ListPortInfo


def identity(path: str, ports: Iterable[ListPortInfo]) -> str | None:
    """What tells the device behind ``path``, a node or a link to one, from others: its maker and kind (USB's
    two numbers) with its serial number, or, where it has none, with its socket. None where no USB device of
    ``ports`` is there: a port of the board's own, a network address."""
    node = os.path.realpath(path)
    there = next((port for port in ports if os.path.realpath(port.device) == node), None)
    if there is None or there.vid is None:
        return None
    kind = f"{there.vid:04x}:{there.pid:04x}"
    if not there.serial_number:
        return f"USB device {kind} in socket {there.location}"
    one_of_several = (there.location or "").partition(":")[2]  # of the ports of one device
    return f"USB device {kind} number {there.serial_number}{one_of_several and f', port {one_of_several}'}"
