"""A simulated sensor on somebody's body: the samples that it delivers.

It is made block by block, a block being a stretch of media time and a pure function of the seed: any
moment can be made without what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobind_live.kinematics.devices import S_TO_NS, Due, ImuPacket, ImuSpec
from mobind_live.kinematics.imu import ImuNoise, random_rotations, virtual_imu
from mobind_live.kinematics.mover import Mover
from mobind_live.kinematics.seat import Seat


class WornImu:
    """A sensor strapped to a person, with everything real ones do wrong."""

    block_s = 1.0
    late_s = 1.0  # nothing arrives later than this after its capture

    _OVERSAMPLED_HZ = 200.0
    _RINGING_S = 0.25
    _LATENCY_S = 0.002

    def __init__(self, seed: Sequence[int], spec: ImuSpec, people: Sequence[Mover], epoch_ns: int) -> None:
        self.spec = spec
        self._seed = list(seed)
        self._epoch_ns = epoch_ns
        self._rate_hz = spec.rate_hz * (1 + spec.clock_drift_ppm * 1e-6)  # on the host's clock
        rng = np.random.default_rng([*seed, 0])
        self._noise = ImuNoise()
        mount = random_rotations(rng, 1)[0]
        self.seat = Seat(seed, people, (spec.person, spec.part), mount, rng.normal(0.0, 0.02, 3), spec.moves)
        self._bias = rng.standard_normal((2, 3))
        self._scale = rng.standard_normal((2, 3))
        self._tissue = (2 * np.pi * rng.uniform(9.0, 18.0), rng.uniform(0.3, 0.55))
        self._phase_s = rng.uniform(0.0, 1.0) * spec.burst_ms / 1000

    def block(self, number: int) -> list[Due]:
        """What the samples of this block arrive as, oldest first."""
        first, count = self._samples(number)
        kept, arrival, group = self._delivery(number)
        acc, gyro = self._measure(number, first, count)
        captured = first + np.arange(count)
        device_s = captured / self.spec.rate_hz + self.spec.clock_offset_s
        device_ns = np.round(device_s * S_TO_NS).astype(np.int64)
        received_ns = self._epoch_ns + np.round(arrival * S_TO_NS).astype(np.int64)
        lost = self._lost_at_end(number - 1) if number > 0 else 0
        due: list[Due] = []
        for members in np.split(np.arange(count), np.flatnonzero(np.diff(group)) + 1):
            if not kept[members[0]]:
                lost += len(members)
                continue
            packet = ImuPacket(
                stream=self.spec.name,
                received_ns=received_ns[members],
                device_ns=device_ns[members],
                acc_m_s2=acc[members],
                gyro_rad_s=gyro[members],
                lost=lost,
            )
            due.append(Due(float(arrival[members[0]]), packet))
            lost = 0
        return due

    def _samples(self, number: int) -> tuple[int, int]:
        first = int(np.ceil(number * self.block_s * self._rate_hz))
        return first, int(np.ceil((number + 1) * self.block_s * self._rate_hz)) - first

    def _raw_delivery(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each sample: whether it is kept, its arrival if nothing overtook, and its packet's number."""
        rng = np.random.default_rng([*self._seed, 1, number])
        first, count = self._samples(number)
        ready = (first + np.arange(count)) / self._rate_hz + self._LATENCY_S
        late = np.minimum(rng.exponential(self.spec.jitter_ms / 1000, count), 0.3)
        kept = rng.random(count) >= self.spec.loss
        if not self.spec.burst_ms:
            return kept, ready + late, np.arange(count)
        interval = self.spec.burst_ms / 1000
        event = np.ceil((ready - self._phase_s) / interval).astype(int)
        group = event - event[0]
        return kept[group], event * interval + self._phase_s + late[group], group

    def _delivery(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As ``_raw_delivery``, but nothing arrives before what was sent earlier."""
        kept, arrival, group = self._raw_delivery(number)
        if number > 0:
            arrival = np.maximum(arrival, self._raw_delivery(number - 1)[1].max())
        return kept, np.maximum.accumulate(arrival), group

    def _lost_at_end(self, number: int) -> int:
        kept = self._raw_delivery(number)[0]
        return len(kept) if not kept.any() else int(np.argmax(kept[::-1]))

    def _measure(self, number: int, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Acceleration and angular rate (count, 3) float32 as the sensor reports them."""
        finer = int(np.ceil(self._OVERSAMPLED_HZ / self._rate_hz))
        rate = self._rate_hz * finer
        ringing = int(self._RINGING_S * rate)
        grid = np.arange(first * finer - ringing - 1, (first + count) * finer + 1)
        position, rotation = self.seat.path(grid / rate - self.spec.delay_s)
        force, turning = virtual_imu(position, rotation, rate)
        acc, gyro = (self._through_tissue(x[1:-1], rate)[ringing::finer] for x in (force, turning))
        white = np.random.default_rng([*self._seed, 2, number]).standard_normal((2, count, 3))
        acc = self._noise.acc(acc, self._scale[0], self._bias[0], white[0])
        gyro = self._noise.gyro(gyro, self._scale[1], self._bias[1], white[1])
        return acc.astype(np.float32), gyro.astype(np.float32)

    def _through_tissue(self, signal: np.ndarray, rate_hz: float) -> np.ndarray:
        """Skin and strap as a spring and damper between bone and sensor: base excitation, so slow motion
        passes undelayed and impacts ring. ``signal`` (T, 3)."""
        omega, damping = self._tissue
        t = np.arange(int(self._RINGING_S * rate_hz)) / rate_hz
        ringing = omega * np.sqrt(1 - damping**2)
        slope = (omega - 2 * damping**2 * omega) / np.sqrt(1 - damping**2)
        response = np.exp(-damping * omega * t) * (
            2 * damping * omega * np.cos(ringing * t) + slope * np.sin(ringing * t)
        )
        response[0] /= 2  # trapezoid: the response jumps at 0
        response /= response.sum()
        return np.stack([np.convolve(axis, response)[: len(axis)] for axis in signal.T], axis=-1)
