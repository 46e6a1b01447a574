"""What the encoders see: IMU samples and keypoints turned into channels, causally, step by step.

Both extractors keep a state for each row, so that feeding a recording block by block gives exactly what
feeding it whole gives. All rows of one call advance together on the 50 Hz grid.

The IMU channels are the same for every mounting of the sensor: a gravity direction is tracked by the gyro
(a complementary filter, as in Mahony et al. 2008), and only lengths, projections on gravity and products
between vectors, now and a moment ago, are kept. The pose channels know limbs, not sides: a left and a right
arm look alike, so that no side can be learned by heart.
"""

from __future__ import annotations

import numpy as np

from mobind_live.models.chains import (
    CHAINS,
    KIND,
    LENGTH_ENDS,
    LENGTHS,
    LINES,
    MID_HIP,
    MID_SHOULDER,
    POINTS,
)

STEP_HZ = 50.0
STEPS_PER_TOKEN = 2  # the encoders make one token of so many steps
_DT = 1.0 / STEP_HZ
RATE_UNIT = 3.0  # angular rates and velocities are given in so many rad/s and m/s

IMU_CHANNELS = 15
TURNING = 1  # the channel of |gyro|
VALID = IMU_CHANNELS - 1  # the channel that is 1 where there are samples
IMU_ODD = (4, 6, 9, 11)  # the channels that a mirror negates
# The channels in proportion to acceleration, to turning, and to the root of their product.
BY_ACC, BY_GYRO, BY_BOTH = (0, 2, 3, 8, 9), (1, 4, 5, 10, 11), (6, 7)
SQUARED_GYRO = 13  # is log(1 + 4 |gyro|^2) / 3
_LAG = 10  # steps (0.2 s) between the two moments whose horizontal vectors are compared
_STILL_S, _MOVING_S = 0.7, 8.0  # time constants of the gravity correction
_POSTURE_S = 4.0


