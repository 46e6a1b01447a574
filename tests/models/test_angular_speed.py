"""Angular speed: what the gyro says, and how fast a limb turns in the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobind_live.models import angular_speed
from mobind_live.models.encoders import parts_of
from mobind_live.models.features import STEP_HZ, ImuFeatures, PoseFeatures
from mobind_live.vocabulary import KEYPOINTS, PARTS

MIDDLE = slice(20, 40)  # tokens away from where the stream begins and ends
# A person of 1.75 m who stands facing the camera, 200 pixels to the metre.
STANDING = {
    "nose": (0, -58), "eye": (4, -62), "ear": (8, -60), "shoulder": (36, 0), "elbow": (40, 64),
    "wrist": (42, 116), "hip": (28, 100), "knee": (29, 186), "ankle": (30, 270),
}  # fmt: skip


def person(steps: int) -> np.ndarray:
    """Keypoints (steps, 17, 3) that do not move."""
    places = []
    for name in KEYPOINTS:
        side, _, joint = name.rpartition("_")
        x, y = STANDING[joint]
        places.append((600 + (x if side == "left" else -x), 300 + y, 0.9))
    return np.tile(np.array(places, float), (steps, 1, 1))


def speeds(keypoints: np.ndarray) -> torch.Tensor:
    """(11, tokens)."""
    features = torch.as_tensor(PoseFeatures(1).step(keypoints[None]))[0]
    with torch.no_grad():
        return parts_of(angular_speed.of_chains()(features.permute(1, 2, 0)), 1)[0, ..., 0]


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 0.6, -0.8)])
def test_a_sensor_s_speed_is_the_gyro_s_about_any_axis(axis: tuple[float, ...]) -> None:
    gyro = np.tile(2.5 * np.array(axis), (1, 120, 1))
    acc = np.tile([0.0, 0, 1], (1, 120, 1))
    features = torch.as_tensor(ImuFeatures(1).step(acc, gyro, np.ones((1, 120))))
    speed = angular_speed.of_imu()

    with torch.no_grad():
        tokens = speed(features.transpose(1, 2))[0, 0, 0]

    wanted = speed.gain[0, 0].item() * np.log1p(2.5)
    assert tokens[MIDDLE].numpy() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(("near", "far", "part"), [("elbow", "wrist", "forearm"), ("knee", "ankle", "shank")])
def test_a_limb_s_speed_is_that_of_its_far_end_about_its_near_end(
    side: str, near: str, far: str, part: str
) -> None:
    keypoints = person(120)
    a, b = (KEYPOINTS.index(f"{side}_{joint}") for joint in (near, far))
    length = {"forearm": 0.26, "shank": 0.42}[part]
    angle = 1.5 * np.arange(120) / STEP_HZ
    keypoints[:, b, :2] = keypoints[:, a, :2] + 200 * length * np.stack([np.sin(angle), np.cos(angle)], -1)

    found = speeds(keypoints)[:, MIDDLE].mean(dim=1) / angular_speed.of_chains().gain[0, 0].item()

    index = PARTS.index(f"{side}_{part}")
    assert found[index].item() == pytest.approx(np.log1p(1.5), rel=0.1)
    others = torch.cat([found[:index], found[index + 1 :]])
    assert others.abs().max() < 0.01


def test_walking_through_the_picture_turns_nothing() -> None:
    keypoints = person(120)
    keypoints[..., 0] += 3 * np.arange(120)[:, None]

    assert speeds(keypoints)[:, MIDDLE].abs().max() < 0.01
