"""Numbers for a session's tracks over several lives of its cameras' processes, which all count from 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobind_live.driver import IDS_EACH_LIFE
from mobind_live.schema import Pose


class Lives:
    """Moves the ids of a camera's later lives behind those of its former ones: nobody shall have the number
    of whom a former life saw. Fed with every pose of the session, in its order."""

    def __init__(self) -> None:
        self._first_id: dict[tuple[str, int], int] = {}  # of a camera's life: what its ids are moved by
        self._highest: dict[str, int] = {}  # of a camera: the highest id so far, moved

    def apart(self, pose: Pose, boot_ns: int) -> Pose:
        """``pose``, sent by the life ``boot_ns`` of its camera's process, with its ids moved."""
        camera = pose.stream
        highest = self._highest.get(camera, 0)
        first_id = self._first_id.setdefault((camera, boot_ns), -(-highest // IDS_EACH_LIFE) * IDS_EACH_LIFE)
        self._highest[camera] = max(highest, first_id + int(pose.track_ids.max(initial=0)))
        return replace(pose, track_ids=pose.track_ids + np.int32(first_id)) if first_id else pose
