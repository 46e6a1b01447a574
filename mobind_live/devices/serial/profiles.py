"""Serial IMUs that are known by name: what ``profile: NAME`` in a rig stands for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mobind_live.devices.samples.profiles import load

FILE = Path(__file__).with_name("profiles.yaml")


@cache
def profiles() -> Mapping[str, Mapping[str, Any]]:
    """The keys of a ``serial_imu`` section that each profile sets."""
    return load(FILE)
