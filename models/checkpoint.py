"""Weights on disk: safetensors with the sizes and a digest in its header. Never pickle."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor, nn

from mobind_live.models import digest, output
from mobind_live.models.constants import Constants
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import CheckpointError, reason

KIND = "mobind-live binder 2"
WEIGHTS = Path(__file__).resolve().parent / "weights"
DEFAULT = WEIGHTS / "binder.safetensors"

_log = logging.getLogger(__name__)

M = TypeVar("M", bound=nn.Module)


def save(path: Path, model: Binder, said: dict[str, str]) -> None:
    """Write the weights of ``model``, with what is ``said`` of them (command, seed, ...) in the header."""
    own = {"sizes": json.dumps(asdict(model.sizes)), "constants": model.constants.text()}
    write(path, KIND, model, {**said, **own})


def load(path: Path | None = None) -> Binder:
    """The network in evaluation mode. Raises CheckpointError naming the file and what is wrong."""
    return read(path or DEFAULT, KIND, _binder)


def _binder(header: dict[str, str]) -> Binder:
    model = Binder(Sizes(**json.loads(header["sizes"])))
    if "constants" in header:
        model.constants = Constants.of(header["constants"])
    return model


def notes(path: Path) -> dict[str, str]:
    """What the header of a file that ``load`` takes says of how its weights came about."""
    with safe_open(path, framework="pt") as file:
        own = ("kind", "sizes", "constants", digest.KEY)
        return {key: value for key, value in file.metadata().items() if key not in own}


def write_constants(path: Path, constants: Constants, note: str) -> None:
    """Put other constants into a file of weights, and a ``note`` on how they were found; nothing else of it
    changes. Raises CheckpointError, OutputError."""
    model, said = load(path), notes(path)
    model.constants = constants
    save(path, model, {**said, "calibrated": note})


def write(path: Path, kind: str, model: nn.Module, header: dict[str, str]) -> None:
    """Write the weights of any network; ``kind`` is what ``read`` will ask for. Raises OutputError."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    whole = {"kind": kind, **header}
    # Not by safetensors' own hand, which lets nobody else read the file.
    output.write(path, as_bytes(tensors, metadata={**whole, digest.KEY: digest.of(whole, tensors)}))


def read(path: Path, kind: str, build: Callable[[dict[str, str]], M]) -> M:
    """The network that ``build`` makes from the file's header, with the file's weights, in evaluation mode.

    Raises CheckpointError naming the file and what is wrong.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("kind") != kind:
                raise CheckpointError(f"{path}: holds {header.get('kind', 'something else')!r}, not {kind!r}")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            _check_digest(path, header, weights)
            model = build(header)
            if not all(value.isfinite().all() for value in weights.values()):
                raise CheckpointError(f"{path}: holds weights that are not finite; its training went wrong")
            model.load_state_dict(weights)
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(f"{path}: not usable weights ({reason(error)})") from error
    return model.eval()


def _check_digest(path: Path, header: dict[str, str], weights: dict[str, Tensor]) -> None:
    """Raises CheckpointError where the file is not as it was written. Files of before there was a digest are
    taken as they are, which is said; those that ship all have one."""
    if digest.KEY in header:
        if header[digest.KEY] != digest.of(header, weights):
            raise CheckpointError(f"{path}: damaged, what is in it is not what was written; get it anew")
    elif path.resolve().parent == WEIGHTS:
        raise CheckpointError(f"{path}: has no digest ({digest.KEY}) in its header; get it anew")
    else:
        _log.warning("%s: has no digest, so that nothing tells whether it is damaged", path)
