"""Which channels of an LSL stream are an IMU's, from the labels and units in its description. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self, TypeVar
from xml.etree import ElementTree

import numpy as np
from pydantic import Field, model_validator

from mobind_live.devices.samples.names import MOTION, QUATERNION, field_name
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, AccUnit, GyroUnit, split_unit, unit_named
from mobind_live.section import Section

# How a channel is named in the YAML: by its place, from 0, or by its label.
ChannelName = int | str
Used = TypeVar("Used", int, ChannelName)
_Asked = Annotated[int, Field(ge=0)] | str
_Three = tuple[_Asked, _Asked, _Asked]

_FIELDS = {"acc": MOTION[:3], "gyro": MOTION[3:], "quaternion": QUATERNION}
_WORDS = {"acceleration": "acc", "angularvelocity": "gyro", "angvel": "gyro", "orientation": "quat"}
# Before "acc" or "gyro" these make it something else than what the sensor measured.
_NOT_RAW = frozenset({"lin", "linear", "free", "user", "gravity", "world", "global", "dyn", "dynamic"})


class LayoutError(ValueError):
    """The channels cannot be told, or do not suffice; one line for the user, with the key to set."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as its stream describes it; empty texts where it does not."""

    label: str = ""
    unit: str = ""
    type: str = ""


class Wanted(Section):
    """What the YAML says of the channels; None: the stream's own description decides."""

    acc_channels: _Three | None = None
    gyro_channels: _Three | None = None
    quaternion_channels: tuple[_Asked, _Asked, _Asked, _Asked] | None = None
    acc: AccUnit | None = None
    gyro: GyroUnit | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = [*(self.acc_channels or ()), *(self.gyro_channels or ()), *(self.quaternion_channels or ())]
        if (twice := repeated(named)) is not None:
            raise ValueError(f"channel {twice} is there twice; each of the IMU's channels is one of its own")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where an IMU's values stand in a sample; ``quaternion`` (w x y z) is empty where there is none."""

    acc: tuple[int, ...]
    gyro: tuple[int, ...]
    quaternion: tuple[int, ...]
    acc_unit: str
    gyro_unit: str

    def split(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """``samples`` (N, channels) as acceleration (N, 3) m/s^2, angular rate (N, 3) rad/s, and the
        quaternion (N, 4) or None; all float32."""
        with np.errstate(over="ignore"):  # doubles may hold what no float does: inf, then
            acc = (samples[:, self.acc] * ACC_M_S2[self.acc_unit]).astype(np.float32)
            gyro = (samples[:, self.gyro] * GYRO_RAD_S[self.gyro_unit]).astype(np.float32)
            turn = samples[:, self.quaternion].astype(np.float32) if self.quaternion else None
        return acc, gyro, turn


def channels_of(xml: str, count: int) -> tuple[Channel, ...]:
    """The ``count`` channels of a stream, as its description in XDF's XML names them, if it does."""
    try:
        found = ElementTree.fromstring(xml).findall("./desc/channels/channel")
    except ElementTree.ParseError:
        found = []
    if len(found) != count:
        return (Channel(),) * count
    return tuple(
        Channel(*((node.findtext(key) or "").strip() for key in ("label", "unit", "type"))) for node in found
    )


def layout(channels: Sequence[Channel], wanted: Wanted) -> Layout:
    """Where the IMU is in these channels. Raises LayoutError."""
    acc = _places("acc", channels, wanted.acc_channels)
    gyro = _places("gyro", channels, wanted.gyro_channels)
    try:
        turn = _places("quaternion", channels, wanted.quaternion_channels)
    except LayoutError:
        if wanted.quaternion_channels is not None:
            raise
        turn = ()
    if (twice := repeated([*acc, *gyro, *turn])) is not None:
        raise LayoutError(f"channel {channels[twice].label or twice} is used twice; name each once")
    return Layout(
        acc=acc,
        gyro=gyro,
        quaternion=turn,
        acc_unit=wanted.acc or _unit("acc", [channels[i] for i in acc], ACC_M_S2),
        gyro_unit=wanted.gyro or _unit("gyro", [channels[i] for i in gyro], GYRO_RAD_S),
    )


def repeated(used: Sequence[Used]) -> Used | None:
    """The first of ``used`` that is there twice."""
    return next((one for one in used if used.count(one) > 1), None)


def meaning(channel: Channel) -> str | None:
    """The field (``ax`` .. ``gz``, ``qw`` .. ``qz``) that a channel's label, or type and label, means."""
    for text in (channel.label, f"{channel.type} {channel.label}", channel.type):
        words = _words(text)
        for start in range(len(words)):
            found = field_name("".join(words[start:]))
            if found is not None and found != "t" and not _NOT_RAW & set(words[:start]):
                return found
    return None


def _words(text: str) -> list[str]:
    """``LeftAcc_X (g)`` as left, acc, x; long names as the short ones that ``field_name`` knows."""
    text = re.sub(r"\(.*?\)|\[.*?\]", "", text)
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)]
    joined = " ".join(words).replace("angular velocity", "angularvelocity").replace("ang vel", "angvel")
    return [_WORDS.get(word, word) for word in joined.split()]


def _places(kind: str, channels: Sequence[Channel], named: Sequence[ChannelName] | None) -> tuple[int, ...]:
    if named is not None:
        return tuple(_place(kind, channels, name) for name in named)
    means = [meaning(channel) for channel in channels]
    key = f"{kind}_channels"
    example = [0, 1, 2] if kind == "acc" else [3, 4, 5]
    places = []
    for field in _FIELDS[kind]:
        at = [i for i, found in enumerate(means) if found == field]
        if len(at) > 1:
            several = ", ".join(channels[i].label or str(i) for i in at)
            raise LayoutError(f"several channels could be {field}: {several}; set {key}")
        if not at:
            raise LayoutError(
                f"no channel is {field} by its label ({_labels(channels)}); set {key}: {example}"
            )
        places.append(at[0])
    return tuple(places)


def _place(kind: str, channels: Sequence[Channel], name: ChannelName) -> int:
    if isinstance(name, int):
        if name < len(channels):
            return name
        raise LayoutError(f"{kind}_channels: there is no channel {name}; the {len(channels)} count from 0")
    at = [i for i, channel in enumerate(channels) if channel.label == name]
    if len(at) != 1:
        how = "no channel has" if not at else f"{len(at)} channels have"
        raise LayoutError(f"{kind}_channels: {how} the label {name!r}; there are: {_labels(channels)}")
    return at[0]


def _labels(channels: Sequence[Channel]) -> str:
    labels = [channel.label for channel in channels if channel.label]
    shown = ", ".join(labels[:12]) + (", ..." if len(labels) > 12 else "")
    return shown or f"its {len(channels)} channels have none"


def _unit(kind: str, channels: Sequence[Channel], known: Mapping[str, float]) -> str:
    told = {
        unit_named(channel.unit) if channel.unit else split_unit(channel.label)[1] for channel in channels
    }
    if len(told) == 1 and (unit := told.pop()) in known:
        return unit
    said = ", ".join(sorted({channel.unit or "none" for channel in channels}))
    raise LayoutError(
        f"the unit of {kind} is not known (it says: {said}); set {kind}: one of {', '.join(known)}"
    )
