"""The small picture of what a camera sees, with the people's skeletons drawn in."""

from __future__ import annotations

import numpy as np

from mobind_live.devices.camera.pose import People

JPEG_QUALITY = 70
SEEN = 0.3  # keypoints with a lower score are not drawn
COLOURS = ((80, 200, 120), (240, 160, 60), (90, 120, 240), (60, 200, 230), (200, 100, 220), (180, 190, 90))
# Pairs of keypoints that the drawing joins.
SKELETON = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10),
    (5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
)  # fmt: skip


def draw(image: np.ndarray, found: People, *, width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A JPEG (N,) uint8 of ``image`` (H, W, 3), at most ``width`` wide, with the skeletons; and its size."""
    import cv2

    scale = min(1.0, width / image.shape[1])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.copy()
    for track, points in zip(found.track_ids.tolist(), found.keypoints, strict=True):
        colour = COLOURS[track % len(COLOURS)]
        xy = np.round(points[:, :2] * scale).astype(int).tolist()
        seen = points[:, 2] >= SEEN
        for a, b in SKELETON:
            if seen[a] and seen[b]:
                cv2.line(small, xy[a], xy[b], colour, 2, cv2.LINE_AA)
        if seen.any():
            x, y = xy[int(np.argmax(seen))]
            cv2.putText(
                small, str(track), (x + 4, y - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA
            )
    ok, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert ok  # an 8-bit BGR picture can always be encoded
    return jpeg.reshape(-1), size
