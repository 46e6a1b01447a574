"""The loss: small exactly where the answer is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from mobind_live.models import losses
from mobind_live.models.centre import Centre
from mobind_live.models.chains import POSE_CHANNELS
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.losses import VOTE_STRIDE, Batch, Without, binding_loss
from mobind_live.vocabulary import PARTS

PEOPLE, SENSORS, WIDTH = 4, 2, 64
SHORT, LONG = 24, 40
either_longer = pytest.mark.parametrize("longer", ["pose", "imu"])


class Told(Binder):
    """A network whose embeddings are the input: what they would be if training had ended."""

    def __init__(self, scale: float = 30.0) -> None:
        super().__init__(Sizes(width=8, embedding=WIDTH))
        self.log_scale.data.fill_(float(np.log(scale)))
        self.log_token_scale.data.fill_(float(np.log(scale)))

    def embed_imu(self, features: Tensor) -> Tensor:
        return features

    def embed_pose(self, features: Tensor) -> Tensor:
        return features


def perfect(shift: list[float] | None = None, slack: float = 0.0, longer: str = "pose") -> Batch:
    """Everybody's parts move in ways of their own, and each IMU is its part; the longer of the two begins
    earlier by the shift."""
    torch.manual_seed(0)
    shifts = torch.tensor(shift or [0.0, 3.0, 9.0, 16.0])
    pose = torch.randn(PEOPLE, len(PARTS), LONG, WIDTH)
    pose = pose / pose.norm(dim=-1, keepdim=True)
    part = torch.stack([torch.randperm(len(PARTS))[:SENSORS] for _ in range(PEOPLE)])
    imu = pose[torch.arange(PEOPLE)[:, None], part]
    cut = torch.stack(
        [
            stream[:, int(first) : int(first) + SHORT]
            for stream, first in zip(imu if longer == "pose" else pose, shifts, strict=True)
        ]
    )
    return Batch(
        imu=cut if longer == "pose" else imu,
        pose=pose if longer == "pose" else cut,
        part=part,
        shift=shifts,
        length=torch.full((PEOPLE, SENSORS), float(SHORT)),
        absent=torch.zeros(PEOPLE, SENSORS),
        slack=torch.full((PEOPLE,), slack),
    )


def small_batch() -> Batch:
    """Three people's features, noise."""
    return Batch(
        imu=torch.randn(3, 2, 60, 15),
        pose=torch.randn(3, 90, 6, POSE_CHANNELS),
        part=torch.tensor([[0, 5], [1, 6], [2, 7]]),
        shift=torch.tensor([0.0, 5.0, 10.0]),
        length=torch.full((3, 2), 30.0),
        absent=torch.zeros(3, 2),
        slack=torch.zeros(3),
    )


@pytest.mark.parametrize(
    ("left_out", "wrong"),
    [
        ("parts", lambda batch: replace(batch, part=(batch.part + 1) % len(PARTS))),
        ("lags", lambda batch: replace(batch, shift=batch.shift.flip(0))),
    ],
)
def test_what_is_left_out_no_longer_competes(left_out: Without, wrong: Callable[[Batch], Batch]) -> None:
    batch = wrong(perfect())
    whole = binding_loss(Told(), batch).joint
    less = binding_loss(Told(), batch, without=(left_out,)).joint

    # What is left to lose to are other people, and nobody.
    assert whole > 5
    assert less < whole - 3


def test_without_other_people_a_stranger_s_motion_is_no_rival() -> None:
    batch = perfect()
    alike = replace(batch, imu=batch.imu[:1].expand_as(batch.imu), pose=batch.pose[:1].expand_as(batch.pose))
    alike = replace(alike, part=batch.part[:1].expand_as(batch.part), shift=torch.zeros(PEOPLE))
    whole = binding_loss(Told(), alike).joint
    less = binding_loss(Told(), alike, without=("people",)).joint

    assert whole > float(np.log(PEOPLE)) - 0.2
    assert less < 0.1


def test_tokens_left_out_do_not_count() -> None:
    batch = replace(perfect(), shift=perfect().shift.flip(0))
    lost = binding_loss(Told(), batch, without=("tokens",))

    assert lost.token > 1
    assert lost.total == lost.joint


@pytest.mark.parametrize("left_out", get_args(Without))
def test_every_gradient_stays_finite(left_out: Without) -> None:
    torch.manual_seed(0)
    model = Binder(Sizes(width=8, embedding=8))
    binding_loss(model, small_batch(), without=(left_out,)).total.backward()

    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@either_longer
