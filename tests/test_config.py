"""Configuration: what is read from YAML, and that every mistake is one line that helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from mobind_live import config, registry
from mobind_live.config import ConfigError, load

WriteRig = Callable[[str], Path]

OWN = "devices:\n  mine:\n    driver_path: my_driver.py\n"


def message_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


@pytest.mark.usefixtures("own_driver")
class TestLoad:
    def test_three_lines_are_a_rig(self, write_rig: WriteRig) -> None:
        rig = load(write_rig(OWN))

        assert [spec.name for spec in rig.streams()] == ["mine"]
        assert rig.devices["mine"].driver == "my_driver"
        assert rig.bus.publish == "tcp://127.0.0.1:5571"
        assert rig.worker.max_offset_s == 10

    def test_a_relative_path_counts_from_the_yaml(self, write_rig: WriteRig, tmp_path: Path) -> None:
        (tmp_path / "w.safetensors").touch()
        rig = load(write_rig(OWN + "    file: data/x.csv\nworker: {weights: w.safetensors}\n"))

        assert rig.devices["mine"].model_dump()["file"] == tmp_path / "data/x.csv"
        assert rig.worker.weights == tmp_path / "w.safetensors"

    def test_an_absolute_path_stays(self, write_rig: WriteRig) -> None:
        rig = load(write_rig(OWN + "    file: /data/x.csv\n"))

        assert rig.devices["mine"].model_dump()["file"] == Path("/data/x.csv")

    def test_a_rig_is_frozen(self, write_rig: WriteRig) -> None:
        rig = load(write_rig(OWN))

        with pytest.raises(ValidationError, match="frozen"):
            rig.worker.threads = 3  # type: ignore[misc]

    def test_yaml_types_become_plain(self, write_rig: WriteRig) -> None:
        rig = load(write_rig("name: 'quoted'\n" + OWN + "    count: 0x10\n"))

        assert type(rig.name) is str
        assert type(rig.devices["mine"].model_dump()["count"]) is int

    def test_overrides_win(self, write_rig: WriteRig) -> None:
        keys = ("devices.mine.mode=slow", "devices.mine.filters.low.gain=2", "worker.threads=3", "name='7'")
        rig = load(write_rig(OWN + "    mode: fast\n"), keys)

        values = rig.devices["mine"].model_dump()
        assert (values["mode"], values["filters"]["low"]["gain"]) == ("slow", 2)
        assert (rig.worker.threads, rig.name) == (3, "7")

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("worker", "--set worker: must be KEY=VALUE, such as worker.threads=2"),
            ("a..b=3", "--set a..b=3: must be KEY=VALUE, such as worker.threads=2"),
            ("name.x=3", "--set name.x=3: name is not a section, it has no keys"),
            ("name=[", "--set name=[: '[' is not a YAML value; quote it"),
            ("devices.mine.mdoe=3", "rig.yaml:3: devices.mine.mdoe: unknown key; allowed: count, "),
        ],
    )
    def test_a_wrong_override_is_named(self, write_rig: WriteRig, override: str, expected: str) -> None:
        path = write_rig("name: x\n" + OWN)

        with pytest.raises(ConfigError) as caught:
            load(path, [override])
        assert str(caught.value).removeprefix(f"{path.parent}/").startswith(expected)

    def test_one_device_of_a_rig(self, write_rig: WriteRig) -> None:
        path = write_rig(OWN + "  other: {driver_path: my_driver.py}\n")

        assert list(config.rig_of("other", path).devices) == ["other"]
        with pytest.raises(ConfigError, match=r"no device 'othr'; it has: mine, other; did you mean other\?"):
            config.rig_of("othr", path)


@pytest.mark.usefixtures("own_driver")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            OWN + "    mdoe: fast\n",
            ":4: devices.mine.mdoe: unknown key; allowed: count, driver, emit, file, filters, mode; "
            "did you mean mode?",
            id="unknown key",
        ),
        pytest.param(
            OWN + "    filters:\n      low: {gian: 2}\n",
            ":5: devices.mine.filters.low.gian: unknown key; allowed: gain; did you mean gain?",
            id="unknown key, nested",
        ),
        pytest.param(
            OWN + "    mode: fst\n",
            ":4: devices.mine.mode: must be 'fast' or 'slow', got 'fst'; did you mean fast?",
            id="not among the choices",
        ),
        pytest.param(
            OWN + "    count: many\n",
            ":4: devices.mine.count: must be a valid integer, unable to parse string as an integer",
            id="wrong type, of a union",
        ),
        pytest.param(
            OWN + "    filters: [1]\n",
            ":4: devices.mine.filters: must be a section (keys with values)",
            id="a list for a section",
        ),
        pytest.param(
            "devices:\n  take:\n    driver: replay\n    folder: .\n    skip: left_leg\n",
            ":5: devices.take.skip: must be a list, as [a, b], got 'left_leg'",
            id="a word for a list",
        ),
        pytest.param(
            "name: x\nworkr: {}\n" + OWN,
            ":2: workr: unknown key; allowed: bus, devices, lsl, name, worker; did you mean worker?",
            id="unknown section",
        ),
        pytest.param(
            "devces:\n  a: {driver: x}\n",
            ":1: devces: unknown key; allowed: bus, devices, lsl, name, worker; did you mean devices?",
            id="misspelt devices",
        ),
        pytest.param("name: x\n", ":1: devices: missing; this key is needed", id="no devices"),
        pytest.param("devices: {}\n", ":1: devices: no device; at least one is needed", id="empty devices"),
        pytest.param(
            "name: x\ndevices:\n", ":2: devices: must be a section (keys with values), got None", id="none"
        ),
        pytest.param(
            OWN + "worker: {device: gpu}\n",
            ":4: worker.device: must be auto, cpu, cuda or cuda:NUMBER, got 'gpu'",
            id="compute device",
        ),
        pytest.param(
            OWN + "worker:\n  max_offset_s: 90\n",
            ":5: worker.max_offset_s: must be less than or equal to 60, got 90",
            id="out of range",
        ),
        pytest.param(
            OWN + "bus: {publish: 'tcp://0.0.0.0:5571'}\n",
            ":4: bus.publish: must be tcp://127.0.0.1:PORT or ipc://PATH; the bus is open, "
            "so it stays on this host",
            id="open to the network",
        ),
        pytest.param(
            OWN + "bus: {publish: 'tcp://127.0.0.1:5572'}\n",
            ":4: bus: publish and subscribe must differ",
            id="one endpoint twice",
        ),
        pytest.param(
            OWN + "  mine:\n    driver_path: my_driver.py\n",
            ":4: duplicate name 'mine'; each name may be there once",
            id="duplicate device",
        ),
        pytest.param(
            OWN + "    mode: fast\n    mode: slow\n",
            ":5: duplicate name 'mode'; each name may be there once",
            id="duplicate key",
        ),
        pytest.param(
            OWN + "    emit: [a]\n  two: {driver_path: my_driver.py, emit: [b, a]}\n",
            ":5: devices.two: duplicate stream 'a', also in devices.mine; rename one",
            id="two IMUs of one name",
        ),
        pytest.param(
            OWN + "    emit: [wearer_1]\n",
            ":2: devices.mine: stream name 'wearer_1': so wearers are called; rename it",
            id="a wearer's name",
        ),
        pytest.param(
            OWN + "    emit: [a, a]\n",
            ":2: devices.mine: duplicate stream 'a', also in devices.mine; rename one",
            id="two IMUs of one name in one device",
        ),
        pytest.param(
            OWN + "    emit: [a/b]\n",
            ":2: devices.mine: stream name 'a/b'; allowed: a to z, A to Z, digits, _ and - only",
            id="stream name",
        ),
        pytest.param(
            "devices:\n  s: {driver: simulator, imus: {a: {part: head, subject: a k}}, cameras: {c: {}}}\n",
            ":2: devices.s.imus.a.subject: 'a k' is not a name; allowed: a to z, A to Z,",
            id="subject's name",
        ),
        pytest.param(
            "devices:\n  s: {driver: simulator, imus: {a: {part: head, subject: wearer_2}}}\n",
            ":2: devices.s.imus.a.subject: wearer_1, wearer_2, ... are what wearers without a subject are",
            id="a subject called like a stranger",
        ),
        pytest.param(
            OWN + "bus: {publish: 'tcp://127.0.0.1:99999'}\n",
            ":4: bus.publish: 99999 is no port: 1 to 65535, or * for any that is free",
            id="no port",
        ),
        pytest.param(
            "devices:\n  s: {driver: simulator, imus: {a: {part: head, clock_offset_s: .nan}}}\n",
            ":2: devices.s.imus.a.clock_offset_s: must be a finite number, got nan",
            id="no number",
        ),
        pytest.param(
            "devices:\n  s: {driver: simulator, imus: {a: {part: head, subject: c}}, cameras: {c: {}}}\n",
            ":2: devices.s: subject 'c' is also a stream; rename one",
            id="a subject called like a camera",
        ),
        pytest.param(
            "devices:\n  my imu: {driver_path: my_driver.py}\n",
            ":2: devices.my imu: not a name; allowed: a to z, A to Z, digits, _ and - only",
            id="device name",
        ),
        pytest.param(
            "devices:\n  s: {driver: simulator, people: 2,5}\n",
            ":2: devices.s.5: a number is no key; in {...} a comma parts keys, and a decimal point is needed",
            id="a decimal comma",
        ),
        pytest.param(
            "devices:\n  7: {driver_path: my_driver.py}\n",
            ":2: devices.7: a name must be text; put it in quotes",
            id="a number for a name",
        ),
        pytest.param(
            "devices:\n  worker: {driver_path: my_driver.py}\n",
            ":2: devices.worker: this name is taken; any other than supervisor, worker, lsl will do",
            id="reserved name",
        ),
        pytest.param(
            "devices:\n  mine: my_driver.py\n",
            ":2: devices.mine: must be a section that begins with driver: or driver_path:",
            id="no section",
        ),
        pytest.param(
            "devices:\n  mine:\n    driver_path: nowhere.py\n",
            "nowhere.py does not exist",
            id="driver_path missing",
        ),
        pytest.param(
            "devices:\n  mine: {driver_path: 3}\n",
            ":2: devices.mine.driver_path: must be text, got 3",
            id="3",
        ),
        pytest.param("", ": the file is empty; a rig needs at least the section devices:", id="empty"),
        pytest.param("# nothing\n", ": the file is empty; a rig needs at least the section devices:", id="#"),
        pytest.param(
            "- a\n", ":1: not a rig; it must begin with keys such as name: and devices:", id="a list"
        ),
        pytest.param("name: x\ndevices: [1,\n", "broken YAML: while parsing a flow node", id="broken YAML"),
        pytest.param("name: *x\n", ":1: broken YAML: found undefined alias 'x'", id="undefined alias"),
        pytest.param("name: a\n---\nname: b\n", ":2: broken YAML: expected a single document", id="two rigs"),
        pytest.param("name: \x07\n", ": broken YAML: ", id="control character"),
        pytest.param(
            "devices:\n  c:\n    driver: camera\n    sources:\n      a: &a {source: 0, fps: -30}\n"
            "      b: {<<: *a, source: 1}\n",
            ":5: devices.c.sources.a.fps: ",
            id="what a merge brings along",
        ),
        pytest.param("name: {{ RIG }}\n", ": a key must be a name, not {'RIG': None}", id="template"),
        pytest.param("? [a, b]\n: 1\n", ": a key must be a name, not ['a', 'b']", id="a list for a key"),
        pytest.param(
            "devices:\n  c: {driver: camera, source: ~nosuchuser/x.mp4}\n",
            ":2: devices.c.source: ~nosuchuser/x.mp4: Could not determine home directory",
            id="nobody's home",
        ),
        pytest.param(
            "devices:\n  c: {driver_path: ~nosuchuser/x.py}\n",
            ":2: devices.c.driver_path: ~nosuchuser/x.py: Could not determine home directory",
            id="nobody's driver",
        ),
        pytest.param(
            f"devices:\n  c: {{driver: camera, source: {'x' * 300}.mp4}}\n",
            "xxx.mp4: File name too long",
            id="a path that is too long",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(write_rig: WriteRig, text: str, expected: str) -> None:
    message = message_of(write_rig(text))

    if expected.startswith(":"):
        assert message.startswith(expected)
    else:
        assert expected in message


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("left_wrist", "left_forearm"),
        ("right_foot", "right_shank"),
        ("left_lower_arm", "left_forearm"),
        ("waist", "pelvis"),
        ("left_shnk", "left_shank"),
    ],
)
def test_a_part_by_another_name_is_known(write_rig: WriteRig, said: str, meant: str) -> None:
    section = f"{{driver: serial_imu, port: /dev/ttyUSB0, wears: {said}}}"
    assert message_of(write_rig(f"devices:\n  a: {section}\n")).endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("section", "thing"),
    [
        ("{driver: serial_imu, port: /dev/ttyUSB0}", "/dev/ttyUSB0"),
        ("{driver: camera, source: 1}", "/dev/video1"),
        ("{driver: ble_imu, profile: xsens_dot, address: 'd4:22:cd:00:01:02'}", "D4:22:CD:00:01:02"),
    ],
)
def test_two_devices_cannot_have_one_port(write_rig: WriteRig, section: str, thing: str) -> None:
    message = message_of(write_rig(f"devices:\n  a: {section}\n  b: {section}\n"))
    assert message == f":3: devices.b: {thing} is devices.a's already; give each its own"


def test_two_bluetooth_devices_of_one_name_are_told_apart_by_their_addresses(write_rig: WriteRig) -> None:
    section = "{driver: ble_imu, profile: xsens_dot, name: Xsens DOT}"
    message = message_of(write_rig(f"devices:\n  a: {section}\n  b: {section}\n"))
    assert message == (
        ":3: devices.b: Bluetooth name 'Xsens DOT' (use `address`, which tells equal names apart) is "
        "devices.a's already; give each its own"
    )


def test_one_port_by_two_names_is_one_port(write_rig: WriteRig, tmp_path: Path) -> None:
    """As ``/dev/serial/by-id/...`` and ``/dev/ttyUSB0`` are, or camera 3 and ``/dev/video3``."""
    (tmp_path / "by-id").symlink_to("/dev/ttyUSB0")
    for one, other in (
        (f"{{driver: serial_imu, port: {tmp_path}/by-id}}", "{driver: serial_imu, port: /dev/ttyUSB0}"),
        ("{driver: camera, source: 3}", "{driver: camera, source: /dev/video3}"),
    ):
        assert "devices.a's already" in message_of(write_rig(f"devices:\n  a: {one}\n  b: {other}\n"))


def test_a_stream_of_the_network_may_be_read_twice(write_rig: WriteRig) -> None:
    section = "{driver: camera, source: 'rtsp://10.0.0.7/stream'}"
    assert len(load(write_rig(f"devices:\n  a: {section}\n  b: {section}\n")).devices) == 2


def test_an_unknown_driver_names_those_that_are_there(write_rig: WriteRig) -> None:
    message = message_of(write_rig("devices:\n  a: {driver: simulater}\n"))

    known = ", ".join(registry.names())
    guess = "did you mean simulator?"
    assert message == f":2: devices.a.driver: no driver 'simulater'; allowed: {known}; {guess}"


def test_driver_and_driver_path_exclude_each_other(write_rig: WriteRig, own_driver: Path) -> None:
    both = message_of(write_rig(f"devices:\n  a: {{driver: simulator, driver_path: {own_driver}}}\n"))
    neither = message_of(write_rig("devices:\n  a: {port: 3}\n"))

    assert both.startswith(":2: devices.a: driver and driver_path together; one is needed: driver: ")
    assert neither.startswith(":2: devices.a: driver is missing; one is needed: driver: ")


@pytest.mark.parametrize(
    ("section", "key", "name"),
    [
        ("  a: {driver: camera, source: gone.mp4}\n", "devices.a.source", "gone.mp4"),
        ("  a: {driver: camera, sources: {b: gone.mp4}}\n", "devices.a.sources.b", "gone.mp4"),
        ("  a: {driver: camera, source: 0, model: gone.pt}\n", "devices.a.model", "gone.pt"),
        ("  a: {driver: replay, folder: gone}\n", "devices.a.folder", "gone"),
        ("  a: {driver: simulator}\nworker: {weights: gone}\n", "worker.weights", "gone"),
    ],
)
def test_files_that_are_not_there_are_named(
    tmp_path: Path, write_rig: WriteRig, section: str, key: str, name: str
) -> None:
    line = 3 if key.startswith("worker") else 2
    message = message_of(write_rig(f"devices:\n{section}"))

    assert message.startswith(f":{line}: {key}: {tmp_path / name} does not exist")


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path, write_rig: WriteRig) -> None:
    file = message_of(write_rig("devices:\n  a: {driver: replay, folder: rig.yaml}\n"))
    folder = message_of(write_rig("devices:\n  a: {driver: simulator}\nworker: {weights: .}\n"))

    assert file.endswith("rig.yaml is a file, not a folder")
    assert folder.endswith("is a folder, not a file")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n", "has no class Config(DriverConfig)"),
        ("import nothing_like_this\n", "does not import: ModuleNotFoundError: No module named"),
        ("def f(:\n", "does not import: SyntaxError: invalid syntax"),
        (
            "from mobind_live.driver import DriverConfig\nclass Config(DriverConfig): pass\n",
            "has no class Driver",
        ),
    ],
)
def test_a_file_that_is_no_driver(tmp_path: Path, write_rig: WriteRig, source: str, expected: str) -> None:
    (tmp_path / "bad.py").write_text(source)
    message = message_of(write_rig("devices:\n  a:\n    driver_path: bad.py\n"))

    assert message.startswith(":3: devices.a.driver_path: ")
    assert expected in message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x7fELF\x02\x00\x00", ": a binary file; a rig is text, YAML in UTF-8"),
        (b"name: x\ndevices: \xff\n", ":2: not UTF-8; save the file as UTF-8 text"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "rig.yaml"
    path.write_bytes(data)

    assert message_of(path) == expected


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    assert message_of(tmp_path / "no.yaml") == ": no such file; name a rig's YAML file"
    assert message_of(tmp_path) == ": this is a folder; name a rig's YAML file"


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod: the tests may run as root, who can read everything.
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)

    assert message_of(tmp_path / "rig.yaml") == ": cannot be read: Permission denied"


IMU_DRIVER = """
from mobind_live.driver import DriverConfig, ImuConfig, StreamSpec

