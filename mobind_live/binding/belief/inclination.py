"""Where a sensor sits, told by how the limbs stand: no network, and nothing learned.

The ends of a limb differ in height by its length times the cosine of its inclination. A sensor strapped to it
feels the same inclination: up, in the sensor's own frame, turns against the limb's fixed direction there. So,
once the lag is known, ``height(t) = length * direction . up(t) + constant``, with one unknown unit vector
whichever way the sensor is mounted. What is left of the heights of each line of a body, once this is fitted,
says whether the sensor is on it. It takes a picture that is upright, and a body of usual proportions. Trunks
have no such line: shoulders are lifted by the arms.

The encoders look at less than a second at a time and cannot know how a sensor is mounted; over half a minute
this does, and tells limbs apart that turn alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobind_live.binding.belief.presence import near
from mobind_live.binding.evidence.history import LIMBS, History
from mobind_live.models.chains import LENGTH_M
from mobind_live.models.encoders import TOKEN_HZ
from mobind_live.vocabulary import PARTS

# Nats for each unit of log-spread explained, once there is much to see, and the seconds that make half.
_NATS, _HALF_S = 4.0, 3.0
_LEAST_S = 1.5
_NOISE_M = 0.03  # of a height, and what a stiff limb leaves unexplained
_LEVEL = 0.5  # how much the mean height counts, beside its changes: a camera looks down at people

_PART = np.array([PARTS.index(part) for part in LIMBS])
_LENGTH_M = np.array([LENGTH_M[part.split("_", 1)[1]] for part in LIMBS])
_UPPER = np.triu_indices(3)


def told(ups: Sequence[History], bodies: Sequence[History], lags: Sequence[np.ndarray]) -> np.ndarray:
    """How much likelier, in nats, each part (I, P, 11) of people by the heights of their limbs, ``bodies``,
    makes how each sensor was inclined, ``ups``, given what is known of its lag, a distribution (L,) of
    ``lags``: as far as that is one lag. Of trunks nothing is known, and zero said."""
    out = np.zeros((len(ups), len(bodies), len(PARTS)))
    if not out.size:
        return out
    moments = np.empty((*out.shape[:2], len(LIMBS), 15))
    seconds = np.empty((*out.shape[:2], len(LIMBS)))
    for imu, (up, lag) in enumerate(zip(ups, lags, strict=True)):
        best = int(lag.argmax())
        every_s = float(np.median(np.diff(up.at))) / TOKEN_HZ if len(up.at) > 1 else 0.0
        for person, body in enumerate(bodies):
            moments[imu, person] = _moments(up, body, best - len(lag) // 2)
        seconds[imu] = moments[imu, ..., 0] * every_s
        out[imu][:, _PART] = lag[near(best)].sum()
    explained = np.where(seconds >= _LEAST_S, _explained(moments) * seconds / (seconds + _HALF_S), 0.0)
    out[:, :, _PART] *= _NATS * explained
    return out


def _moments(up: History, body: History, lag: int) -> np.ndarray:
    """Of N heights y and the ups x (N, 15): how many pairs, means of y and x, and the covariances of x
    (upper triangle), of x and y, and of y."""
    place = np.searchsorted(body.at, up.at - lag)
    there = place < len(body.at)
    there[there] = body.at[place[there]] == up.at[there] - lag
    y, x = body.values[place[there]], up.values[there]
    seen = np.isfinite(y)
    y = np.where(seen, y, 0.0)
    count = seen.sum(axis=0).astype(float)
    given = np.concatenate([x, x[:, _UPPER[0]] * x[:, _UPPER[1]]], axis=1)
    of_x = seen.T.astype(float) @ given / np.maximum(count, 1)[:, None]
    mean_y = y.sum(axis=0) / np.maximum(count, 1)
    x_mean = of_x[:, :3]
    x_var = of_x[:, 3:] - x_mean[:, _UPPER[0]] * x_mean[:, _UPPER[1]]
    cross = y.T @ x / np.maximum(count, 1)[:, None] - mean_y[:, None] * x_mean
    y_var = (y * y).sum(axis=0) / np.maximum(count, 1) - mean_y**2
    return np.column_stack([count, mean_y, x_mean, x_var, cross, y_var])


def _explained(moments: np.ndarray) -> np.ndarray:
    """Of ``moments`` (..., N, 15): half the logarithm of how much smaller the spread of each limb's heights
    (..., N) becomes by what the sensor feels. Below zero where it turns as it would not on that limb."""
    mean_y, mean_x = moments[..., 1], moments[..., 2:5]
    square = np.zeros((*moments.shape[:-1], 3, 3))
    square[..., _UPPER[0], _UPPER[1]] = square[..., _UPPER[1], _UPPER[0]] = moments[..., 5:11]
    square = square + _LEVEL * mean_x[..., :, None] * mean_x[..., None, :]
    cross, spread = moments[..., 11:14] + _LEVEL * mean_y[..., None] * mean_x, moments[..., 14]
    along = _on_sphere(square, cross, _LENGTH_M)
    fitted = ((square @ along[..., None])[..., 0] * along).sum(axis=-1)
    left = spread + _LEVEL * mean_y**2 - 2 * (along * cross).sum(axis=-1) + fitted
    return 0.5 * np.log((_NOISE_M**2 + spread) / (_NOISE_M**2 + np.maximum(left, 0.0)))


def _on_sphere(square: np.ndarray, cross: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """The vectors b (..., 3) of length ``radius`` (...) with the least b.Ab - 2 b.c, for symmetric A
    (..., 3, 3) and c (..., 3): b = (A + m)^-1 c, with m, above minus the least eigenvalue, by bisection."""
    values, basis = np.linalg.eigh(square)
    given = np.einsum("...ij,...i->...j", basis, cross)
    given = given + np.where(given < 0, -1e-9, 1e-9)
    low = -values[..., 0]
    high = low + np.linalg.norm(given, axis=-1) / radius
    for _ in range(30):
        middle = (low + high) / 2
        longer = ((given / (values + middle[..., None])) ** 2).sum(axis=-1) > radius**2
        low, high = np.where(longer, middle, low), np.where(longer, high, middle)
    return np.einsum("...ij,...j->...i", basis, given / (values + high[..., None]))
