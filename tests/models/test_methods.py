"""What the evaluation asks the project's own networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mobind_live.models import checkpoint, placement
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.evaluate.methods import Network
from mobind_live.models.features import ImuFeatures
from mobind_live.models.placement import WINDOW


@pytest.fixture
def network(tmp_path: Path) -> Network:
    path = tmp_path / "small.safetensors"
    torch.manual_seed(0)
    checkpoint.save(path, Binder(Sizes(width=8, embedding=4)), {})
    return Network(path)


def sensor(steps: int, rad_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    acc = np.array([0.0, 0.0, 1.0]) + 0.05 * rng.standard_normal((steps, 3))
    return acc, rad_s * rng.standard_normal((steps, 3)), np.ones(steps)


def test_a_window_says_of_its_part_what_the_placement_network_does(network: Network) -> None:
    felt = sensor(400, 1.0)
    channels = ImuFeatures(1).step(*(x[None] for x in felt))
    log_p, _ = network.placement.log_p(channels, np.array([400]))
    np.testing.assert_allclose(network.parts(*felt), placement.for_parts(log_p[0]), atol=1e-5)


def test_the_windows_of_a_long_recording_are_averaged(network: Network) -> None:
    acc, gyro, valid = sensor(WINDOW + 50, 1.0)
    channels = ImuFeatures(1).step(acc[None], gyro[None], valid[None])
    both = np.concatenate([channels[:, :WINDOW], channels[:, 50:]])
    log_p, _ = network.placement.log_p(both, np.full(2, WINDOW))
    mean = torch.log_softmax(torch.as_tensor(log_p.mean(axis=0)), dim=0).numpy()
    np.testing.assert_allclose(network.parts(acc, gyro, valid), placement.for_parts(mean), atol=1e-5)


def test_what_rests_or_is_too_short_says_nothing(network: Network) -> None:
    np.testing.assert_array_equal(network.parts(*sensor(400, 0.01)), 0)
    np.testing.assert_array_equal(network.parts(*sensor(100, 1.0)), 0)
