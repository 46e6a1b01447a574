"""What a Bluetooth IMU is and sends, as its YAML section says it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from mobind_live.bluetooth.profiles import profiles, with_profile
from mobind_live.driver import DriverConfig
from mobind_live.samples.packet_form import Hex, PacketForm
from mobind_live.samples.units import axes_matrix

_UUID = re.compile(r"[0-9a-f]{4}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _is_uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError(f"{text!r} is no UUID, such as 2a37 or 6e400003-b5a3-f393-e0a9-e50e24dcca9e")
    return text


Uuid = Annotated[str, AfterValidator(_is_uuid)]


class Write(BaseModel):
    """``bytes``, in hex, to write to ``characteristic``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    characteristic: Uuid
    bytes: Hex


class BleForm(DriverConfig):
    """The device by ``address``, or by the ``name`` that it advertises; its ``profile``, which sets the other
    keys, any of which may be set anew, or else ``notify`` and ``packet``.

    ``service``: where to look for the characteristics, if several services have them. ``start``: what to
    write once it is listened to.
    """

    address: str | None = None
    name: str | None = None
    adapter: str | None = None
    profile: str | None = None
    service: Uuid | None = None
    notify: Uuid | tuple[Uuid, ...] = ()
    start: tuple[Write, ...] = ()
    packet: PacketForm
    axes: tuple[str, str, str] = ("x", "y", "z")
    nominal_hz: float = Field(default=100.0, gt=0, le=10_000)

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_its_profile(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            return section
        whole = with_profile(section)
        if "packet" not in whole and "profile" not in whole:
            raise ValueError(f"profile or packet: say one of them; profiles: {', '.join(profiles())}")
        return whole

    @field_validator("profile")
    @classmethod
    def _known(cls, profile: str | None) -> str | None:
        if profile is not None and profile not in profiles():
            raise ValueError(f"no profile {profile!r}; there are: {', '.join(profiles())}")
        return profile

    @field_validator("axes")
    @classmethod
    def _right_handed(cls, axes: tuple[str, str, str]) -> tuple[str, str, str]:
        axes_matrix(axes)
        return axes

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.address is None) == (self.name is None):
            raise ValueError("address or name: say one of them")
        if not self.notify:
            raise ValueError("notify: say which characteristic sends the packets")
        return self

    @property
    def listens_to(self) -> tuple[str, ...]:
        return (self.notify,) if isinstance(self.notify, str) else self.notify
