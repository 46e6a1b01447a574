"""The stamps of a file's rows: which column holds them, in which unit, and which rows come in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.units import TIME_NS
from mobind_live.recordings.files import clock_text
from mobind_live.recordings.files.columns import Column
from mobind_live.recordings.files.csv_table import Table
from mobind_live.recordings.files.errors import FileError

SINCE_S = 3e8  # a time beyond ten years counts from some date, not from when a logger was switched on
_BACK_S = 1.0  # stamps that fall by more are a clock that began anew, not packets out of order
_BACKWARDS = 0.1  # a larger share of rows that fall is no restart
_LATE = 0.1  # a larger share of rows before earlier ones is no packet here and there out of order
_SPIKE_STEPS = 10
_UNSET_STEPS, _EARLIEST_S = 1000, 60.0  # a first stamp so far before the next is of a clock not set yet
_WRAP_STEPS = 100  # so near its end a counter was when it went on from its begin
_SUCH = "2026-11-22 10:15:30.5 or 10:15:30.5"
_LAST_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Stamps:
    """``t_ns`` (K,) int64 of the rows kept, which rows those are (rows,) bool, the first row's stamp, what
    was ``found`` of them, and the ``time`` column, with its unit."""

    t_ns: np.ndarray
    keep: np.ndarray
    start_ns: int
    found: str
    time: Column


def readable(table: Table, times: list[Column], advice: str) -> list[Column]:
    """Those of ``times`` that hold numbers, or dates and clock times, which become
    microseconds, clock times written as one number, too. Raises FileError, with ``advice``, if none does."""
    found = [one for time in times if (one := _numbers(table, time)) is not None]
    if not found:
        title, some = times[0].titles[0], next(filter(None, table.texts(times[0].places[0])), "")
        what = f"holds {some[:40]!r}, no number and no time such as {_SUCH}" if some else "is empty"
        raise FileError(f"{table.path}: {title} {what}; {advice}")
    return found


def _numbers(table: Table, time: Column) -> Column | None:
    if np.isfinite(time.values).mean() < 0.5:
        written = clock_text.microseconds(table.texts(time.places[0]))
        if np.isfinite(written).mean() > 0.5:
            return replace(time, values=written, titles=(f"{time.titles[0]} as a clock",), unit="us")
    for unit in (time.unit,) if time.unit else TIME_NS:
        written = clock_text.run_together(time.values, 1e9 / TIME_NS[unit])
        if written is not None:
            return replace(time, values=written, titles=(f"{time.titles[0]} as HHMMSS",), unit="us")
    return time if np.isfinite(time.values).any() else None


def of_rows(table: Table, time: Column, usable: np.ndarray, advice: str, *, strictly: bool) -> Stamps:
    """The stamps of the usable rows (rows,) whose stamp is not before an earlier one's, nor the same where
    they rise ``strictly``. ``advice`` is for a time whose unit nobody can tell. Raises FileError."""
    title = time.titles[0]
    stamped = np.isfinite(time.values)
    usable = usable & stamped
    if usable.sum() < 2:
        raise FileError(f"{table.path}: fewer than two rows have all their numbers")
    if usable.sum() < len(usable) / 2:
        raise FileError(f"{table.path}: {(~usable).sum()} of {len(usable)} rows lack a number")
    ticks = _unwrapped(time.values, usable)
    usable = _without_spikes(ticks, usable)
    before = np.maximum.accumulate(np.where(usable, ticks, -np.inf))
    before = np.concatenate([[-np.inf], before[:-1]])
    keep = usable & (ticks > before if strictly else ticks >= before)
    if keep.sum() < usable.sum() / 2 and (np.diff(ticks[usable]) < 0).mean() > _BACKWARDS:
        raise FileError(f"{table.path}: the stamps run backwards ({title})")
    if not np.ptp(ticks[keep]):
        raise FileError(f"{table.path}: {title} is the same in every row; {advice}")
    unit = time.unit or _told(table, title, ticks[keep], advice)
    _check_unit(table, title, ticks[keep], unit, named=bool(time.unit))
    scale = TIME_NS[unit]
    falls = usable & (ticks < before)
    if float((before - ticks)[usable].max()) * scale * 1e-9 > _BACK_S:
        raise FileError(
            f"{table.path}: the stamps run backwards at row {np.flatnonzero(falls)[0] + 1} of numbers "
            f"({title}); split the file where the device was restarted"
        )
    _refuse_late(table, title, falls & ~np.isin(ticks, ticks[keep]))
    start = float(ticks[stamped][0])
    if (float(ticks[keep][0]) - start) * scale * 1e-9 > _EARLIEST_S:
        start = float(ticks[keep][0])  # a logger whose clock was not set yet
    own, found = ticks[keep], f"time {title} ({unit})"
    each = 1 if strictly else round(len(own) / len(np.unique(own)))
    if each > 1:
        if not np.mod(own * scale, 1e9).any():
            raise FileError(
                f"{table.path}: {title} has whole seconds only, one for {each} samples: nobody knows when in "
                f"it the first one was; {advice}"
            )
        found += f", one for {each} samples: the oldest's"
    t_ns = np.round((own if strictly else _spread(own)) * scale).astype(np.int64)
    return Stamps(t_ns, keep, round(start * scale), found, replace(time, unit=unit))


def rate_hz(t_ns: np.ndarray) -> float:
    """Samples per second of the stamps ``t_ns`` (N,) int64; 0 where there are too few to tell."""
    if len(t_ns) < 2 or t_ns[-1] <= t_ns[0]:
        return 0.0
    return (len(t_ns) - 1) / (float(t_ns[-1] - t_ns[0]) * 1e-9)


def _refuse_late(table: Table, title: str, late: np.ndarray) -> None:
    """Raises FileError where many rows, and more than one, are ``late`` (rows,) bool: before an earlier row,
    and none that was written twice."""
    if late.sum() > 1 + _LATE * len(late):
        raise FileError(
            f"{table.path}: {late.sum()} of {len(late)} rows have stamps before an earlier row's, the first "
            f"at row {np.flatnonzero(late)[0] + 1} of numbers ({title}); sort the rows by time, or, if "
            "milliseconds lack their zeros, write 10:15:30.020 for 20 ms, not 10:15:30.20"
        )


def _unwrapped(ticks: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """``ticks`` (rows,) of a counter of 16 or 32 bits, or of a clock at midnight, that went on from 0 when it
    was full, going on from there instead."""
    own = ticks[usable]
    steps = np.diff(own)
    near = _WRAP_STEPS * float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    for full in (2.0**16, 2.0**32, *(86400e9 / scale for scale in TIME_NS.values())):
        wraps = (own[:-1] > full - near) & (own[1:] < near)
        if near < full / 4 and own.max() < full and wraps.any():
            turns = np.zeros(len(ticks))
            turns[np.flatnonzero(usable)[1:]] = wraps
            return ticks + full * np.cumsum(turns)
    return ticks


def _spread(ticks: np.ndarray) -> np.ndarray:
    """Stamps (K,) of which several samples share one, as those of a packet do, each with its own: evenly
    until the next stamp, which is the next packet's oldest sample's."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ticks)) + 1])
    counts = np.diff(np.append(starts, len(ticks)))
    if len(starts) < 2 or counts.max() == 1:
        return ticks
    steps = np.diff(ticks[starts]) / counts[:-1]
    usual = float(np.median(np.repeat(steps, counts[:-1])))
    steps = np.append(np.minimum(steps, 1.5 * usual), usual)  # after a packet that was lost, too
    return ticks + (np.arange(len(ticks)) - np.repeat(starts, counts)) * np.repeat(steps, counts)


