"""YAML to a frozen ``Rig``. Every error is one line: file, line, key, what is wrong and what is allowed."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SerializeAsAny, model_validator
from pydantic import ValidationError as PydanticError

from mobind_live import registry
from mobind_live.bus import PUBLISH_ENDPOINT, SUBSCRIBE_ENDPOINT, is_loopback
from mobind_live.document import ConfigError, Document, did_you_mean
from mobind_live.driver import DeviceError, DriverConfig, StreamSpec
from mobind_live.section import NAME, NAME_RULE, WEARER, RigFile, RigFolder, Section, located

__all__ = [
    "DEMO_RIG",
    "Bus",
    "ConfigError",
    "Rig",
    "WorkerConfig",
    "default_path",
    "json_schema",
    "load",
    "rig_of",
]

OWN_RIG = Path("config.yaml")
OWN_ACTIONS = "actions"  # a folder beside the YAML
DEMO_RIG = Path(__file__).with_name("demo.yaml")

RESERVED = ("supervisor", "worker", "lsl")  # health topics of our own processes


def _loopback(endpoint: str) -> str:
    match = re.fullmatch(r"tcp://\S+:(?:(\d{1,5})|\*)|ipc://\S+", endpoint)
    if match and match[1] and not 0 < int(match[1]) < 65_536:
        raise ValueError(f"{match[1]} is no port: 1 to 65535, or * for any that is free")
    if match and is_loopback(endpoint):
        return endpoint
    raise ValueError("must be tcp://127.0.0.1:PORT or ipc://PATH; the bus is open, so it stays on this host")


def _compute_device(device: str) -> str:
    if re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        return device
    raise ValueError(f"must be auto, cpu, cuda or cuda:NUMBER, got {device!r}")


Endpoint = Annotated[str, AfterValidator(_loopback)]


class Bus(Section):
    """Where the proxy listens: senders connect to ``publish``, receivers to ``subscribe``."""

    publish: Endpoint = PUBLISH_ENDPOINT
    subscribe: Endpoint = SUBSCRIBE_ENDPOINT

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.publish == self.subscribe and not self.publish.endswith(":*"):
            raise ValueError("publish and subscribe must differ")
        return self


class WorkerConfig(Section):
    """What the worker computes with. ``weights`` overrides the network that came with the package;
    ``actions`` is the folder of actions learned by example; if it is not set, the folder ``actions`` beside
    the YAML is used if it exists."""

    device: Annotated[str, AfterValidator(_compute_device)] = "auto"
    max_offset_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    publish_hz: Annotated[float, Field(gt=0, le=20)] = 2.0
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    weights: RigFile | None = None
    actions: RigFolder | None = None


class Rig(Section):
    """A whole rig. ``devices`` maps a name to its driver's own section, in the YAML's order. ``lsl``: offer
    the answers as LSL streams, too."""

    name: Annotated[str, Field(min_length=1)] = "rig"
    bus: Bus = Bus()
    worker: WorkerConfig = WorkerConfig()
    lsl: bool = False
    devices: Mapping[str, SerializeAsAny[DriverConfig]]

    def streams(self) -> tuple[StreamSpec, ...]:
        """Every stream of every device, in the YAML's order."""
        return tuple(spec for name, config in self.devices.items() for spec in config.streams(name))

    def only(self, device: str) -> Rig:
        """This rig with one of its devices. Raises KeyError."""
        return self.model_copy(update={"devices": {device: self.devices[device]}})


def default_path() -> Path:
    """The rig that is meant where none is named: ``config.yaml`` here, or the demo that came with us."""
    return OWN_RIG if OWN_RIG.exists() else DEMO_RIG


def load(path: Path, overrides: Sequence[str] = ()) -> Rig:
    """The rig in the YAML file ``path``, with ``KEY=VALUE`` overrides. Raises ConfigError."""
    document = Document.read(path, overrides)
    context = {"folder": path.resolve().parent}
    values = document.values
    sections = values.get("devices")
    if isinstance(sections, dict):
        values = {**values, "devices": {}}
    try:
        rig = Rig.model_validate(values, context=context)
    except PydanticError as error:
        raise document.explain(error, Rig) from error
    assert isinstance(sections, dict)  # or the line above has refused it
    if not sections:
        raise document.error(("devices",), "no device; at least one is needed")
    devices = {name: _device(document, name, section, context) for name, section in sections.items()}
    _check_streams(document, devices)
    own = context["folder"] / OWN_ACTIONS
    if rig.worker.actions is None and own.is_dir():
        rig = rig.model_copy(update={"worker": rig.worker.model_copy(update={"actions": own})})
    return rig.model_copy(update={"devices": devices})


def rig_of(name: str, path: Path | None, overrides: Sequence[str] = ()) -> Rig:
    """A rig of one device: ``name`` of the rig in ``path``, or the driver ``name`` with nothing but its
    defaults where there is no ``path``. Raises ConfigError."""
    if path is None:
        if overrides:
            raise ConfigError("--set changes a rig's YAML; name one with --config")
        return Rig(name=name, devices={name: _default_section(name)})
    rig = load(path, overrides)
    if name not in rig.devices:
        guess = did_you_mean(name, rig.devices)
        raise ConfigError(f"{path}: no device {name!r}; it has: {', '.join(rig.devices)}{guess}")
    return rig.only(name)


