"""The running mean of tokens: the same block by block, drawn to zero at first, gone where nothing changes."""

from __future__ import annotations

import pytest
import torch

from mobind_live.models.centre import MEMORY_S, PRIOR_S, Centre
from mobind_live.models.encoders import TOKEN_HZ


def tokens(count: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(11, count, 8) + 1


@pytest.mark.parametrize("size", [1, 3, 64, 100])
def test_block_by_block_is_the_whole(size: int) -> None:
    given, centre = tokens(300), Centre()

    blocks = torch.cat([centre.step(part) for part in given.split(size, dim=1)], dim=1)

    torch.testing.assert_close(blocks, Centre().step(given), atol=1e-5, rtol=0)


def test_what_never_changes_goes_and_what_changes_stays() -> None:
    wave = torch.sin(torch.arange(2000) / 7)[:, None] * torch.ones(2000, 2)

    left = Centre().step(wave + torch.tensor([5.0, -3.0]))

    late = slice(round(PRIOR_S * TOKEN_HZ) * 20, None)
    assert float((left - wave)[late].abs().max()) < 0.15


def test_the_first_token_is_nearly_left_alone() -> None:
    given = tokens(1)

    share = 1 - Centre().step(given) / given

    assert float(share.max()) == pytest.approx(1 / (PRIOR_S * TOKEN_HZ), rel=0.05)


def test_an_old_habit_is_forgotten() -> None:
    steps = round(5 * MEMORY_S * TOKEN_HZ)
    given = torch.cat([torch.full((steps, 1), 4.0), torch.full((steps, 1), -1.0)])

    assert abs(float(Centre().step(given)[-1])) < 0.05


def test_nothing_in_nothing_out() -> None:
    assert Centre().step(tokens(0)).shape == (11, 0, 8)


def test_what_was_used_first_can_be_trained_after() -> None:
    with torch.inference_mode():
        Centre().step(torch.ones(1, 7, 2))
    tokens = torch.ones(1, 7, 2, requires_grad=True)
    Centre().step(tokens).sum().backward()
    assert tokens.grad is not None
