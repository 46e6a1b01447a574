from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import offset

from mobind_live import client
from mobind_live.bus import Proxy, Publisher
from mobind_live.client import OffsetMap, subscribe
from mobind_live.schema import Offset, Received, Verdict

STAMPS = st.integers(0, 10**17)
MAPS = st.builds(
    lambda offset_s, rate_ppm, reference_ns: OffsetMap(
        replace(offset(), offset_s=offset_s, rate_ppm=rate_ppm, reference_ns=reference_ns)
    ),
    st.floats(-3600, 3600),
    st.floats(-500, 500),
    STAMPS,
)


def test_a_positive_offset_means_that_the_imus_stamps_run_ahead() -> None:
    mapping = OffsetMap(replace(offset(), offset_s=0.25, rate_ppm=0.0))
    assert mapping.to_imu(1_000_000_000) == 1_250_000_000
    assert mapping.to_camera(1_250_000_000) == 1_000_000_000


def test_the_offset_grows_by_its_rate_from_the_reference() -> None:
    mapping = OffsetMap(replace(offset(), offset_s=1.0, rate_ppm=100.0, reference_ns=10**12))
    after_1000_s = 2 * 10**12
    assert mapping.to_imu(after_1000_s) == after_1000_s + 1_100_000_000


@given(MAPS, STAMPS)
def test_each_way_undoes_the_other(mapping: OffsetMap, stamp: int) -> None:
    assert abs(mapping.to_camera(mapping.to_imu(stamp)) - stamp) <= 1
    assert abs(mapping.to_imu(mapping.to_camera(stamp)) - stamp) <= 1


@given(MAPS, STAMPS, st.integers(1, 10**9))
def test_order_is_kept(mapping: OffsetMap, stamp: int, later: int) -> None:
    assert mapping.to_camera(stamp) <= mapping.to_camera(stamp + later)
    assert mapping.to_imu(stamp) <= mapping.to_imu(stamp + later)


@pytest.mark.parametrize("rate_ppm", [float("nan"), float("inf"), -1e6])
def test_a_rate_that_no_clock_has_is_refused(rate_ppm: float) -> None:
    with pytest.raises(ValueError, match="offset of left: rate_ppm"):
        OffsetMap(replace(offset(), rate_ppm=rate_ppm))


def test_messages_come_typed_in_one_line() -> None:
    with Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        messages = subscribe("v1/out/", endpoint=proxy.subscribe_endpoint)
        with Publisher(proxy.publish_endpoint, wait_for_reader_ms=10_000) as publisher:
            publisher.send(offset())
            received = next(messages)
        assert isinstance(received.message, Offset)
        assert received.message.offset_s == offset().offset_s
        messages.close()  # type: ignore[attr-defined]


README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
PLAIN, TYPED = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_readmes_subscriber_prints_offsets() -> None:
    with Proxy("tcp://127.0.0.1:*", "tcp://127.0.0.1:*") as proxy:
        code = PLAIN.replace("tcp://127.0.0.1:5572", proxy.subscribe_endpoint)
        with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True) as reader:
            with Publisher(proxy.publish_endpoint, wait_for_reader_ms=30_000) as publisher:
                publisher.send(offset())
                assert reader.stdout is not None
                line = reader.stdout.readline()
            reader.kill()
    said = offset()
    assert (
        line == f"{said.stream} {said.camera} {said.offset_s:+.3f} +- {said.sigma_s:.3f} s {said.verdict}\n"
    )


@pytest.mark.parametrize("verdict", [Verdict.AMBIGUOUS, Verdict.OK])
def test_the_readmes_typed_client_maps_stamps_only_while_the_offset_is_ok(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = replace(offset(), verdict=verdict)
    heard = [Received(topic=message.topic, seq=0, boot_ns=0, sent_ns=0, message=message)]
    monkeypatch.setattr(client, "subscribe", lambda *_: heard)
    names: dict[str, object] = {}
    exec(TYPED, names)
    mapped = OffsetMap(message).to_camera(123_456_789) if verdict is Verdict.OK else None
    assert names.get("t_camera_ns") == mapped
