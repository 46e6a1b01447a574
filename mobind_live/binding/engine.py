"""The worker's inside, without a bus: messages in, evidence kept, answers out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch

from mobind_live.binding.belief.beliefs import Beliefs
from mobind_live.binding.belief.calibration import calibration
from mobind_live.binding.belief.ties import Ties
from mobind_live.binding.belief.views import CameraSums, CameraView
from mobind_live.binding.evidence.history import LIMBS, WINDOW_OF_RECORDINGS_S, WINDOW_S, History, heights
from mobind_live.binding.evidence.placing import Placing
from mobind_live.binding.evidence.rows import ImuRow, Track
from mobind_live.binding.evidence.slots import Slots
from mobind_live.binding.evidence.tensor import MEMORIES_S, SLOW, Evidence
from mobind_live.binding.evidence.timeline import unbroken
from mobind_live.driver import StreamSpec
from mobind_live.models.encoders import TOKEN_HZ, Binder
from mobind_live.models.features import STEPS_PER_TOKEN
from mobind_live.models.placement import PlacementNet
from mobind_live.models.rolling import BEHIND_S, Rolling
from mobind_live.schema import Imu, Message, Pose
from mobind_live.vocabulary import PARTS

BLOCK = 6  # steps encoded together (0.12 s): less is sooner, more is cheaper
TOKEN_S = 1.0 / TOKEN_HZ
GONE_NS = 1_500_000_000  # a track unseen for so long has ended
AWAY_NS = 5_000_000_000  # a camera silent for so long may show other people under the same numbers
STALE_NS = 3_000_000_000
JUMP_NS = 1_000_000_000  # what a stamp may be off by a clock that goes on
_EVERY = ""  # camera: of an IMU's clock itself, whoever sees it
MOVING = 0.3  # an IMU's motion from which on it counts as moving
# Looked at beyond the largest offset: what lies just outside fits half a stride inside, too, and would have
# no rival there.
GUARD_S = 1.2
EDGE_S = 0.05  # an offset so far beyond the largest may be that one


def silent(arrived_ns: int, now_ns: int) -> bool:
    """Whether what a stream has said that was last heard at ``arrived_ns`` is of the past."""
    return now_ns - arrived_ns > STALE_NS


class Engine:
    """Keeps everything that a rig's answers rest on. Feed it with ``take``, let it work with ``advance``.

    Live, memory fades, and a track that has gone leaves its place to others. For a recording read whole,
    ``memories_s`` may be infinite, ``keep_tracks`` keeps what was seen of everybody, and a larger ``block``
    (steps encoded together) is quicker.
    """

    def __init__(
        self,
        imus: tuple[StreamSpec, ...],
        model: Binder,
        max_offset_s: float,
        device: torch.device,
        placement: PlacementNet | None = None,
        *,
        memories_s: tuple[float, float] = MEMORIES_S,
        keep_tracks: bool = False,
        block: int = BLOCK,
    ) -> None:
        self.specs = {spec.name: spec for spec in imus}
        self.names = tuple(self.specs)
        # Of a recording nothing is asked that looks back so far.
        self.rolling = Rolling(model, device, BEHIND_S if keep_tracks else max(BEHIND_S, max_offset_s))
        self.calibration = calibration(model)
        self.max_offset_s = max_offset_s
        max_lag = round((max_offset_s + GUARD_S) * TOKEN_HZ)
        self.lags = 2 * max_lag + 1
        self.evidence = Evidence(
            len(imus), len(PARTS), model.sizes.token, max_lag, TOKEN_HZ, device, memories_s
        )
        self.keep_tracks, self.block = keep_tracks, block
        self.imus = {name: ImuRow(slot=slot) for slot, name in enumerate(self.names)}
        self._lives: Counter[tuple[str, str]] = Counter()  # of an IMU in a camera, or in every one
        # By how much the offset of an IMU in a camera is known to have stepped.
        self.stepped_s: defaultdict[tuple[int, str], float] = defaultdict(float)
        self.tracks: dict[tuple[str, int], Track] = {}
        self.camera_arrived_ns: dict[str, int] = {}
        self._camera_ns: dict[str, int] = {}  # the newest stamp of each
        self.simulated = any(spec.simulated for spec in imus)
        self.placing = Placing(len(imus), placement, memories_s[SLOW])
        self._window = round((WINDOW_OF_RECORDINGS_S if keep_tracks else WINDOW_S) * TOKEN_HZ)
        self.beliefs = Beliefs(
            names=self.names,
            clocks=tuple(_clock(spec) for spec in imus),
            subjects=tuple(spec.subject for spec in imus),
            limbs=tuple((s.subject, s.wears) if s.subject and s.wears else None for s in imus),
            calibration=self.calibration,
            ties=Ties(),
            placing=self.placing,
            ups=tuple(History(3, self._window) for _ in imus),
        )
        self._views: dict[str, CameraView] | None = None
        self._slots = Slots()

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that have sent something."""
        return tuple(self.camera_arrived_ns)

    # --- what comes in ---

    def take(self, message: Message, now_ns: int) -> None:
        """Note one message, received at host time ``now_ns``; other types than Imu and Pose are ignored."""
        if isinstance(message, Imu):
            self._take_imu(message, now_ns)
        elif isinstance(message, Pose):
            self._take_pose(message, now_ns)

    def _take_imu(self, message: Imu, now_ns: int) -> None:
        row = self.imus.get(message.stream)
        if row is None:
            return
        self.simulated |= message.simulated
        before_ns, anew = row.timeline.newest_ns, False
        acc = message.acc_m_s2.astype(np.float64)
        gyro = message.gyro_rad_s.astype(np.float64)
        for n in unbroken(message.t_ns):
            if row.timeline.push(message.t_ns[n], acc[n], gyro[n]):
                anew = True
                row.restart(row.timeline.next // STEPS_PER_TOKEN)
                self.rolling.reset_imu(row.slot)
                self.evidence.imu.clear(row.slot, row.start)
        if row.timeline.newest_ns == before_ns:
            return  # nothing of it was of use: a sensor that sends nothing else is as good as silent
        received_ns = int(message.received_ns.max())
        if anew and before_ns:
            row.jumped_ns += (row.timeline.newest_ns - before_ns) - (received_ns - row.received_ns)
        row.arrived_ns, row.received_ns = now_ns, received_ns

    def _take_pose(self, message: Pose, now_ns: int) -> None:
        self.simulated |= message.simulated
        before_ns = self._camera_ns.get(message.stream)
        if message.t_ns == before_ns:
            return  # a picture that was there before: a camera that sends nothing else is as good as silent
        if before_ns is None:
            self._views = None  # they are of the cameras there were
        self.camera_arrived_ns[message.stream], self._camera_ns[message.stream] = now_ns, message.t_ns
        if before_ns is not None and abs(message.t_ns - before_ns) > AWAY_NS and not self.keep_tracks:
            # Whoever is in view now may have anybody's number, and the stamps another delay.
            self._end([key for key in self.tracks if key[0] == message.stream])
            self.start_over(range(len(self.names)), (message.stream,))
            self.beliefs.ties.forget(message.stream)
        stamp = np.array([message.t_ns])
        present = {int(track): n for n, track in enumerate(message.track_ids)}
        for track in present:
            if (message.stream, track) not in self.tracks:
                self._begin(message.stream, track)
        for (camera, track), row in list(self.tracks.items()):
            if camera != message.stream or (row.gone and track not in present):
                continue
            row.gone = False
            if track in present:
                row.seen_ns = message.t_ns
                keypoints = message.keypoints[present[track]].astype(np.float64)
                keypoints[~np.isfinite(keypoints).all(axis=1)] = 0.0
            else:
                keypoints = np.zeros((17, 3))
            known = row.timeline.started
            if row.timeline.push(stamp, keypoints[None]):
                row.restart(row.timeline.next // STEPS_PER_TOKEN)
                self.rolling.reset_person(row.slot)
                # After a short pause, or in a recording, the same number is the same person.
                begin = self.evidence.pose.clear if known else self.evidence.add_person
                begin(row.slot, row.start)
            if abs(message.t_ns - row.seen_ns) > GONE_NS:
                row.gone = True
        if not self.keep_tracks:
            self._end([key for key, row in self.tracks.items() if row.gone])

    def _begin(self, camera: str, track: int) -> None:
        self.tracks[camera, track] = Track(
            slot=self._slots.take(), camera=camera, track=track, heights=History(len(LIMBS), self._window)
        )
        self._views = None

    def _end(self, gone: list[tuple[str, int]]) -> None:
        """Forget tracks, but keep where and when their wearers' sensors were found."""
        if not gone:
            return
        views = self.views()
        for camera, track in gone:
            self.beliefs.end(camera, track, views[camera])
            self._slots.give_back(self.tracks.pop((camera, track)).slot)
        if self._slots.cut():
            self.evidence.keep_people(self._slots.count)
        self._views = None

    # --- work ---

    def advance(self) -> int:
        """Encode and count whatever is complete; returns how many blocks that was."""
        blocks = 0
        while True:
            waiting = [row for row in self._rows if row.timeline.ready >= self.block]
            if not waiting:
                return blocks
            # The oldest first, so that in a backlog no stream leaves the others behind its ring.
            until = min(row.timeline.next for row in waiting) + self.block
            imus = [r for r in waiting if isinstance(r, ImuRow) and r.timeline.next < until]
            people = [r for r in waiting if isinstance(r, Track) and r.timeline.next < until]
            if imus:
                self._encode_imus(imus)
            if people:
                self._encode_people(people)
            blocks += len(imus) + len(people)
            self._views = None

    def _encode_imus(self, rows: list[ImuRow]) -> None:
        for row in rows:
            self._notice_jump(row)
        taken = [row.timeline.take(self.block) for row in rows]
        acc, gyro, valid = (np.stack(values) for values in zip(*taken, strict=True))
        slots = [row.slot for row in rows]
        tokens = self.rolling.imu(slots, acc, gyro, valid)
        self.placing.feel(slots, self.block, self.rolling.recent_imus)
        for row, up, known in zip(rows, self.rolling.up(slots), valid[:, -1], strict=True):
            if known:
                self.beliefs.ups[row.slot].add(np.array([row.timeline.last_token]), up[None])
        people = [row.slot for row in self.tracks.values() if row.out > 0 and not row.gone]
        for row, own_acc, own_gyro in zip(rows, acc, gyro, strict=True):
            row.feel(own_acc, own_gyro)
        placed = [row.place(new) for row, new in zip(rows, tokens, strict=True)]
        moved = [row.motion * new for row, (_, new) in zip(rows, placed, strict=True)]
        self.evidence.see_imus(slots, [first for first, _ in placed], moved, people)

    def _notice_jump(self, row: ImuRow) -> None:
        """Forget what was known of a clock that has gone elsewhere. Not before it goes on there: one wild
        stamp is back at once, and mere silence, however long, is none."""
        if abs(row.jumped_ns) > JUMP_NS:
            self._lives[self.names[row.slot], _EVERY] += 1
            self.evidence.forget(row.slot)
            self.beliefs.ups[row.slot].clear()
            self.beliefs.learned.forget_lags((row.slot,))
        row.jumped_ns = 0

    def _encode_people(self, rows: list[Track]) -> None:
        keypoints = np.stack([row.timeline.take(self.block) for row in rows])
        for row, own in zip(rows, keypoints, strict=True):
            row.shown.see(own)
        slots = [row.slot for row in rows]
        tokens = self.rolling.pose(slots, keypoints)
        for row, own, scale in zip(rows, keypoints, self.rolling.pixels_per_metre(slots), strict=True):
            high = heights(own[STEPS_PER_TOKEN - 1 :: STEPS_PER_TOKEN], float(scale))
            row.heights.add(row.timeline.last_token + 1 - len(high) + np.arange(len(high)), high)
        placed = [row.place(new) for row, new in zip(rows, tokens, strict=True)]
        self.evidence.see_people(slots, [first for first, _ in placed], [new for _, new in placed])

    # --- what goes out ---

    def view(self, camera: str) -> CameraView:
        """Every IMU's posterior in ``camera``, one-to-one over its people's parts."""
        return self.views()[camera]

    def views(self) -> dict[str, CameraView]:
        """``view`` of every camera."""
        if self._views is None:
            self._views = self.beliefs.views({camera: self._sums(camera) for camera in self.cameras})
        return self._views

    def _sums(self, camera: str) -> CameraSums:
        rows = self.people(camera)
        slots = [row.slot for row in rows]
        return CameraSums(
            tuple(row.track for row in rows),
            self.evidence.sums[SLOW][:, slots].cpu().numpy().astype(np.float64),
            self.evidence.motion_s[SLOW][:, slots].numpy(),
            tuple(row.heights for row in rows),
            np.array([row.shown.hidden for row in rows]).reshape(len(rows), len(PARTS)),
        )

    def start_over(self, imus: Sequence[int], cameras: Sequence[str]) -> None:
        """Believe of the offsets of ``imus`` in ``cameras`` only what the last seconds say."""
        self._forget_stances(imus, cameras)
        self._lives.update(product((self.names[imu] for imu in imus), cameras))
        for camera in cameras:
            self.evidence.take_fast(imus, [row.slot for row in self.people(camera)])
        self.beliefs.learned.forget_lags(imus, cameras)
        self._views = None

    def step(self, imus: Sequence[int], camera: str, tokens: float) -> None:
        """The offsets of ``imus`` in ``camera`` have all become larger by ``tokens``: what was known of them
        goes with them, as far as it is from before the last seconds."""
        self._forget_stances(imus, (camera,))
        self.evidence.shift(imus, [row.slot for row in self.people(camera)], tokens)
        self.beliefs.step(imus, camera, tokens)
        for imu in imus:
            self.stepped_s[imu, camera] += tokens * TOKEN_S
        self._views = None

    def _forget_stances(self, imus: Sequence[int], cameras: Sequence[str]) -> None:
        """How ``imus`` stood and how people in ``cameras`` did no longer belong together as they did: a
        camera's clock is another to all IMUs, and otherwise it is theirs."""
        if len(imus) == len(self.names):
            for camera in cameras:
                for row in self.people(camera):
                    row.heights.clear()
        else:
            for imu in imus:
                self.beliefs.ups[imu].clear()

    def life(self, imu: str, camera: str) -> int:
        """How often what was known of an IMU's offset in ``camera`` was given up."""
        return self._lives[imu, _EVERY] + self._lives[imu, camera]

    def exchange(self, camera: str, one: int, other: int) -> None:
        """Two tracks of ``camera`` have changed people: what was known of either is known of the other."""
        rows = self.tracks[camera, one], self.tracks[camera, other]
        self.evidence.exchange(*(row.slot for row in rows))
        rows[0].heights, rows[1].heights = rows[1].heights, rows[0].heights
        self._views = None

    def take_off(self, imu: int) -> None:
        """Nothing is known any more of where the IMU is; its clock is what it was."""
        for camera, view in self.views().items():
            self.beliefs.learned.by_imu(imu, camera, view)
        self.evidence.forget(imu)
        self.beliefs.moved(imu)
        self._views = None

    def people(self, camera: str) -> list[Track]:
        """The tracks of ``camera`` of which there is anything to say."""
        known = self.evidence.sums.shape[2]
        return [row for row in self.tracks.values() if row.camera == camera and row.slot < known]

    def beyond(self, offset_s: float) -> bool:
        """Whether an offset is larger than any that is asked for."""
        return abs(offset_s) > self.max_offset_s + EDGE_S

    def moving(self, imu: str) -> bool:
        return self.imus[imu].motion > MOVING

    def stale(self, imu: str, camera: str | None, now_ns: int) -> bool:
        """Whether what the IMU, or the camera, has said is of the past."""
        arrivals = [self.imus[imu].arrived_ns]
        if camera is not None:
            arrivals.append(self.camera_arrived_ns[camera])
        return any(silent(arrived, now_ns) for arrived in arrivals)

    @property
    def late(self) -> int:
        """Samples that came too late to be used, over all streams that are still there."""
        return sum(row.timeline.late for row in self._rows)

    @property
    def broken(self) -> int:
        """Samples that are not numbers, over all streams that are still there."""
        return sum(row.timeline.broken for row in self._rows)

    @property
    def _rows(self) -> list[ImuRow | Track]:
        return [*self.imus.values(), *self.tracks.values()]


def _clock(spec: StreamSpec) -> str:
    """What IMUs of one clock have in common: a group, or nothing but the name."""
    return f"group {spec.clock_group}" if spec.clock_group else f"imu {spec.name}"
