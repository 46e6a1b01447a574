"""The evidence equals a slow double loop over all pairs of tokens, however the tokens came."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mobind_live.binding.evidence.tensor import FAST, MEMORIES_S, SLOW, SPARE, STEPPED, Evidence

L, PARTS, WIDTH, HZ = 4, 2, 3, 25.0
FOREVER = (math.inf, math.inf)
CPU = torch.device("cpu")


def evidence(
    imus: int = 1,
    people: tuple[int, ...] = (0,),
    heads: tuple[int, ...] = (0,),
    memories_s: tuple[float, float] = MEMORIES_S,
) -> Evidence:
    made = Evidence(imus, PARTS, WIDTH, L, HZ, CPU, memories_s)
    for slot, head in zip(people, heads, strict=True):
        made.add_person(slot, head)
    return made


def tokens(seed: int, *shape: int) -> torch.Tensor:
    """Inside the unit ball."""
    return torch.as_tensor(
        np.random.default_rng(seed).uniform(-0.5, 0.5, (*shape, WIDTH)), dtype=torch.float32
    )


def all_pairs(imu: dict[int, torch.Tensor], person: dict[int, torch.Tensor]) -> torch.Tensor:
    """Sums (PARTS, 2 L + 1) over every pair within the lag range: the truth where nothing is forgotten."""
    sums = torch.zeros(PARTS, 2 * L + 1)
    for m, own in imu.items():
        for p, other in person.items():
            if abs(m - p) <= L:
                sums[:, m - p + L] += other @ own
    return sums


@dataclass
class Stream:
    """One side's tokens in blocks, with holes: (first token, tokens)."""

    blocks: list[tuple[int, torch.Tensor]]

    @property
    def by_token(self) -> dict[int, torch.Tensor]:
        return {first + n: block[..., n, :] for first, block in self.blocks for n in range(block.shape[-2])}


def stream(seed: int, plan: list[tuple[int, int]], start: int, *parts: int) -> Stream:
    blocks, head = [], start
    for n, (hole, length) in enumerate(plan):
        blocks.append((head + hole, tokens(seed + n, *parts, length)))
        head += hole + length
    return Stream(blocks)


plans = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 5]), st.integers(0, 6)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    imu_plans=st.lists(plans, min_size=2, max_size=2),
    person_plans=st.lists(plans, min_size=2, max_size=2),
    starts=st.lists(st.integers(0, 30), min_size=4, max_size=4),
    data=st.data(),
)
def test_every_pair_is_counted_once_whatever_the_order_of_arrival(
    seed: int,
    imu_plans: list[list[tuple[int, int]]],
    person_plans: list[list[tuple[int, int]]],
    starts: list[int],
    data: st.DataObject,
) -> None:
    """Also where one side is ahead of the other, as long as the rings reach back that far."""
    imus = [stream(seed + 100 * i, plan, starts[i]) for i, plan in enumerate(imu_plans)]
    people = [stream(seed + 100 * i + 50, plan, starts[2 + i], PARTS) for i, plan in enumerate(person_plans)]
    made = evidence(2, (0, 1), (starts[2], starts[3]), FOREVER)
    for imu in (0, 1):
        made.imu.clear(imu, starts[imu])
    order = data.draw(
        st.permutations(
            [("imu", i) for i in (0, 1) for _ in imus[i].blocks]
            + [("person", i) for i in (0, 1) for _ in people[i].blocks]
        )
    )
    left = {("imu", i): iter(imus[i].blocks) for i in (0, 1)}
    left |= {("person", i): iter(people[i].blocks) for i in (0, 1)}
    # No token here is more than a ring's spare places from any other.
    assert max(max(s.by_token, default=0) for s in (*imus, *people)) < SPARE + 30 + 2 * L
    for kind, which in order:
        first, block = next(left[kind, which])
        if kind == "imu":
            made.see_imus([which], [first], [block], [0, 1])
        else:
            made.see_people([which], [first], [block])
    for i in (0, 1):
        for p in (0, 1):
            truth = all_pairs(imus[i].by_token, people[p].by_token)
            torch.testing.assert_close(made.sums[SLOW, i, p], truth, atol=1e-5, rtol=0)
            torch.testing.assert_close(made.sums[FAST, i, p], truth, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [1, 3, 17, SPARE])
