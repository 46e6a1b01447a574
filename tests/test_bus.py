from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import AF_UNIX, socket

import msgpack
import numpy as np
import pytest
import zmq
from memory_bus import MemoryBus
from messages import health, pose

from mobind_live.bus import (
    BusError,
    Intake,
    Proxy,
    Publisher,
    Subscriber,
    TopicCount,
    is_loopback,
    queue_for,
)
from mobind_live.schema import Preview, Received, Truth
from mobind_live.wire import encode

ANY = "tcp://127.0.0.1:*"


def truth(t_ns: int = 0) -> Truth:
    return Truth(stream="sim", t_ns=t_ns, worn=(), tracks={}, delays_s={}, actions={})


def preview(camera: str, t_ns: int) -> Preview:
    return Preview(stream=camera, t_ns=t_ns, image_size=(2, 2), jpeg=np.zeros(3, np.uint8))


def poll_until(subscriber: Subscriber, count: int) -> list[Received]:
    batch: list[Received] = []
    while len(batch) < count and (more := subscriber.poll(5_000)):
        batch += more
    return batch


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(ANY, ANY) as running:
        yield running


def test_the_first_message_already_arrives(proxy: Proxy) -> None:
    with (
        Subscriber(["v1/sim/"], proxy.subscribe_endpoint) as subscriber,
        Publisher(proxy.publish_endpoint) as publisher,
    ):
        for t_ns in range(200):
            publisher.send(truth(t_ns))
        batch = poll_until(subscriber, 200)
    assert [received.seq for received in batch] == list(range(200))
    assert [received.message.t_ns for received in batch] == list(range(200))  # type: ignore[attr-defined]
    count = subscriber.intake.topics["v1/sim/truth/"]
    assert (count.received, count.missed, count.restarts) == (200, 0, 0)


def test_the_last_message_still_arrives(tmp_path: Path) -> None:
    """Of a rig that ends: nobody could count what comes after the last that was heard."""
    publish, subscribe = f"ipc://{tmp_path}/p", f"ipc://{tmp_path}/s"
    for _ in range(10):  # not each was cut short
        with Subscriber(["v1/sim/"], subscribe) as subscriber:
            with Proxy(publish, subscribe), Publisher(publish, wait_for_reader_ms=10_000) as publisher:
                for t_ns in range(20):
                    publisher.send(truth(t_ns))
            batch = poll_until(subscriber, 20)
        assert [received.seq for received in batch] == list(range(20))


def test_a_sender_that_nobody_takes_from_ends_all_the_same(tmp_path: Path) -> None:
    with Publisher(f"ipc://{tmp_path}/nobody", wait_for_reader_ms=0) as publisher:
        publisher.send(truth())


def test_a_subscriber_hears_only_its_topics(proxy: Proxy) -> None:
    with (
        Subscriber(["v1/cam/a/"], proxy.subscribe_endpoint) as subscriber,
        Publisher(proxy.publish_endpoint) as publisher,
    ):
        for message in (truth(), preview("b", 0), preview("a", 1)):
            publisher.send(message)
        assert [received.topic for received in poll_until(subscriber, 1)] == ["v1/cam/a/preview/"]