class Config({base}):
    def nothing(self): pass

{body}

class Driver: pass
"""


@pytest.mark.parametrize(
    ("base", "body", "expected"),
    [
        (
            "ImuConfig",
            "",
            "its class Config does not say its clock; "
            "add a property `clock` that returns 'device', 'arrival' or 'host'",
        ),
        ("DriverConfig", "", "its class Config does not say its streams; add def streams(self, name)"),
        (
            "ImuConfig",
            "    def clock(self): return 'host'",
            "clock must be a text, 'device', 'arrival' or 'host', got a method: put @property before it",
        ),
        ("ImuConfig", "    clock = property(lambda self: 'hsot')", "'arrival' or 'host', got 'hsot'"),
        (
            "DriverConfig",
            "    def streams(self, name): return {}[name]",
            "KeyError: 'a' (bad.py:7); its Config's streams(self, name) must return a tuple of StreamSpec",
        ),
        (
            "DriverConfig",
            "    def streams(self, name): return (name, 'b')",
            "its Config.streams() returns 'a', which is no stream; return a tuple of "
            "StreamSpec(name=..., kind='imu', nominal_hz=..., clock='arrival')",
        ),
        ("DriverConfig", "    def streams(self): return ()", "takes 1 positional argument but 2 were given"),
        ("DriverConfig", "    def streams(self, name): pass", "TypeError: 'NoneType' object is not iterable"),
        (
            "DriverConfig",
            "    def streams(self, name): raise NotImplementedError",
            "NotImplementedError (bad.py:7)",
        ),
        (
            "DriverConfig",
            "    def streams(self, name): return ()\n    def held(self): return self.port",
            "AttributeError: 'Config' object has no attribute 'port'",
        ),
    ],
)
def test_a_driver_that_cannot_say_its_streams(
    tmp_path: Path, write_rig: WriteRig, base: str, body: str, expected: str
) -> None:
    (tmp_path / "bad.py").write_text(IMU_DRIVER.format(base=base, body=body))
    message = message_of(write_rig("devices:\n  a:\n    driver_path: bad.py\n"))

    assert message.startswith(":2: devices.a: ")
    assert expected in message


def test_the_schema_covers_every_driver() -> None:
    schema = config.json_schema()

    choices = schema["properties"]["devices"]["additionalProperties"]["oneOf"]
    assert {f"#/$defs/{name}" for name in registry.names()} <= {row.get("$ref") for row in choices}
    for name in registry.names():
        assert schema["$defs"][name]["properties"]["driver"]["const"] == name
        assert schema["$defs"][name]["additionalProperties"] is False
    assert_references_resolve(schema)


def assert_references_resolve(schema: dict[str, object]) -> None:
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    for part in json.dumps(schema).split('"$ref": "#/$defs/')[1:]:
        assert part.partition('"')[0] in definitions
