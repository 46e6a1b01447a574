from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from memory_bus import MemoryBus
from messages import EXAMPLES, health, imu, offset
from rich.console import Console

from mobind_live.bus import BusError, Intake
from mobind_live.terminal import monitor
from mobind_live.terminal.monitor import Watch, is_whole, render, summary

SECOND = 1_000_000_000


def text_of(thing: object, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(thing)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_rates_sizes_and_gaps_of_each_topic() -> None:
    bus = MemoryBus()
    subscriber, publisher, lost = bus.subscriber(), bus.publisher(), bus.subscriber(["v1/imu/"])
    watch = Watch(since_ns=0)
    for index in range(20):
        publisher.send(imu(10))
        if index == 10:
            lost.poll(0)
        watch.feed(subscriber.poll(0), index * SECOND // 10)
    publisher.send(health())
    watch.feed(subscriber.poll(0), 2 * SECOND)
    lines = text_of(render(watch, subscriber.intake, 2 * SECOND)).splitlines()
    assert lines[0].split() == ["topic", "Hz", "kB/s", "messages", "missed", "restarts"]
    assert lines[1].split()[:2] == ["v1/health/left/", "0.5"]
    assert lines[2].split()[:2] == ["v1/imu/left/", "10.0"]
    assert lines[2].split()[3:] == ["20", "0", "0"]
    # Ten samples are 10 * (3 * 8 + 10 * 4) bytes of numbers, and a little envelope.
    assert 6.4 < float(lines[2].split()[2]) < 10


def test_refused_messages_are_named() -> None:
    intake = Intake()
    intake.take([b"v1/x/", b"garbage"])
    assert "refused 1: not a mobind-live message" in text_of(render(Watch(since_ns=0), intake, SECOND))


def test_a_topic_that_went_silent_has_no_rate() -> None:
    bus = MemoryBus()
    subscriber = bus.subscriber()
    bus.publisher().send(health())
    watch = Watch(since_ns=0)
    watch.feed(subscriber.poll(0), 0)
    assert text_of(render(watch, subscriber.intake, 60 * SECOND)).splitlines()[1].split()[1] == "0.0"


@pytest.mark.parametrize(
    ("topic", "whole"),
    [
        ("", False),
        ("v1/", False),
        ("v1/out/offset/", False),
        ("v1/out/offset/left/", True),
        ("v1/out/offset/left/front/", True),
        ("v1/imu/", False),
        ("v1/imu/left/", True),
        ("v1/imu/left", False),
        ("v1/cam/front/", False),
        ("v1/cam/front/pose/", True),
        ("v1/sim/truth/", True),
    ],
)
def test_which_topics_are_printed_message_by_message(topic: str, whole: bool) -> None:
    assert is_whole(topic) == whole


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda item: item.type_name)
def test_a_message_is_one_line_however_large(message: Any) -> None:
    line = summary(message)
    assert "\n" not in line
    assert len(line) < 800
    assert line.startswith(f"stream={message.stream}  ")


def test_small_arrays_are_written_out() -> None:
    assert "t_ns=[0, 10000000, 20000000]" in summary(imu(3))
    assert "acc_m_s2=<float32 3x3>" in summary(imu(3))
    assert "offset_s=-0.25" in summary(offset())


class Interrupted:
    """A subscriber whose user presses Ctrl-C after some batches."""

    def __init__(self, messages: list[Any], wanted: list[str] | None = None) -> None:
        bus = MemoryBus()
        self._inner = bus.subscriber(wanted or ["v1/"])
        self._messages, self._publisher = messages, bus.publisher()
        self.intake = self._inner.intake

    def __enter__(self) -> Interrupted:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self, timeout_ms: int) -> list[Any]:
        if not self._messages:
            raise KeyboardInterrupt
        self._publisher.send(self._messages.pop(0))
        return self._inner.poll(timeout_ms)