def test_a_stranger_cannot_kill_a_reader(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    with (
        Subscriber(["v1/"], proxy.subscribe_endpoint) as subscriber,
        Publisher(proxy.publish_endpoint) as publisher,
        zmq.Context.instance().socket(zmq.XPUB) as stranger,
    ):
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.connect(proxy.publish_endpoint)
        assert stranger.poll(5_000)  # the subscription has come
        for frames in ([b"v1/sim/truth/"], [b"v1/sim/truth/", b"\xc1"], [b"v1/x/", b"\x80", b"", b""]):
            stranger.send_multipart(frames)
        while sum(subscriber.intake.malformed.values()) < 3:
            subscriber.poll(1_000)
        publisher.send(truth(3))
        assert [received.message for received in poll_until(subscriber, 1)] == [truth(3)]
    assert subscriber.intake.counters()["malformed"] == 3
    assert "not a mobind-live message" in caplog.text


def test_a_second_proxy_on_the_same_ports_says_so(proxy: Proxy) -> None:
    with (
        pytest.raises(
            BusError, match=f"cannot bind {proxy.publish_endpoint}: .*another mobind-live"
        ) as caught,
        Proxy(proxy.publish_endpoint, ANY),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_second_rig_does_not_take_the_bus_from_the_first(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/bus"
    with (
        Proxy(endpoint, ANY),
        pytest.raises(BusError, match="already in use; another mobind-live"),
        Proxy(endpoint, ANY),
    ):
        pass
    with socket(AF_UNIX) as died:  # what is left of a rig that was killed
        died.bind(f"{tmp_path}/left")
    with Proxy(f"ipc://{tmp_path}/left", ANY):
        pass


def test_an_address_that_cannot_be_does_not_blame_another_rig(tmp_path: Path) -> None:
    with (
        pytest.raises(BusError, match=r"No such file or directory; give it another address") as caught,
        Proxy(f"ipc://{tmp_path}/nowhere/bus", ANY),
    ):
        pass
    assert "another mobind-live" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["tcp://0.0.0.0:5571", "tcp://*:5571", "tcp://192.168.1.5:1", "nonsense"]
)
def test_only_loopback_is_bound(endpoint: str) -> None:
    with pytest.raises(BusError, match="reached from outside"), Proxy(endpoint, ANY):
        pass


def test_loopback_addresses() -> None:
    assert is_loopback("tcp://127.0.0.1:5571")
    assert is_loopback("tcp://[::1]:5571")
    assert is_loopback("tcp://localhost:5571")
    assert is_loopback("ipc:///run/x")


def test_an_endpoint_that_is_none_is_named() -> None:
    with pytest.raises(BusError, match="cannot connect to five"):
        Subscriber(["v1/"], "five")


def test_a_flood_of_one_fault_is_one_reason(caplog: pytest.LogCaptureFixture) -> None:
    """However its values differ: by a message each, they filled the log."""
    topic, packed, *raw = encode(pose(), seq=0, boot_ns=0, sent_ns=0)
    intake = Intake()
    for index in range(20):
        again = msgpack.packb(msgpack.unpackb(packed) | {"t_ns": index + 0.5})
        assert intake.take([topic, again, *raw]) is None  # type: ignore[list-item]
    [(reason, count)] = intake.malformed.items()
    assert (reason[-40:], count) == ("e/': t_ns: must be an integer, got float", 20)
    assert len(caplog.records) == 2


def test_holes_in_seq_are_missed_messages() -> None:
    count = TopicCount()
    for seq in (7, 8, 10, 14):  # joined at 7: what came before is not missed
        count.take(boot_ns=1, seq=seq, sent_ns=100 + seq)
    assert (count.received, count.missed, count.restarts) == (4, 1 + 3, 0)


def test_a_new_boot_is_a_restart_and_counts_from_zero() -> None:
    count = TopicCount()
    for boot_ns, seq in ((1, 5), (2, 2), (2, 3)):
        count.take(boot_ns, seq, sent_ns=boot_ns)
    assert (count.missed, count.restarts) == (2, 1)


def test_two_senders_on_one_topic_are_told_apart() -> None:
    count = TopicCount()
    for boot_ns, seq in ((1, 0), (2, 0), (1, 1), (2, 1), (1, 3)):
        count.take(boot_ns, seq, sent_ns=boot_ns)
    assert (count.missed, count.restarts) == (1, 1)


def test_a_sender_from_before_the_reader_came_has_lost_it_nothing() -> None:
    """As the supervisor, when it speaks for a child that a late reader has heard before."""
    count = TopicCount()
    for boot_ns, seq, sent_ns in ((5, 80, 90), (1, 3, 95), (5, 81, 96), (1, 5, 97)):
        count.take(boot_ns, seq, sent_ns)
    assert (count.missed, count.restarts) == (1, 0)


def test_who_starts_after_the_reader_is_missed_from_the_first_message_on() -> None:
    known = Intake(began_ns=100)
    for boot_ns, seq in ((90, 7), (110, 3)):
        known.take(encode(replace(truth(), stream="a"), seq=seq, boot_ns=boot_ns, sent_ns=120))
    known.take(encode(health(), seq=2, boot_ns=130, sent_ns=140))
    counted = {topic: (count.missed, count.restarts) for topic, count in known.topics.items()}
    assert counted == {"v1/sim/truth/": (3, 1), "v1/health/left/": (0, 0)}, "a first heartbeat is no matter"


def test_that_the_supervisor_spoke_before_is_no_restart() -> None:
    intake = Intake()
    for boot_ns, speaker in ((1, health()), (2, replace(health(), pid=9))):
        for seq in range(2):
            assert intake.take(encode(speaker, seq=seq, boot_ns=boot_ns, sent_ns=boot_ns)) is not None
    assert intake.counters()["sender_restarts"] == 0


def test_many_former_lives_do_not_make_a_living_sender_new() -> None:
    count = TopicCount()
    count.take(boot_ns=0, seq=0, sent_ns=0)
    for life in range(1, 20):
        count.take(boot_ns=life, seq=0, sent_ns=life)
        count.take(boot_ns=0, seq=life, sent_ns=life)
    assert (count.missed, count.restarts) == (0, 19)


def test_an_intake_reports_gaps_by_topic() -> None:
    intake = Intake()
    for seq in (0, 4):
        assert intake.take(encode(truth(), seq=seq, boot_ns=1, sent_ns=0)) is not None
    assert intake.counters() == {
        "missed": 3,
        "sender_restarts": 0,
        "malformed": 0,
        "missed/v1/sim/truth/": 3,
    }


def test_a_flood_of_garbage_floods_neither_memory_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    intake = Intake()
    for index in range(1_000):
        assert intake.take([b"v1/x%d/" % index, b"\x81\xa6schema\xa1%d" % (index % 10)]) is None
    assert sum(intake.malformed.values()) == 1_000
    assert len(intake.malformed) < 40
    assert len(caplog.records) < 150


def test_only_the_newest_preview_of_each_camera_is_handed_out() -> None:
    bus = MemoryBus()
    subscriber, publisher = bus.subscriber(), bus.publisher()
    for message in (preview("a", 1), preview("b", 1), truth(1), preview("a", 2), truth(2)):
        publisher.send(message)
    batch = subscriber.poll(0)
    stamps = [(received.topic, received.message.t_ns) for received in batch]  # type: ignore[attr-defined]
    assert stamps == [
        ("v1/cam/b/preview/", 1),
        ("v1/sim/truth/", 1),
        ("v1/cam/a/preview/", 2),
        ("v1/sim/truth/", 2),
    ]
    assert subscriber.intake.conflated == 1
    assert subscriber.poll(0) == []


def test_the_memory_bus_filters_and_restarts_like_the_real_one() -> None:
    bus = MemoryBus(now_ns=iter(range(100)).__next__)
    subscriber = bus.subscriber(["v1/sim/"])
    bus.publisher().send(preview("a", 1))
    for _ in range(2):
        bus.publisher().send(truth())
    assert [received.seq for received in subscriber.poll(0)] == [0, 0]
    assert subscriber.intake.topics["v1/sim/truth/"].restarts == 1


@pytest.mark.parametrize(
    ("prefixes", "depth"),
    [
        (["v1/"], 10_000),
        (["v1/cam/a/preview/"], 2),
        (["v1/cam/"], 1_000),
        (["v1/im"], 10_000),
        (["x"], 1_000),
    ],
)
def test_a_subscription_is_as_deep_as_its_deepest_topic(prefixes: list[str], depth: int) -> None:
    assert queue_for(prefixes) == depth
