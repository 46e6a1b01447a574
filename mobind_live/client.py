"""For programs that use a running rig: its messages, typed, and its offsets, applied to stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mobind_live.bus import SUBSCRIBE_ENDPOINT, Subscriber
from mobind_live.schema import Offset, Received

__all__ = ["OffsetMap", "subscribe"]


def subscribe(*topics: str, endpoint: str = SUBSCRIBE_ENDPOINT) -> Iterator[Received]:
    """Every message under ``topics`` (prefixes; all of them if none is given), for ever, as it comes::

        for received in subscribe("v1/out/offset/"):
            print(received.message.stream, received.message.offset_s)

    A rig that is not running yet is waited for, one that stops is waited for again. Raises BusError if
    ``endpoint`` is not an address.
    """
    with Subscriber(topics or ("v1/",), endpoint) as subscriber:
        while True:
            yield from subscriber.poll(1_000)


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """Turns the stamps of one IMU into those of one camera and back: ``t_imu = t_cam + offset(t_imu)``.

    Stamps are int64 ns as in the messages. Use it only while ``offset.verdict`` is ``ok``.
    """

    offset: Offset

    def offset_ns(self, t_imu_ns: int) -> int:
        """The offset at an IMU's stamp: ``offset_s``, growing by ``rate_ppm`` from ``reference_ns``."""
        elapsed_ns = t_imu_ns - self.offset.reference_ns
        return round(self.offset.offset_s * 1e9) + round(self.offset.rate_ppm * 1e-6 * elapsed_ns)

    def to_camera(self, t_imu_ns: int) -> int:
        """The camera's stamp for what the IMU stamped ``t_imu_ns``."""
        return t_imu_ns - self.offset_ns(t_imu_ns)

    def to_imu(self, t_cam_ns: int) -> int:
        """The IMU's stamp for what the camera stamped ``t_cam_ns``: the exact inverse of ``to_camera``,
        whatever the rate; of two IMU stamps that share a camera stamp, the earlier."""
        offset, rate = self.offset, self.offset.rate_ppm * 1e-6
        elapsed_ns = t_cam_ns - offset.reference_ns + round(offset.offset_s * 1e9)
        guess = offset.reference_ns + round(elapsed_ns / (1 - rate))
        # Rounding, and doubles that do not hold all of 63 bits, leave the guess a few ns off at most.
        while self.to_camera(guess) < t_cam_ns:
            guess += max(1, t_cam_ns - self.to_camera(guess))
        while self.to_camera(guess - 1) >= t_cam_ns:
            guess -= max(1, self.to_camera(guess - 1) - t_cam_ns)
        return guess
