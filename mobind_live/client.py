"""For programs that use a running rig: its messages, typed, and its offsets, applied to stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mobind_live.bus import SUBSCRIBE_ENDPOINT, Subscriber
from mobind_live.schema import Offset, Received

__all__ = ["Offset", "OffsetMap", "subscribe"]


def subscribe(*topics: str, endpoint: str = SUBSCRIBE_ENDPOINT) -> Iterator[Received]:
    """Every message under ``topics`` (prefixes; all of them if none is given), for ever, as it comes::

        for received in subscribe("v1/out/offset/"):
            if isinstance(received.message, Offset):
                print(received.message.stream, received.message.offset_s)

    A rig that is not running yet is waited for, one that stops is waited for again. Raises BusError if
    ``endpoint`` is not an address.
    """
    return _messages(Subscriber(topics or ("v1/",), endpoint))  # what is sent from now on is not missed


def _messages(subscriber: Subscriber) -> Iterator[Received]:
    with subscriber:
        while True:
            yield from subscriber.poll(1_000)


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """Turns the stamps of one IMU into those of one camera and back: ``t_imu = t_cam + offset(t_cam)``.

    Stamps are int64 ns as in the messages; each way undoes the other to within 1 ns. Use it only while
    ``offset.verdict`` is ``ok``. Raises ValueError for a rate that no clock has.
    """

    offset: Offset

    def __post_init__(self) -> None:
        if not abs(self.offset.rate_ppm) < 100_000:
            raise ValueError(f"offset of {self.offset.stream}: rate_ppm is {self.offset.rate_ppm}")

    def to_imu(self, t_cam_ns: int) -> int:
        """The IMU's stamp for what the camera stamped ``t_cam_ns``."""
        elapsed_ns = t_cam_ns - self.offset.reference_ns
        return t_cam_ns + self._offset_ns + round(self._rate * elapsed_ns)

    def to_camera(self, t_imu_ns: int) -> int:
        """The camera's stamp for what the IMU stamped ``t_imu_ns``."""
        elapsed_ns = t_imu_ns - self._offset_ns - self.offset.reference_ns
        # Written as a small correction: a double holds that exactly, but not the stamp.
        return t_imu_ns - self._offset_ns - round(elapsed_ns * (self._rate / (1 + self._rate)))

    @property
    def _offset_ns(self) -> int:
        return round(self.offset.offset_s * 1e9)

    @property
    def _rate(self) -> float:
        return self.offset.rate_ppm * 1e-6
