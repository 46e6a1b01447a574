"""What a Bluetooth IMU is and sends, as its YAML section says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from mobind_live.devices.bluetooth.profiles import profiles
from mobind_live.devices.samples.packet_form import Hex, PacketForm
from mobind_live.devices.samples.profiles import Profiled
from mobind_live.driver import Clock, ImuConfig
from mobind_live.section import Section

_UUID = re.compile(r"[0-9a-f]{4}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _is_uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise ValueError(f"{text!r} is no UUID, such as 2a37 or 6e400003-b5a3-f393-e0a9-e50e24dcca9e")
    return text


Uuid = Annotated[str, AfterValidator(_is_uuid)]


class Write(Section):
    """``bytes``, in hex, to write to ``characteristic``."""

    characteristic: Uuid
    bytes: Hex


class BleForm(Profiled, ImuConfig):
    """The device by ``address``, or by the ``name`` that it advertises; its ``profile``, which sets the other
    keys, any of which may be set anew, or else ``notify`` and ``packet``.

    ``service``: where to look for the characteristics, if several services have them. ``start``: what to
    write once it is listened to.
    """

    address: str | None = None
    name: str | None = None
    adapter: str | None = None
    service: Uuid | None = None
    notify: Uuid | tuple[Uuid, ...] = ()
    start: tuple[Write, ...] = ()
    packet: PacketForm

    def held(self) -> tuple[str, ...]:
        if self.address:
            return (self.address.upper(),)
        return (f"Bluetooth name {self.name!r} (use `address`, which tells equal names apart)",)

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {name: profile.section for name, profile in profiles().items()}

    @classmethod
    def complete(cls, section: dict[str, Any]) -> dict[str, Any]:
        if "packet" not in section and "profile" not in section:
            raise ValueError(f"profile or packet: say one of them; profiles: {', '.join(profiles())}")
        return section

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.address is None) == (self.name is None):
            raise ValueError("address or name: say one of them")
        if not self.notify:
            raise ValueError("notify: say which characteristic sends the packets")
        return self

    @property
    def clock(self) -> Clock:
        return "device" if self.packet.clocked else "arrival"

    @property
    def listens_to(self) -> tuple[str, ...]:
        return (self.notify,) if isinstance(self.notify, str) else self.notify
