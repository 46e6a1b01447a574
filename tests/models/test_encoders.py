"""The network: streaming equals batch, and no token sees further ahead than it may."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mobind_live.models.angular_speed import AngularSpeed
from mobind_live.models.chains import CHAINS, POSE_CHANNELS
from mobind_live.models.encoders import LOOKAHEAD, TOKEN_HZ, Binder, Encoder, Sizes, parts_of
from mobind_live.models.features import IMU_CHANNELS, STEPS_PER_TOKEN
from mobind_live.models.mirror import Mirror
from mobind_live.models.streaming import Streaming
from mobind_live.vocabulary import PARTS

SMALL = Sizes(width=16, embedding=8)
SEVEN = Mirror(np.arange(7)[None], np.array([1, -1, 1, 1, -1, 1, 1]))


def encoder(heads: int = 2, kept: int | None = None) -> Encoder:
    """An encoder whose batch norms, and whose basis if it has one, are not the identity."""
    torch.manual_seed(0)
    net = Encoder(7, heads, replace(SMALL, kept=kept), AngularSpeed(torch.randn(1, heads, 2, 7), (0,)), SEVEN)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(module.running_mean, 0, 0.5)  # pyright: ignore[reportArgumentType]
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)  # pyright: ignore[reportArgumentType]
            torch.nn.init.normal_(module.bias, 0, 0.5)
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
    if net.basis is not None:
        torch.nn.init.normal_(net.basis)
    return net.eval()


def streamed(net: Encoder, x: Tensor, blocks: list[int]) -> Tensor:
    """What a stream of blocks gives, moved back by its delay."""
    stream, out = Streaming(net), []
    state = stream.fresh(len(x))
    quiet = torch.zeros(*x.shape[:2], LOOKAHEAD * STEPS_PER_TOKEN)
    for block in [*x.split(blocks, dim=-1), quiet]:
        tokens, state = stream.step(block, state)
        out.append(tokens)
    return torch.cat(out, dim=-1)[..., LOOKAHEAD:]


@pytest.mark.parametrize("blocks", [[2] * 60, [120], [4, 6, 80, 2, 28], [40, 80]])
@pytest.mark.parametrize("kept", [None, 5])
def test_step_by_step_is_the_whole(blocks: list[int], kept: int | None) -> None:
    net = encoder(kept=kept)
    x = torch.randn(3, 7, 120)

    with torch.no_grad():
        whole = net(x)
    steps = streamed(net, x, blocks)

    # The last tokens look past the end: there the whole pads each layer with zeros, the stream its input.
    sure = whole.shape[-1] - LOOKAHEAD
    torch.testing.assert_close(steps[..., :sure], whole[..., :sure], atol=1e-4, rtol=0)


def test_rows_of_different_age_go_together() -> None:
    net = encoder()
    old, young = torch.randn(1, 7, 160), torch.randn(1, 7, 100)
    with torch.no_grad():
        wholes = net(old), net(young)

    stream = Streaming(net)
    _, first = stream.step(old[..., :60], stream.fresh(1))
    both = [torch.cat([a, b]) for a, b in zip(first, stream.fresh(1), strict=True)]
    tokens, _ = stream.step(torch.cat([old[..., 60:], young]), both)

    start = 60 // STEPS_PER_TOKEN - LOOKAHEAD
    torch.testing.assert_close(tokens[:1], wholes[0][..., start:-LOOKAHEAD], atol=1e-4, rtol=0)
    torch.testing.assert_close(tokens[1:, ..., LOOKAHEAD:], wholes[1][..., :-LOOKAHEAD], atol=1e-4, rtol=0)


def test_a_token_sees_at_most_400_ms_ahead() -> None:
    net = encoder()
    x = torch.randn(1, 7, 200)
    token = 50
    later = x.clone()
    later[..., token * STEPS_PER_TOKEN + round(0.4 * TOKEN_HZ * STEPS_PER_TOKEN) :] += 5

    with torch.no_grad():
        before, after = net(x), net(later)

    torch.testing.assert_close(after[..., : token + 1], before[..., : token + 1], atol=0, rtol=0)
    assert (after[..., token + 1 :] - before[..., token + 1 :]).abs().max() > 1e-3
    assert LOOKAHEAD / TOKEN_HZ <= 0.4


def test_what_was_long_ago_does_not_count() -> None:
    net = encoder()
    x = torch.randn(1, 7, 400)
    other = torch.cat([torch.randn(1, 7, 200), x[..., 200:]], dim=-1)

    with torch.no_grad():
        a, b = net(x), net(other)

    torch.testing.assert_close(a[..., 180:], b[..., 180:], atol=0, rtol=0)


def test_tokens_are_inside_the_unit_ball_and_parts_in_order() -> None:
    torch.manual_seed(0)
    model = Binder(SMALL).eval()

    with torch.no_grad():
        imu = model.embed_imu(100 * torch.randn(2, 40, IMU_CHANNELS))
        pose = model.embed_pose(100 * torch.randn(3, 40, len(CHAINS), POSE_CHANNELS))

    assert imu.shape == (2, 20, SMALL.token)
    assert pose.shape == (3, len(PARTS), 20, SMALL.token)
    motions = imu[..., :-1], pose[..., :-1]
    assert max(motion.norm(dim=-1).max() for motion in motions) < 1


def test_a_limb_s_tokens_come_from_its_own_chain() -> None:
    tokens = torch.arange(2 * len(CHAINS) * 2.0).reshape(2 * len(CHAINS), 2, 1, 1)

    parts = parts_of(tokens, 2)[1, :, 0, 0]

    first = len(CHAINS) * 2
    place = {name: int(parts[PARTS.index(name)]) - first for name in PARTS}
    assert place["left_upper_arm"] // 2 == place["left_forearm"] // 2 == CHAINS.index("left_arm")
    assert place["right_thigh"] // 2 == place["right_shank"] // 2 == CHAINS.index("right_leg")
    assert place["chest"] // 2 == place["pelvis"] // 2 == CHAINS.index("trunk")
    assert len(set(place.values())) == len(PARTS)
