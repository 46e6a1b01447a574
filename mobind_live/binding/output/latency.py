"""How old the motion is that the answers rest on."""

from __future__ import annotations

from mobind_live.binding.engine import Engine, silent

_MOST_S = 60.0  # what is older is no latency, but other stamps than the host's


def latencies_s(engine: Engine, now_ns: int) -> list[float]:
    """For each IMU in each camera that shows somebody: how old the newest motion in its answers is.

    Streams that have ended are left out, and those that are played faster than real time, whose stamps are
    ahead of the host's clock.
    """
    newest = {
        camera: max((r.last_token_ns for r in engine.tracks.values() if r.camera == camera), default=0)
        for camera in engine.cameras
        if not silent(engine.camera_arrived_ns[camera], now_ns)
    }
    ages = [
        (now_ns - min(row.last_token_ns, newest[camera])) * 1e-9
        for row in engine.imus.values()
        for camera in newest
        if row.last_token_ns and newest[camera] and not silent(row.arrived_ns, now_ns)
    ]
    return [age for age in ages if 0 <= age < _MOST_S]
