"""``check --probe``: what each device answers, and that one that hangs or dies does not stop the others."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mobind_live.config import load
from mobind_live.driver import ImuReading, StreamSpec
from mobind_live.terminal import probe

RIG = "devices:\n  mine: {driver_path: my_driver.py}\n"


# The second stream begins with the third read.
LATE = """        streams = self._config.streams(self._context.name)
        for spec in streams[: 1 if self._left > 2 else 2]:"""


def change(own_driver: Path, old: str, new: str) -> None:
    text = own_driver.read_text()
    assert old in text
    own_driver.write_text(text.replace(old, new))


def probed(path: Path, limit_s: float = 30.0) -> tuple[int, str]:
    out = io.StringIO()
    code = probe.run(load(path), console=Console(file=out, width=200), limit_s=limit_s, watch_s=0.0)
    return code, out.getvalue()


def test_a_device_that_answers(own_driver: Path, write_rig: Callable[[str], Path]) -> None:
    code, text = probed(write_rig(RIG))

    assert code == 0
    assert text.startswith("mine: ok\n  mine: ")
    assert "latest: acc (1.00, 1.00, 1.00) m/s^2, gyro (1.00, 1.00, 1.00) rad/s" in text


def test_a_device_that_is_missing_says_so_and_the_next_is_asked(
    own_driver: Path, write_rig: Callable[[str], Path]
) -> None:
    change(own_driver, "        return self\n", "        raise DeviceError('no sensor [here]: plug it in')\n")
    change(own_driver, "import Counters,", "import Counters, DeviceError,")

    code, text = probed(write_rig(RIG + "  next: {driver_path: my_driver.py}\n"))

    assert code == 1
    assert "mine: no sensor [here]: plug it in\n" in text
    assert "next: no sensor [here]: plug it in\n" in text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("while True: pass", "mine: no answer in 0.5 s"),
        ("1 / 0", "mine: ZeroDivisionError: division by zero (my_driver.py:"),
        (
            "import os; os._exit(3)",
            "mine: its process ended with code 3; `mobind-live drive mine --config RIG` shows more",
        ),
    ],
)
def test_a_device_that_hangs_or_dies(
    own_driver: Path, write_rig: Callable[[str], Path], body: str, expected: str
) -> None:
    change(own_driver, "        return self\n", f"        {body}\n")

    code, text = probed(write_rig(RIG), limit_s=0.5 if "while" in body else 30.0)

    assert code == 1
    assert text.startswith(expected)


def test_a_stream_that_stays_silent_is_named(own_driver: Path, write_rig: Callable[[str], Path]) -> None:
    change(own_driver, "for spec in self._config.streams(self._context.name):", "for spec in specs(self):")
    own_driver.write_text(
        own_driver.read_text() + "\ndef specs(d):\n    return d._config.streams(d._context.name)[:1]\n"
    )

    code, text = probed(write_rig("devices:\n  mine: {driver_path: my_driver.py, emit: [a, b]}\n"))

    assert code == 1
    assert text.startswith("mine: nothing came from b; it came to its end first\n  a: ")
    assert "  b: nothing\n" in text


def test_what_cannot_be_read_is_quoted(
    own_driver: Path, write_rig: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SILENT_S", 0.05)
    told = "        import logging\n        logging.warning('mine: 7 bad lines')\n        return ()\n"
    change(own_driver, "        if not self._left:\n", f"{told}        if not self._left:\n")
    rig = load(write_rig(RIG))

    assert probe.observe("mine", rig.devices["mine"], 2.0).error == "nothing came from mine; 7 bad lines"


def test_numbers_that_cannot_be_are_no_answer() -> None:
    stamps = np.arange(100) * 20_000_000
    rough = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    for acc, words in (
        (94 + rough, "gravity reads 163 m/s^2, not 9.8"),
        (0 * rough, "never changes"),
        (5.6 + rough, ""),
    ):
        reading = ImuReading(stream="a", received_ns=stamps, device_ns=None, acc_m_s2=acc, gyro_rad_s=rough)
        assert words in probe._doubt([reading])


def test_the_rate_is_that_of_the_stamps() -> None:
    seen = probe.Seen("imu")
    seen.add([1_000_000_000, 1_020_000_000], "a")
    seen.add([1_040_000_000, 1_060_000_000, 1_080_000_000], "b")

    assert seen.latest == "b"
    assert seen.rate_hz == pytest.approx(50.0)
    assert probe.Seen("silent").rate_hz == 0
    seen.add([90_000_000_000, 90_020_000_000], "after a long pause")
    assert seen.rate_hz == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("per_ns", "played", "words"),
    [(1, False, ""), (0.001, False, "its stamps run 1000 times too slow"), (0.001, True, "")],
)
def test_stamps_in_another_unit_are_no_answer(per_ns: float, played: bool, words: str) -> None:
    received = np.arange(100) * 20_000_000
    stamps = (received * per_ns).astype(np.int64)
    zero = np.zeros((100, 3))
    item = ImuReading(stream="a", received_ns=received, device_ns=stamps, acc_m_s2=zero, gyro_rad_s=zero)
    said = probe._clock_doubt(
        StreamSpec(name="a", kind="imu", nominal_hz=50, clock="device", played=played), [item]
    )
    assert said.startswith(words)
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("nominal_hz", "words"),
    [
        (50, ""),
        (90, ""),
        (110, "50.0 Hz, and 110 Hz expected: look at nominal_hz"),
        (20, "20 Hz expected"),
        (0, ""),
    ],
)
def test_a_rate_far_from_the_expected_one_is_no_answer(nominal_hz: float, words: str) -> None:
    received = np.arange(100) * 20_000_000
    zero = np.zeros((100, 3))
    item = ImuReading(stream="a", received_ns=received, device_ns=None, acc_m_s2=zero, gyro_rad_s=zero)
    seen = probe.Seen("a", nominal_hz)
    seen.add(received.tolist(), "")
    said = probe._rate_doubt(seen, [item])
    assert words in said
    assert bool(said) == bool(words)
    few = ImuReading(stream="a", received_ns=received[:50], device_ns=None, acc_m_s2=zero, gyro_rad_s=zero)
    assert probe._rate_doubt(seen, [few]) == ""


def test_a_driver_with_another_clock_or_rate_is_not_ok(
    own_driver: Path, write_rig: Callable[[str], Path]
) -> None:
    change(own_driver, "        self._left = 5\n", "        self._left = 500\n")
    change(own_driver, "        self._left -= 1\n", "        self._left -= 1\n        time.sleep(0.05)\n")
    change(own_driver, "from typing import Literal\n", "import time\nfrom typing import Literal\n")
    config = load(write_rig("devices:\n  mine: {driver_path: my_driver.py}\n")).devices["mine"]
    report = probe.observe("mine", config, 1.7)
    assert "never changes" in report.error, "all ones: a doubt is told first"

    change(own_driver, "one = np.ones((1, 3), np.float32)", "one = np.random.normal(5.66, 0.1, (1, 3))")
    for now, words in (
        ("host_now_ns()", "Hz, and 50 Hz expected"),
        ("time.time_ns()", "away from the host's clock"),
    ):
        change(own_driver, "now = np.array([host_now_ns()])", f"now = np.array([{now}])")
        path = own_driver.with_name(f"other_{now[:4]}.py")  # a module is loaded once
        path.write_text(own_driver.read_text())
        change(own_driver, f"now = np.array([{now}])", "now = np.array([host_now_ns()])")
        config = load(write_rig(f"devices:\n  mine: {{driver_path: {path.name}}}\n")).devices["mine"]
        assert words in probe.observe("mine", config, 1.7).error


@pytest.mark.parametrize(
    ("nominal_hz", "text"), [(50, "50.0 Hz, latest: b"), (100, "50.0 Hz (100 Hz expected), latest: b")]
)
def test_a_rate_that_is_not_as_expected_is_pointed_out(nominal_hz: float, text: str) -> None:
    seen = probe.Seen("imu", nominal_hz)
    seen.add([0, 20_000_000, 40_000_000], "b")

    assert list(probe._lines(probe.Report("dev", seen=(seen,)))) == ["dev: ok", f"  imu: {text}"]


def test_a_stream_that_begins_late_is_waited_for(own_driver: Path, write_rig: Callable[[str], Path]) -> None:
    change(own_driver, "        for spec in self._config.streams(self._context.name):", LATE)

    code, text = probed(write_rig("devices:\n  mine: {driver_path: my_driver.py, emit: [a, b]}\n"))

    assert code == 0
    assert "  b: " in text


def test_a_device_that_says_nothing_at_all_is_not_waited_for_until_the_limit(
    own_driver: Path, write_rig: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SILENT_S", 0.0)
    rig = load(write_rig(RIG))

    assert probe.observe("mine", rig.devices["mine"], 2.0).error == "nothing came from mine"
