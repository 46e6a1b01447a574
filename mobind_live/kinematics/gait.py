"""Walking and jogging: joint angles of a stride, written as in ``exercises``."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics.cycle import Angles, Cycle, wave


def _periodic(values: list[float]) -> CubicSpline:
    """A smooth periodic curve through ``values`` at equally spaced phases."""
    return CubicSpline(np.linspace(0, 1, len(values) + 1), [*values, values[0]], bc_type="periodic")


# Sagittal hip and knee flexion of a stride from heel strike on, after the normative curves in Winter.
_WALK_HIP = _periodic([27, 24, 17, 8, -1, -9, -7, 9, 24, 30])
_WALK_KNEE = _periodic([6, 16, 15, 10, 7, 14, 36, 58, 46, 14])
_JOG_HIP = _periodic([30, 27, 18, 5, -6, -6, 8, 26, 38, 36])
_JOG_KNEE = _periodic([18, 36, 40, 26, 20, 42, 74, 88, 68, 30])


def _gait(c: Cycle, hip: CubicSpline, knee: CubicSpline, stride: float) -> Angles:
    out: Angles = {}
    for side, shift in (("left", 0.0), ("right", 0.5)):
        phase = c.fraction + shift
        phase = phase - np.floor(phase)
        gain = c.gain(0 if side == "left" else 1, 0.04)
        out[f"{side}_hip_flex"] = stride * gain * hip(phase)
        out[f"{side}_knee"] = (0.4 + 0.6 * stride) * gain * knee(phase)
        out[f"{side}_hip_abd"] = 1 + c.style[8] * 2
    return out


def walking(c: Cycle) -> Angles:
    stride = c.stride
    out = _gait(c, _WALK_HIP, _WALK_KNEE, stride)
    swing = (10 + 22 * c.style[1]) * c.gain(2, 0.12)
    for side, shift, skew in (("left", 0.5, c.style[2]), ("right", 0.0, 1 - c.style[2])):
        phase = c.phase - shift - 0.02
        own = swing * (0.7 + 0.6 * skew)
        out[f"{side}_flex"] = own * (0.15 + wave(phase))
        bend = 0.5 * own * (1 + wave(phase, 0.12)) + (3 + 5 * c.style[9]) * wave(2 * phase, 0.3)
        out[f"{side}_elbow"] = 20 + 12 * c.style[3] + bend
        out[f"{side}_abd"] = 6 + 3 * wave(2 * c.phase, 0.2)
        out[f"{side}_rot"] = 12 + (8 + 8 * c.style[10]) * wave(phase, 0.2)
        out[f"{side}_pron"] = 20 + (6 + 8 * c.style[11]) * wave(phase, 0.3)
    yaw = (3 + 4 * c.style[4]) * c.gain(3, 0.1)
    out["pelvis_yaw"] = -yaw * wave(c.phase, 0.02)
    out["chest_yaw"] = 2.1 * yaw * wave(c.phase, 0.05)
    out["head_yaw"] = -yaw * wave(c.phase, 0.05)
    out["pelvis_roll"] = (3 + 3 * c.style[5]) * wave(c.phase, 0.12)
    out["chest_roll"] = -(3 + 3 * c.style[5]) * wave(c.phase, 0.12)
    out["pelvis_pitch"] = 2 + 1.2 * wave(2 * c.phase, 0.1)
    out["chest_pitch"] = 2 + 4 * c.style[6] - 1.5 * wave(2 * c.phase, 0.15)
    return out


def jogging(c: Cycle) -> Angles:
    stride = c.stride
    out = _gait(c, _JOG_HIP, _JOG_KNEE, stride)
    swing = (14 + 13 * c.style[1]) * c.gain(2, 0.1)
    for side, shift in (("left", 0.5), ("right", 0.0)):
        phase = c.phase - shift - 0.03
        out[f"{side}_flex"] = swing * (wave(phase) - 0.25)
        bend = 0.9 * swing * wave(phase, 0.14) + (3 + 5 * c.style[9]) * wave(2 * phase, 0.3)
        out[f"{side}_elbow"] = 75 + 25 * c.style[3] + bend
        out[f"{side}_abd"] = 10 + 8 * c.style[4]
        out[f"{side}_rot"] = 22 + 15 * wave(phase, 0.1)
        out[f"{side}_pron"] = 10 + (8 + 10 * c.style[11]) * wave(phase, 0.25)
    yaw = (5 + 4 * c.style[5]) * c.gain(3, 0.1)
    out["pelvis_yaw"] = -yaw * wave(c.phase, 0.02)
    out["chest_yaw"] = 2.1 * yaw * wave(c.phase, 0.04)
    out["head_yaw"] = -yaw * wave(c.phase, 0.04)
    out["pelvis_roll"] = (4 + 3 * c.style[7]) * wave(c.phase, 0.12)
    out["chest_roll"] = -(4 + 2 * c.style[7]) * wave(c.phase, 0.12)
    out["pelvis_pitch"] = 6 + 1.5 * wave(2 * c.phase, 0.2)
    out["chest_pitch"] = 4 - 2.5 * wave(2 * c.phase, 0.15)
    out["hop"] = (0.014 + 0.016 * c.style[6]) * c.gain(4, 0.1) * (1 + wave(2 * c.phase, 0.85)) / 2
    return out
