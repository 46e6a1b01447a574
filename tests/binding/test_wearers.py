"""Wearers' names: whoever wears the same sensors is the same person."""

from __future__ import annotations

from mobind_live.binding.belief.wearers import Wearers, groups

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


def test_a_tracker_that_takes_two_subjects_for_each_other_exchanges_no_names() -> None:
    """With one sensor each, a track's name would be as good as the sensor's."""
    wearers = Wearers({"a": "anna", "b": "ben"})
    before = wearers.update({"a": {FRONT_1, SIDE_1}, "b": {FRONT_2}})
    assert before == {"a": "anna", "b": "ben"}
    assert wearers.update({"a": {FRONT_2, SIDE_1}, "b": {FRONT_1}}) == before
    assert wearers.update({"a": {FRONT_2}, "b": {FRONT_1, SIDE_2}}) == before


def test_one_sensor_that_is_given_to_another_subject_is_on_them() -> None:
    wearers = Wearers({"a": "anna", "b": "ben"})
    wearers.update({"a": {FRONT_1}, "b": {FRONT_2}})
    assert wearers.update({"a": {FRONT_2}, "b": set()}) == {"a": "ben"}


# --- a name outlives what it was found by ---


def test_a_sensor_started_over_and_found_again_has_its_old_name() -> None:
    for seat in (FRONT_1, ("front", 9)):
        wearers = Wearers()
        before = wearers.update({"a": {FRONT_1}, "d": {FRONT_2}})
        wearers.moved("a")
        if seat != FRONT_1:
            wearers.ended(FRONT_1)
        assert wearers.update({"a": set(), "d": {FRONT_2}}) == {"d": before["d"]}
        assert wearers.update({"a": {seat}, "d": {FRONT_2}}) == before


def test_a_body_whose_sensors_are_all_started_over_keeps_its_name() -> None:
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}, "d": {FRONT_2}})
    for imu in ("a", "b", "d"):
        wearers.moved(imu)
    wearers.ended(FRONT_1)
    assert wearers.update({"d": {FRONT_2}}) == {"d": before["d"]}
    assert wearers.update({"a": {("front", 9)}, "d": {FRONT_2}}) == {"a": before["a"], "d": before["d"]}
    assert wearers.update({"a": {("front", 9)}, "b": {("front", 9)}, "d": {FRONT_2}}) == before


def test_a_lone_sensor_handed_over_takes_the_name_of_who_wears_it() -> None:
    """Whoever wore it is still in view; the other may have had sensors, or once had one, or never any."""
    for others in ({"d": {FRONT_2}}, {}):
        wearers = Wearers()
        before = wearers.update({"a": {FRONT_1}, **others})
        wearers.moved("a")
        there = wearers.update({"a": {FRONT_2}, **others})["a"]
        assert there != before["a"]
        assert not others or there == before["d"]
        wearers.moved("a")
        assert wearers.update({"a": {FRONT_1}, **others})["a"] == before["a"], "and back"
        wearers.moved("a")
        assert wearers.update({"a": {FRONT_2}})["a"] == there, "and back again, alone"


def test_the_tracker_takes_two_people_for_each_other() -> None:
    """Their sensors are found again together, one body after the other: the names stay with them."""
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}, "b": {FRONT_1, SIDE_1}, "c": {FRONT_2}, "d": {FRONT_2}})
    for imu in ("a", "b", "c", "d"):
        wearers.moved(imu)
    wearers.update({"a": {FRONT_2}, "b": {FRONT_2}})
    assert wearers.update({"a": {FRONT_2}, "b": {FRONT_2}, "c": {FRONT_1}, "d": {FRONT_1}}) == before


def test_bodies_taken_for_one_for_a_while_have_their_names_again() -> None:
    wearers = Wearers()
    apart = {"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_2}, "d": {FRONT_2}}
    before = wearers.update(apart)
    assert len(set(wearers.update(apart | {"a": {FRONT_1, FRONT_2}}).values())) == 1
    assert wearers.update(apart) == before


def test_who_has_stayed_keeps_the_name() -> None:
    """Two of three sensors go to somebody who never had one; the third has not moved."""
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_1}})
    wearers.moved("a")
    wearers.moved("b")
    after = wearers.update({"a": {FRONT_2}, "b": {FRONT_2}, "c": {FRONT_1}})
    assert after["c"] == before["c"] != after["a"] == after["b"]


def test_a_tracks_number_that_comes_back_brings_no_name() -> None:
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1}})
    wearers.ended(FRONT_1)
    assert wearers.update({"d": {FRONT_1}})["d"] != before["a"]


def test_a_name_is_on_one_track_of_a_camera() -> None:
    """The wearer's number changes, and somebody else goes on under the old one."""
    wearers = Wearers()
    before = wearers.update({"a": {FRONT_1, SIDE_1}, "b": {FRONT_1}})
    wearers.update({"a": {FRONT_2}, "b": {FRONT_2}})
    assert wearers.seen == {FRONT_2: before["a"], SIDE_1: before["a"]}
    assert wearers.update({"d": {FRONT_1}})["d"] != before["a"]


def test_a_subject_gives_the_name() -> None:
    wearers = Wearers({"a": "anna", "b": "anna", "c": "ben"})
    assert wearers.update({"a": {FRONT_1}, "b": {SIDE_1}}) == {"a": "anna", "b": "anna"}, (
        "seen by two cameras"
    )
    assert wearers.update({"a": {FRONT_1}, "b": {FRONT_2}}) == {"a": "anna", "b": "wearer_1"}
    seats = {"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_2}, "d": {SIDE_2}}
    assert wearers.update(seats) == {"a": "anna", "b": "anna", "c": "ben", "d": "wearer_2"}


def test_a_sensor_on_another_than_its_subject_bears_that_ones_name() -> None:
    wearers = Wearers({"a": "anna", "b": "ben", "c": "ben", "d": "anna"})
    assert wearers.update({"a": {FRONT_1}})["a"] == "anna"
    found = wearers.update({"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_1}, "d": {FRONT_2}})
    assert found == {"a": "ben", "b": "ben", "c": "ben", "d": "anna"}


def test_two_exchanged_sensors_do_not_exchange_the_people() -> None:
    """a and d are on each other's wearers; then those with more sensors leave."""
    wearers = Wearers({"a": "ben", "b": "anna", "c": "anna", "d": "anna", "e": "ben"})
    both = {"a": {FRONT_1}, "b": {FRONT_1}, "c": {FRONT_1}, "d": {FRONT_2}, "e": {FRONT_2}}
    expected = {"a": "anna", "b": "anna", "c": "anna", "d": "ben", "e": "ben"}
    assert wearers.update(both) == expected
    assert wearers.update({"d": {FRONT_2}, "e": {FRONT_2}}) == {"d": "ben", "e": "ben"}
    assert wearers.update({"d": {FRONT_2}}) == {"d": "ben"}, "it is still the same body"
    assert wearers.update(both) == expected
