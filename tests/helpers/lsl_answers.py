"""What stands in for the worker in ``test_lsl_out.py``. Nothing slow is imported here: a process runs it."""

from __future__ import annotations

import children
import numpy as np

from mobind_live.bus import Publisher
from mobind_live.clock import host_now_ns
from mobind_live.config import Rig
from mobind_live.runtime.health import Heartbeat
from mobind_live.runtime.process import Link
from mobind_live.schema import Offset, Verdict

T_NS = 5_000_000_000


def offset(t_ns: int = T_NS, verdict: Verdict = Verdict.OK, imu: str = "imu0") -> Offset:
    return Offset(
        stream=imu,
        camera="cam0",
        t_ns=t_ns,
        offset_s=-1.25,
        sigma_s=0.01,
        p=0.99,
        verdict=verdict,
        reference_ns=t_ns - 1_000_000_000,
        rate_ppm=20.0,
        second_peak_ratio=0.1,
        evidence_s=30.0,
        lags_s=np.zeros(3, np.float32),
        weights=np.zeros(3, np.float32),
    )


def answers(link: Link, given: Rig) -> None:
    """In place of the worker: an offset again and again."""
    with Publisher(link.boot.publish) as sender:
        heartbeat = Heartbeat("worker", sender, link.boot.restarts)
        while not link.stop.wait(children.BEAT_S):
            heartbeat.send("running")
            sender.send(offset(host_now_ns()))
