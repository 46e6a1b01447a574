"""Serial IMUs that are known by name: what ``profile: NAME`` in a rig stands for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML

FILE = Path(__file__).with_name("profiles.yaml")


@cache
def profiles() -> Mapping[str, Mapping[str, Any]]:
    """The keys of a ``serial_imu`` section that each profile sets."""
    return MappingProxyType(YAML(typ="safe").load(FILE.read_text(encoding="utf-8")))


def with_profile(section: Mapping[str, Any]) -> dict[str, Any]:
    """``section`` on top of the profile that it names, if there is one of that name."""
    name = section.get("profile")
    known = profiles().get(name, {}) if isinstance(name, str) else {}
    return {**known, **section}
