"""Weights on disk: safetensors with the sizes in its header. Never pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import CheckpointError

KIND = "mobind-live binder 1"
DEFAULT = Path(__file__).resolve().parent / "weights" / "binder.safetensors"


def save(path: Path, model: Binder, notes: dict[str, str]) -> None:
    """Write the weights of ``model``, with ``notes`` (command, seed, steps, ...) in the header."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    header = {"kind": KIND, "sizes": json.dumps(asdict(model.sizes)), **notes}
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata=header)
    temporary.replace(path)


def load(path: Path | None = None) -> Binder:
    """The network in evaluation mode. Raises CheckpointError naming the file and what is wrong."""
    path = path or DEFAULT
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("kind") != KIND:
                raise CheckpointError(f"{path}: holds {header.get('kind', 'something else')!r}, not {KIND!r}")
            model = Binder(Sizes(**json.loads(header["sizes"])))
            model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: not usable weights ({reason})") from error
    return model.eval()
