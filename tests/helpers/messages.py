"""One message of each kind."""

from __future__ import annotations

import numpy as np

from mobind_live.schema import (
    Action,
    Binding,
    CameraOffset,
    Candidate,
    Health,
    Imu,
    Message,
    Offset,
    Pose,
    Preview,
    StreamHealth,
    Truth,
    Verdict,
    WornTruth,
)


def imu(n: int = 3, quaternion: bool = True) -> Imu:
    rng = np.random.default_rng(1)
    return Imu(
        stream="left",
        t_ns=np.arange(n, dtype=np.int64) * 10_000_000,
        received_ns=np.full(n, 7, np.int64),
        device_ns=np.arange(n, dtype=np.int64) if quaternion else np.empty(0, np.int64),
        acc_m_s2=rng.normal(size=(n, 3)).astype(np.float32),
        gyro_rad_s=rng.normal(size=(n, 3)).astype(np.float32),
        quaternion=rng.normal(size=(n, 4)).astype(np.float32) if quaternion else np.empty((0, 4), np.float32),
        simulated=True,
    )


def pose(people: int = 2) -> Pose:
    return Pose(
        stream="front",
        t_ns=5,
        received_ns=6,
        image_size=(1920, 1080),
        track_ids=np.arange(people, dtype=np.int32),
        boxes=np.ones((people, 4), np.float32),
        keypoints=np.ones((people, 17, 3), np.float32),
    )


def offset() -> Offset:
    return Offset(
        stream="left",
        camera="front",
        t_ns=1,
        offset_s=-0.25,
        sigma_s=0.01,
        p=0.9,
        verdict=Verdict.OK,
        reference_ns=123,
        rate_ppm=12.5,
        second_peak_ratio=0.1,
        evidence_s=8.0,
        lags_s=np.linspace(-1, 1, 5, dtype=np.float32),
        weights=np.full(5, 0.2, np.float32),
    )


def camera_offset() -> CameraOffset:
    return CameraOffset(
        stream="side",
        camera="front",
        t_ns=1,
        offset_s=0.5,
        sigma_s=0.01,
        p=0.99,
        verdict=Verdict.OK,
        second_peak_ratio=0.1,
        evidence_s=8.0,
        lags_s=np.linspace(-1, 1, 5, dtype=np.float32),
        weights=np.full(5, 0.2, np.float32),
        alarm="stepped",
    )


def binding() -> Binding:
    return Binding(
        stream="left",
        t_ns=1,
        wearer="person_1",
        tracks={"front": 3, "side": 1},
        p_wearer=0.9,
        wearer_verdict=Verdict.AMBIGUOUS,
        part="left_forearm",
        p_part=0.8,
        part_verdict=Verdict.OK,
        p_none=0.05,
        candidates=(Candidate(camera="front", track=3, part="left_forearm", p=0.8),),
        alarm="on the other arm",
    )


def health() -> Health:
    line = StreamHealth(
        stream="left", kind="imu", rate_hz=50, nominal_hz=50, age_s=0.1, received=9, lost=1, shed=0
    )
    return Health(
        stream="left",
        t_ns=3,
        state="running",
        detail="",
        pid=12,
        restarts=0,
        streams=(line,),
        counters={"bad_lines": 2.0},
    )


EXAMPLES: tuple[Message, ...] = (
    imu(),
    imu(0),
    imu(4, quaternion=False),
    pose(),
    pose(0),
    offset(),
    camera_offset(),
    binding(),
    health(),
    Preview(stream="front", t_ns=1, image_size=(640, 360), jpeg=np.arange(10, dtype=np.uint8)),
    Action(stream="p", t_ns=1, label="squat", p=0.5, verdict=Verdict.OK, labels=("a",), probabilities=(0.5,)),
    Truth(
        stream="sim",
        t_ns=1,
        worn=(WornTruth(imu="left", person="anna", part="left_forearm", delay_s=1.5),),
        tracks={"front": {"1": "anna"}},
        delays_s={"front": -0.5},
        actions={"anna": "squat"},
    ),
)
