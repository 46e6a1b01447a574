"""Actions learned by example, on disk: one small safetensors file for each label, in a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as as_bytes

from mobind_live.models.errors import ModelError, reason
from mobind_live.models.examples import MODALITIES, Example
from mobind_live.models.output import make_room, write

KIND = "mobind-live action example 1"
SUFFIX = ".safetensors"


class ExampleError(ModelError):
    """A file of an example cannot be used: which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds: the examples, and one line for each file that cannot be used."""

    examples: tuple[Example, ...]
    refused: tuple[str, ...]


def path_of(folder: Path, label: str) -> Path:
    """Where the example is: one file for all labels that differ by capitals, or by spaces and ``_``."""
    return folder / f"{label.lower().replace(' ', '_')}{SUFFIX}"


def save(path: Path, example: Example) -> None:
    """Write the example. Raises OutputError."""
    there = np.isfinite(example.seen[..., 0])
    tensors = {
        "seen": np.nan_to_num(example.seen).astype(np.float16)[:, there.any(axis=0)],
        "there": there,
        "mine": example.mine,
        "recording": example.recording.astype(np.int64),
        "start": example.start.astype(np.int64),
    }
    header = {
        "kind": KIND,
        "label": example.label,
        "weights": example.weights,
        "recordings": json.dumps(example.recordings),
    }
    make_room(path)
    write(path, as_bytes({k: np.ascontiguousarray(v) for k, v in tensors.items()}, header))


def load(path: Path, weights: str) -> Example:
    """The example in ``path``, seen by the network whose fingerprint is ``weights``. Raises ExampleError."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("kind") != KIND:
                raise ExampleError(f"{path}: not an action by example; move it out of this folder")
            found = _example(header, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, IndexError, OSError) as error:
        raise ExampleError(f"{path}: damaged ({reason(error)}); delete it and enroll again") from error
    if found.weights != weights:
        raise ExampleError(
            f"{path}: {found.label!r} was enrolled with other action weights; delete it and enroll again"
        )
    return found


def _example(header: dict[str, str], tensors: dict[str, np.ndarray]) -> Example:
    packed, there = tensors["seen"].astype(np.float32), tensors["there"].astype(bool)
    rows, hidden = len(there), packed.shape[2]
    seen = np.full((rows, len(MODALITIES), hidden), np.nan, np.float32)
    seen[:, there.any(axis=0)] = packed
    seen[~there] = np.nan
    mine = tensors["mine"].astype(bool)
    recordings = tuple(str(name) for name in json.loads(header["recordings"]))
    recording = tensors["recording"]
    if mine.shape != (rows,) or not mine.any() or tensors["start"].shape != (rows,):
        raise ValueError("its parts do not fit together")
    if recording.shape != (rows,) or recording.min() < 0 or recording.max() >= len(recordings):
        raise ValueError("its parts do not fit together")
    return Example(
        label=header["label"],
        weights=header["weights"],
        seen=seen,
        mine=mine,
        recording=recording,
        start=tensors["start"],
        recordings=recordings,
    )


def load_folder(folder: Path, weights: str, taken: tuple[str, ...]) -> Folder:
    """Every example in ``folder``; refused are those of labels ``taken`` already, too."""
    examples: list[Example] = []
    refused = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            found = load(path, weights)
        except ExampleError as error:
            refused.append(str(error))
            continue
        if found.label in (*taken, *(one.label for one in examples)):
            refused.append(f"{path}: there is already an action {found.label!r}")
        elif examples and found.seen.shape[2] != examples[0].seen.shape[2]:
            refused.append(f"{path}: damaged (another width); delete it and enroll again")
        else:
            examples.append(found)
    return Folder(tuple(examples), tuple(refused))
