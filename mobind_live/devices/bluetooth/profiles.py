"""Bluetooth IMUs that are known by name: what ``profile: NAME`` in a rig stands for, and how to tell them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mobind_live.devices.samples.profiles import load

FILE = Path(__file__).with_name("profiles.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of device. ``section``: the keys of ``ble_imu`` that it sets; ``unverified``: what it was
    written from, while nobody has tried it with the device."""

    about: str
    section: Mapping[str, Any]
    advertises: str | None = None
    service: str | None = None
    unverified: str | None = None


@cache
def profiles() -> Mapping[str, Profile]:
    """The profiles by name."""
    return MappingProxyType({name: Profile(**keys) for name, keys in load(FILE).items()})


def recognize(name: str | None, services: Sequence[str]) -> str | None:
    """The profile of a device that advertises under ``name``, with ``services``; None for an unknown one."""
    for key, profile in profiles().items():
        if profile.service in services or (profile.advertises and re.match(profile.advertises, name or "")):
            return key
    return None
