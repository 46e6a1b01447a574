"""The rigs that came with us: each is right, and the template says everything there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from messages import imu, pose
from sessions import session

from mobind_live import config, registry
from mobind_live.config import load


def without_recordings(text: str, tmp_path: Path) -> str:
    """A rig's YAML with made-up recordings in place of those that the user shall name."""
    folder = tmp_path / "take"
    folder.mkdir()
    rows = "\n".join(f"{i / 50},{100 + i},{200 - i},{110 + i},{190 - i}" for i in range(50))
    (folder / "keypoints.csv").write_text(f"time_s,nose_x,nose_y,left_eye_x,left_eye_y\n{rows}\n")
    samples = "\n".join(f"{20 * i},0,0,1,{i},2,3" for i in range(50))
    header = "Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ"
    for part in ("chest", "left_arm", "right_arm", "left_leg", "right_leg"):
        (folder / f"imu_{part}.csv").write_text(f"{header}\n{samples}\n")
    (tmp_path / "people.mp4").touch()
    monday = [replace(pose(), stream="monday_cam"), replace(imu(), stream="monday_imu")]
    session(tmp_path / "monday.mcap", monday)
    text = re.sub(r"source: \S+\.mp4", f"source: {tmp_path}/people.mp4", text)
    text = re.sub(r"file: \S+\.mcap", f"file: {tmp_path}/monday.mcap", text)
    return re.sub(r"folder: .*", f"folder: {folder}", text)


RIGS = (
    "config.yaml",
    "rigs/bench5.yaml",
    "rigs/ble.yaml",
    "rigs/lsl.yaml",
    "rigs/serial.yaml",
    "rigs/template.yaml",
    "rigs/video.yaml",
)


@pytest.mark.parametrize("name", RIGS)
def test_each_rig_that_came_with_us_is_right(
    root: Path, tmp_path: Path, write_rig: Callable[[str], Path], name: str
) -> None:
    rig = load(write_rig(without_recordings((root / name).read_text(), tmp_path)))

    assert rig.streams()


def test_every_rig_that_came_with_us_is_tested(root: Path) -> None:
    assert sorted(f"rigs/{path.name}" for path in (root / "rigs").glob("*.yaml")) == sorted(RIGS[1:])


def test_the_default_rig_is_the_demo(root: Path) -> None:
    kinds = [spec.kind for spec in load(root / "config.yaml").streams()]

    assert (kinds.count("cam"), kinds.count("imu")) == (2, 5)


def keys_of(schema: Any, definitions: dict[str, Any]) -> Iterator[str]:
    """The name of every key in a JSON schema, those of the sections inside it too."""
    if isinstance(schema, list):
        for item in schema:
            yield from keys_of(item, definitions)
    elif isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield name
            yield from keys_of(value, definitions)
        for key in ("anyOf", "allOf", "oneOf", "items", "additionalProperties"):
            yield from keys_of(schema.get(key), definitions)
        if "$ref" in schema:
            yield from keys_of(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)


def keys_in(text: str) -> set[str]:
    """Every key in a piece of YAML, those in comments too."""
    return set(re.findall(r"(?:^[\s#]*|[{,]\s*)(\w+):(?=\s|$)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", registry.names())
def test_the_template_has_every_key_of_the_driver(root: Path, name: str) -> None:
    definitions = config.json_schema()["$defs"]
    sections = re.split(r"^ *driver: ", (root / "rigs/template.yaml").read_text(), flags=re.MULTILINE)
    own = [section.partition("\n")[2] for section in sections[1:] if section.split()[0] == name]

    wanted = set(keys_of(definitions[name], definitions)) - {"driver"}

    assert wanted - keys_in("".join(own)) == set()


def test_the_template_has_every_key_of_the_bus_and_the_worker(root: Path) -> None:
    schema = config.json_schema()
    head = (root / "rigs/template.yaml").read_text().split("\ndevices:")[0]
    wanted = {"name", "bus", "worker"}
    for section in ("Bus", "WorkerConfig"):
        wanted |= set(keys_of(schema["$defs"][section], schema["$defs"]))

    assert wanted - keys_in(head) == set()


@pytest.mark.usefixtures("own_driver")
def test_what_is_commented_out_in_the_template_is_right_too(
    root: Path, tmp_path: Path, write_rig: Callable[[str], Path]
) -> None:
    """The lines ``# key: value`` of the template, taken as they are, are a rig too."""
    text = (root / "rigs/template.yaml").read_text()
    text = re.sub(r"^( *)# ( *)(?=\w+:( |$))", r"\1\2", text, flags=re.MULTILINE)

    (tmp_path / "my_weights.safetensors").touch()
    (tmp_path / "my_actions").mkdir()

    rig = load(write_rig(without_recordings(text, tmp_path)))

    assert {section.driver for section in rig.devices.values()} == {*registry.names(), "my_driver"}
