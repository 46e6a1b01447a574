"""Whether the axes of an accelerometer and of the gyroscope beside it belong together: gravity turns in the
one as the other says. Columns in a wrong order, or with a wrong sign, turn it another way."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from mobind_live.devices.samples import plausible

AGAINST = "it turns against gravity: look at the order and the signs of its axes, the gyroscope's too"
# Of 5,789 stretches of 20 s of sensors that are right, real and simulated, some order and signs reach _TOLD
# in 1,496, and are better than those recorded by .28 at most (in the 243 real ones of them by .14).
_TOLD, _BETTER = 0.8, 0.4
_SLOWEST_M_S3 = 0.3  # gravity turns by less: nothing is told
_STRETCH_NS, _LEAST_NS = 20_000_000_000, 15_000_000_000
_ORDERS = np.array(
    [
        np.diag(signs)[:, list(order)]
        for order in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
)  # (48, 3, 3), the first is as recorded


def against(acc_m_s2: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray) -> bool | None:
    """Whether some other order or signs of the axes of ``gyro`` (N, 3), in any unit, explain far better how
    gravity turns in ``acc_m_s2`` (N, 3), sampled at ``t_ns`` (N,); None where none explains it well.

    By the cosine between gravity's turning and ``acc x gyro``, both as means over two seconds. How much it is
    for all 48 ways follows from the nine products of an axis with a column.
    """
    acc, turn = plausible.even(acc_m_s2, t_ns), plausible.even(gyro, t_ns)
    seen = plausible.slow(np.gradient(acc, 1 / plausible.GRID_HZ, axis=0), t_ns)
    if np.sqrt(np.mean(np.sum(seen * seen, axis=1))) < _SLOWEST_M_S3:
        return None
    each = np.stack(
        [
            plausible.slow(np.cross(acc, axis) * turn[:, column, None], t_ns).ravel()
            for axis in np.eye(3)
            for column in range(3)
        ]
    )
    ways = _ORDERS.reshape(len(_ORDERS), 9)
    size = np.sqrt(np.maximum(np.einsum("ki,ij,kj->k", ways, each @ each.T, ways), 0))
    along = ways @ (each @ seen.ravel()) / np.maximum(size * np.linalg.norm(seen), 1e-12)
    best = float(along.max())
    return None if best < _TOLD else best - float(along[0]) > _BETTER


def mostly_against(acc_m_s2: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray) -> bool:
    """Whether that is so in most stretches of a recording that tell."""
    told = []
    for begin_ns in range(int(t_ns[0]), int(t_ns[-1]), _STRETCH_NS):
        rows = slice(*np.searchsorted(t_ns, (begin_ns, begin_ns + _STRETCH_NS)).tolist())
        if rows.stop - rows.start > 1 and t_ns[rows.stop - 1] - t_ns[rows.start] >= _LEAST_NS:
            told.append(against(acc_m_s2[rows], gyro[rows], t_ns[rows]))
    return told.count(True) > told.count(False)
