"""Which column of an IMU's table means what, by its title, or as the user says.

Titles such as ``time_s``, ``Millis``, ``Timestamp (us)``; ``AccelX``, ``acc_y``, ``Accelerometer Z (g)``,
``az``; likewise for the gyroscope. A lone axis is what its unit measures: ``X [mg]``, ``x-axis (deg/s)``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS, split_unit, unit_named
from mobind_live.recordings.files.csv_table import Table, normal
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints

_TIME = re.compile(
    r"""(?: (?:elapsed\ )?time | (?:sensor\ )?time\ ?stamp(?:\ unix)? | sample\ ?time\ ?fine | epoch?
          | elapsed | unix(?:\ time(?:\ ?stamp)?)? | t
          | (?P<told> millis|micros|milliseconds|microseconds|nanoseconds|msecs|seconds(?=\ elapsed)) )
        (?:\ elapsed)?
        (?:\ (?P<unit> s|secs?|seconds | ms|msecs?|millis|milliseconds
                     | us|usecs?|micros|microseconds | ns|nanoseconds ))?""",
    re.VERBOSE,
)
_SENSOR = re.compile(
    r"(?:(?P<acc>acc|accel|(?:accelerometer )?acceleration|accelerometer|a)"
    r"|(?P<gyro>gyr|gyro|gyroscope|gyro rotation|rotation rate|angular velocity|ang vel|as|w|g))"
    r" ?(?P<axis>[xyz123])(?P<suffix> .+)?"
)
# What Shimmer writes around its titles.
_TRIMMINGS = re.compile(r"^shimmer [0-9a-f]{4} |\b(?:ln|wr|low noise|wide range) | cal$")
_LONE = re.compile(r"[xyz](?: axis)?(?: (?P<unit>.+))?")
_NUMBER = re.compile(r"[0-9 ]+(e[0-9 ]+)?")
_DOT_STEP_US = 4000
_NUMBERED = {"x": "1", "y": "2", "z": "3"}
_DEVICES = re.compile(
    r"(?:sensor|device|imu|node)(?: ?(?:id|name|number|address))?|(?:mac )?address|mac|serial(?: number)?"
)
SAY = 'say which with --imu-columns "{}"'
ALL = "time=... acc=... gyro=..."


@dataclass(frozen=True, slots=True)
class Column:
    """``values`` (rows,) or (rows, 3), the ``places`` in the table where they stand, the ``titles`` above
    them, and the ``unit`` named there, or ""."""

    values: np.ndarray
    places: tuple[int, ...]
    titles: tuple[str, ...]
    unit: str


def headers(hints: Hints) -> tuple[Callable[[list[str]], bool], ...]:
    """By what a line of names is known to be an IMU's header, the surest first."""
    if not (hints.acc and hints.gyro):
        return (lambda names: holds(names, hints.columns) and is_header(names), is_header)
    if hints.titles:
        return (lambda names: holds(names, hints.columns), _is_words)
    return is_header, lambda names: _is_words([names[p] for p in hints.places if p < len(names)]), _is_words


def rows_by(hints: Hints, said: tuple[str, ...]) -> tuple[int, ...]:
    """The columns by whose numbers rows are known where there is no header: those that are ``said``, if the
    time is, too, and all by number."""
    whole = bool(said) and bool(hints.time) and not hints.titles
    return tuple(int(number) - 1 for number in said) if whole else ()


def is_header(names: list[str]) -> bool:
    return sum(bool(_time_named(name) or _sensor_named(name) or is_lone(name)) for name in names) >= 4


def holds(names: Sequence[str], said: tuple[str, ...]) -> bool:
    """Whether the columns that are ``said``, by title or number, are all there."""
    return all(1 <= int(one) <= len(names) if one.isdigit() else normal(one) in names for one in said)


def _is_words(names: list[str]) -> bool:
    """A line of words: for a file whose columns the user names."""
    return sum(map(bool, names)) >= 6 and not any(map(is_number, names))


def is_number(name: str) -> bool:
    return bool(_NUMBER.fullmatch(name))


def is_time(name: str) -> bool:
    return bool(_time_named(name))


def _time_named(name: str) -> re.Match[str] | None:
    return _TIME.fullmatch(_TRIMMINGS.sub("", name))


def _sensor_named(name: str) -> re.Match[str] | None:
    lone = _LONE.fullmatch(name)
    unit = unit_named(lone["unit"]) if lone and lone["unit"] else ""
    kind = "acc " if unit in ACC_M_S2 else "gyro " if unit in GYRO_RAD_S else ""
    return _SENSOR.fullmatch(kind + _TRIMMINGS.sub("", name))


def kind_named(name: str) -> str:
    """``acc`` or ``gyro``, whichever a title made alike means, or ""."""
    match = _sensor_named(name)
    return "" if match is None else "acc" if match["acc"] else "gyro"


def is_lone(name: str) -> bool:
    """Whether a title made alike is an axis and says nothing of what is measured along it."""
    match = _LONE.fullmatch(name)
    return match is not None and not match["unit"]


def time_columns(table: Table, hints: Hints, advice: str) -> list[Column]:
    """What may be the stamps (rows,), and their unit; the first that holds some is meant. Raises
    FileError, with ``advice``, if there is none."""
    if hints.time:
        places = [place_of(table, hints.time)]
    else:
        places = [place for place, name in enumerate(table.names) if is_time(name)]
        # A T may be the temperature.
        places = [place for place in places if table.names[place] != "t"] or places
    if not places:
        raise FileError(f"{table.path}: no time column; expected time_s, Millis or timestamp; {advice}")
    return [_time(table, place, hints.time_unit) for place in places]


