"""The mean of several runs' weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobind_live.models import checkpoint, soup
from mobind_live.models.encoders import Binder, Sizes

SMALL = Sizes(width=8, embedding=4)


def saved(path: Path, seed: int, sizes: Sizes = SMALL) -> Path:
    torch.manual_seed(seed)
    model = Binder(sizes)
    model.constants = replace(model.constants, temper=1.0 + seed)
    checkpoint.save(path, model, {})
    return path


def test_the_mean_is_weighted_and_keeps_the_first_ones_constants(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.safetensors", 1), saved(tmp_path / "b.safetensors", 2)
    out = tmp_path / "out.safetensors"
    assert soup.main([str(out), f"{first}=3", f"{second}=1"]) == 0
    a, b, mean = (checkpoint.load(path) for path in (first, second, out))
    for name, value in mean.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * a.state_dict()[name] + 0.25 * b.state_dict()[name])
    assert mean.constants == a.constants


def test_what_the_speed_counts_can_be_set(tmp_path: Path) -> None:
    words = [f"{saved(tmp_path / f'{seed}.safetensors', seed)}=1" for seed in (1, 2)]
    out = tmp_path / "out.safetensors"
    assert soup.main([str(out), *words, "--speed", "0.15"]) == 0

    model = checkpoint.load(out)

    product = model.imu.speed.gain[0, 0] * model.pose.speed.gain * model.log_scale.exp()
    torch.testing.assert_close(product, torch.full((4, 2), 0.15))


def test_what_cannot_be_mixed_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = saved(tmp_path / "a.safetensors", 1)
    wide = saved(tmp_path / "b.safetensors", 2, Sizes(width=16, embedding=4))
    for words, says in (
        ([f"{first}=1"], "two files or more"),
        ([f"{first}=1", str(wide)], "FILE=SHARE"),
        ([f"{first}=1", f"{wide}=0"], "above 0"),
        ([f"{first}=1", f"{wide}=inf"], "above 0"),
        ([f"{first}=1", f"{wide}=1"], "width=16"),
        ([f"{first}=1", f"{tmp_path / 'none'}=1"], "none"),
        ([f"{first}=1", f"{first}=2", "--speed", "-1"], "0 or more"),
        ([f"{first}=1", f"{first}=2", "--speed", "nan"], "0 or more"),
    ):
        assert soup.main([str(tmp_path / "out.safetensors"), *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line
    assert not (tmp_path / "out.safetensors").exists()
    assert soup.main([str(first / "out.safetensors"), f"{first}=1", f"{first}=2"]) == 2
    assert "out.safetensors: cannot be written: Not a directory" in capsys.readouterr().err
