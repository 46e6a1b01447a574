"""Rows of the evidence, given out and taken back."""

from __future__ import annotations

from mobind_live.binding.evidence.slots import Slots


def test_the_lowest_free_slot_is_taken() -> None:
    slots = Slots()
    assert [slots.take() for _ in range(4)] == [0, 1, 2, 3]
    slots.give_back(2)
    slots.give_back(1)
    assert [slots.take() for _ in range(3)] == [1, 2, 4]


def test_many_unused_slots_above_the_taken_ones_are_cut() -> None:
    slots = Slots()
    for _ in range(12):
        slots.take()
    for slot in (1, *range(5, 12)):
        slots.give_back(slot)
    assert not slots.cut(), "a few are kept"
    assert slots.count == 12
    slots.give_back(4)
    assert slots.cut()
    assert slots.count == 4
    assert [slots.take() for _ in range(2)] == [1, 4], "what is free below stays so"