def test_rings_wrap(length: int) -> None:
    """Several times around, with blocks that start anywhere in the ring; several streams at once."""
    made = evidence(2, (0, 1), (0, 0), FOREVER)
    count = 5 * (2 * L + SPARE) // length * length
    imu, person = tokens(1, 2, count), tokens(2, 2, PARTS, count)
    for first in range(0, count, length):
        part = slice(first, first + length)
        made.see_imus([1, 0], [first] * 2, [imu[1, part], imu[0, part]], [0, 1])
        made.see_people([0, 1], [first] * 2, [person[0, :, part], person[1, :, part]])
    for i in (0, 1):
        for p in (0, 1):
            truth = all_pairs(dict(enumerate(imu[i])), dict(enumerate(person[p].unbind(dim=1))))
            torch.testing.assert_close(made.sums[SLOW, i, p], truth, atol=1e-3, rtol=0)


def test_what_the_ring_no_longer_holds_counts_for_nothing() -> None:
    """A stream far behind meets places that by now hold later tokens; they must not be taken for old ones."""
    made = evidence(memories_s=FOREVER)
    ring = 2 * L + SPARE
    for first in range(0, 3 * ring, 4):
        made.see_people([0], [first], [tokens(first, PARTS, 4)])
    made.see_imus([0], [ring - 3], [tokens(9, 4)], [0])
    assert made.sums.abs().max() == 0
    made.see_imus([0], [4 * ring + L], [tokens(9, 4)], [0])
    assert made.sums.abs().max() == 0
    made.see_imus([0], [5 * ring], [tokens(9, 4)], [0])
    made.see_people([0], [5 * ring], [tokens(8, PARTS, 1)])
    assert made.sums[SLOW, 0, 0, :, L : L + 4].abs().min() > 0, "and what is there still counts"
    assert made.sums[SLOW, 0, 0, :, :L].abs().max() == 0


def test_a_stream_that_starts_again_in_the_past_leaves_nothing_of_its_future() -> None:
    made = evidence(memories_s=FOREVER)
    made.see_imus([0], [100], [tokens(1, 5)], [0])
    made.see_imus([0], [50], [tokens(2, 5)], [0])
    made.see_people([0], [96], [tokens(3, PARTS, 10)])
    assert made.sums.abs().max() == 0


def test_forgetting_runs_on_motion_only() -> None:
    made = evidence()
    made.see_people([0], [0], [tokens(1, PARTS, 6)])
    made.see_imus([0], [0], [tokens(2, 6)], [0])
    before, motion_s = made.sums.clone(), made.motion_s.clone()
    made.see_imus([0], [6], [torch.zeros(50, WIDTH)], [0])
    torch.testing.assert_close(made.sums, before)
    torch.testing.assert_close(made.motion_s, motion_s)

    moving = torch.zeros(50, WIDTH)
    moving[:, 0] = 0.5  # 50 tokens of half confidence: one second of full motion
    made.see_imus([0], [200], [moving], [0])
    for memory in (SLOW, FAST):
        keep = math.exp(-1.0 / MEMORIES_S[memory])
        torch.testing.assert_close(made.sums[memory], before[memory] * keep)
        torch.testing.assert_close(made.motion_s[memory], motion_s[memory] * keep + 1.0)


def test_when_the_motion_was_is_known_after_months_of_uptime() -> None:
    moving = torch.full((25, WIDTH), 0.3)

    def age_s(start: int) -> float:
        made = evidence(1, (0,), (start,))
        for first in range(start, start + 3000, 25):
            made.see_imus([0], [first], [moving], [0])
        return (start + 3000) / HZ - made.at_s(FAST, 0, 0)

    assert age_s(100 * 24 * 3600 * int(HZ)) == pytest.approx(age_s(0), abs=0.01)


