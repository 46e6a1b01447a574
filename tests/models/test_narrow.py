"""Tokens of fewer numbers: products stay what they were, as far as so few can have them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mocap import quiet, write_takes
from torch import Tensor

from mobind_live.models import checkpoint, narrow, pack, soup
from mobind_live.models.chains import CHAINS, POSE_CHANNELS
from mobind_live.models.constants import Constants
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.features import IMU_CHANNELS
from mobind_live.vocabulary import PARTS

SMALL = Sizes(width=16, embedding=8)


@pytest.fixture
def model() -> Binder:
    torch.manual_seed(0)
    return Binder(SMALL).eval()


@torch.no_grad()
def tokens(model: Binder) -> tuple[Tensor, Tensor]:
    """Of random streams, and of the same in the mirror: IMUs' (N, token), poses' (M, token)."""
    rng = torch.Generator().manual_seed(1)
    imu = torch.randn(6, IMU_CHANNELS, 120, generator=rng)
    chains = torch.randn(2 * len(CHAINS), POSE_CHANNELS, 120, generator=rng)
    imu, chains = (torch.cat([x, e.mirrored(x)]) for x, e in ((imu, model.imu), (chains, model.pose)))
    own = model.embed_imu(imu.transpose(1, 2))
    other = model.embed_pose(chains.unflatten(0, (-1, len(CHAINS))).permute(0, 3, 1, 2))
    return own.flatten(0, 1), other.flatten(0, 2)


def products(model: Binder) -> Tensor:
    own, other = tokens(model)
    return own[::7] @ other[::11].T


def test_all_numbers_lose_nothing_and_fewer_lose_more(model: Binder) -> None:
    whole = products(model)

    lost = [
        float((products(narrow.narrowed(model, *tokens(model), kept)) - whole).norm() / whole.norm())
        for kept in (SMALL.whole, 12, 6, 2)
    ]

    assert lost[0] < 1e-4
    assert lost == sorted(lost)
    assert lost[2] < 0.2 < lost[3]


def test_no_directions_of_one_side_alone_would_do_better(model: Binder) -> None:
    """Against those in which IMU tokens, or poses', vary most."""
    own, other = tokens(model)
    found = narrow.narrowed(model, own, other, 5)
    assert found.imu.basis is not None
    assert found.pose.basis is not None

    def lost(left: Tensor, right: Tensor) -> float:
        return float(((own @ left) @ (other @ right).T - own @ other.T).norm())

    own_best = torch.linalg.svd(own, full_matrices=False)[2][:5].T
    other_best = torch.linalg.svd(other, full_matrices=False)[2][:5].T
    assert lost(found.imu.basis, found.pose.basis) < min(
        lost(own_best, own_best), lost(other_best, other_best)
    )


def test_sensors_keep_their_mean_length(model: Binder) -> None:
    """The engine measures motion by it."""
    own, other = tokens(model)
    found = narrow.narrowed(model, own, other, 4)
    assert found.imu.basis is not None

    lengths = (own @ found.imu.basis).norm(dim=1)

    torch.testing.assert_close(lengths.mean(), own.norm(dim=1).mean())


def test_the_command_keeps_what_is_said_of_the_weights_and_can_be_undone(
    model: Binder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    model.constants = Constants(temper=0.25)
    checkpoint.save(path, model, {"config": "by hand"})
    takes = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_plain_001"])
    motion = pack.pack(takes, tmp_path / "motion.npz", 1, quiet()).path

    assert narrow.main([str(path), str(out), "--motion", str(motion), "--kept", "6"]) == 0

    narrowed = checkpoint.load(out)
    assert narrowed.embed_imu(torch.zeros(1, 20, IMU_CHANNELS)).shape == (1, 10, 6)
    assert narrowed.embed_pose(torch.zeros(1, 20, 6, POSE_CHANNELS)).shape == (1, len(PARTS), 10, 6)
    assert narrowed.constants == Constants(temper=0.25)
    assert checkpoint.notes(out)["config"] == "by hand"
    for name, value in model.state_dict().items():
        torch.testing.assert_close(narrowed.widened().state_dict()[name], value)
    mixed = tmp_path / "c.safetensors"
    assert soup.main([str(mixed), f"{path}=1", f"{out}=1"]) == 0
    assert checkpoint.load(mixed).sizes == SMALL

    before = out.read_bytes()
    for extra, says in (
        (["--kept", "0"], "say 1 to 17"),
        (["--kept", "18"], "say 1 to 17"),
        (["--kept", "6", "--seed", "-1"], "say 0 or more"),
        (["--kept", "6", "--motion", str(tmp_path / "none")], "none"),
    ):
        assert narrow.main([str(path), str(out), "--motion", str(motion), *extra]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line
    for nowhere, says in ((tmp_path, "name a file"), (path / "b.safetensors", "cannot be written")):
        assert narrow.main([str(path), str(nowhere), "--motion", str(motion), "--kept", "6"]) == 2
        assert says in capsys.readouterr().err
    assert out.read_bytes() == before
