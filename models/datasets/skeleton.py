"""Whether the joints of motion capture are what their names say: their unit, which way is up, and how they
are turned.

Files of other programs have joints of the same names in metres or inches, with Z up, or with frames of their
own. Their limbs would look well, and their sizes, gravity, faces and trunk sensors be wrong.
"""

from __future__ import annotations

import numpy as np

from mobind_live.models.errors import DatasetError

_METRES = {"cm": 0.01, "m": 1.0, "inches": 0.0254, "mm": 0.001}
_CMU = 0.0254 / 0.45  # the unit of the CMU database's skeletons
_LEGS_M = (0.46, 1.15)  # from the hip to the ankle; no length is that in two of the units
_CMU_LEGS_M = (0.68, 1.02)  # likewise, beside inches
_UPRIGHT = 0.5  # a median cosine; of the development data's takes none has less than .91
_STANDS = 0.8  # likewise, for Z up, which must be sure
_FLOOR_M = (-0.15, 0.3)  # at what height ankles are that stand on a floor at 0
_ABOVE = 0.6  # of their legs: how high the hips of most who stand are
_LIKE = 0.2  # a median cosine; heads turn, and have .43 and more, chests .86
# From the file's world to ours, which has z up.
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
_Z_UP = np.eye(3)


def metres_each(name: str, leg: float) -> float:
    """What one unit of the file ``name`` is in metres, by the length of its legs. Raises DatasetError."""
    for metres in _METRES.values():
        if _LEGS_M[0] <= leg * metres <= _LEGS_M[1]:
            return metres
    if _CMU_LEGS_M[0] <= leg * _CMU <= _CMU_LEGS_M[1]:
        return _CMU
    units = ", ".join(_METRES)
    raise DatasetError(
        f"{name}: its legs are {leg:.3g} long, which nobody's are in any of {units} and CMU's unit"
    )


def to_z_up(name: str, standing: np.ndarray, hips_m: np.ndarray, ankles_m: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) from the world of the file ``name`` to ours, by where its body is: ``standing``
    (T, 3) from the feet to the head, ``hips_m`` (T, 3) and ``ankles_m`` (T, 2, 3). Raises DatasetError.

    Z is up where a body stands along it on a floor at 0; one that lies along it in a world with Y up would
    have to have its feet there by chance.
    """
    cosines = np.median(_unit(standing), axis=0)
    if cosines[1] >= _UPRIGHT:
        return _Y_UP
    leg_m = float(np.median(np.linalg.norm(hips_m[:, None] - ankles_m, axis=-1)))
    floor = _FLOOR_M[0] <= np.percentile(ankles_m[..., 2].min(axis=1), 10) <= _FLOOR_M[1]
    if cosines[2] >= _STANDS and floor and np.median(hips_m[:, 2]) >= _ABOVE * leg_m:
        return _Z_UP
    most = int(np.abs(cosines).argmax())
    feet = ", and its feet are not on a floor at z = 0" if most == 2 and cosines[2] > 0 else ""
    raise DatasetError(
        f"{name}: its body lies along {'-' if cosines[most] < 0 else ''}{'XYZ'[most]}{feet}; "
        "motion capture is read with Y up: turn it, or leave out who lies all the time"
    )


def refuse_others(name: str, spine: np.ndarray, left: np.ndarray, axes: dict[str, np.ndarray]) -> None:
    """Raises DatasetError for a file in which a joint of ``axes``, frames (T, 3, 3), has not its x along the
    ``spine`` and its z to the ``left``, vectors (T, 3) of any length."""
    for joint, frames in axes.items():
        along = [
            np.median(np.sum(frames[..., axis] * _unit(to), axis=1)) for axis, to in ((0, spine), (2, left))
        ]
        if min(along) < _LIKE:
            raise DatasetError(
                f"{name}: not the expected skeleton; {joint} has not its x axis up the spine and its z axis "
                "to the left"
            )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
