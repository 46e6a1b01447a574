"""The mirror: channels of a mirrored recording are mirrored channels, and so are the answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobind_live.kinematics.body import SWAP_KEYPOINTS, SWAP_PARTS
from mobind_live.models import mirror
from mobind_live.models.chains import CHAINS
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.features import ImuFeatures, PoseFeatures
from mobind_live.models.narrow import narrowed

STEPS, WIDTH_PX = 90, 1280
MIRRORED = np.array([-1.0, 1.0, 1.0])
TWIN = [CHAINS.index(name) for name in ("head", "trunk", "right_arm", "left_arm", "right_leg", "left_leg")]


@pytest.fixture
def imus() -> tuple[torch.Tensor, torch.Tensor]:
    """Channels (2, STEPS, 15) of two IMUs, and of the same in a mirror."""
    rng = np.random.default_rng(0)
    acc = np.cumsum(rng.normal(0, 0.05, (2, STEPS, 3)), axis=1) + np.array([0.2, 0.3, 0.9])
    gyro, valid = np.cumsum(rng.normal(0, 0.2, (2, STEPS, 3)), axis=1), np.ones((2, STEPS))
    plain = ImuFeatures(2).step(acc, gyro, valid)
    # An axial vector keeps what lies across the mirror and turns what lies in it.
    return torch.as_tensor(plain), torch.as_tensor(
        ImuFeatures(2).step(acc * MIRRORED, -gyro * MIRRORED, valid)
    )


@pytest.fixture
def people() -> tuple[torch.Tensor, torch.Tensor]:
    """Channels (2, STEPS, 6, 40) of two people, and of the same in a mirrored picture."""
    rng = np.random.default_rng(1)
    walk = rng.uniform(300, 700, (2, 1, 17, 2)) + np.cumsum(rng.normal(0, 3, (2, STEPS, 17, 2)), axis=1)
    plain = np.concatenate([walk, rng.uniform(0.1, 1, (2, STEPS, 17, 1))], axis=-1)
    mirrored = plain[:, :, SWAP_KEYPOINTS].copy()
    mirrored[..., 0] = WIDTH_PX - mirrored[..., 0]
    return torch.as_tensor(PoseFeatures(2).step(plain)), torch.as_tensor(PoseFeatures(2).step(mirrored))


def test_channels_of_a_mirrored_imu_are_mirrored_channels(imus: tuple[torch.Tensor, torch.Tensor]) -> None:
    plain, mirrored = (x.transpose(1, 2) for x in imus)

    torch.testing.assert_close(mirror.of_imu()(plain), mirrored)
    assert (plain - mirrored).abs().max() > 0.1


def test_a_chain_in_the_mirror_is_the_other_side_s(people: tuple[torch.Tensor, torch.Tensor]) -> None:
    plain, mirrored = people
    rows = plain.permute(0, 2, 3, 1).flatten(0, 1)

    seen = mirror.of_chains()(rows).unflatten(0, (2, len(CHAINS))).permute(0, 3, 1, 2)

    torch.testing.assert_close(seen, mirrored[:, :, TWIN])
    assert (plain - mirrored[:, :, TWIN]).abs().max() > 0.1


@pytest.mark.parametrize("kept", [None, 5])
def test_mirrored_recordings_agree_as_much(
    imus: tuple[torch.Tensor, torch.Tensor], people: tuple[torch.Tensor, torch.Tensor], kept: int | None
) -> None:
    """Whatever the weights are: of each IMU with each part, and in the mirror with the other side's part."""
    torch.manual_seed(0)
    model = Binder(Sizes(width=16, embedding=8)).eval()

    with torch.no_grad():
        if kept is not None:
            tokens = model.embed_imu(imus[0]).flatten(0, 1), model.embed_pose(people[0]).flatten(0, 2)
            model = narrowed(model, *tokens, kept)
        plain, mirrored = (
            torch.einsum("knd,cpnd->kcp", model.embed_imu(imu), model.embed_pose(pose))
            for imu, pose in zip(imus, people, strict=True)
        )

    torch.testing.assert_close(mirrored[..., SWAP_PARTS], plain)
    assert plain.std() > 1e-3
