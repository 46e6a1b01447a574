"""A simulated camera with a pose network behind it: the poses that it delivers.

It is made block by block, a block being a stretch of media time and a pure function of the seed: any
moment can be made without what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobind_live.kinematics.camera import Camera, KeypointNoise, project, yolo_noise
from mobind_live.kinematics.devices import S_TO_NS, CameraSpec, Due
from mobind_live.kinematics.mover import Mover
from mobind_live.kinematics.sight import visible
from mobind_live.kinematics.visits import Visits
from mobind_live.schema import Pose


class ViewingCamera:
    """A camera with a pose network behind it, seeing everybody in the room."""

    block_s = 4.0
    late_s = 0.5

    def __init__(
        self,
        seed: Sequence[int],
        spec: CameraSpec,
        people: Sequence[Mover],
        visits: Visits,
        epoch_ns: int,
        *,
        occlusion: bool,
    ) -> None:
        self.spec = spec
        self._seed = list(seed)
        self._people = people
        self._visits = visits
        self._epoch_ns = epoch_ns
        self._occlusion = occlusion
        angle = np.radians(spec.azimuth_deg)
        place = np.array([spec.distance_m * np.cos(angle), spec.distance_m * np.sin(angle), spec.height_m])
        self._camera = Camera.look_at(
            place, np.array([0.0, 0.0, 0.95]), 0.75 * spec.image_size[0], spec.image_size
        )
        rng = np.random.default_rng([*seed, 0])
        self._first_ids = 1 + rng.permutation(len(people))
        self._latency_s = rng.uniform(0.06, 0.08)

    def track_ids(self, t_s: float) -> dict[int, int]:
        """Who is in the room in frames stamped ``t_s`` (media time): {track id: person number}."""
        seen = t_s - self.spec.delay_at(np.array([t_s]))
        return {
            int(self._visits.tracks(person, seen, self._first_ids)[0]): person
            for person in range(len(self._people))
            if self._visits.present(person, seen)[0]
        }

    def block(self, number: int) -> list[Due]:
        """The frames of this block, in order."""
        rng = np.random.default_rng([*self._seed, 1, number])
        fps = self.spec.fps
        frames = np.arange(np.ceil(number * self.block_s * fps), np.ceil((number + 1) * self.block_s * fps))
        stamp = frames / fps
        seen = stamp - self.spec.delay_at(stamp)
        points = np.stack([person.at(seen).keypoints_m for person in self._people])  # (P, F, 17, 3)
        pixels, depth = project(self._camera, points)
        present = np.stack(
            [self._visits.present(p, seen) & ~self._visits.hidden(p, seen) for p in range(len(points))]
        )  # (P, F)
        clear = visible(self._camera, points, pixels, depth, present, occlusion=self._occlusion)
        heights = np.array([person.height_m for person in self._people])
        height_px = self._camera.focal_px * heights[:, None] / np.maximum(depth.mean(axis=-1), 0.5)
        keypoints = yolo_noise(rng, pixels, height_px, fps, KeypointNoise(), clear)
        found = present & (clear.mean(axis=-1) > 0.35) & (rng.random(present.shape) > 0.004)
        tracks = np.stack([self._visits.tracks(p, seen, self._first_ids) for p in range(len(points))])
        boxes = self._boxes(rng, pixels, height_px)
        keypoints = self._inside(keypoints).astype(np.float32)
        late = np.minimum(rng.exponential(0.006, len(frames)), 0.8 / fps)
        return [
            self._frame(float(stamp[f]), float(late[f]), tracks[p, f], boxes[p, f], keypoints[p, f])
            for f in range(len(frames))
            for p in [np.flatnonzero(found[:, f])]
        ]

    def _frame(
        self, stamp_s: float, late_s: float, tracks: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray
    ) -> Due:
        t_ns = self._epoch_ns + round(stamp_s * S_TO_NS)
        pose = Pose(
            stream=self.spec.name,
            t_ns=t_ns,
            received_ns=t_ns + round((0.012 + late_s / 3) * S_TO_NS),
            image_size=self.spec.image_size,
            track_ids=tracks,
            boxes=boxes,
            keypoints=keypoints,
            simulated=True,
        )
        return Due(stamp_s + self._latency_s + late_s, pose)

    def _boxes(self, rng: np.random.Generator, pixels: np.ndarray, height_px: np.ndarray) -> np.ndarray:
        """Boxes (P, F, 4) around the true keypoints (P, F, 17, 2), with room for crown and feet."""
        room = height_px[..., None] * np.array([0.04, 0.07])
        low, high = pixels.min(axis=-2) - room, pixels.max(axis=-2) + room
        boxes = np.concatenate([low, high], axis=-1)
        boxes += 0.006 * height_px[..., None] * rng.standard_normal(boxes.shape)
        width, height = self.spec.image_size
        return np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)

    def _inside(self, keypoints: np.ndarray) -> np.ndarray:
        """A network never places a keypoint outside the picture; one whose place is outside scores little."""
        size = np.array(self.spec.image_size)
        outside = ((keypoints[..., :2] < 0) | (keypoints[..., :2] > size)).any(axis=-1)
        score = np.where(outside, 0.3 * keypoints[..., 2], keypoints[..., 2])
        return np.concatenate([np.clip(keypoints[..., :2], 0, size), score[..., None]], axis=-1)
