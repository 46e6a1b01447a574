"""Wearers' names: whoever wears the same sensors is the same person."""

from __future__ import annotations

from mobind_live.binding.wearers import Wearers, groups

FRONT_1, FRONT_2, SIDE_1, SIDE_2 = ("front", 1), ("front", 2), ("side", 1), ("side", 2)


def test_imus_on_one_track_have_one_wearer() -> None:
    names = Wearers().update({"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_2}})
    assert names["a"] == names["b"] != names["c"]


def test_a_wearer_is_joined_across_cameras_through_others() -> None:
    """Only b is seen by both cameras: a and c are one person's all the same."""
    found = groups({"a": {FRONT_1}, "b": {FRONT_1, SIDE_2}, "c": {SIDE_2}, "d": {SIDE_1}})
    assert sorted(map(sorted, found)) == [["a", "b", "c"], ["d"]]


def test_the_same_number_in_two_cameras_is_not_the_same_person() -> None:
    assert len(groups({"a": {FRONT_1}, "b": {SIDE_1}})) == 2


def test_an_imu_without_a_sure_track_has_no_name() -> None:
    assert Wearers().update({"a": set(), "b": {FRONT_1}}).keys() == {"b"}
    assert groups({"a": set()}) == []


def test_a_name_stays_over_a_track_break() -> None:
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_2}})
    assert wearers.update({"a": set(), "b": set(), "c": {FRONT_2}}) == {"c": before["c"]}
    assert wearers.update({"a": {("front", 9)}, "b": {("front", 9)}, "c": {FRONT_2}}) == before


def test_a_sensor_handed_over_takes_its_new_wearers_name() -> None:
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_2}, "d": {FRONT_2}})
    after = wearers.update({"a": {FRONT_1}, "b": {FRONT_2}, "c": {FRONT_2}, "d": {FRONT_2}})
    assert after == {"a": before["a"], "b": before["c"], "c": before["c"], "d": before["c"]}


def test_two_people_never_have_one_name() -> None:
    """They were one by mistake, or share what once was one's."""
    wearers = Wearers()
    once = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}})
    apart = wearers.update({"a": {FRONT_1}, "b": {FRONT_2}})
    assert len(set(apart.values())) == 2
    assert once["a"] in apart.values()
    assert wearers.update({"a": {FRONT_1}, "b": {FRONT_2}}) == apart, "and it stays so"


def test_the_order_of_imus_does_not_matter() -> None:
    seats = {"a": {FRONT_1}, "b": {FRONT_1, SIDE_2}, "c": {SIDE_2}, "d": {SIDE_1}}
    one, other = Wearers(), Wearers()
    assert one.update(seats) == other.update(dict(reversed(seats.items())))
