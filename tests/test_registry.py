"""The registry: drivers by file name, and a user's own file that nobody has registered."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from memory_bus import MemoryBus, MemoryPublisher

from mobind_live import registry
from mobind_live.config import load
from mobind_live.driver import Context, DriverConfig
from mobind_live.runtime.serve import serve
from mobind_live.schema import Health, Imu, Message

THREE_LINES = "devices:\n  mine:\n    driver_path: my_driver.py\n"


class Started:
    """The start signal of a rig that has started."""

    def wait(self, timeout_s: float) -> int | None:
        del timeout_s
        return 0


class UntilEnded:
    """Sends on, and stops the loop once the driver's file has been played to its end."""

    def __init__(self, sender: MemoryPublisher, stop: threading.Event) -> None:
        self._sender = sender
        self._stop = stop

    def send(self, message: Message) -> None:
        self._sender.send(message)
        if isinstance(message, Health) and message.state == "ended":
            self._stop.set()


@pytest.mark.usefixtures("own_driver")
def test_a_new_file_and_three_lines_of_yaml_run_unregistered(write_rig: Callable[[str], Path]) -> None:
    rig = load(write_rig(THREE_LINES))
    bus, stop = MemoryBus(), threading.Event()
    reader = bus.subscriber()

    context = Context(name="mine", epoch_ns=0)
    serve(registry.create, rig.devices["mine"], context, UntilEnded(bus.publisher(), stop), stop, Started())

    messages = [received.message for received in reader.poll(0)]
    samples = [message for message in messages if isinstance(message, Imu)]
    assert [message.stream for message in samples] == ["mine"] * 5
    assert isinstance(messages[-1], Health)
    assert messages[-1].streams[0].received == 5


def test_an_own_section_travels_to_a_process_that_has_not_loaded_the_file(
    write_rig: Callable[[str], Path], own_driver: Path
) -> None:
    rig = load(write_rig(THREE_LINES + "    filters: {low: {gain: 2}}\n    file: x.csv\n"))
    script = (
        "import pickle, sys; from mobind_live import registry; from mobind_live.driver import Context;"
        "config = pickle.load(sys.stdin.buffer);"
        "driver = registry.create(config, Context(name='mine', epoch_ns=0));"
        "print(config.filters['low'].gain, config.file, type(driver).__name__)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps(rig.devices["mine"]),
        capture_output=True,
        check=True,
    )

    assert done.stdout.decode().split() == ["2.0", str(own_driver.parent / "x.csv"), "Driver"]


def test_every_driver_that_came_with_us_has_both_names() -> None:
    assert {"camera", "replay", "serial_imu", "simulator"} <= set(registry.names())
    for name in registry.names():
        assert issubclass(registry.named(name), DriverConfig)


def test_reading_a_driver_s_section_loads_nothing_heavy() -> None:
    script = (
        "import sys; from mobind_live import config; config.json_schema();"
        "print(*({'torch', 'cv2', 'ultralytics'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    assert done.stdout.strip() == ""


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(registry.DriverNotFound, match="no driver 'nothing'"):
        registry.named("nothing")
