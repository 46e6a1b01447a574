"""A virtual IMU: what a sensor strapped to a moving segment measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True, slots=True)
class ImuNoise:
    """Errors of a consumer MEMS IMU, one standard deviation each, and where it saturates."""

    acc_white_m_s2: float = 0.1
    acc_bias_m_s2: float = 0.15
    gyro_white_rad_s: float = 0.01
    gyro_bias_rad_s: float = 0.01
    acc_scale: float = 0.01
    gyro_scale: float = 0.01
    acc_full_scale_g: float = 16.0
    gyro_full_scale_dps: float = 2000.0

    def acc(self, true: np.ndarray, scale: np.ndarray, bias: np.ndarray, white: np.ndarray) -> np.ndarray:
        """``true`` (..., T, 3) in m/s^2 as it is measured; the errors are given in standard deviations."""
        limit = self.acc_full_scale_g * GRAVITY_M_S2
        scaled = true * (1 + self.acc_scale * scale)
        return np.clip(scaled + self.acc_bias_m_s2 * bias + self.acc_white_m_s2 * white, -limit, limit)

    def gyro(self, true: np.ndarray, scale: np.ndarray, bias: np.ndarray, white: np.ndarray) -> np.ndarray:
        """The same in rad/s."""
        limit = np.radians(self.gyro_full_scale_dps)
        scaled = true * (1 + self.gyro_scale * scale)
        return np.clip(scaled + self.gyro_bias_rad_s * bias + self.gyro_white_rad_s * white, -limit, limit)


def virtual_imu(
    position_m: np.ndarray, rotation: np.ndarray, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Specific force (..., T, 3) in m/s^2 and angular rate (..., T, 3) in rad/s, in the sensor's frame.

    ``position_m`` (..., T, 3) and ``rotation`` (..., T, 3, 3), sensor to world, equally spaced, T >= 3.
    Central differences: acceleration from positions, angular rate from R(t-1)^T R(t+1); the two ends
    repeat their neighbours.
    """
    acceleration = np.empty_like(position_m)
    acceleration[..., 1:-1, :] = (
        position_m[..., 2:, :] - 2 * position_m[..., 1:-1, :] + position_m[..., :-2, :]
    ) * rate_hz**2
    acceleration[..., 0, :], acceleration[..., -1, :] = acceleration[..., 1, :], acceleration[..., -2, :]
    acceleration[..., 2] += GRAVITY_M_S2
    force = np.einsum("...ji,...j->...i", rotation, acceleration)

    step = np.einsum("...ji,...jk->...ik", rotation[..., :-2, :, :], rotation[..., 2:, :, :])
    rate = np.empty_like(position_m)
    rate[..., 1:-1, :] = _rotation_vector(step) * (rate_hz / 2)
    rate[..., 0, :], rate[..., -1, :] = rate[..., 1, :], rate[..., -2, :]
    return force, rate


def measured(
    rng: np.random.Generator, force_m_s2: np.ndarray, rate_rad_s: np.ndarray, noise: ImuNoise
) -> tuple[np.ndarray, np.ndarray]:
    """``force`` and ``rate`` (..., T, 3) with bias and scale drawn once for each leading index, white noise
    for each sample, and saturation."""
    constant = (*force_m_s2.shape[:-2], 1, 3)
    shapes = (constant, constant, force_m_s2.shape)
    acc = noise.acc(force_m_s2, *(rng.standard_normal(shape) for shape in shapes))
    return acc, noise.gyro(rate_rad_s, *(rng.standard_normal(shape) for shape in shapes))


def random_rotations(rng: np.random.Generator, count: int) -> np.ndarray:
    """``count`` rotation matrices (count, 3, 3), uniform over SO(3) (normalized Gaussian quaternions)."""
    quaternion = rng.standard_normal((count, 4))
    w, x, y, z = (quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) in rad of matrices (..., 3, 3), for angles well below pi."""
    skew = np.stack(
        [
            matrix[..., 2, 1] - matrix[..., 1, 2],
            matrix[..., 0, 2] - matrix[..., 2, 0],
            matrix[..., 1, 0] - matrix[..., 0, 1],
        ],
        axis=-1,
    )
    sine = np.linalg.norm(skew, axis=-1) / 2
    cosine = (np.trace(matrix, axis1=-2, axis2=-1) - 1) / 2
    angle = np.arctan2(sine, cosine)
    factor = np.where(sine > 1e-7, angle / np.maximum(2 * sine, 1e-12), 0.5)
    return skew * factor[..., None]