def test_motion_counts_only_towards_people_in_view() -> None:
    made = evidence(1, (0, 1), (0, 0))
    made.see_imus([0], [0], [tokens(1, 20)], [1])
    assert made.motion_s[SLOW, 0, 0] == 0
    assert made.motion_s[SLOW, 0, 1] > 0


def test_a_slot_used_again_knows_nothing_of_who_had_it() -> None:
    made = evidence(1, (0, 1), (0, 0), FOREVER)
    made.see_imus([0], [0], [tokens(1, 10)], [0, 1])
    made.see_people([0, 1], [0, 0], [tokens(2, PARTS, 10), tokens(3, PARTS, 10)])
    other = made.sums[:, :, 1].clone()
    made.add_person(0, 8)
    assert made.sums[:, :, 0].abs().max() == 0
    assert made.motion_s[:, :, 0].abs().max() == 0
    torch.testing.assert_close(made.sums[:, :, 1], other)
    # Its own tokens meet the IMU's that are there already, and its predecessor's do not come back.
    new = tokens(4, PARTS, 3)
    made.see_people([0], [8], [new])
    truth = all_pairs(dict(enumerate(tokens(1, 10))), {8 + n: new[:, n] for n in range(3)})
    torch.testing.assert_close(made.sums[SLOW, 0, 0], truth, atol=1e-5, rtol=0)


def test_people_are_added_in_any_slot() -> None:
    made = evidence(2, (3,), (5,))
    assert made.sums.shape == (2, 2, 4, PARTS, 2 * L + 1)
    made.add_person(1, 5)
    assert made.sums.shape[2] == 4


def test_the_fast_memory_takes_over() -> None:
    made = evidence(2)
    for first in range(0, 400, 4):
        made.see_people([0], [first], [tokens(first, PARTS, 4)])
        made.see_imus([0, 1], [first] * 2, [tokens(first + 1, 4), tokens(first + 2, 4)], [0])
    assert not torch.allclose(made.sums[SLOW, 0], made.sums[FAST, 0])
    other = made.sums[SLOW, 1].clone()
    made.take_fast([0], [0])
    torch.testing.assert_close(made.sums[SLOW, 0], made.sums[FAST, 0])
    torch.testing.assert_close(made.motion_s[SLOW, 0], made.motion_s[FAST, 0])
    torch.testing.assert_close(made.sums[SLOW, 1], other)


@pytest.mark.parametrize("tokens_later", [2.0, -1.0, 0.25])
def test_what_is_known_goes_with_a_step_but_for_the_last_seconds(tokens_later: float) -> None:
    one = evidence(imus=2, people=(0, 1), heads=(0, 0))
    lags = torch.arange(-L, L + 1)
    old, new = torch.exp(-((lags / 1.5) ** 2)), torch.exp(-(((lags - tokens_later) / 1.5) ** 2))
    one.sums[SLOW], one.sums[FAST] = 5 * old + new, new
    one.motion_s[SLOW], one.motion_s[FAST] = 12.0, 2.0
    one.moment[SLOW], one.moment[FAST] = 12.0, 4.0
    before = one.sums.clone()
    one.shift([0], [1], tokens_later)
    assert one.sums[SLOW, 0, 1] == pytest.approx((5 * STEPPED * new + new).expand(PARTS, -1), abs=0.1)
    assert float(one.motion_s[SLOW, 0, 1]) == pytest.approx(2 + 10 * STEPPED)
    assert one.at_s(SLOW, 0, 1) == pytest.approx((4 + 8 * STEPPED) / (2 + 10 * STEPPED))
    assert torch.equal(one.sums[FAST], before[FAST])
    assert torch.equal(one.sums[:, 1], before[:, 1])
    assert torch.equal(one.sums[:, 0, 0], before[:, 0, 0])


def test_nothing_new_is_nothing() -> None:
    made = evidence()
    made.see_imus([], [], [], [0])
    made.see_people([], [], [])
    made.see_imus([0], [0], [torch.zeros(0, WIDTH)], [0])
    made.see_people([0], [0], [torch.zeros(PARTS, 0, WIDTH)])
    assert made.sums.abs().max() == 0
