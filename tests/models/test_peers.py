"""The peers: their channels and votes are what the papers say, and they learn from the same pairs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap import quiet, write_takes
from numpy.random import default_rng
from typer.testing import CliRunner

from mobind_live.cli import app
from mobind_live.models import checkpoint, pack
from mobind_live.models.errors import CheckpointError, RecipeError
from mobind_live.models.evaluate.peers import mobind, trained
from mobind_live.models.evaluate.peers.mobind import Peer, Voting
from mobind_live.models.evaluate.readout import picked
from mobind_live.models.train_peer import PeerRecipe
from mobind_live.vocabulary import PARTS

FORMS: tuple[mobind.Form, ...] = ("mobind", "imu2clip")


def test_the_quaternion_turns_gravity_up() -> None:
    rng = default_rng(0)
    acc = np.tile(rng.normal(size=3), (1, 100, 1))
    acc /= np.linalg.norm(acc, axis=-1, keepdims=True)

    channels = mobind.imu_channels("mobind", acc, np.zeros((1, 100, 3)), np.ones((1, 100)))

    x, y, z, w = channels[0, -1, 3:]
    up = [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    np.testing.assert_allclose(up, acc[0, -1], atol=1e-4)


def test_parts_that_the_paper_lacks_have_no_stream_and_never_win() -> None:
    points = default_rng(0).uniform(0, 700, (120, 17, 3))
    method = Voting(Peer("mobind"))
    imu = method.imu(np.ones((120, 3)), np.zeros((120, 3)), np.ones(120))

    pose = method.pose(points)
    scores = method.score(imu, pose, -5, 5).max(axis=-1)

    lacking = ("chest", "pelvis", "left_upper_arm", "right_upper_arm")
    known = ~np.isin(PARTS, lacking)
    assert (np.abs(pose).max(axis=(1, 2)) > 0).tolist() == known.tolist()
    assert (scores[~known] == -1).all()
    assert (scores[known] > -1).all()


@pytest.mark.parametrize("form", FORMS)
def test_windows_of_any_length_become_unit_embeddings(form: mobind.Form) -> None:
    peer = Peer(form).eval()

    for steps in (10, 120, 250):
        own = peer.embed_imu(torch.randn(3, steps, mobind.IMU_WIDTH if form == "mobind" else 6))
        torch.testing.assert_close(own.norm(dim=1), torch.ones(3))


def test_votes_fall_where_the_windows_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the network: a window's embedding is its first step."""
    method = Voting(Peer("mobind"))
    monkeypatch.setattr(method, "_embedded", lambda windows, which: _unit(windows[:, 0]))
    walk = default_rng(1).normal(size=(1400, 6))
    imu, pose = walk[:1000], walk[200:1200]

    curve = method.score(imu, pose[None], -350, 350)[0]

    assert int(curve.argmax()) - 350 == 200


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_peer_is_trained_kept_and_found_again(form: mobind.Form, tmp_path: Path) -> None:
    takes = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_plain_001"])
    motion = pack.pack(takes, tmp_path / "motion.npz", 1, quiet()).path
    text = (
        f"form: {form}\nmotion: {motion}\noutput: p.safetensors\nsteps: 3\npeople: 2\nreels: 1\nreel_s: 9\n"
    )
    (tmp_path / "p.yaml").write_text(text)

    done = CliRunner().invoke(app, ["train-peer", str(tmp_path / "p.yaml")])

    assert done.exit_code == 0, done.output
    assert mobind.load(tmp_path / "p.safetensors").form == form


def test_peers_are_taken_from_where_their_recipes_write_them(tmp_path: Path) -> None:
    """Found, missing, and given by hand instead."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    recipes = tuple(folder / f"{form}.yaml" for form in FORMS)
    for recipe in recipes:
        recipe.write_text(
            (trained.RECIPES[0].parent / recipe.name).read_text().replace("../../runs", "../runs")
        )
    notes = {"form": '"mobind"'}
    for path in (tmp_path / "runs" / "mobind.safetensors", tmp_path / "own.safetensors"):
        path.parent.mkdir(exist_ok=True)
        checkpoint.write(path, mobind.KIND, Peer("mobind"), notes)

    found, missing = trained.chosen((), recipes)
    own, also_missing = trained.chosen((tmp_path / "own.safetensors",), recipes)

    assert [peer.name for peer in found] == [peer.name for peer in own] == ["mobind"]
    assert missing == also_missing
    (line,) = missing
    assert line.endswith(f"train-peer {os.path.relpath(recipes[1])}")
    assert not same(found[0].peer, own[0].peer)


def same(one: Peer, other: Peer) -> bool:
    return torch.equal(one.imu_out.weight, other.imu_out.weight)


def test_reels_that_are_too_short_for_a_window_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("form: mobind\nmotion: m.npz\noutput: p.safetensors\nreel_s: 7\n")

    with pytest.raises(RecipeError, match=r"reel_s: windows of 5 s need reels of 7\.25 s"):
        PeerRecipe.read(tmp_path / "p.yaml")


def test_another_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")

    with pytest.raises(CheckpointError, match=r"x\.safetensors"):
        mobind.load(tmp_path / "x.safetensors")


@pytest.mark.parametrize("lag", [-12, -5, 0, 9, 12])
def test_a_window_is_compared_at_every_lag_early_or_late(lag: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With windows known by their first sample: the pose's n-th is the IMU's, ``lag`` later."""
    method, first = Voting(Peer("mobind")), np.arange(100.0)
    monkeypatch.setattr(
        method, "_embedded", lambda windows, _: np.eye(200)[windows[:, 0, 0].astype(int) + 50]
    )
    imu = np.repeat(first[:, None], 7, axis=1)
    pose = np.repeat((first + lag)[None, :, None], 6, axis=2)
    (curve,) = method.score(imu, pose, -12, 12)
    assert np.flatnonzero(curve).tolist() == [12 + lag]


def test_what_a_method_cannot_tell_apart_counts_as_guessed() -> None:
    assert [picked(np.array([1.0, 3.0, 3.0, 0.0]), truth) for truth in range(4)] == [0, 0.5, 0.5, 0]
    assert picked(np.array([1.0, 3.0, 2.0]), 1) == 1.0
