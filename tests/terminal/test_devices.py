"""``mobind-live devices``: what is found becomes a table and a rig; what cannot be searched is one line."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mobind_live import registry
from mobind_live.config import load
from mobind_live.driver import DeviceError, Found
from mobind_live.runtime.aside import NoAnswer, Question
from mobind_live.terminal import devices
from mobind_live.terminal.devices import Search

CAMERA = Found("camera0", "HD [Webcam]\x1b: MJPG", {"driver": "camera", "source": 0, "size": [1280, 720]})
LOCKED = Found("camera1", "/dev/video1: no permission", {})
SIMULATED = Found("camera0", "not real", {"driver": "simulator", "imus": {"a": {"part": "chest"}}})


def shown(monkeypatch: pytest.MonkeyPatch, *searches: Search, only_yaml: bool = False) -> tuple[str, str]:
    """What is printed, and what goes to stderr."""
    monkeypatch.setattr(devices, "search", lambda drivers, limit_s: searches)
    out, err = io.StringIO(), io.StringIO()
    consoles = {"console": Console(file=out, width=200), "errors": Console(file=err, width=200)}
    devices.run(**consoles, only_yaml=only_yaml)
    return out.getvalue(), err.getvalue()


def test_what_is_found_is_a_table_and_a_rig_that_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    searches = devices_named(monkeypatch, {"camera": [CAMERA, LOCKED]})
    out, _ = shown(monkeypatch, *searches, Search("ble_imu", problem="no adapter"), Search("lsl_imu"))
    assert "camera0" in out
    assert "HD [Webcam]" in out
    assert "/dev/video1: no permission" in out
    assert "ble_imu: cannot search: no adapter\n" in out
    assert "lsl_imu: none found\n" in out
    path = tmp_path / "rig.yaml"
    path.write_text(out[out.index("name: found") :])
    rig = load(path)
    assert list(rig.devices) == ["camera0"]
    assert rig.devices["camera0"].model_dump()["size"] == (1280, 720)


def test_the_yaml_alone_can_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    searches = devices_named(monkeypatch, {"camera": [CAMERA], "simulator": [SIMULATED]})
    out, err = shown(monkeypatch, *searches, Search("ble_imu", problem="no adapter"), only_yaml=True)
    assert err == "ble_imu: no adapter\n"
    path = tmp_path / "rig.yaml"
    path.write_text(out)
    assert list(load(path).devices) == ["camera0", "camera0-2"]
    assert "  # HD [Webcam] : MJPG\n" in out


def test_nothing_at_all_is_said(monkeypatch: pytest.MonkeyPatch):
    out, _ = shown(monkeypatch, Search("camera"))
    assert out == "camera: none found\n\n# Nothing was found that a rig could use.\n"


class AtOnce(Question):
    """A question answered in this process, where the drivers are ours."""

    def __init__(self, function, *args, limit_s: float) -> None:
        self._answer = function(*args)

    def answer(self) -> Search:
        return self._answer

    def __exit__(self, *_: object) -> None:
        pass


def devices_named(monkeypatch: pytest.MonkeyPatch, found: dict[str, list[Found]]) -> tuple[Search, ...]:
    monkeypatch.setattr(registry, "discover", lambda driver: found[driver])
    monkeypatch.setattr(devices, "Question", AtOnce)
    return devices.search(tuple(found), limit_s=1)


def test_names_are_made_fit_and_different(monkeypatch: pytest.MonkeyPatch):
    twins = [Found("Łeft wrist!", "", {}), Found("Łeft wrist?", "", {}), Found("", "", {})]
    (search,) = devices_named(monkeypatch, {"ble_imu": twins})
    assert [found.name for found in search.found] == ["_eft_wrist_", "_eft_wrist_-2", "device"]


def test_names_that_a_rig_has_for_itself_are_not_given(monkeypatch: pytest.MonkeyPatch):
    ours = [Found(name, "", {}) for name in ("worker", "wearer_1", "lsl")]
    (search,) = devices_named(monkeypatch, {"ble_imu": ours})
    assert [found.name for found in search.found] == ["worker-2", "wearer_1-2", "lsl-2"]


def test_what_a_driver_cannot_search_is_its_own_line(monkeypatch: pytest.MonkeyPatch):
    def refuse(driver: str) -> list[Found]:
        raise DeviceError("no adapter")

    monkeypatch.setattr(registry, "discover", refuse)
    assert devices.ask("ble_imu") == Search("ble_imu", problem="no adapter")


def test_a_search_that_breaks_is_said_and_no_more():
    (search,) = devices.search(("no_such_driver",), limit_s=60)
    assert search.problem.startswith("the search failed: ModuleNotFoundError: No module named")


def test_drivers_that_can_search_are_found_by_name():
    assert "camera" in registry.discoverers()
    assert "simulator" not in registry.discoverers()


def test_a_question_that_takes_too_long_is_given_up():
    with Question(input, limit_s=0.0) as question, pytest.raises(NoAnswer, match="no answer in 0 s"):
        question.answer()


def test_interrupts_do_not_reach_the_first_question_either() -> None:
    """With the first process of its kind multiprocessing starts a helper, which would let them through."""
    script = (
        "import signal\n"
        "from mobind_live.runtime.aside import Question\n"
        "with Question(signal.pthread_sigmask, signal.SIG_BLOCK, (), limit_s=60) as question:\n"
        "    print(signal.SIGINT in question.answer())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout == "True\n"
