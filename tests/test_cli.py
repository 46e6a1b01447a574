"""The verbs, from outside: exit codes, and that an error is one line on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from mobind_live import __version__
from mobind_live.bus import BusError
from mobind_live.cli import app
from mobind_live.cli.errors import user_errors
from mobind_live.config import Rig
from mobind_live.devices.camera.pose import PoseError
from mobind_live.devices.camera.video import VideoError
from mobind_live.document import ConfigError
from mobind_live.models import checkpoint
from mobind_live.models.errors import ModelError
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.recordings.sync.request import Files
from mobind_live.runtime import launch
from mobind_live.terminal import devices

THREE_LINES = "devices:\n  mine:\n    driver_path: my_driver.py\n"


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_version() -> None:
    result = call("--version")

    assert (result.exit_code, result.stdout) == (0, f"mobind-live {__version__}\n")


def test_help_and_version_load_nothing_heavy() -> None:
    script = (
        "import sys, contextlib, mobind_live.cli as c\n"
        "with contextlib.suppress(SystemExit): c.app(['--help'])\n"
        "print(*({'torch', 'cv2', 'zmq', 'numpy', 'ruamel'} & set(sys.modules)), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    assert "check" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.usefixtures("own_driver")
def test_check_says_what_is_there(write_rig: Callable[[str], Path]) -> None:
    path = write_rig(THREE_LINES)
    result = call("check", path)

    assert result.exit_code == 0
    assert result.stdout == (
        f"{path}: ok; rig rig, devices mine; streams mine\n"
        f"{path}: no camera in this rig: offset, wearer and body part cannot be found\n"
    )


def test_without_a_config_here_the_demo_that_came_with_us_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("check")

    assert result.exit_code == 0
    assert "no config.yaml here; this is the demo rig" in result.stderr
    assert "demo.yaml: ok; rig demo, devices scene" in result.stdout
    assert "no camera" not in result.stdout


def test_a_config_here_is_meant_where_none_is_named(
    own_driver: Path, write_rig: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rig(THREE_LINES).rename(own_driver.with_name("config.yaml"))
    monkeypatch.chdir(own_driver.parent)

    assert call("check").stdout.startswith("config.yaml: ok; rig rig, devices mine; streams mine\n")


@pytest.mark.parametrize("where", ["interrupt()", "weakref.finalize(Interrupting(), interrupt)"])
def test_ctrl_c_while_the_command_line_is_imported_ends_it_without_a_traceback(where: str) -> None:
    """Even in a callback, out of which no exception comes: the import system has some."""
    script = (
        "import signal, sys, weakref, mobind_live.__main__ as entry\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # in the background it is ignored
        "def interrupt(): signal.raise_signal(signal.SIGINT)\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'typer': {where}\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv = ['mobind-live', '--version']\n"
        "entry.main()"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.usefixtures("own_driver")
def test_set_overrides_a_key(write_rig: Callable[[str], Path]) -> None:
    result = call("check", write_rig(THREE_LINES), "--set", "name=other", "--set", "devices.mine.emit=[a, b]")

    assert "ok; rig other, devices mine; streams a, b\n" in result.stdout


@pytest.mark.usefixtures("own_driver")
def test_check_looks_into_the_weights(write_rig: Callable[[str], Path], tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"no weights")
    path = write_rig(f"worker: {{weights: {weights}}}\n{THREE_LINES}")
    result = call("check", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"mobind-live: {weights}: not usable weights")
    weights.write_bytes(checkpoint.DEFAULT.read_bytes())
    assert call("check", path).exit_code == 0


@pytest.mark.usefixtures("own_driver")
def test_check_probe_asks_each_device(write_rig: Callable[[str], Path]) -> None:
    result = call("check", write_rig(THREE_LINES), "--probe")

    assert result.exit_code == 0
    assert "mine: ok" in result.stdout


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_wrong_configuration_is_one_line_and_exit_2(write_rig: Callable[[str], Path], verb: str) -> None:
    path = write_rig("name: x\ndevcies: {}\n")
    result = call(verb, path)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"mobind-live: {path}:2: devcies: unknown key; allowed: ")
    assert result.stderr.count("\n") == 1


def test_a_bus_that_is_taken_is_one_line_and_exit_1(
    own_driver: Path, write_rig: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(rig: Rig, title: str) -> int:
        raise BusError("cannot bind tcp://127.0.0.1:5571")

    monkeypatch.setattr(launch, "run", taken)
    result = call("run", write_rig(THREE_LINES))

    assert (result.exit_code, result.stderr) == (1, "mobind-live: cannot bind tcp://127.0.0.1:5571\n")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        *((kind, 2) for kind in (ConfigError, HintError)),
        *((kind, 1) for kind in (BusError, FileError, ModelError, PoseError, VideoError)),
    ],
)
def test_each_fault_of_the_user_is_a_line_of_its_own(
    kind: type[Exception], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, user_errors():
        raise kind("a: one\nb: two")

    assert ended.value.exit_code == code
    assert capsys.readouterr() == ("", "mobind-live: a: one\nmobind-live: b: two\n")


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), user_errors():
        raise ZeroDivisionError


@pytest.mark.parametrize("words", [["sync"], ["enroll", "jump"]])
def test_ctrl_c_while_a_recording_is_read_is_exit_130_and_no_traceback(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(files: Files) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Files, "sensors", interrupted)
    result = call(*words, "--keypoints", "k.csv")

    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.usefixtures("own_driver")
def test_run_and_drive_hand_over_the_rig_and_the_exit_code(
    write_rig: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[list[str], str]] = []

    def run(rig: Rig, title: str) -> int:
        ran.append((list(rig.devices), title))
        return 3

    def drive(rig: Rig, title: str) -> int:
        ran.append((list(rig.devices), title))
        return 4

    monkeypatch.setattr(launch, "run", run)
    monkeypatch.setattr(launch, "drive", drive)
    path = write_rig(THREE_LINES + "  other: {driver_path: my_driver.py}\n")

    assert call("run", path).exit_code == 3
    assert call("drive", "other", "--config", path).exit_code == 4
    assert call("drive", "simulator").exit_code == 4
    assert ran == [(["mine", "other"], str(path)), (["other"], str(path)), (["simulator"], "simulator")]


@pytest.mark.parametrize("only_yaml", [False, True])
def test_devices_hands_over_what_to_print(only_yaml: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def run(*, console: Console, errors: Console, only_yaml: bool) -> int:
        asked.append(only_yaml)
        return 0 if errors.stderr and not console.stderr else 1

    monkeypatch.setattr(devices, "run", run)

    assert call("devices", *["--yaml"] * only_yaml).exit_code == 0
    assert asked == [only_yaml]


def test_drive_without_a_section_says_what_the_driver_needs() -> None:
    needs = call("drive", "replay")
    unknown = call("drive", "simulater")

    assert needs.exit_code == 2
    assert needs.stderr == (
        "mobind-live: replay cannot run on defaults alone, it needs folder; put it in a rig's YAML and run: "
        "mobind-live drive DEVICE --config FILE\n"
    )
    assert unknown.exit_code == 2
    assert unknown.stderr.endswith("did you mean simulator?\n")


def test_schema_is_json_on_stdout() -> None:
    result = call("check", "--schema")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "mobind-live rig"


@pytest.mark.parametrize("verb", [["bench"], ["calibrate"], ["eval", "bvh", "--root", "."]])
def test_weights_are_named_alike_by_all_who_measure(verb: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*verb, "--checkpoint", str(tmp_path / "none.safetensors")])
    assert result.exit_code == 1
    assert "none.safetensors: no such weights file" in result.output
