"""What must not matter does not: how a sensor is mounted, how the picture is mirrored, what it is called,
when its clock began, in which order things arrive. With the shipped weights, on a small scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rig import Arrival, Said, engine_of, play, record, specs
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.devices import CameraSpec, ImuSpec
from mobind_live.kinematics.scene import SceneConfig
from mobind_live.models import checkpoint
from mobind_live.models.encoders import Binder
from mobind_live.schema import Imu, Pose, Verdict
from mobind_live.vocabulary import KEYPOINTS

SECONDS = 24.0
MAX_OFFSET_S = 4.0
SCENE = SceneConfig(
    seed=5,
    people=1,
    cameras=(CameraSpec(name="front", delay_s=0.3),),
    imus=(
        ImuSpec(name="arm", person=0, part="left_forearm", delay_s=1.1, clock_offset_s=400.0),
        ImuSpec(name="leg", person=0, part="right_shank", delay_s=-0.7, clock_offset_s=70.0),
    ),
    absence_every_s=0.0,
)
NAMES = tuple(imu.name for imu in SCENE.imus)
OTHER_SIDE = [KEYPOINTS.index(_n) for _n in (
    name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right") for name in KEYPOINTS
)]  # fmt: skip
few = settings(max_examples=2, deadline=None)


@pytest.fixture(scope="module")
def model() -> Binder:
    torch.set_num_threads(1)
    return checkpoint.load()


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    return record(SCENE, SECONDS)


@pytest.fixture(scope="module")
def said(arrivals: list[Arrival], model: Binder) -> Said:
    last = heard(arrivals, model)
    assert any(last.offset(name, "front").verdict is Verdict.OK for name in NAMES), "else nothing is tested"
    return last


def heard(arrivals: list[Arrival], model: Binder, names: tuple[str, ...] = NAMES) -> Said:
    imus = {spec.name: spec for spec in specs(SCENE)}
    own = tuple(replace(imus[NAMES[n]], name=name) for n, name in enumerate(names))
    return play(engine_of(own, model, MAX_OFFSET_S), arrivals, every_s=2.0)[-1]


def changed(arrivals: list[Arrival], imu: dict[str, object] | None = None, **how: object) -> list[Arrival]:
    """The arrivals with ``rotation`` (a matrix), ``mirror`` (True), ``shift_ns`` (by name)."""
    out = []
    for arrival in arrivals:
        message = arrival.message
        if isinstance(message, Imu):
            rotation = np.asarray(how.get("rotation", np.eye(3)), np.float32)
            acc, gyro = message.acc_m_s2 @ rotation.T, message.gyro_rad_s @ rotation.T
            if how.get("mirror"):
                acc = acc * np.array([-1, 1, 1], np.float32)
                gyro = gyro * np.array([1, -1, -1], np.float32)
            shift_ns = (imu or {}).get(message.stream, 0)
            message = replace(message, acc_m_s2=acc, gyro_rad_s=gyro, t_ns=message.t_ns + shift_ns)
        elif isinstance(message, Pose) and how.get("mirror"):
            keypoints = message.keypoints[:, OTHER_SIDE].copy()
            keypoints[..., 0] = message.image_size[0] - keypoints[..., 0]
            message = replace(message, keypoints=keypoints)
        out.append(Arrival(arrival.at_s, message))
    return out


def same(one: Said, other: Said, *, offset_s: float = 0.005, p: float = 0.05) -> None:
    for name in NAMES:
        a, b = one.offset(name, "front"), other.offset(name, "front")
        assert b.verdict is a.verdict, name
        assert b.p == pytest.approx(a.p, abs=p)
        if a.verdict is Verdict.OK:
            assert b.offset_s == pytest.approx(a.offset_s, abs=offset_s)
        c, d = one.binding(name), other.binding(name)
        assert (d.wearer_verdict, d.part_verdict) == (c.wearer_verdict, c.part_verdict)
        assert d.p_wearer == pytest.approx(c.p_wearer, abs=p)


@few
@given(milliseconds=st.integers(-1500, 1500))
def test_shifting_the_stamps_shifts_the_offset(
    arrivals: list[Arrival], said: Said, model: Binder, milliseconds: int
) -> None:
    moved = heard(changed(arrivals, {"arm": milliseconds * 1_000_000}), model)
    one, other = said.offset("arm", "front"), moved.offset("arm", "front")
    assert other.verdict is one.verdict
    assert other.offset_s - one.offset_s == pytest.approx(milliseconds / 1000, abs=0.005)
    assert other.p == pytest.approx(one.p, abs=0.05)


@few
@given(seed=st.integers(0, 999))
def test_the_mounting_does_not_matter(arrivals: list[Arrival], said: Said, model: Binder, seed: int) -> None:
    rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    turned = heard(changed(arrivals, rotation=rotation), model)
    same(said, turned)
    for name in NAMES:
        assert turned.binding(name).p_part == pytest.approx(said.binding(name).p_part, abs=0.05)


def test_a_mirrored_world_has_mirrored_answers(arrivals: list[Arrival], said: Said, model: Binder) -> None:
    """Left is right, in picture and sensors."""
    mirrored = heard(changed(arrivals, mirror=True), model)
    same(said, mirrored)
    for name in NAMES:
        one, other = said.binding(name), mirrored.binding(name)
        side, _, rest = one.part.partition("_")
        assert other.part == (f"{'right' if side == 'left' else 'left'}_{rest}" if rest else one.part)
        assert other.p_part == pytest.approx(one.p_part, abs=0.05)
    assert any(said.binding(name).part_verdict is Verdict.OK for name in NAMES)


def test_names_do_not_matter(arrivals: list[Arrival], said: Said, model: Binder) -> None:
    """Not even their order in the alphabet."""
    new = dict(zip(NAMES, ("z", "a"), strict=True))
    renamed = [
        Arrival(a.at_s, replace(a.message, stream=new.get(a.message.stream, a.message.stream)))
        for a in arrivals
    ]
    last = heard(renamed, model, ("z", "a"))
    for name in NAMES:
        assert last.offset(new[name], "front").offset_s == said.offset(name, "front").offset_s
        assert last.binding(new[name]).part == said.binding(name).part


@few
@given(seed=st.integers(0, 999))
def test_the_order_within_the_queue_does_not_matter(
    arrivals: list[Arrival], said: Said, model: Binder, seed: int
) -> None:
    """Of streams among each other; each one's own order is the bus's."""
    rng = np.random.default_rng(seed)
    mixed: list[Arrival] = []
    for at_s in sorted({a.at_s for a in arrivals}):
        lanes = {
            s: [a for a in arrivals if a.at_s == at_s and a.message.stream == s] for s in (*NAMES, "front")
        }
        turns = rng.permutation([s for s, own in lanes.items() for _ in own])
        mixed += [lanes[str(s)].pop(0) for s in turns]
    same(said, heard(mixed, model), offset_s=0.001, p=0.01)


def test_posteriors_sum_to_one(said: Said) -> None:
    for name in NAMES:
        assert said.offset(name, "front").weights.sum() == pytest.approx(1, abs=1e-4)
        binding = said.binding(name)
        assert binding.p_wearer + binding.p_none == pytest.approx(1, abs=1e-6), "one person is in view"
