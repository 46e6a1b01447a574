"""Known devices: ``profile: NAME`` in a rig stands for keys that a YAML file has under that name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, field_validator, model_validator
from ruamel.yaml import YAML


def load(file: Path) -> Mapping[str, Any]:
    """What ``file`` has, by the profiles' names."""
    return MappingProxyType(YAML(typ="safe").load(file.read_text(encoding="utf-8")))


class Profiled(BaseModel):
    """A section whose ``profile`` is a known device: it sets the other keys, any of which may be set anew."""

    profile: str | None = None

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        """The keys that each profile sets."""
        raise NotImplementedError

    @classmethod
    def complete(cls, section: dict[str, Any]) -> dict[str, Any]:
        """``section``, its profile's keys included, with those that follow from others. Raises ValueError."""
        return section

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_its_profile(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        name = section.get("profile")
        keys = cls.known().get(name, {}) if isinstance(name, str) else {}
        return cls.complete({**keys, **section})

    @field_validator("profile")
    @classmethod
    def _is_known(cls, profile: str | None) -> str | None:
        if profile is not None and profile not in cls.known():
            raise ValueError(f"no profile {profile!r}; there are: {', '.join(cls.known())}")
        return profile
