"""LSL's clock and this host's, LSL's measurements of a sender's clock, and which stream is meant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from lsl_world import Outlet, elsewhere, unique, until

from mobind_live.devices.lsl import liblsl as lsl
from mobind_live.devices.lsl.liblsl import Advert, Correction, Corrections, LslError, choose

MS = 1e-3


def advert(name: str, type: str = "IMU", source_id: str = "", host: str = "pc") -> Advert:
    return Advert(name=name, type=type, source_id=source_id, host=host, rate_hz=100.0, channels=6, text=False)


def ticks(*times: int) -> Iterator[int]:
    yield from times


def test_of_all_readings_of_both_clocks_the_closest_count() -> None:
    host = ticks(1_000, 9_000, 20_000, 20_010, 30_000, 31_000)
    own = ticks(500, 1_005, 1_700)

    found = lsl.host_minus_lsl_ns(3, host=lambda: next(host), lsl=lambda: next(own) * 1e-9)

    assert found == 20_005 - 1_005


def test_stamps_go_to_lsl_and_back_within_a_microsecond() -> None:
    difference_ns, t_ns = -123_456_789, 86_400_000_000_123
    seconds = lsl.to_lsl_s(t_ns, difference_ns)
    assert abs(int(lsl.to_host_ns(np.array([seconds]), difference_ns)[0]) - t_ns) < 1_000


def test_the_clocks_of_this_host_are_compared_whatever_they_are() -> None:
    assert abs(lsl.host_minus_lsl_ns() - lsl.host_minus_lsl_ns()) < 50_000_000


def kept(*measured: tuple[float, float, float]) -> Corrections:
    corrections = Corrections()
    for one in measured:
        corrections.add(Correction(*one))
    return corrections


def test_a_measurement_counts_once() -> None:
    corrections = Corrections()
    assert corrections.add(Correction(1.0, 5.0, MS))
    assert not corrections.add(Correction(1.0, 5.0, MS))


def test_a_slow_round_trip_does_not_replace_a_quick_one() -> None:
    assert kept((0, 5.0, MS), (2, 5.040, 100 * MS)).best().offset_s == 5.0


def test_but_an_old_one_is_trusted_ever_less() -> None:
    assert kept((0, 5.0, 0.2 * MS), (20, 5.0005, 0.9 * MS)).best().offset_s == 5.0005


def test_a_clock_that_was_set_is_followed_at_once() -> None:
    corrections = kept((0, 5.0, MS), (2, 5.0, MS), (4, 9.0, 100 * MS))
    assert corrections.best().offset_s == 9.0
    assert len(corrections.kept) == 1


def test_half_a_minute_is_kept() -> None:
    assert len(kept(*((float(i), 5.0, MS) for i in range(100))).kept) == 15


def test_a_stream_is_chosen_by_any_of_its_marks() -> None:
    streams = [advert("A", source_id="1"), advert("A", source_id="2"), advert("B", type="EEG")]
    assert choose(streams, {"source_id": "2"}) is streams[1]
    assert choose(streams, {"name": "A", "source_id": "1"}) is streams[0]
    assert choose(streams, {"type": "EEG"}) is streams[2]
    assert choose([*streams, advert("B", host="x")], {"name": "B", "host": "x"}).host == "x"


def test_several_that_match_are_named() -> None:
    streams = [advert("A", source_id="1"), advert("A", source_id="2"), advert("B")]
    with pytest.raises(LslError) as error:
        choose(streams, {"name": "A"})
    text = str(error.value)
    assert text.startswith("2 LSL streams have name 'A': ")
    assert "source_id '1'" in text
    assert "source_id '2'" in text
    assert "'B'" not in text


def test_what_there_is_instead_is_named_but_not_our_own() -> None:
    streams = [advert("B"), advert("demo bindings", source_id=f"{lsl.SOURCE_ID}x")]
    with pytest.raises(LslError, match=r"^no LSL stream has name 'A'; there are: 'B' \(type 'IMU'.*'pc'\)$"):
        choose(streams, {"name": "A"})
    with pytest.raises(LslError, match=r"there are: none$"):
        choose([], {"name": "A"})


def test_a_senders_other_clock_is_measured() -> None:
    name = unique()
    outlet = Outlet(name)
    here = next(one for one in lsl.resolve(0.5) if one.name == name)
    with elsewhere(here, ahead_s=1000.0) as there:
        measured = until(lsl.Inlet(there).correction)
    assert abs(measured.offset_s + 1000.0) <= measured.uncertainty_s
    assert abs(measured.remote_s - outlet.now_s() - 1000.0) < 60
    outlet.close()


def test_a_stream_that_is_gone_is_lost() -> None:
    name = unique()
    outlet = Outlet(name)
    here = next(one for one in lsl.resolve(0.5) if one.name == name)
    inlet = lsl.Inlet(here)
    until(inlet.description)
    outlet.close()

    def lost() -> bool:
        try:
            inlet.pull()
        except LslError:
            return True
        return False

    until(lost)
