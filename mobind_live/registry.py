"""Finding drivers: by file name in ``mobind_live/drivers``, or a user's own file by its path.

Nothing here, and nothing else in the core, names a driver. Importing a driver's module must be cheap: it is
done to read its ``Config`` (heavy libraries are imported by its ``Driver`` when that is made).
"""

from __future__ import annotations

import copyreg
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mobind_live.driver import Context, Driver, DriverConfig, Found

_PACKAGE = "mobind_live.drivers"


class DriverNotFound(Exception):
    """There is no such driver, or the file is not one; the text says what is wrong with it."""


def names() -> tuple[str, ...]:
    """The drivers that came with mobind-live, by name."""
    package = importlib.import_module(_PACKAGE)
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def named(name: str) -> type[DriverConfig]:
    """The ``Config`` of the driver ``name``. Raises DriverNotFound."""
    if name not in names():
        raise DriverNotFound(f"no driver {name!r}")
    return _config_of(_module(name), name)


def from_file(path: Path) -> type[DriverConfig]:
    """The ``Config`` of the driver in the user's file ``path``. Raises DriverNotFound."""
    return _config_of(_load_file(path), str(path))


def discoverers() -> tuple[str, ...]:
    """The drivers that can search for their kind of device."""
    return tuple(name for name in names() if hasattr(_module(name), "discover"))


def discover(name: str) -> list[Found]:
    """The devices that the driver ``name`` finds, one of ``discoverers()``. Raises DeviceError."""
    return _module(name).discover()


def create(config: DriverConfig, context: Context) -> Driver:
    """The ``Driver`` that stands beside ``config``'s class in its file; not yet open."""
    module = sys.modules[type(config).__module__]
    return module.Driver(config, context)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _config_of(module: ModuleType, where: str) -> type[DriverConfig]:
    config = getattr(module, "Config", None)
    if not (isinstance(config, type) and issubclass(config, DriverConfig)):
        raise DriverNotFound(f"{where} has no class Config(DriverConfig)")
    if not isinstance(getattr(module, "Driver", None), type):
        raise DriverNotFound(f"{where} has no class Driver")
    return config


def _load_file(path: Path) -> ModuleType:
    path = path.resolve()
    name = f"mobind_live_user_{path.stem}_{hashlib.sha1(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.exists():
        raise DriverNotFound(f"{path} does not exist")
    if not path.is_file() or path.suffix != ".py":
        raise DriverNotFound(f"{path} is not a Python file")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a .py file always has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pydantic look their module up
    try:
        spec.loader.exec_module(module)
        config = _config_of(module, str(path))
    except DriverNotFound:
        del sys.modules[name]
        raise
    except Exception as error:  # a process border of sorts: the file is the user's own code
        del sys.modules[name]
        raise DriverNotFound(f"{path} does not import: {type(error).__name__}: {error}") from error
    _let_pickle_find(config, path)
    return module


def _let_pickle_find(config_class: type[DriverConfig], path: Path) -> None:
    """Lets a user's section travel to a spawned process, which has not loaded the user's file."""

    def reduce(config: DriverConfig) -> tuple[Any, ...]:
        return _blank, (path,), config.__getstate__()

    copyreg.pickle(config_class, reduce)


def _blank(path: Path) -> DriverConfig:
    config_class = from_file(path)
    return config_class.__new__(config_class)
