"""What people do: joint angles as functions of an exercise's phase.

Angles are written in degrees here and follow ``skeleton.DOFS``; a name without ``left_`` or ``right_``
where a side exists means both sides. On the spot, feet stand where they are whatever the pelvis does: thighs
are held against the vertical. Everything is twice continuously differentiable in phase: values held
for one cycle may only scale waves that are flat at the cycle's ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.cycle import TAU, Angles, Cycle, pulse, wave
from mobind_live.kinematics.gait import jogging, walking


def jumping_jacks(c: Cycle) -> Angles:
    u = 0.5 - 0.5 * wave(c.phase)
    u = u + 0.09 * np.sin(2 * TAU * c.phase) * (c.style[0] - 0.5)
    hop = 0.5 - 0.5 * wave(2 * c.phase, 0.05)
    landing = (0.5 + 0.5 * wave(2 * c.phase, 0.97)) ** 2 * c.gain(3, 0.1)
    out: Angles = {}
    for side, column in (("left", 0), ("right", 1)):
        top = (130 + 34 * c.style[1]) * c.gain(column, 0.05)
        out[f"{side}_abd"] = 8 + (top - 8) * u
        out[f"{side}_flex"] = 4 + 14 * c.style[2] * u
        out[f"{side}_elbow"] = (
            14 + 16 * c.style[3] + (22 + 34 * c.style[6]) * (0.5 - 0.5 * wave(2 * c.phase, 0.1))
        )
        out[f"{side}_rot"] = 12 - (25 + 30 * c.style[7]) * u
        out[f"{side}_pron"] = 60 * u
        out[f"{side}_hip_abd"] = 2 + (17 + 9 * c.style[4]) * c.gain(2, 0.06) * u
        out[f"{side}_hip_flex"] = 4 + 4 * landing
        out[f"{side}_knee"] = 9 + 26 * landing
    out["pelvis_pitch"] = 2 + 5 * landing
    out["chest_pitch"] = 3 + (3 + 8 * c.style[8]) * landing - 4 * u
    out["chest_yaw"] = 5 * c.gain(5, 0.5) * wave(c.phase, 0.2)
    out["head_pitch"] = -3 + 3 * u
    out["hop"] = (0.025 + 0.02 * c.style[5]) * c.gain(4, 0.1) * hop * (0.6 + 0.4 * hop)
    return out


def squats(c: Cycle) -> Angles:
    u = pulse(c.fraction, 0.38, 0.08 + 0.12 * c.style[0], 0.36) * (1 + 0.07 * np.clip(c.held(0), -2, 2))
    depth = 0.75 + 0.3 * c.style[1]
    lean = 24 + 16 * c.style[2]
    way = pulse(c.fraction, 0.2, 0.02, 0.22, start=0.5 * c.style[5])  # what arms do on the way
    spine = lean * (0.3 + 0.3 * c.style[7])  # how much of it is the back's
    out: Angles = {"pelvis_pitch": (lean - spine) * depth * u, "chest_pitch": 4 + spine * u}
    out |= {"head_pitch": -18 * u, "hip_flex": 4 + depth * 76 * u, "knee": 6 + depth * 108 * u}
    out |= {"hip_abd": 6 + 9 * u, "hip_rot": -8 - 4 * u}
    arms = int(c.style[3] * 3)
    if arms == 0:  # stretched forward for balance
        out |= {"flex": 6 + 78 * u, "abd": 5.0, "elbow": 12 + 30 * way, "cross": 4 * u}
        out |= {"rot": 8 + 14 * way, "pron": 20 + 24 * u}
    elif arms == 1:  # folded before the chest
        out |= {"flex": 48 + 14 * u, "abd": 8.0, "elbow": 112 - 8 * u, "rot": 52 + 9 * way, "cross": 6.0}
        out |= {"pron": 20 + 12 * way}
    else:  # hanging, swinging a little
        out |= {"flex": 4 + (26 + 20 * c.style[4]) * u, "abd": 9 + 4 * u, "elbow": 16 + 26 * u + 24 * way}
        out |= {"rot": 10 + 12 * way, "pron": 20 + 20 * u}
    out["chest_roll"] = 2.5 * c.held(1) * pulse(c.fraction, 0.3, 0.2, 0.3)
    return out


def lunges(c: Cycle) -> Angles:
    """Steps forward into a lunge and back, mostly with legs in turn."""
    turn = np.where(np.abs(c.held(5)) > 1.6, 1, 0) + np.floor(c.phase)
    left = (turn.astype(int) % 2) == 0
    f = c.fraction
    size = 1 + 0.06 * np.clip(c.held(0), -2, 2)
    u = pulse(f, 0.40, 0.06 + 0.1 * c.style[0], 0.38) * size
    lift = pulse(f, 0.13, 0.0, 0.15) + 0.8 * pulse(f, 0.14, 0.0, 0.16, start=0.62)
    hold = pulse(f, 0.06, 0.86, 0.06)
    depth = 0.8 + 0.25 * c.style[1]
    out: Angles = {}
    for side, front in (("left", left), ("right", ~left)):
        out[f"{side}_hip_flex"] = 2 + depth * u * np.where(front, 64, -20) + np.where(front, 24 * lift, 0)
        out[f"{side}_knee"] = 6 + depth * u * np.where(front, 76, 82) + np.where(front, 42 * lift, 0)
        out[f"{side}_hip_abd"] = 3 + 3 * u
        out[f"grip_{side}"] = 0.5 + 0.5 * hold * np.where(front, -1, 1)
    out["pelvis_yaw"] = 9 * u * np.where(left, -1, 1)
    out["pelvis_roll"] = 5 * lift * np.where(left, -1, 1)
    out["chest_yaw"] = -(8 + 8 * c.style[7]) * u * np.where(left, -1, 1)
    out["pelvis_pitch"] = 3 + (6 + 12 * c.style[2]) * u
    out["chest_pitch"] = 2 + 5 * u + (6 + 6 * c.style[6]) * lift
    out["chest_roll"] = (4 + 3 * c.held(2)) * u * np.where(left, -1, 1)
    if c.style[3] < 0.45:  # hands on the hips
        out |= {"flex": -14.0, "abd": 42 + 3 * u, "elbow": 98 - 6 * u, "rot": 62 + 6 * lift}
    elif c.style[3] < 0.8:  # arms swing against the legs
        for side, front in (("left", left), ("right", ~left)):
            out[f"{side}_flex"] = 4 + u * np.where(front, -18, 42)
            out[f"{side}_elbow"] = 18 + u * np.where(front, 15, 50) + 22 * lift
            out[f"{side}_abd"] = 8 + 6 * u
            out[f"{side}_rot"] = 10 + 14 * lift
            out[f"{side}_pron"] = 20 + 25 * u
    else:  # hanging down
        out |= {"flex": 5 + 12 * u, "abd": 8 + 12 * u, "elbow": 14 + 10 * u + 20 * lift, "rot": 8 + 14 * lift}
        out |= {"pron": 20 + 18 * u}
    return out


def waving(c: Cycle) -> Angles:
    out = _at_ease(c)
    sides = ("left",) if c.style[0] < 0.4 else ("right",) if c.style[0] < 0.8 else ("left", "right")
    for side in sides:
        shift = 0.0 if side == sides[0] else 0.25 + 0.3 * c.style[5]
        swing = (16 + 16 * c.style[1]) * c.gain(0, 0.15)
        up = 0.5 + 0.5 * c.gain(1, 0.2)
        out[f"{side}_abd"] = (62 + 45 * c.style[2]) * up + 0.35 * swing * wave(c.phase, shift)
        out[f"{side}_flex"] = 12 + 15 * c.style[3]
        out[f"{side}_rot"] = -68 + swing * wave(c.phase, shift + 0.05)
        out[f"{side}_elbow"] = 72 + 20 * c.style[4] + 0.8 * swing * wave(c.phase, shift + 0.18)
        out[f"{side}_pron"] = 10 + 0.7 * swing * wave(c.phase, shift + 0.3)
    out["chest_roll"] = 3 * wave(c.phase / 2)
    out["head_yaw"] = 8 * c.gain(2, 1.0)
    return out


def punching(c: Cycle) -> Angles:
    """Straight punches and hooks from a guard, the side and kind chosen anew for each."""
    f = c.fraction
    turn = np.where(np.abs(c.held(5)) > 1.0, 1, 0) + np.floor(c.phase)
    left = (turn.astype(int) % 2) == 0
    hook = c.held(6) > 0.9
    reach = (0.88 + 0.08 * np.clip(c.held(0), -2, 1.5)) * pulse(f, 0.40, 0.04, 0.48)
    bob = 0.5 + 0.5 * wave(c.phase, 0.2)
    out: Angles = {"pelvis_yaw": 18.0, "pelvis_pitch": 8 + 3 * reach, "chest_pitch": 9.0, "head_pitch": -8.0}
    for side, own in (("left", left), ("right", ~left)):
        k = reach * own
        out[f"{side}_flex"] = 26 + 4 * bob + k * np.where(hook, 40, 60)
        out[f"{side}_abd"] = 10 + k * np.where(hook, 52, 4)
        out[f"{side}_rot"] = 22 + k * np.where(hook, 40, 12)
        out[f"{side}_cross"] = 2 + k * np.where(hook, 26, 12)
        out[f"{side}_elbow"] = 122 - k * np.where(hook, 34, 106)
        out[f"{side}_pron"] = -20 + 85 * k
    twist = np.where(left, -1.0, 1.0) * reach
    out["chest_yaw"] = -10 + (16 + 12 * c.style[0]) * twist
    out["pelvis_yaw"] = 14 + 16 * twist
    out["head_yaw"] = -4 - 22 * twist
    give = (6 + 8 * c.style[4]) * reach  # the knee that the weight goes to
    out |= {"hip_abd": 9.0, "left_hip_flex": 20 + 6 * bob, "right_hip_flex": 6 * bob}
    for side, own in (("left", ~left), ("right", left)):
        out[f"{side}_hip_flex"] = out[f"{side}_hip_flex"] + 0.6 * give * own
        out[f"{side}_knee"] = 24 + 12 * bob + give * own
    return out


def reaching(c: Cycle) -> Angles:
    """One hand to a new place each time: high, low, across, far."""
    f = c.fraction
    u = pulse(f, 0.36, 0.14, 0.38)
    n = [np.clip(c.held(column), -2, 2) for column in range(6)]
    left = c.held(6) > 0.6 * (c.style[0] - 0.5)
    sign = np.where(left, 1.0, -1.0)
    high = 82 + 32 * n[0]
    lift = pulse(f, 0.2, 0.0, 0.2)
    out = _at_ease(c)
    for side, own in (("left", left), ("right", ~left)):
        k = u * own
        out[f"{side}_flex"] = 6 + k * high
        out[f"{side}_abd"] = 7 + k * (12 + 10 * n[1])
        out[f"{side}_cross"] = k * (2 + 16 * n[2])
        out[f"{side}_elbow"] = 14 + 55 * lift * own + k * (6 + 8 * np.abs(n[3]))
        out[f"{side}_rot"] = 10 + k * 25 * n[4] - 25 * lift * own
        out[f"{side}_pron"] = 20 + k * 30 * n[5]
    low = np.clip((70 - high) / 60, 0, 1)
    out["chest_yaw"] = -sign * u * (12 + 8 * n[2])
    out["pelvis_yaw"] = -sign * u * (6 + 5 * n[2])
    out["pelvis_pitch"] = 2 + u * (6 + 34 * low)
    out["chest_pitch"] = 3 + u * (5 + 18 * low)
    out["head_pitch"] = u * (-12 + 24 * low)
    out["chest_roll"] = sign * u * (-4 + 3 * n[1])
    for side in ("left", "right"):
        out[f"{side}_hip_flex"] = out[f"{side}_hip_flex"] + 10 * u * low
        out[f"{side}_knee"] = out[f"{side}_knee"] + 20 * u * low
    return out


def clapping(c: Cycle) -> Angles:
    close = (0.5 + 0.5 * wave(c.phase)) * c.gain(0, 0.08)
    out = _at_ease(c)
    lift = 28 + 30 * c.style[0]
    for side, skew in (("left", c.style[1]), ("right", 1 - c.style[1])):
        swing = (0.75 + 0.5 * skew) * (20 + 22 * c.style[2])
        out[f"{side}_flex"] = lift + 3 * close
        out[f"{side}_abd"] = 12 + 0.35 * swing * (1 - close)
        out[f"{side}_rot"] = 44 - swing * (1 - close)
        out[f"{side}_elbow"] = 88 - 0.35 * lift + 8 * wave(c.phase, 0.2 + 0.15 * c.style[3])
        out[f"{side}_pron"] = -35 + 11 * wave(c.phase, 0.25 + 0.15 * c.style[4])
    out["chest_pitch"] = 3 + 1.5 * close
    out["chest_roll"] = 2 * wave(c.phase / 2)
    return out


def standing(c: Cycle) -> Angles:
    """Quiet standing; weight shifts and looks around come with the phase, slowly."""
    look = c.gain(7, 1.0) - 1
    shift = c.gain(8, 1.0) - 1
    out: Angles = {"hip_flex": 2.0, "knee": 4.0, "hip_abd": 4.0, "flex": 2.0, "abd": 7.0, "rot": 14.0}
    out |= {"elbow": 14 + 8 * c.style[9], "pron": 20.0, "chest_pitch": 3.0, "pelvis_pitch": 1.0}
    out |= {
        "head_yaw": 9 * look,
        "chest_yaw": 2 * look,
        "chest_roll": 1.2 * shift,
        "pelvis_roll": -1.0 * shift,
    }
    return out


def _at_ease(c: Cycle) -> Angles:
    """Standing while the arms are busy, the weight now on one leg and now on the other."""
    out = dict(standing(c))
    shift = wave(c.phase / (3 + 3 * c.style[10]), c.style[11]) * c.gain(9, 0.4)
    size = 0.5 + c.style[9]
    for side, free in (("left", 0.5 + 0.5 * shift), ("right", 0.5 - 0.5 * shift)):
        out[f"{side}_knee"] = 4 + 16 * size * free
        out[f"{side}_hip_flex"] = 2 + 8 * size * free
        out[f"{side}_hip_abd"] = 4 + 4 * size * (free - 0.5)
    out["pelvis_roll"] = 4 * size * shift
    out["pelvis_yaw"] = 4 * size * shift
    return out


@dataclass(frozen=True, slots=True)
class Exercise:
    """``period_s`` is the usual range of one cycle, ``jitter`` how much cycles differ, ``weight`` how
    often people choose it. ``ground`` is the speed over ground of
    a full stride, in body heights per cycle, so that the standing foot does not skate (0: staying)."""

    angles: Callable[[Cycle], Angles]
    period_s: tuple[float, float]
    jitter: float
    weight: float
    ground: float = 0.0


EXERCISES: dict[str, Exercise] = {
    "walking": Exercise(walking, (0.98, 1.22), 0.02, 1.8, ground=0.67),
    "jogging": Exercise(jogging, (0.7, 0.82), 0.02, 1.2, ground=0.69),
    "jumping_jacks": Exercise(jumping_jacks, (1.05, 1.45), 0.035, 1.3),
    "squats": Exercise(squats, (1.8, 3.0), 0.08, 1.3),
    "lunges": Exercise(lunges, (1.8, 2.8), 0.08, 1.2),
    "waving": Exercise(waving, (0.5, 0.85), 0.06, 0.8),
    "punching": Exercise(punching, (0.7, 1.15), 0.12, 1.2),
    "reaching": Exercise(reaching, (1.7, 2.6), 0.12, 1.2),
    "clapping": Exercise(clapping, (0.38, 0.65), 0.05, 0.7),
    "standing": Exercise(standing, (2.0, 3.5), 0.2, 0.35),
}
