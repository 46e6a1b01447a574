"""Two people whom a tracker has taken for each other: seen by what all their sensors say together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobind_live.binding.changes.exchange import Doubt
from mobind_live.binding.evidence.tensor import FAST, SLOW, Evidence
from mobind_live.measure.bench.judge import Judge
from mobind_live.measure.bench.play import Player
from mobind_live.measure.bench.scenes import Case, Plan
from mobind_live.models import checkpoint

BETTER, WORSE = (1.0, 0.8), (-0.8, 0.8)  # agrees better with the other, with its own; seconds of motion


def seconds_until_said(per_second: dict[int, tuple[float, float]], longest: int = 60) -> int | None:
    doubt = Doubt()
    return next((n for n in range(1, longest) if doubt.add(per_second)), None)


def test_the_more_sensors_say_it_the_sooner() -> None:
    two, five = (seconds_until_said(dict.fromkeys(range(n), BETTER)) for n in (2, 5))
    assert two is not None
    assert five is not None
    assert five < two <= 4


@pytest.mark.parametrize(
    "gains",
    [{0: BETTER}, {0: BETTER, 1: WORSE}, {0: BETTER, 1: (0.0, 0.0)}, {0: WORSE, 1: WORSE}, {}],
    ids=["one sensor", "one was handed over", "the other rests", "all are right", "nothing"],
)
def test_it_is_not_said_by(gains: dict[int, tuple[float, float]]) -> None:
    assert seconds_until_said(gains) is None


def test_what_agrees_equally_never_adds_up() -> None:
    """As where everybody moves in step."""
    rng = np.random.default_rng(0)
    doubt = Doubt()
    assert not any(doubt.add({n: (rng.normal(0, 0.3), 0.8) for n in range(4)}) for _ in range(3000))


def test_a_minute_of_agreement_does_not_delay_the_doubt() -> None:
    doubt = Doubt()
    for _ in range(60):
        assert not doubt.add({0: WORSE, 1: WORSE})
    assert [doubt.add({0: BETTER, 1: BETTER}) for _ in range(4)][-1]


def test_the_evidence_of_before_goes_along_and_that_of_the_last_seconds_stays() -> None:
    evidence = Evidence(1, 2, 3, 4, 25.0, torch.device("cpu"))
    for slot in (0, 1):
        evidence.add_person(slot, 0)
    before, since = torch.rand(2, 2, 9), torch.rand(2, 2, 9)
    evidence.sums[SLOW, 0], evidence.sums[FAST, 0] = before + since, since
    evidence.motion_s[SLOW, 0], evidence.motion_s[FAST, 0] = (
        torch.tensor([30.0, 20.0]),
        torch.tensor([5.0, 4.0]),
    )
    evidence.exchange(0, 1)
    torch.testing.assert_close(evidence.sums[SLOW, 0], before.flip(0) + since)
    torch.testing.assert_close(evidence.sums[FAST, 0], since)
    assert evidence.motion_s[SLOW, 0].tolist() == [21.0, 29.0]


def test_people_taken_for_each_other_are_found_again_and_keep_their_names() -> None:
    at_s = 26.0
    plan = Plan(cameras=1, imus=6, delay_s=(0.0, 2.0), swap=True, event_s=at_s, absence_every_s=0.0)
    case = Case("swapped", "", plan.scene(3), at_s + 16.0)
    player, judge = Player(case, checkpoint.load(), 4.0, torch.device("cpu")), Judge(case)
    judged = [judge.judge(moment) for moment in player.moments()]
    before, after = judged[int(at_s) - 2], judged[-1]
    sure = [n for n, one in enumerate(before) if one.wearer.ok]
    assert len(sure) >= 4
    assert all(one.wearer.right for one in (before[n] for n in sure))
    assert sum(one.wearer.wrong for one in judged[int(at_s) + 1]) >= 4, "the tracker has fooled nobody"
    assert not any(one.wearer.wrong for one in after)
    again = [n for n in sure if after[n].wearer.ok]
    assert len(again) >= 3
    assert all(after[n].wearer_name == before[n].wearer_name for n in again)