def _without_spikes(ticks: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """``usable`` (rows,) without single stamps far ahead of both neighbours: what follows is not late."""
    rows = np.flatnonzero(usable)
    own = ticks[rows]
    far = _SPIKE_STEPS * np.median(np.abs(np.diff(own)))
    spike = np.zeros(len(rows), dtype=bool)
    spike[1:-1] = (own[1:-1] > own[2:] + far) & (own[2:] >= own[:-2])
    spike[0] = own[1] - own[0] > _UNSET_STEPS * np.median(np.abs(np.diff(own)))
    return np.isin(np.arange(len(usable)), rows[~spike])


def _told(table: Table, title: str, ticks: np.ndarray, advice: str) -> str:
    """The unit that no title names. Raises FileError."""
    if plausible.counts(ticks):
        raise FileError(
            f"{table.path}: {title} goes up by 1 each time: that counts rows, or is too coarse; {advice}"
        )
    if unit := plausible.time_unit(ticks):
        return unit
    raise FileError(
        f"{table.path}: the time's unit is unclear ({title}); name the column time_s, time_ms or time_us"
    )


def _check_unit(table: Table, title: str, ticks: np.ndarray, unit: str, *, named: bool) -> None:
    if named and not plausible.time_fits(ticks, unit):
        rate, better = plausible.rate_hz(ticks, unit), plausible.time_unit(ticks)
        advice = ""
        if better:
            other = plausible.rate_hz(ticks, better)
            advice = f"; in {better} {other:.3g}: if that is its rate, say so with --units time={better}"
        raise FileError(
            f"{table.path}: with {title} in {unit} there are {rate:.3g} samples per second{advice}"
        )
    if float(np.abs(ticks).max()) * TIME_NS[unit] > _LAST_NS:
        raise FileError(
            f"{table.path}: {title} reaches {np.abs(ticks).max():.3g}, too much for a time in {unit}; write "
            f"seconds, or times such as {_SUCH}"
        )
