"""What a worker that cannot follow leaves out, and how that is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest
from messages import health, imu, pose

from mobind_live.binding.evidence.timeline import RESET_NS
from mobind_live.runtime.shedding import BEHIND_S, CAUGHT_UP_S, Shedding
from mobind_live.schema import Message, Received

SECOND = 1_000_000_000
PERIOD_NS = SECOND // 10


def sent(message: Message, at_ns: int) -> Received:
    return Received(topic=message.topic, seq=0, boot_ns=0, sent_ns=at_ns, message=message)


def worked(shedding: Shedding, seconds: float, cost: float) -> Iterator[tuple[int, int]]:
    """When each message that was worked on was sent and taken, if one comes each PERIOD_NS and working on
    it takes ``cost`` times that."""
    now_ns = 0
    for n in range(round(seconds * SECOND / PERIOD_NS)):
        now_ns = max(now_ns, n * PERIOD_NS)
        if shedding.keep(sent(imu(), n * PERIOD_NS), now_ns):
            yield n * PERIOD_NS, now_ns
            now_ns += round(cost * PERIOD_NS)


def test_a_worker_that_follows_leaves_nothing_out() -> None:
    shedding = Shedding()
    assert len(list(worked(shedding, 60.0, cost=0.9))) == 600
    assert shedding.counters() == {}


@pytest.mark.parametrize("cost", [1.3, 2.0, 5.0])
def test_one_that_does_not_stays_within_seconds_of_now_and_counts_the_rest(cost: float) -> None:
    shedding = Shedding()
    taken = list(worked(shedding, 300.0, cost))
    ages = [(now_ns - at_ns) / SECOND for at_ns, now_ns in taken]
    assert BEHIND_S - 1 < max(ages) <= BEHIND_S
    assert len(taken) == pytest.approx(3000 / cost, rel=0.1), "it still does what it can"
    told = shedding.counters()
    assert told[f"shed/{imu().topic}"] == 3000 - len(taken)
    assert told["shed_s"] == pytest.approx((3000 - len(taken)) * 0.1, abs=BEHIND_S)


def test_what_is_left_out_is_long_enough_to_be_no_work() -> None:
    stamps = [at_ns for at_ns, _ in worked(Shedding(), 120.0, cost=2.0)]
    holes = [b - a for a, b in pairwise(stamps) if b - a > PERIOD_NS]
    assert holes
    assert min(holes) > RESET_NS


def test_all_streams_have_the_same_hole_and_health_comes_through() -> None:
    shedding, old_ns, now_ns = Shedding(), 0, round((BEHIND_S + 1) * SECOND)
    assert [shedding.keep(sent(m, old_ns), now_ns) for m in (imu(), pose(), health())] == [False, False, True]
    half_ns = now_ns - round(2 * CAUGHT_UP_S * SECOND)
    assert not shedding.keep(sent(pose(), half_ns), now_ns), "once behind, all the way to now"
    assert all(shedding.keep(sent(m, now_ns), now_ns) for m in (imu(), pose()))
    assert shedding.counters() == {
        "shed_spans": 1.0,
        "shed_s": pytest.approx(BEHIND_S + 1),
        f"shed/{imu().topic}": 1.0,
        f"shed/{pose().topic}": 2.0,
    }


def test_the_log_says_so_but_not_each_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        list(worked(Shedding(), 150.0, cost=2.0))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, "of the first and of the tenth"
    assert lines[0].startswith("too slow for this rig: left out 4.")


def test_silence_is_not_left_out() -> None:
    shedding = Shedding()
    assert not shedding.keep(sent(imu(), 0), 6 * SECOND)
    assert not shedding.keep(sent(imu(), SECOND), 6 * SECOND)
    assert shedding.keep(sent(imu(), 3600 * SECOND), 3600 * SECOND)
    assert shedding.counters()["shed_s"] == 2.0
