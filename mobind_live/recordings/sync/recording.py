"""The people whom one camera saw, over a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics import upright
from mobind_live.recordings.files.keypoints import KeypointFile
from mobind_live.schema import Pose
from mobind_live.vocabulary import KEYPOINTS

CAMERA = "camera"  # its name towards the engine
ONE = 1  # the track of a file that holds one person
_MIN_SEEN_S = 2.0  # a track seen for less is a tracker's mistake, or nobody of interest
_MOST = 32  # tracks, the longest seen ones: each costs the engine memory and time


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """``t_ns`` (T,) int64, the frames' times, from 0. The other arrays have one row for each time that
    somebody was seen: ``frame`` (M,) int32, rising; ``track_ids`` (M,) int32; ``keypoints`` (M, 17, 3)
    float32, x y in pixels and score."""

    t_ns: np.ndarray
    frame: np.ndarray
    track_ids: np.ndarray
    keypoints: np.ndarray

    @property
    def length_s(self) -> float:
        return float(self.t_ns[-1] - self.t_ns[0]) * 1e-9 if len(self.t_ns) else 0.0

    @property
    def tracks(self) -> tuple[int, ...]:
        """The ids of those seen at all, the longest seen first."""
        ids, counts = np.unique(self.track_ids, return_counts=True)
        return tuple(ids[np.argsort(-counts, kind="stable")].tolist())

    @property
    def ways_s(self) -> np.ndarray:
        """For how long people were seen each way up (4,); see ``upright.ways``."""
        return upright.ways(self.keypoints) * self.length_s / max(len(self.t_ns) - 1, 1)

    @property
    def spans(self) -> dict[int, tuple[int, int]]:
        """The first and the last frame of each track."""
        ids, first = np.unique(self.track_ids, return_index=True)
        last = len(self.frame) - 1 - np.unique(self.track_ids[::-1], return_index=True)[1]
        edges = zip(self.frame[first].tolist(), self.frame[last].tolist(), strict=True)
        return dict(zip(ids.tolist(), edges, strict=True))

    def keypoints_of(self, *tracks: int) -> np.ndarray:
        """One person's keypoints (T, 17, 3) in every frame, zero where not seen. Of ``tracks`` in one frame
        it is the first."""
        out = np.zeros((len(self.t_ns), len(KEYPOINTS), 3), np.float32)
        for track in reversed(tracks):
            mine = self.track_ids == track
            out[self.frame[mine]] = self.keypoints[mine]
        return out

    def without_passers_by(self) -> Recording:
        """Only those who were seen for a while."""
        if not self.length_s:
            return self
        frames_per_s = (len(self.t_ns) - 1) / self.length_s
        ids, counts = np.unique(self.track_ids, return_counts=True)
        return self._only(ids[counts >= _MIN_SEEN_S * frames_per_s])

    def longest(self) -> Recording:
        """Only the tracks that are not too many to be looked at."""
        return self._only(np.array(self.tracks[:_MOST]))

    def _only(self, tracks: np.ndarray) -> Recording:
        rows = np.isin(self.track_ids, tracks)
        return Recording(
            t_ns=self.t_ns,
            frame=self.frame[rows],
            track_ids=self.track_ids[rows],
            keypoints=self.keypoints[rows],
        )

    def poses(self) -> Iterator[Pose]:
        """Every frame as the camera would send it. A track is there from its first frame to its last, unseen
        in between: a person who comes back is not a new one."""
        ids = np.unique(self.track_ids)
        spans = self.spans
        first, last = (np.array([spans[t][edge] for t in ids.tolist()]) for edge in (0, 1))
        row = {track: n for n, track in enumerate(ids.tolist())}
        starts = np.searchsorted(self.frame, np.arange(len(self.t_ns) + 1))
        for n, t_ns in enumerate(self.t_ns.tolist()):
            everybody = np.zeros((len(ids), len(KEYPOINTS), 3), np.float32)
            for seen in range(starts[n], starts[n + 1]):
                everybody[row[int(self.track_ids[seen])]] = self.keypoints[seen]
            there = np.flatnonzero((first <= n) & (n <= last)) if len(ids) else np.empty(0, int)
            yield Pose(
                stream=CAMERA,
                t_ns=t_ns,
                received_ns=0,
                image_size=(0, 0),  # the engine looks neither at it nor at the boxes
                track_ids=ids[there].astype(np.int32),
                boxes=np.zeros((len(there), 4), np.float32),
                keypoints=everybody[there],
            )


def of_file(file: KeypointFile) -> Recording:
    """The one person of a keypoint file."""
    seen = np.flatnonzero(file.keypoints[..., 2].any(axis=1))
    return Recording(
        t_ns=file.t_ns - file.start_ns,
        frame=seen.astype(np.int32),
        track_ids=np.full(len(seen), ONE, np.int32),
        keypoints=file.keypoints[seen],
    )


def left_out(everybody: Recording, kept: Recording) -> str:
    """One line on the tracks of ``everybody`` that are not ``kept``; "" if there are none."""
    count = len(everybody.tracks) - len(kept.tracks)
    if not count:
        return ""
    share = 1 - len(kept.frame) / len(everybody.frame)
    which = "1 track is" if count == 1 else f"{count} tracks are"
    return f"{which} left out, with {share:.0%} of what was seen: only the {_MOST} seen longest are looked at"


def tracks_in_words(tracks: tuple[int, ...]) -> str:
    """``track 3``, or ``tracks 3, 5``."""
    return f"track{'s' if len(tracks) > 1 else ''} {', '.join(map(str, tracks))}"