def _time(table: Table, place: int, said: str) -> Column:
    match = _time_named(table.names[place])
    unit = said or (_unit_of(match) if match else "")
    values = table.values[:, place]
    if not unit and table.names[place].replace(" ", "") == "sampletimefine":
        unit, values = "us", values * _us_each(values)
    return Column(values, (place,), (table.titles[place],), unit)


def _unit_of(match: re.Match[str]) -> str:
    """``msecs`` and ``milliseconds`` are ms, and so on."""
    word = match["unit"] or match["told"] or ""
    if word in TIME_NS or not word:
        return word
    return {"sec": "s", "mil": "ms", "mse": "ms", "mic": "us", "use": "us", "nan": "ns"}[word[:3]]


def _us_each(ticks: np.ndarray) -> int:
    """What one tick of Xsens's SampleTimeFine is: 1 us of a DOT, which takes 120 samples per second at most,
    100 us of an MTw or MTi."""
    steps = np.abs(np.diff(ticks[np.isfinite(ticks)]))
    return 1 if not steps.any() or np.median(steps[steps > 0]) > _DOT_STEP_US else 100


def acc_columns(table: Table, hints: Hints) -> Column:
    """The accelerometer's three columns (rows, 3) and the unit named. Raises FileError."""
    return _triple(table, "acc", hints.acc, ACC_M_S2, "AccelX, AccelY, AccelZ")


def gyro_columns(table: Table, hints: Hints) -> Column:
    """The gyroscope's three columns (rows, 3) and the unit named. Raises FileError."""
    return _triple(table, "gyro", hints.gyro, GYRO_RAD_S, "GyroX, GyroY, GyroZ")


def _triple(table: Table, kind: str, said: tuple[str, ...], units: dict[str, float], want: str) -> Column:
    places = tuple(place_of(table, name) for name in said) if said else places_titled(table, kind)
    if len(places) < 3:
        raise FileError(
            f"{table.path}: columns {want} not found in: {', '.join(table.titles)}; "
            f"{SAY.format(f'{kind}=...')}; if they are in another file, sync takes "
            "both: --imu NAME=ACC.csv,GYRO.csv"
        )
    return column_at(table, places, units)


def column_at(table: Table, places: tuple[int, ...], units: dict[str, float]) -> Column:
    """What stands at ``places``, and the one of ``units`` that the first title names."""
    titles = tuple(table.titles[place] for place in places)
    _, unit = split_unit(titles[0])
    return Column(table.values[:, places], places, titles, unit if unit in units else "")


def places_titled(table: Table, kind: str) -> tuple[int, ...]:
    """Where the axes of ``kind``, acc or gyro, stand by their titles; fewer than three if one is missing.
    Raises FileError."""
    found = [_of_axis(table, kind, axis) for axis in "xyz"]
    return tuple(place for place in found if place is not None)


def _of_axis(table: Table, kind: str, axis: str) -> int | None:
    """Where the one column of ``axis`` stands, if there is any. Raises FileError if there are several: of
    other sensors, or filtered and not."""
    matches = {place: match for place, name in enumerate(table.names) if (match := _sensor_named(name))}
    axes = (axis, _NUMBERED[axis])
    places = [place for place, match in matches.items() if match[kind] and match["axis"] in axes]
    bare = [place for place in places if _is_bare(table.titles[place])]
    if len(places) > 1 and len(bare) != 1:
        there = ", ".join(table.titles[place] for place in places)
        raise FileError(
            f"{table.path}: {kind} {axis} is there {len(places)} times: {there}; name the columns of one "
            f'sensor with --imu-columns "NAME:{ALL}"'
        )
    return next(iter(bare if len(places) > 1 else places), None)


def _is_bare(title: str) -> bool:
    """Whether nothing but a unit stands behind the axis."""
    match = _sensor_named(normal(split_unit(title)[0]))
    return match is not None and not match["suffix"]


def place_of(table: Table, said: str) -> int:
    """The column that ``said`` means, a title or a number from 1. Raises FileError."""
    if said.isdigit() and 1 <= int(said) <= len(table.names):
        return int(said) - 1
    for names, wanted in ((table.titles, said), (table.names, normal(said))):
        if names.count(wanted) > 1:
            numbers = ", ".join(str(place + 1) for place, name in enumerate(names) if name == wanted)
            raise FileError(f"{table.path}: several columns are called {said!r}; say its number: {numbers}")
        if wanted in names:
            return names.index(wanted)
    raise FileError(f"{table.path}: no column {said!r}; there are: {', '.join(table.titles)}")


def refuse_several_devices(table: Table) -> None:
    refuse_several(table, _DEVICES, "sensors")


def refuse_several(table: Table, who: re.Pattern[str], are: str) -> None:
    """Raises FileError if a column that says ``who`` each row is of names several. One that names each row
    anew counts rows."""
    for place, name in enumerate(table.names):
        if who.fullmatch(name):
            named = dict.fromkeys(text for text in table.texts(place) if text)
            if 1 < len(named) < len(table.values):
                some = ", ".join([*named][:5])
                raise FileError(
                    f"{table.path}: several {are} ({table.titles[place]} {some}); "
                    "keep the rows of one of them"
                )
