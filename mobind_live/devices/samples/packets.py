"""Packets of binary samples to samples in SI units. Knows no radio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobind_live.devices.samples.checksums import CHECKSUMS
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S, BadLine
from mobind_live.devices.samples.names import MOTION, QUATERNION
from mobind_live.devices.samples.packet_form import PacketForm
from mobind_live.devices.samples.ticks import Places, Spread, Wrap, to_ns
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, axes_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """N samples of one packet, oldest first: ``device_ns`` (N,) int64 or None, ``acc_m_s2`` and
    ``gyro_rad_s`` (N, 3) float32, ``quaternion`` (N, 4) float32 or None."""

    device_ns: np.ndarray | None
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    quaternion: np.ndarray | None


def join(packets: Sequence[Samples]) -> Samples:
    """The samples of several packets, which all come from one decoder, as one."""
    stamps = [one.device_ns for one in packets if one.device_ns is not None]
    turns = [one.quaternion for one in packets if one.quaternion is not None]
    return Samples(
        device_ns=np.concatenate(stamps) if stamps else None,
        acc_m_s2=np.concatenate([one.acc_m_s2 for one in packets]),
        gyro_rad_s=np.concatenate([one.gyro_rad_s for one in packets]),
        quaternion=np.concatenate(turns) if turns else None,
    )


Row = dict[str, float]


class Decoder:
    """The packets of one device, in the order of their arrival."""

    def __init__(self, form: PacketForm, nominal_hz: float, axes: tuple[str, str, str]) -> None:
        self._form = form
        self._begins = bytes.fromhex(form.begins)
        self._header, *self._records = form.records
        self._period_ns = 1e9 / nominal_hz
        self._turn = axes_matrix(axes).T
        self._turned = axes != ("x", "y", "z")  # a quaternion is of the axes that it came with
        self._clock = Wrap(form.spans.get("t", 0))
        self._places = Places(form.spans.get("seq", 0), self._period_ns)
        self._spread = Spread(self._period_ns, newest=form.stamp_of == "newest")

    def __call__(self, data: bytes, received_ns: int) -> Samples | None:
        """The samples in one packet, and when it came; None for a packet of another kind. Raises BadLine."""
        if not data.startswith(self._begins):
            return None
        count = self._count(data)
        header = self._header.read(data)
        rows = self._rows(data, count)
        motion = np.array([[row[name] for name in MOTION] for row in rows])  # (N, 6)
        acc = motion[:, :3] * ACC_M_S2[self._form.acc] @ self._turn
        gyro = motion[:, 3:] * GYRO_RAD_S[self._form.gyro] @ self._turn
        if np.abs(acc).max() > MOST_M_S2 or np.abs(gyro).max() > MOST_RAD_S:
            raise BadLine("a value is beyond what a sensor can measure")
        places = self._count_places(header, rows, received_ns)
        return Samples(
            device_ns=self._stamps(header, rows, places, received_ns),
            acc_m_s2=acc.astype(np.float32),
            gyro_rad_s=gyro.astype(np.float32),
            quaternion=self._quaternion(rows),
        )

    def _count(self, data: bytes) -> int:
        """How many samples are in ``data``, once its length and checksum are right. Raises BadLine."""
        form, each = self._form, sum(record.size for record in self._records)
        tail = form.tail
        count, rest = divmod(len(data) - self._header.size - tail, each)
        if form.size is None and (count < 1 or rest):
            raise BadLine(f"{len(data)} bytes, expected {self._header.size + tail} and some times {each}")
        if form.size is not None and (len(data) < form.size or (len(data) > form.size and not form.trailing)):
            raise BadLine(f"{len(data)} bytes, expected {form.size}")
        if form.checksum and not CHECKSUMS[form.checksum].holds(data[:-tail], data[-tail:]):
            raise BadLine("the checksum is wrong")
        return form.samples or count

    def _rows(self, data: bytes, count: int) -> list[Row]:
        """Each sample's fields, oldest first."""
        rows: list[Row] = [{} for _ in range(count)]
        at = self._header.size
        for record in self._records:
            for row in rows:
                row |= record.read(data, at)
                at += record.size
        return rows if self._form.order == "oldest_first" else rows[::-1]

    def _quaternion(self, rows: list[Row]) -> np.ndarray | None:
        if self._turned or not set(QUATERNION) <= rows[0].keys():
            return None
        return np.array([[row[name] for name in QUATERNION] for row in rows], dtype=np.float32)

    def _count_places(self, header: Row, rows: list[Row], received_ns: int) -> np.ndarray | None:
        """The samples' places in the device's count, (N,) int64; None where it does not count. Raises BadLine
        for a packet that came before."""
        if "seq" in rows[0]:
            places = [self._places(row["seq"], 1, received_ns) for row in rows]
        elif "seq" in header:
            first = self._places(header["seq"], len(rows), received_ns)
            places = [None if first is None else first + i for i in range(len(rows))]
        else:
            return None
        if None in places:
            raise BadLine("it came before: its counter is the same")
        return np.array(places, dtype=np.int64)

    def _stamps(
        self, header: Row, rows: list[Row], places: np.ndarray | None, received_ns: int
    ) -> np.ndarray | None:
        """The samples' stamps, (N,) int64 ns: the device's, or else its count at the nominal rate. Raises
        BadLine."""
        form = self._form
        if form.tick_ns is None:
            return None if places is None else np.round(places * self._period_ns).astype(np.int64)
        usual = self._period_ns / form.tick_ns
        if "t" in header:
            ticks = self._clock(header["t"], received_ns, form.tick_ns, usual * len(rows))
            return self._spread(to_ns(ticks, form.tick_ns), len(rows))
        ticks = [self._clock(row["t"], received_ns, form.tick_ns, usual) for row in rows]
        return np.array([to_ns(tick, form.tick_ns) for tick in ticks], dtype=np.int64)
