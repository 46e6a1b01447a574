"""Rolling embeddings equal the whole recordings', whatever else goes on in other slots."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from mobind_live.models import twins
from mobind_live.models.encoders import LOOKAHEAD, Binder, Sizes
from mobind_live.models.features import ImuFeatures, PoseFeatures
from mobind_live.models.rolling import Rolling

SMALL = Sizes(width=16, embedding=8)


@pytest.fixture
def rolling() -> Rolling:
    torch.manual_seed(0)
    return Rolling(Binder(SMALL), torch.device("cpu"))


def imu(steps: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = default_rng(seed)
    acc = np.array([0, 0, 1.0]) + 0.3 * rng.standard_normal((1, steps, 3))
    return acc, rng.standard_normal((1, steps, 3)), np.ones((1, steps))


def person(steps: int, seed: int) -> np.ndarray:
    rng = default_rng(seed)
    place = rng.uniform(0, 400, (1, 1, 17, 2)) + np.cumsum(rng.normal(0, 3, (1, steps, 17, 2)), axis=1)
    return np.concatenate([place, np.ones((1, steps, 17, 1))], axis=-1)


def whole_imu(model: Binder, *recording: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return model.embed_imu(torch.as_tensor(ImuFeatures(1).step(*recording)))[0]


def test_imus_in_blocks_of_their_own(rolling: Rolling) -> None:
    first, second = imu(100, 1), imu(60, 2)
    rolling.reset_imu(0)
    out = [rolling.imu([0], *(x[:, :40] for x in first))[0]]
    rolling.reset_imu(1)
    late = []
    for start in range(0, 60, 20):
        mine = (
            np.concatenate([a[:, 40 + start :][:, :20], b[:, start:][:, :20]])
            for a, b in zip(first, second, strict=True)
        )
        tokens = rolling.imu([0, 1], *mine)
        out.append(tokens[0])
        late.append(tokens[1])

    for rolled, recording in ((out, first), (late, second)):
        whole = whole_imu(rolling.model, *recording)
        torch.testing.assert_close(torch.cat(rolled)[LOOKAHEAD:], whole[:-LOOKAHEAD], atol=1e-4, rtol=0)


def test_people_and_a_slot_used_again(rolling: Rolling) -> None:
    rolling.reset_person(0)
    rolling.pose([0], person(30, 5))
    rolling.reset_person(0)
    points = person(80, 6)

    rolled = torch.cat([rolling.pose([0], points[:, s : s + 8]) for s in range(0, 80, 8)], dim=2)[0]

    with torch.inference_mode():
        features = PoseFeatures(1).step(points)
        tokens = rolling.model.embed_pose(torch.as_tensor(features))
        whole = twins.drawn_together(tokens, twins.of_recordings(features))[0]
    torch.testing.assert_close(rolled[:, LOOKAHEAD:], whole[:, :-LOOKAHEAD], atol=1e-4, rtol=0)


def test_slots_can_skip_numbers(rolling: Rolling) -> None:
    recording = imu(60, 3)
    rolling.reset_imu(2)

    tokens = rolling.imu([2], *recording)[0]

    torch.testing.assert_close(
        tokens[LOOKAHEAD:],
        whole_imu(rolling.model, *recording)[:-LOOKAHEAD],
        atol=1e-4,
        rtol=0,
    )
