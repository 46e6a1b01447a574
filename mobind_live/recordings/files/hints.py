"""What a user says of an IMU's file on the command line: which columns to read, and their units."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace

from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS
from mobind_live.recordings.files.errors import HintError


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the user says of an IMU's file; empty is for the file to tell. Columns are titles, or numbers
    from 1."""

    time: str = ""
    acc: tuple[str, ...] = ()
    gyro: tuple[str, ...] = ()
    time_unit: str = ""
    acc_unit: str = ""
    gyro_unit: str = ""

    def over(self, other: Hints) -> Hints:
        """These, and the other's where these say nothing."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name))}
        return replace(other, **given)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        return (*((self.time,) if self.time else ()), *self.acc, *self.gyro)

    @property
    def titles(self) -> tuple[str, ...]:
        """The columns that are named by title."""
        return tuple(said for said in self.columns if not said.isdigit())

    @property
    def places(self) -> tuple[int, ...]:
        """Where the columns stand that are named by number, from 0."""
        return tuple(int(said) - 1 for said in self.columns if said.isdigit())


def parse_columns(text: str) -> Hints:
    """``time=Millis acc=AccelX,AccelY,AccelZ gyro=5,6,7``, any of them. Raises HintError."""
    said = _pairs(text, "--imu-columns", ("time", "acc", "gyro"))
    triples = {
        key: tuple(name.strip() for name in said[key].split(",")) for key in ("acc", "gyro") if key in said
    }
    for key, names in triples.items():
        if len(names) != 3:
            raise HintError(f"--imu-columns: {key} needs three columns, not {said[key]!r}")
    return Hints(time=said.get("time", ""), acc=triples.get("acc", ()), gyro=triples.get("gyro", ()))


def parse_units(text: str) -> Hints:
    """``time=ms acc=g gyro=deg/s``, any of them. Raises HintError."""
    said = _pairs(text, "--units", ("time", "acc", "gyro"))
    for key, allowed in (("time", TIME_NS), ("acc", ACC_M_S2), ("gyro", GYRO_RAD_S)):
        if key in said and said[key] not in allowed:
            raise HintError(f"--units: {key}={said[key]} is none of {', '.join(allowed)}")
    return Hints(time_unit=said.get("time", ""), acc_unit=said.get("acc", ""), gyro_unit=said.get("gyro", ""))


def _pairs(text: str, option: str, keys: tuple[str, ...]) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise HintError(f"{option}: {text!r}: a quotation mark is missing") from error
    pairs = [word.partition("=") for word in words]
    for key, equals, value in pairs:
        if key not in keys or not equals or not value:
            raise HintError(f"{option}: {text!r}: expected some of {', '.join(f'{k}=...' for k in keys)}")
    return {key: value for key, _, value in pairs}
