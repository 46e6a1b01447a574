"""Whether the joints of motion capture are what their names say: their unit, and how they are turned.

Files of other programs have joints of the same names in metres or inches, with Z up, or with frames of their
own. Their limbs would look well, and their sizes, gravity, faces and trunk sensors be wrong.
"""

from __future__ import annotations

import numpy as np

from mobind_live.models.errors import DatasetError

_METRES = {"cm": 0.01, "m": 1.0, "inches": 0.0254, "mm": 0.001}
_LEGS_M = (0.46, 1.15)  # from the hip to the ankle; no length is that in two of the units
_UPRIGHT = 0.5  # a median cosine; of the development data's takes none has less than .91
_LIKE = 0.2  # likewise; heads turn, and have .43 and more, chests .86


def metres_each(name: str, leg: float) -> float:
    """What one unit of the file ``name`` is in metres, by the length of its legs. Raises DatasetError."""
    for metres in _METRES.values():
        if _LEGS_M[0] <= leg * metres <= _LEGS_M[1]:
            return metres
    units = ", ".join(_METRES)
    raise DatasetError(f"{name}: its legs are {leg:.3g} long, which nobody's are in any of {units}")


def refuse_others(
    name: str, standing: np.ndarray, spine: np.ndarray, left: np.ndarray, axes: dict[str, np.ndarray]
) -> None:
    """Raises DatasetError for a file whose body does not stand along y, or in which a joint of ``axes``,
    frames (T, 3, 3), has not its x along the ``spine`` and its z to the ``left``. Vectors (T, 3) have any
    length, in the file's own axes; ``standing`` is from the feet to the head."""
    cosines = np.median(_unit(standing), axis=0)
    if cosines[1] < _UPRIGHT:
        most = int(np.abs(cosines).argmax())
        raise DatasetError(
            f"{name}: its body lies along {'-' if cosines[most] < 0 else ''}{'XYZ'[most]}; "
            "motion capture is read with Y up: turn it, or leave out who lies all the time"
        )
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