def run(
    monkeypatch: pytest.MonkeyPatch,
    topic: str,
    messages: list[Any],
    raw: bool = False,
    wanted: list[str] | None = None,
) -> str:
    monkeypatch.setattr(monitor, "Subscriber", lambda topics, endpoint: Interrupted(messages, wanted))
    monkeypatch.setattr(monitor, "_SHOW_EVERY_NS", -1)
    console = Console(file=io.StringIO(), width=60)
    monitor.run(topic, "tcp://127.0.0.1:1", console=console, raw=raw)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_piped_it_writes_plain_lines_until_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, "", [health(), replace(health(), restarts=1)])
    assert "\x1b" not in text
    assert text.count("v1/health/left/") == 2


def test_a_whole_topic_prints_its_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, "v1/health/left/", [health(), health()])
    first, second = text.splitlines()
    assert first.startswith("v1/health/left/ #0  stream=left  t_ns=3  state=running")
    assert second.startswith("v1/health/left/ #1  ")


def test_raw_prints_the_messages_of_a_family_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "v1/", [offset()], raw=True).startswith("v1/out/offset/left/front/ #0")


def test_silence_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_HELLO_NS", -1)
    subscriber = MemoryBus().subscriber()
    console = Console(file=io.StringIO(), width=200)
    batches = monitor.batches(subscriber, "tcp://127.0.0.1:5572", console)
    for _ in range(3):
        next(batches)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("nothing on tcp://127.0.0.1:5572 yet; is mobind-live running") == 1


class Beating:
    """A rig of which only the heartbeats are heard."""

    def __init__(self, messages: list[Any]) -> None:
        bus = MemoryBus()
        self._inner = bus.subscriber(["v1/health/"])
        self.intake = self._inner.intake
        publisher = bus.publisher()
        for message in messages:
            publisher.send(message)

    def __enter__(self) -> Beating:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self, timeout_ms: int) -> list[Any]:
        return self._inner.poll(timeout_ms)


LEFT = health().streams[0]
BEATS = [health(), replace(health(), streams=(replace(LEFT, stream="front", kind="cam"), LEFT))]


@pytest.mark.parametrize(
    ("topic", "messages", "text"),
    [
        (
            "v1/imu/lefft/",
            BEATS,
            "nothing under v1/imu/lefft/ on tcp://h:1 yet; a rig runs there: its streams are "
            "v1/cam/front/pose/, v1/imu/left/; monitor alone shows all topics",
        ),
        (
            "v2/",
            [replace(health(), streams=())],
            "nothing under v2/ on tcp://h:1 yet; a rig runs there: monitor alone shows all topics",
        ),
        ("v1/imu/lefft/", [], "nothing on tcp://h:1 yet; is mobind-live running there?"),
        ("", [], "nothing on tcp://h:1 yet; is mobind-live running there?"),
    ],
)
def test_a_topic_that_is_none_is_told_from_a_rig_that_is_none(
    monkeypatch: pytest.MonkeyPatch, topic: str, messages: list[Any], text: str
) -> None:
    asked = []
    monkeypatch.setattr(monitor, "_ASK_NS", 10_000_000)
    monkeypatch.setattr(
        monitor, "Subscriber", lambda topics, endpoint: asked.append((topics, endpoint)) or Beating(messages)
    )
    assert monitor.silence(topic, "tcp://h:1") == text
    assert asked == [(("v1/health/",), "tcp://h:1")]


@pytest.mark.parametrize("topic", ["v1/imu/lefft/", "v1/imu/lefft"])
def test_what_silence_means_is_shown(monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
    """Of one stream and of a family."""
    monkeypatch.setattr(monitor, "_HELLO_NS", -1)
    monkeypatch.setattr(monitor, "silence", lambda topic, endpoint: f"asked about [{topic}]")
    wrong = replace(health(), stream="other")
    assert f"asked about [{topic}]" in run(monkeypatch, topic, [wrong], wanted=[topic])


def test_an_address_that_is_none_is_an_error_for_the_user() -> None:
    with pytest.raises(BusError, match="cannot connect to nowhere"):
        monitor.run("", "nowhere", console=Console(file=io.StringIO()))
