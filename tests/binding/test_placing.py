"""What an IMU's own motion says of where it sits: when it is asked, what it changes, when it is forgotten."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mobind_live.binding.belief import posterior as binding
from mobind_live.binding.belief import priors
from mobind_live.binding.belief.beliefs import Beliefs
from mobind_live.binding.belief.posterior import Calibration, CameraPosterior
from mobind_live.binding.belief.ties import Ties
from mobind_live.binding.belief.views import CameraSums
from mobind_live.binding.engine import Engine
from mobind_live.binding.evidence.history import LIMBS, History
from mobind_live.binding.evidence.placing import Placing
from mobind_live.driver import StreamSpec
from mobind_live.models import placement
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.features import IMU_CHANNELS
from mobind_live.models.placement import KINDS, LEAST, PlacementNet
from mobind_live.models.rolling import Recent
from mobind_live.schema import Imu
from mobind_live.vocabulary import PARTS

SHANK, FOREARM = PARTS.index("left_shank"), PARTS.index("left_forearm")


class Asked(PlacementNet):
    """Says shank of all that it is asked, if there is enough of it; remembers how much that was."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[int]] = []

    def log_p(self, channels: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.seen.append(seen.tolist())
        said = np.where(np.arange(7) == KINDS.index("shank"), 0.7, 0.05)
        return np.tile(np.log(said), (len(seen), 1)), seen >= LEAST


def felt(placing: Placing, slots: list[int], steps: int, block: int = 6) -> None:
    """The IMUs at ``slots`` send ``steps`` more, in blocks."""
    recent = Recent(IMU_CHANNELS)
    recent.reset(max(slots))
    recent.seen[:] = 10_000
    for _ in range(steps // block):
        placing.feel(slots, block, recent)


@pytest.mark.parametrize("block", [6, 24])
def test_it_is_asked_once_in_a_second_of_the_imus_own_steps(block: int) -> None:
    net = Asked()
    placing = Placing(2, net, math.inf)
    felt(placing, [0], 240, block)
    felt(placing, [0, 1], 720, block)
    assert sum(len(seen) for seen in net.seen) == (240 + 720) // 50 + 720 // 50
    # What has told more is believed more, but not for ever.
    given = placing.for_parts()
    assert 0 < given[1, SHANK] < given[0, SHANK]
    felt(placing, [0], 50 * 2000)
    assert given[0, SHANK] < placing.for_parts()[0, SHANK] < 1.5 * math.log(0.7 * 7)


def test_after_it_was_moved_only_what_came_since_is_looked_at() -> None:
    net = Asked()
    placing = Placing(2, net, 60.0)
    felt(placing, [0, 1], 600)
    placing.reset(0)
    other = placing.for_parts()[1]
    np.testing.assert_array_equal(placing.for_parts()[0], 0)
    net.seen.clear()
    felt(placing, [0, 1], LEAST - 6)
    assert max(seen[0] for seen in net.seen) < LEAST < min(seen[1] for seen in net.seen)
    np.testing.assert_array_equal(placing.for_parts()[0], 0)
    assert placing.for_parts()[1, SHANK] > other[SHANK]
    felt(placing, [0, 1], 60)
    assert placing.for_parts()[0].argmax() == SHANK


def place(seed: int) -> CameraPosterior:
    """A posterior over two people and nobody, drawn."""
    logs = np.random.default_rng(seed).normal(0, 2, 2 * len(PARTS) + 1)
    logs -= binding.log_sum(logs, 0)
    flat = np.full((2, len(PARTS), 3), 1 / 3)
    return CameraPosterior((1, 2), logs[:-1].reshape(2, -1), float(logs[-1]), flat)


@pytest.mark.parametrize("seed", range(4))
def test_it_moves_belief_between_parts_and_never_between_people_or_to_nobody(seed: int) -> None:
    given = place(seed)
    likelier = placement.for_parts(np.random.default_rng(seed).normal(-2, 3, 7))
    after = binding.tilted(given, priors.of_placement(given, likelier))
    np.testing.assert_allclose(after.wearer, given.wearer)
    assert after.log_none == pytest.approx(given.log_none)
    odds = after.log_place - given.log_place
    np.testing.assert_allclose(odds - odds[:, :1], np.tile(likelier - likelier[0], (2, 1)))
    for left in range(3, len(PARTS), 2):
        np.testing.assert_allclose(odds[:, left], odds[:, left + 1])


def test_a_sensor_that_told_nothing_changes_nothing() -> None:
    given = place(5)
    after = binding.tilted(given, priors.of_placement(given, Placing(1, None, 60.0).for_parts()[0]))
    np.testing.assert_allclose(after.log_place, given.log_place, atol=1e-12)


def beliefs(names: tuple[str, ...], calibration: Calibration, placing: Placing) -> Beliefs:
    nothing = (None,) * len(names)
    return Beliefs(
        names=names,
        clocks=names,
        subjects=nothing,
        limbs=nothing,
        calibration=calibration,
        ties=Ties(),
        placing=placing,
        ups=tuple(History(3, 1000) for _ in names),
    )


def test_what_is_moved_has_told_nothing() -> None:
    placing = Placing(2, Asked(), 60.0)
    felt(placing, [0, 1], 300)
    kept = beliefs(("a", "b"), Calibration(scale=1.0), placing)
    kept.learned.forget_lags((0,))
    assert placing.for_parts()[0, SHANK] > 0, "a clock that steps moves no sensor"
    kept.moved(0)
    assert placing.for_parts()[0, SHANK] == 0
    assert placing.for_parts()[1, SHANK] > 0


def test_tracks_that_ended_do_not_make_it_count_again() -> None:
    placing = Placing(1, Asked(), 60.0)
    felt(placing, [0], 300)
    fitted = Calibration(scale=1.0, presence=(0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0), worth_s=1e9)
    kept = beliefs(("a",), fitted, placing)
    sums = np.zeros((1, 1, len(PARTS), 201))
    sums[0, 0, [SHANK, FOREARM]] = np.maximum(0, 18 - 0.4 * np.arange(-100, 101) ** 2)
    odds = []
    for track in range(8):
        heights = (History(len(LIMBS), 1000),)
        view = kept.views({"cam": CameraSums((track,), sums, np.full((1, 1), 2.0), heights)})["cam"]
        (place,) = view.posteriors[0].log_place
        odds.append(place[SHANK] - place[FOREARM])
        kept.end("cam", track, view)
    assert odds[0] == pytest.approx(placing.for_parts()[0, SHANK] - placing.for_parts()[0, FOREARM])
    assert odds[0] + 0.01 > max(odds) > min(odds) > 0.8 * odds[0]


def sent(start_s: float, seconds: float) -> Imu:
    """A sensor ``a`` that shakes."""
    time_ns = round(start_s * 1e9) + np.arange(round(seconds * 50)) * 20_000_000
    rng = np.random.default_rng(0)
    return Imu(
        stream="a",
        t_ns=time_ns,
        received_ns=time_ns,
        device_ns=np.empty(0, np.int64),
        acc_m_s2=rng.normal(0, 5, (len(time_ns), 3)).astype(np.float32),
        gyro_rad_s=rng.normal(0, 2, (len(time_ns), 3)).astype(np.float32),
        quaternion=np.empty((0, 4), np.float32),
    )


def test_an_engine_asks_it_and_forgets_who_is_taken_off_but_not_who_was_silent() -> None:
    net = Asked()
    specs = (StreamSpec(name="a", kind="imu", nominal_hz=50.0),)
    engine = Engine(specs, Binder(Sizes(8, 4)), 1.0, torch.device("cpu"), net)

    def hear(start_s: float, seconds: float) -> float:
        engine.take(sent(start_s, seconds), 0)
        engine.advance()
        return float(engine.placing.for_parts()[0, SHANK])

    assert hear(10.0, 6.0) > 0
    engine.take_off(0)
    assert hear(16.0, 2.0) == 0
    assert net.seen[-1][0] < LEAST
    told = hear(18.0, 2.0)
    assert told > 0
    assert hear(60.0, 2.0) == told, "no window reaches over the gap"
    assert hear(62.0, 4.0) > told
