"""Weights files: written and read back, refused by name, never pickle."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mobind_live.models import actions, checkpoint, digest, placement
from mobind_live.models.constants import Constants
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.models.errors import CheckpointError, OutputError

SMALL = Sizes(width=8, embedding=4)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    checkpoint.save(path, Binder(SMALL), {"seed": "0"})
    return path


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


def test_what_is_saved_is_loaded(saved: Path) -> None:
    torch.manual_seed(0)
    fresh = Binder(SMALL)

    model = checkpoint.load(saved)

    assert model.sizes == SMALL
    assert not model.training
    for name, value in fresh.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, atol=0, rtol=0)
    assert list(saved.parent.iterdir()) == [saved]


def test_the_weights_that_ship_are_small_and_load() -> None:
    assert checkpoint.DEFAULT.stat().st_size < 10_000_000
    assert sum(p.numel() for p in checkpoint.load().parameters()) > 100_000


def test_others_may_read_what_is_saved(saved: Path) -> None:
    plain = saved.with_name("plain")
    plain.touch()
    assert saved.stat().st_mode == plain.stat().st_mode


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = Binder(SMALL)
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    path = tmp_path / "nan.safetensors"
    checkpoint.save(path, model, {})
    assert "holds weights that are not finite" in refused(path)


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such weights file" in refused(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 100, -10])
def test_a_corrupt_file(saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])

    assert "not usable weights" in refused(saved)


def test_a_flipped_bit_is_not_taken_for_weights(saved: Path) -> None:
    """Among the numbers, and in what the header says: a constant, a note, a tensor's name, the digest."""
    data = saved.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    said = (b'temper\\": 0.', b'"seed":"', b'"pose.', b'"sha256":"')
    places = [data.index(text) + len(text) for text in said]
    for place in [*range(begin, len(data), (len(data) - begin) // 8), len(data) - 1, *places]:
        saved.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert "damaged" in refused(saved), place


def test_only_weights_of_ones_own_may_have_no_digest(
    saved: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with safe_open(saved, framework="pt") as file:
        header = {key: value for key, value in file.metadata().items() if key != digest.KEY}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, saved, metadata=header)
    checkpoint.load(saved)
    assert f"{saved}: has no digest" in caplog.text
    monkeypatch.setattr(checkpoint, "WEIGHTS", saved.parent)
    assert "has no digest" in refused(saved)


@pytest.mark.parametrize("load", [checkpoint.load, actions.load, placement.load])
def test_all_that_ships_has_a_digest(load: Callable[[], object], caplog: pytest.LogCaptureFixture) -> None:
    load()
    assert not caplog.text


def test_a_pickle_is_not_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # pyright: ignore[reportReturnType]

    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap()))

    refused(path)
    torch.save(Binder(SMALL).state_dict(), path)
    refused(path)
    assert not (tmp_path / "sprung").exists()


def test_another_network_s_weights(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    assert "holds 'something else'" in refused(path)

    save_file(
        {"a": torch.zeros(2)},
        path,
        metadata={"kind": checkpoint.KIND, "sizes": '{"width": 8, "embedding": 4}'},
    )
    assert "not usable weights" in refused(path)

    save_file({"a": torch.zeros(2)}, path, metadata={"kind": checkpoint.KIND, "sizes": "wide"})
    assert "not usable weights" in refused(path)


def test_a_full_disk_leaves_what_was_there(saved: Path) -> None:
    before = saved.read_bytes()
    saved.with_name(f"mine.safetensors.{os.getpid()}.part").symlink_to("/dev/full")

    with pytest.raises(OutputError, match=r"mine\.safetensors: cannot be written: No space left on device"):
        checkpoint.save(saved, Binder(SMALL), {})

    assert list(saved.parent.iterdir()) == [saved]
    assert saved.read_bytes() == before


def test_constants_travel_with_the_weights_and_can_be_replaced_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    model = Binder(SMALL)
    model.constants = Constants(temper=0.25)
    checkpoint.save(path, model, {"seed": "0"})
    assert checkpoint.load(path).constants == Constants(temper=0.25)
    checkpoint.write_constants(path, Constants(limb=0.125, worth_s=18.5), "by hand")
    again = checkpoint.load(path)
    assert again.constants == Constants(limb=0.125, worth_s=18.5)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["seed"] == "0"
        assert file.metadata()["calibrated"] == "by hand"


def test_constants_that_are_not_numbers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    sizes = '{"width": 8, "embedding": 4}'
    checkpoint.write(
        path, checkpoint.KIND, Binder(SMALL), {"sizes": sizes, "constants": '{"temper": "much"}'}
    )
    with pytest.raises(CheckpointError, match="not usable weights"):
        checkpoint.load(path)