def test_perfect_embeddings_cost_nothing(longer: str) -> None:
    lost = binding_loss(Told(), perfect(longer=longer))

    assert lost.joint < 1e-3
    assert lost.token < 0.05
    assert (lost.part_accuracy, lost.person_accuracy) == (1, 1)


@either_longer
@pytest.mark.parametrize("off", [-2.0, 1.0, 3.0])
def test_a_wrong_shift_is_penalized(off: float, longer: str) -> None:
    batch = perfect([4.0, 6.0, 8.0, 10.0], longer=longer)

    assert binding_loss(Told(), replace(batch, shift=batch.shift + off)).joint > 5


def test_streams_as_long_as_each_other_may_have_but_one_lag() -> None:
    batch = perfect([0.0] * PEOPLE)
    batch = replace(batch, imu=batch.imu[:, :, :23], pose=batch.pose[:, :, :23])

    assert binding_loss(Told(), batch).total < 0.1


@either_longer
def test_a_wrong_part_is_penalized(longer: str) -> None:
    batch = perfect(longer=longer)

    lost = binding_loss(Told(), replace(batch, part=(batch.part + 1) % len(PARTS)))

    assert lost.joint > 5
    assert lost.part_accuracy < 0.5


def test_slack_forgives_a_small_shift_and_no_more() -> None:
    batch = perfect([4.0, 6.0, 8.0, 10.0], slack=3.0)

    assert binding_loss(Told(), replace(batch, shift=batch.shift + 2)).joint < 1e-2
    assert binding_loss(Told(), replace(batch, shift=batch.shift + 5)).joint > 5
    assert binding_loss(Told(), batch).token == 0


def test_between_two_tokens_both_are_wanted() -> None:
    batch = perfect([4.0, 6.0, 8.0, 10.0])
    model = Told(0.2)

    exact = binding_loss(model, batch).joint
    halfway = binding_loss(model, replace(batch, shift=batch.shift + 0.5)).joint
    beside = binding_loss(model, replace(batch, shift=batch.shift + 1)).joint

    torch.testing.assert_close(halfway, (exact + beside) / 2)


def test_nobody_is_the_answer_where_the_wearer_is_absent() -> None:
    batch = replace(perfect(), absent=torch.ones(PEOPLE, SENSORS))
    low, high = Told(), Told()
    low.nobody.data.fill_(-10.0)
    high.nobody.data.fill_(400.0)

    assert binding_loss(high, batch).joint < 1e-3
    assert binding_loss(low, batch).joint > 5


@either_longer
def test_tokens_after_the_length_do_not_count(longer: str) -> None:
    batch = perfect(longer=longer)
    short = replace(batch, length=torch.full((PEOPLE, SENSORS), 12.0))
    name = "imu" if longer == "pose" else "pose"
    spoilt = getattr(batch, name).clone()
    spoilt[:, :, 12:] = torch.randn_like(spoilt[:, :, 12:])

    a, b = binding_loss(Told(), short), binding_loss(Told(), replace(short, **{name: spoilt}))

    torch.testing.assert_close(a.total, b.total)
    assert binding_loss(Told(2.0), short).joint > binding_loss(Told(2.0), batch).joint


def test_centred_tokens_are_those_less_their_running_mean() -> None:
    batch = perfect()
    less = replace(batch, imu=Centre().step(batch.imu), pose=Centre().step(batch.pose))

    weak = Told(3.0)
    centred, same, plain = (
        float(binding_loss(weak, given, centred=on).total.item())
        for given, on in ((batch, True), (less, False), (batch, False))
    )

    assert centred == pytest.approx(same)
    assert centred != pytest.approx(plain)


def test_diagonals_are_those_of_a_slow_loop() -> None:
    torch.manual_seed(1)
    tokens, places = 5, 14
    similarity = torch.randn(2, 3, 11, tokens, places)
    alive = torch.rand(2, 3, tokens) > 0.3

    fast = losses._lagged(similarity, alive)

    lags = places - VOTE_STRIDE * (tokens - 1)
    slow = torch.zeros(2, 3, 11, lags)
    for lag in range(lags):
        for n in range(tokens):
            slow[..., lag] += similarity[..., n, lag + VOTE_STRIDE * n] * alive[:, :, None, n]
    torch.testing.assert_close(fast, slow)


def test_it_can_be_learned() -> None:
    torch.manual_seed(0)
    model = Binder(Sizes(width=8, embedding=8))
    batch = small_batch()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    course = []
    for _ in range(6):
        lost = binding_loss(model, batch)
        optimizer.zero_grad()
        lost.total.backward()
        optimizer.step()
        course.append(lost.total.item())

    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in model.parameters())
    assert course[-1] < course[0]