class ImuFeatures:
    """Mounting-free channels of ``rows`` IMUs."""

    def __init__(self, rows: int) -> None:
        self.age = np.zeros(rows, dtype=np.int64)
        self.gravity = np.zeros((rows, 3))
        self.posture = np.zeros((rows, 3))
        self.heading = np.zeros((rows, 3))
        self.past = np.zeros((rows, _LAG, 4))  # horizontal (acc, gyro) in the heading frame, oldest first

    def step(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Channels (rows, n, 15) float32 of n new steps.

        ``acc_g`` and ``gyro_rad_s`` (rows, n, 3); ``valid`` (rows, n), 0 where the sample is missing (then
        acc and gyro should repeat the last one seen, and the gyro is taken as zero for the tracking).
        """
        gravity, heading, cosine = self._frames(acc_g, gyro_rad_s, valid)
        return self._channels(acc_g, gyro_rad_s, valid, gravity, heading, cosine)

    def orientation(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Sensor to world (rows, n, 3, 3) of n new steps, as gravity and gyro tell it: z up, and x
        wherever it was at first. For methods that need an orientation; ``step`` does not."""
        gravity, heading, _ = self._frames(acc_g, gyro_rad_s, valid)
        return np.stack([heading, _cross(gravity, heading), gravity], axis=-2)

    def _frames(
        self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Up and ahead in the sensor's frame (rows, n, 3), and the cosine (rows, n) between up and what up
        was of late."""
        rows, steps = valid.shape
        gravity = np.empty((rows, steps, 3))
        cosine = np.empty((rows, steps))
        heading = np.empty((rows, steps, 3))
        for n in range(steps):
            self._track(acc_g[:, n], gyro_rad_s[:, n] * valid[:, n, None], valid[:, n])
            gravity[:, n], heading[:, n] = self.gravity, self.heading
            cosine[:, n] = np.sum(self.gravity * self.posture, axis=-1) / _norm(self.posture)[:, 0]
        return gravity, heading, cosine

    def _track(self, acc: np.ndarray, gyro: np.ndarray, valid: np.ndarray) -> None:
        """One step of the gravity, posture and heading trackers."""
        first = (self.age == 0)[:, None]
        turned, heading = _turned_back(gyro * _DT, self.gravity, self.heading)
        if first.any():
            turned = np.where(first, acc / _norm(acc), turned)
            heading = np.where(first, _any_perpendicular(turned), heading)
        unrest = np.abs(np.sqrt(np.sum(acc * acc, axis=-1)) - 1) + 0.1 * np.sqrt(np.sum(gyro * gyro, axis=-1))
        gain = _DT / _STILL_S / (1 + (unrest / 0.1) ** 2) + _DT / _MOVING_S
        gain = np.maximum(gain, 1 / (1 + self.age)) * valid
        gravity = turned + gain[:, None] * (acc - turned)
        self.gravity = gravity / _norm(gravity)
        # The heading goes along with gravity's correction by the shortest turn between the two directions.
        ahead = _dot(heading, self.gravity)
        heading = heading - (turned + self.gravity) * ahead / np.maximum(1 + _dot(turned, self.gravity), 1e-6)
        self.heading = heading / _norm(heading)
        blend = np.maximum(_DT / _POSTURE_S, 1 / (1 + self.age))[:, None]
        self.posture += blend * (self.gravity - self.posture)
        self.age += 1

    def _channels(
        self,
        acc: np.ndarray,
        gyro: np.ndarray,
        valid: np.ndarray,
        gravity: np.ndarray,
        heading: np.ndarray,
        cosine: np.ndarray,
    ) -> np.ndarray:
        side = _cross(gravity, heading)
        acc_v, gyro_v = np.sum(acc * gravity, axis=-1), np.sum(gyro * gravity, axis=-1)
        ax, ay = np.sum(acc * heading, axis=-1), np.sum(acc * side, axis=-1)
        wx, wy = np.sum(gyro * heading, axis=-1), np.sum(gyro * side, axis=-1)
        flat = np.stack([ax, ay, wx, wy], axis=-1)
        history = np.concatenate([self.past, flat], axis=1)
        self.past = history[:, -_LAG:].copy()
        bx, by, vx, vy = np.moveaxis(history[:, :-_LAG], -1, 0)
        channels = [
            np.sqrt(np.sum(acc * acc, axis=-1)) - 1,
            np.sqrt(np.sum(gyro * gyro, axis=-1)) / RATE_UNIT,
            acc_v - 1,
            np.sqrt(ax * ax + ay * ay),
            gyro_v / RATE_UNIT,
            np.sqrt(wx * wx + wy * wy) / RATE_UNIT,
            _root(ax * wx + ay * wy) / 2,
            _root(ax * wy - ay * wx) / 2,
            _root(ax * bx + ay * by),
            _root(ax * by - ay * bx),
            _root(wx * vx + wy * vy) / RATE_UNIT,
            _root(wx * vy - wy * vx) / RATE_UNIT,
            cosine,
            np.log1p(np.sum(gyro * gyro, axis=-1) * 4) / 3,
        ]
        stacked = np.stack(channels, axis=-1) * valid[..., None]
        return np.clip(np.concatenate([stacked, valid[..., None]], axis=-1), -8, 8).astype(np.float32)


def _norm(vector: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(vector * vector, axis=-1, keepdims=True)) + 1e-9


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=-1, keepdims=True)


def _turned_back(angle: np.ndarray, *fixed: np.ndarray) -> list[np.ndarray]:
    """Directions (rows, 3) that stay where they are, in a frame that has turned by ``angle`` (rows, 3) rad:
    Rodrigues' formula, so that the result is the same whichever way the sensor is mounted."""
    size = _norm(angle)
    axis, sine, cosine = angle / size, np.sin(size), np.cos(size)
    return [v * cosine - _cross(axis, v) * sine + axis * _dot(axis, v) * (1 - cosine) for v in fixed]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cross product of (..., 3); numpy's own is several times slower on small arrays."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def _root(value: np.ndarray) -> np.ndarray:
    """The signed square root, which keeps a product in the unit of its factors."""
    return np.sign(value) * np.sqrt(np.abs(value))


def _any_perpendicular(unit: np.ndarray) -> np.ndarray:
    """A vector perpendicular to each unit vector (rows, 3)."""
    axis = np.where(np.abs(unit[:, :1]) < 0.7, np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    return _cross(unit, axis)


_SHORT_M = 0.1
SEEN = 0.3  # a joint with a lower score counts as missing
_FORGET_S = 10.0


class PoseFeatures:
    """Channels of the six chains of ``rows`` people: six joints' places, velocities and scores, three lines'
    turning, and the kind of chain."""

    def __init__(self, rows: int) -> None:
        self.age = np.zeros(rows, dtype=np.int64)
        self.place = np.zeros((rows, 20, 2))
        self.scale = np.zeros(rows)

    def step(self, keypoints: np.ndarray) -> np.ndarray:
        """Channels (rows, n, 6, 40) float32 of n new steps from keypoints (rows, n, 17, 3), in pixels.

        A joint whose score is below 0.3 keeps the place where it was last seen.
        """
        rows, steps = keypoints.shape[:2]
        points, score = _with_middles(keypoints)
        seen = score >= SEEN
        held = np.empty_like(points)
        before = np.empty_like(points)
        scale = np.empty((rows, steps))
        instant = _pixels_per_metre(points, seen)
        decay = np.exp(-_DT / _FORGET_S)
        for n in range(steps):
            first = self.age == 0
            unseen_start = np.where(seen[:, n, :, None], points[:, n], _centre(points[:, n], seen[:, n]))
            previous = np.where(first[:, None, None], unseen_start, self.place)
            before[:, n] = previous
            self.place = np.where(seen[:, n, :, None], points[:, n], previous)
            held[:, n] = self.place
            smooth = self.scale + np.where(first, 1.0, 0.2) * (instant[:, n] - self.scale)
            self.scale = np.where(instant[:, n] > 0, np.maximum(smooth, self.scale * decay), self.scale)
            scale[:, n] = self.scale
            self.age += 1
        return _chain_channels(held, before, np.maximum(scale, 1.0), np.where(seen, score, 0.0))


def _with_middles(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (..., 20, 2) and scores (..., 20) with the middles of hips, shoulders and ears appended."""
    xy, score = keypoints[..., :2], keypoints[..., 2]
    pairs = [(11, 12), (5, 6), (3, 4)]
    middle = np.stack([(xy[..., a, :] + xy[..., b, :]) / 2 for a, b in pairs], axis=-2)
    low = np.stack([np.minimum(score[..., a], score[..., b]) for a, b in pairs], axis=-1)
    return np.concatenate([xy, middle], axis=-2), np.concatenate([score, low], axis=-1)


def _centre(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean (rows, 1, 2) of the points that are seen."""
    weight = seen[..., None].astype(float)
    return np.sum(points * weight, axis=-2, keepdims=True) / np.maximum(weight.sum(axis=-2, keepdims=True), 1)


def _pixels_per_metre(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The second largest of the lengths seen, over their lengths in metres: the least foreshortened that
    is not one joint's error. 0 where fewer than two can be seen."""
    a, b = LENGTH_ENDS.T
    gap = points[..., a, :] - points[..., b, :]
    length = np.sqrt(np.sum(gap * gap, axis=-1)) / LENGTHS
    return np.sort(np.where(seen[..., a] & seen[..., b], length, 0.0), axis=-1)[..., -2]


def _chain_channels(held: np.ndarray, before: np.ndarray, scale: np.ndarray, score: np.ndarray) -> np.ndarray:
    rows, steps = scale.shape
    origin = (held[..., MID_HIP, :] + held[..., MID_SHOULDER, :])[..., None, :] / 2
    place = (held - origin) / scale[..., None, None]
    velocity = (held - before) * (STEP_HZ / RATE_UNIT) / scale[..., None, None]
    each = np.concatenate([2 * place, velocity, score[..., None]], axis=-1)
    chains = each[..., POINTS, :].reshape(rows, steps, len(CHAINS), -1)
    kind = np.broadcast_to(KIND, (rows, steps, *KIND.shape))
    turning = _turning(place, velocity).reshape(rows, steps, len(CHAINS), -1)
    return np.clip(np.concatenate([chains, turning, kind], axis=-1), -6, 6).astype(np.float32)


def _turning(place: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """How fast each chain's lines move end against end (m/s) and how fast they turn in the picture (rad/s),
    (..., 6, 3, 2), both a third; a line too short to have an angle hardly counts as turning."""
    a, b = np.moveaxis(LINES, -1, 0)
    line, change = place[..., b, :] - place[..., a, :], velocity[..., b, :] - velocity[..., a, :]
    cross = line[..., 0] * change[..., 1] - line[..., 1] * change[..., 0]
    speed = np.sqrt(np.sum(change * change, axis=-1))
    return np.stack([speed, cross / (np.sum(line * line, axis=-1) + _SHORT_M**2)], axis=-1)