def _default_section(driver: str) -> DriverConfig:
    try:
        return registry.named(driver).model_validate({"driver": driver})
    except registry.DriverNotFound as error:
        known = registry.names()
        guess = did_you_mean(driver, known)
        raise ConfigError(f"{error}; the drivers: {', '.join(known)}{guess}") from error
    except PydanticError as error:
        keys = ", ".join(".".join(str(step) for step in row["loc"]) for row in error.errors())
        how = "put it in a rig's YAML and run: mobind-live drive DEVICE --config FILE"
        raise ConfigError(f"{driver} cannot run on defaults alone, it needs {keys}; {how}") from error


def _device(document: Document, name: Any, section: Any, context: dict[str, Path]) -> DriverConfig:
    where = ("devices", name)
    if not isinstance(name, str):
        raise document.error(where, "a name must be text; put it in quotes")
    if not NAME.fullmatch(name):
        raise document.error(where, f"not a name; allowed: {NAME_RULE}")
    if name in RESERVED:
        raise document.error(where, f"this name is taken; any other than {', '.join(RESERVED)} will do")
    if not isinstance(section, dict):
        raise document.error(where, "must be a section that begins with driver: or driver_path:")
    config_class, values = _driver_of(document, where, section, context["folder"])
    try:
        return config_class.model_validate(values, context=context)
    except PydanticError as error:
        raise document.explain(error, config_class, where) from error


def _driver_of(
    document: Document, where: tuple[str, ...], section: dict[str, Any], folder: Path
) -> tuple[type[DriverConfig], dict[str, Any]]:
    """The section's driver, and its values as that driver's Config takes them."""
    known = registry.names()
    chosen = [key for key in ("driver", "driver_path") if key in section]
    if len(chosen) != 1:
        what = "driver and driver_path together" if chosen else "driver is missing"
        raise document.error(
            where, f"{what}; one is needed: driver: {' | '.join(known)}, or driver_path: FILE.py"
        )
    key, value = chosen[0], section[chosen[0]]
    if not (isinstance(value, str) and value):
        raise document.error((*where, key), f"must be text, got {value!r}")
    try:
        if key == "driver":
            return registry.named(value), section
        rest = {k: v for k, v in section.items() if k != "driver_path"}
        path = located(Path(value), folder)
        return registry.from_file(path), {"driver": path.stem, **rest}
    except (registry.DriverNotFound, ValueError) as error:
        hint = f"; allowed: {', '.join(known)}{did_you_mean(value, known)}" if key == "driver" else ""
        raise document.error((*where, key), f"{error}{hint}") from error


def _streams(name: str, config: DriverConfig) -> tuple[StreamSpec, ...]:
    """Raises ValueError for what is no stream, and whatever a bug in the driver raises."""
    specs = tuple(config.streams(name))
    for spec in specs:
        if not isinstance(spec, StreamSpec):
            raise ValueError(
                f"its Config.streams() returns {spec!r:.40}, which is no stream; return a tuple of "
                "StreamSpec(name=..., kind='imu', nominal_hz=..., clock='arrival')"
            )
    return specs


def _bug(error: Exception) -> str:
    """What a driver's code raised, and where, in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    place = f"{Path(last.filename).name}:{last.lineno}"
    wanted = "streams(self, name) must return a tuple of StreamSpec, and held(self) one of text"
    return f"{text} ({place}); its Config's {wanted}"


def _check_streams(document: Document, devices: Mapping[str, DriverConfig]) -> None:
    """Refuses devices that cannot say what they serve, or want the same port, and streams and subjects
    without a name of their own."""
    owners: dict[str, str] = {}
    holders: dict[str, str] = {}
    subjects: dict[str, str] = {}
    for name, config in devices.items():
        where = ("devices", name)
        try:
            specs, held = _streams(name, config), tuple(config.held())
        except (ValueError, OSError, DeviceError, NotImplementedError) as error:
            raise document.error(where, str(error) or _bug(error)) from error
        except Exception as error:  # a process border of sorts: a driver may be the user's own code
            raise document.error(where, _bug(error)) from error
        for spec in specs:
            if not NAME.fullmatch(spec.name):
                raise document.error(where, f"stream name {spec.name!r}; allowed: {NAME_RULE}")
            if WEARER.fullmatch(spec.name):
                raise document.error(where, f"stream name {spec.name!r}: so wearers are called; rename it")
            if spec.subject is not None:
                subjects.setdefault(spec.subject, name)
        for thing in held:
            if thing in holders:
                raise document.error(
                    where, f"{thing} is devices.{holders[thing]}'s already; give each its own"
                )
            holders[thing] = name
        counts = Counter(spec.name for spec in specs)
        for stream in counts:
            other = owners.setdefault(stream, name)
            if other != name or counts[stream] > 1:
                raise document.error(
                    where, f"duplicate stream {stream!r}, also in devices.{other}; rename one"
                )
    for subject, name in subjects.items():
        if subject in owners:
            raise document.error(("devices", name), f"subject {subject!r} is also a stream; rename one")


def json_schema() -> dict[str, Any]:
    """One JSON schema for a whole YAML file, for editors: a device's keys depend on its ``driver``."""
    schema = Rig.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    definitions.pop("DriverConfig", None)
    choices = []
    for name in registry.names():
        section = registry.named(name).model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{key}": value for key, value in section.pop("$defs", {}).items()}
        section["properties"]["driver"] = {"const": name, "description": f"the driver in drivers/{name}.py"}
        definitions[name] = {**section, "required": sorted({*section.get("required", ()), "driver"})}
        choices.append({"$ref": f"#/$defs/{name}"})
    own = {"type": "object", "required": ["driver_path"], "properties": {"driver_path": {"type": "string"}}}
    schema["properties"]["devices"] = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"oneOf": [*choices, own], "discriminator": {"propertyName": "driver"}},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "mobind-live rig"}
