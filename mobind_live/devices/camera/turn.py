"""Pictures of a camera that is mounted turned, or that mirrors, set right before they are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Rotation = Literal[0, 90, 180, 270]
ROTATIONS: tuple[Rotation, ...] = get_args(Rotation)


@dataclass(frozen=True, slots=True)
class Turn:
    """``rotate``: clockwise degrees; then, if ``mirror``, left and right are exchanged."""

    rotate: Rotation = 0
    mirror: bool = False

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """``image`` (H, W, 3) set right: (W, H, 3) after a quarter turn. It is the same one if nothing is
        the matter with it."""
        import cv2

        if self.rotate:
            code = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
            image = cv2.rotate(image, code[self.rotate])
        return cv2.flip(image, 1) if self.mirror else image
