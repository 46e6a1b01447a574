"""The classifier of the kind of body part: what it says, when it says nothing, and how it is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mocap import quiet, write_takes
from typer.testing import CliRunner

from mobind_live.cli import app
from mobind_live.models import pack, placement, train_placement
from mobind_live.models.checkpoint import DEFAULT
from mobind_live.models.errors import CheckpointError, RecipeError
from mobind_live.models.features import IMU_CHANNELS, ImuFeatures
from mobind_live.models.placement import KIND_OF, KINDS, LEAST, WINDOW, PlacementNet, Placements
from mobind_live.models.train_placement import PlacementRecipe, Pool
from mobind_live.vocabulary import PARTS


def channels(rng: np.random.Generator, rows: int, steps: int, rad_s: float) -> np.ndarray:
    """Channels (rows, steps, 15) of sensors that turn at about ``rad_s``."""
    acc = np.array([0.0, 0.0, 1.0]) + 0.05 * rng.standard_normal((rows, steps, 3))
    gyro = rad_s * rng.standard_normal((rows, steps, 3))
    return ImuFeatures(rows).step(acc, gyro, np.ones((rows, steps)))


@pytest.fixture
def net() -> PlacementNet:
    torch.manual_seed(0)
    return PlacementNet().eval()


def test_every_part_has_its_kind() -> None:
    for part, kind in zip(PARTS, KIND_OF, strict=True):
        assert part.endswith(KINDS[kind])


def test_a_part_is_as_likely_as_its_kind_whether_it_has_two_sides_or_one() -> None:
    parts = placement.for_parts(np.log(np.array([0.1, 0.1, 0.2, 0.3, 0.1, 0.1, 0.1])))
    assert parts[PARTS.index("pelvis")] == pytest.approx(np.log(0.2 * 7))
    assert parts[PARTS.index("left_upper_arm")] == parts[PARTS.index("right_upper_arm")]
    assert parts[PARTS.index("left_upper_arm")] == pytest.approx(np.log(0.3 * 7))
    np.testing.assert_allclose(placement.for_parts(np.full(7, -np.log(7))), 0, atol=1e-12)


def test_what_moves_is_told_and_what_rests_is_not(net: PlacementNet) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([channels(rng, 1, WINDOW, 1.0), channels(rng, 1, WINDOW, 0.02)])
    log_p, told = net.log_p(x, np.array([WINDOW, WINDOW]))
    assert told.tolist() == [True, False]
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(log_p[1], -np.log(7), rtol=1e-6)
    assert np.ptp(log_p[0]) > 1e-3


def test_only_what_was_seen_counts(net: PlacementNet) -> None:
    """The buffer is longer than a window and, at first, empty in front."""
    x = channels(np.random.default_rng(1), 3, WINDOW + 28, 1.0)
    seen = np.array([LEAST - 1, 300, WINDOW + 28])
    log_p, told = net.log_p(x, seen)
    assert told.tolist() == [False, True, True]
    other = x.copy()
    other[1, :-300], other[2, :-WINDOW] = 7.0, 7.0
    np.testing.assert_array_equal(net.log_p(other, seen)[0], log_p)
    alone, _ = net.log_p(x[1:2], seen[1:2])
    np.testing.assert_allclose(alone[0], log_p[1], atol=1e-5)


def test_temperature_flattens(net: PlacementNet) -> None:
    x = channels(np.random.default_rng(2), 1, WINDOW, 1.0)
    sharp, _ = net.log_p(x, np.array([WINDOW]))
    net.temperature.fill_(4.0)
    flat, _ = net.log_p(x, np.array([WINDOW]))
    assert np.ptp(flat) == pytest.approx(np.ptp(sharp) / 4, rel=1e-3)


def test_placements_forget_slowly_and_only_by_what_tells() -> None:
    arm, leg = (np.log(np.where(np.arange(7) == k, 0.7, 0.05))[None] for k in (4, 6))
    placements = Placements(2, 30.0)
    forearm, shank = PARTS.index("left_forearm"), PARTS.index("left_shank")
    for _ in range(10):
        placements.add([1], arm, np.array([True]), 1.0)
    said = placements.for_parts()
    np.testing.assert_allclose(said[0], 0, atol=1e-12)
    # Ten times the same is not surer than once.
    assert said[1, forearm] == pytest.approx(np.log(0.7 * 7))
    for _ in range(100):
        placements.add([1], leg, np.array([False]), 1.0)
    np.testing.assert_array_equal(placements.for_parts(), said)
    for _ in range(100):
        placements.add([1], leg, np.array([True]), 1.0)
    assert placements.for_parts()[1].argmax() == shank
    placements.reset(1)
    np.testing.assert_allclose(placements.for_parts()[1], 0, atol=1e-12)


def test_memory_that_is_infinite_weighs_all_windows_alike() -> None:
    first, second = (np.log(np.where(np.arange(7) == k, 0.7, 0.05))[None] for k in (4, 6))
    placements = Placements(1, np.inf)
    for said in (first, first, second, second):
        placements.add([0], said, np.array([True]), 1.0)
    (given,) = placements.for_parts()
    assert given[PARTS.index("left_forearm")] == pytest.approx(given[PARTS.index("left_shank")])


def test_weights_come_back_and_others_are_refused(net: PlacementNet, tmp_path: Path) -> None:
    net.temperature.fill_(1.5)
    path = tmp_path / "placement.safetensors"
    placement.save(path, net, {"note": "x"})
    again = placement.load(path)
    x = channels(np.random.default_rng(3), 2, WINDOW, 1.0)
    seen = np.array([WINDOW, WINDOW])
    np.testing.assert_array_equal(again.log_p(x, seen)[0], net.log_p(x, seen)[0])
    with pytest.raises(CheckpointError, match="not 'mobind-live placement 2'"):
        placement.load(DEFAULT)


def test_at_rate_keeps_slow_motion_and_loses_fast() -> None:
    time = np.arange(500) / 50
    slow, fast = (np.sin(2 * np.pi * hz * time)[None, :, None] for hz in (0.5, 12.0))
    inside = np.s_[:, 10:-10]
    for rate_hz in (20.0, 37.0, 50.0):
        back = train_placement.at_rate(slow, rate_hz, 0.4)
        np.testing.assert_allclose(back[inside], slow[inside], atol=0.02)
    assert np.std(train_placement.at_rate(fast, 20.0, 0.4) - fast) > 0.3


def test_temperature_is_found_and_weighs_every_kind_alike() -> None:
    rng = np.random.default_rng(4)
    true = rng.normal(0, 1.5, (4000, 7))
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    kind = np.array([rng.choice(7, p=row) for row in p])
    logits = torch.as_tensor(true * 3, dtype=torch.float32)
    assert train_placement.temperature(logits, kind) == pytest.approx(3.0, rel=0.15)


def test_scaled_channels_are_those_of_a_livelier_sensor() -> None:
    """At rest but for turning about the vertical, the channels of twice the turning are known."""
    rng = np.random.default_rng(6)
    acc = np.tile([0.0, 0.0, 1.0], (2, 300, 1))
    gyro = np.zeros((2, 300, 3))
    gyro[..., 2] = rng.standard_normal((2, 300))
    once, twice = (ImuFeatures(2).step(acc, size * gyro, np.ones((2, 300))) for size in (1, 2))
    scaled = train_placement.scaled(once, np.ones(2), np.full(2, 2.0))
    np.testing.assert_allclose(scaled, twice, atol=1e-5)
    both = train_placement.scaled(once, np.array([1.0, 3.0]), np.ones(2))
    np.testing.assert_allclose(both[0], once[0], atol=1e-6)


def test_fit_learns_what_can_be_learned() -> None:
    rng = np.random.default_rng(5)
    kind = np.repeat(np.arange(7), 6)
    x = np.concatenate([channels(rng, 6, WINDOW, 0.3 + 0.6 * k) for k in range(7)]).astype(np.float16)
    recipe = PlacementRecipe(motion=Path("-"), output=Path("-"), steps=40, rows=14)
    pool = Pool(x, kind)
    net = train_placement.fit(recipe, pool, quiet())
    right = train_placement.logits_of(net, pool).argmax(dim=1).numpy() == kind
    assert right.mean() > 0.5


def test_train_writes_tempered_weights(tmp_path: Path) -> None:
    takes = write_takes(tmp_path / "bvh", ["d_walk_plain_001", "d_wave_plain_001", "d_kick_plain_001"])
    pack.pack(takes, tmp_path / "motion.npz", 1, quiet())
    small = "groups: 1\nheld_groups: 1\nreels: 6\nsteps: 10\nrows: 7\n"
    (tmp_path / "recipe.yaml").write_text("motion: motion.npz\noutput: out/p.safetensors\n" + small)
    result = CliRunner().invoke(app, ["train-placement", str(tmp_path / "recipe.yaml")])
    assert result.exit_code == 0, result.output
    net = placement.load(tmp_path / "out" / "p.safetensors")
    assert net.temperature.item() != 1
    assert next(net.parameters()).shape[1] == IMU_CHANNELS


def test_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("motion: none.npz\noutput: p.safetensors\n")
    result = CliRunner().invoke(app, ["train-placement", str(tmp_path / "recipe.yaml")])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "none.npz" in line


def test_the_recipe_of_the_project_is_read() -> None:
    recipe = PlacementRecipe.read(Path(train_placement.__file__).parent / "recipes" / "placement.yaml")
    assert recipe.output.name == "placement.safetensors"
    with pytest.raises(RecipeError):
        PlacementRecipe.read(Path("no such recipe.yaml"))


def test_a_cycle_of_the_rate_needs_some_steps(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("motion: m.npz\noutput: p.safetensors\nsteps: 4\n")
    with pytest.raises(RecipeError, match="steps: Input should be greater than or equal to 10"):
        PlacementRecipe.read(tmp_path / "recipe.yaml")
