"""The loss: name the wearer, the part and the time of every IMU, all at once.

The evidence for (person, part, lag) is the sum over time of IMU token . pose token, times a learned scale;
its softmax, with a ``nobody`` beside it, is the posterior that the daemon publishes. Training minimizes
exactly that posterior's cross-entropy, over random lengths of evidence, so that it comes out calibrated. A
second term asks the same of every single token. The longer stream starts a random time before the shorter, so
that no position in a window can give the time away; either may be the longer, as a recording may be longer
than the walk through its picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from mobind_live.models.centre import Centre
from mobind_live.models.encoders import Binder
from mobind_live.models.features import STEP_HZ

Without = Literal["people", "parts", "lags", "tokens"]
_IMPOSSIBLE = -1e4  # evidence of what is left out; finite, for the scale's gradient
_TOKEN_WEIGHT = 0.3  # of the term of single tokens
VOTE_STRIDE = 2  # every second token of the shorter stream votes: neighbours say nearly the same


@dataclass(frozen=True, slots=True)
class Batch:
    """B people, each with K of their sensors.

    ``imu`` (B, K, Ti, 15) and ``pose`` (B, Tp, 6, 40) at 50 Hz, either the longer; ``part`` (B, K) index of
    the part worn; ``shift`` (B,) the token of the longer, as a real number, at which the shorter's first
    falls; ``length`` (B, K) how many tokens of the shorter count; ``absent`` (B, K) 1 where the wearer is
    left out of the candidates; ``slack`` (B,) tokens by which the pair's own clocks may be off (0: exact).
    """

    imu: Tensor
    pose: Tensor
    part: Tensor
    shift: Tensor
    length: Tensor
    absent: Tensor
    slack: Tensor

    @property
    def seconds(self) -> float:
        """How long the shorter stream is."""
        return min(self.imu.shape[2], self.pose.shape[1]) / STEP_HZ

    def to(self, device: torch.device) -> Batch:
        return Batch(**{name: getattr(self, name).to(device) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Losses:
    total: Tensor
    joint: Tensor
    token: Tensor
    part_accuracy: Tensor
    person_accuracy: Tensor


def binding_loss(
    model: Binder,
    batch: Batch,
    *,
    centred: bool = False,
    without: tuple[Without, ...] = (),
    half: bool = False,
) -> Losses:
    """The losses of one batch, and how often the best candidate names the right part and person.
    ``centred``: of tokens less their running mean, as they are used. ``without`` some of its candidates, or
    the term of single tokens, it tells what each is worth. ``half``: the encoders in bfloat16."""
    people, sensors = batch.part.shape
    with torch.autocast(batch.imu.device.type, dtype=torch.bfloat16, enabled=half):
        imu = model.embed_imu(batch.imu.flatten(0, 1)).unflatten(0, (people, sensors))
        pose = model.embed_pose(batch.pose)
    imu, pose = imu.float(), pose.float()
    if centred:
        imu, pose = Centre().step(imu), Centre().step(pose)
    imu_longer = imu.shape[2] > pose.shape[2]
    short, long = (pose[:, :, ::VOTE_STRIDE], imu) if imu_longer else (imu[:, :, ::VOTE_STRIDE], pose)
    alive = (torch.arange(short.shape[2], device=imu.device) * VOTE_STRIDE)[None, None] < batch.length[
        ..., None
    ]
    there = _aligned(long, short.shape[2], batch.shift)
    if imu_longer:
        similarity = torch.einsum("bpnd,bkmd->bkpnm", short, long)
        others = torch.einsum("bknd,cpnd->bkcp", there * alive[..., None], short)
    else:
        similarity = torch.einsum("bknd,bpmd->bkpnm", short, long)
        others = torch.einsum("bknd,cpnd->bkcp", short * alive[..., None], there)
    own = _lagged(similarity, alive)
    own, others = _fewer(own, others, batch, without)
    joint, person_ok, part_ok = _joint(model, own, others, batch)
    token = _token(model, similarity, alive, batch)
    weight = 0.0 if "tokens" in without else _TOKEN_WEIGHT
    return Losses(joint + weight * token, joint, token, part_ok, person_ok)


def _fewer(own: Tensor, others: Tensor, batch: Batch, without: tuple[Without, ...]) -> tuple[Tensor, Tensor]:
    """The wearers' evidence (B, K, 11, L) and others' (B, K, B, 11) with some candidates impossible."""
    if "people" in without:
        others = torch.full_like(others, _IMPOSSIBLE)
    if "parts" in without:
        worn = functional.one_hot(batch.part, own.shape[2]).bool()
        own = own.masked_fill(~worn[..., None], _IMPOSSIBLE)
        others = others.masked_fill(~worn[:, :, None], _IMPOSSIBLE)
    if "lags" in without:
        own = own.masked_fill(~_near(batch, own.shape[3])[:, None, None], _IMPOSSIBLE)
    return own, others


def _lagged(similarity: Tensor, alive: Tensor) -> Tensor:
    """Evidence (B, K, 11, L) for each lag, from similarities (B, K, 11, N, M): sums along diagonals."""
    *lead, tokens, places = similarity.shape
    lags = places - VOTE_STRIDE * (tokens - 1)
    masked = (similarity * alive[:, :, None, :, None]).contiguous()
    stride = masked.stride()
    diagonals = masked.as_strided((*lead, tokens, lags), (*stride[:-2], places + VOTE_STRIDE, 1))
    return diagonals.sum(dim=-2)


def _aligned(long: Tensor, tokens: int, shift: Tensor) -> Tensor:
    """The ``tokens`` of ``long`` (B, X, M, D) that fall together with the shorter's: (B, X, tokens, D)."""
    index = shift.round().long()[:, None] + torch.arange(tokens, device=long.device) * VOTE_STRIDE
    return torch.gather(long, 2, index[:, None, :, None].expand(-1, long.shape[1], -1, long.shape[3]))


def _joint(model: Binder, own: Tensor, others: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    people, sensors = own.shape[:2]
    scale = model.log_scale.exp()
    present = batch.absent < 0.5
    own_logits = (scale * own).masked_fill(~present[:, :, None, None], -torch.inf)
    same = torch.eye(people, dtype=torch.bool, device=own.device)[:, None, :, None]
    other_logits = (scale * others).masked_fill(same, -torch.inf).flatten(2)
    nobody = model.nobody.expand(people, sensors, 1)
    everything = torch.cat([own_logits.flatten(2), other_logits, nobody], dim=2)
    total = everything.logsumexp(dim=2)
    right = _true_lags(own_logits, batch)
    wanted = torch.where(present, right, nobody[..., 0])
    loss = (total - wanted).mean()
    at_lag = own_logits.masked_fill(~_near(batch, own.shape[3])[:, None, None], -torch.inf).amax(3)
    rivals = other_logits.unflatten(2, others.shape[2:]).logsumexp(3).amax(2)
    person = at_lag.logsumexp(2) > rivals
    best = own.amax(dim=3).argmax(dim=2)
    return loss, _mean_of(person, present), _mean_of(best == batch.part, present)


def _true_lags(logits: Tensor, batch: Batch) -> Tensor:
    """The log-evidence (B, K) at the true part and lag: between the two neighbouring lags in proportion
    (a soft target), or, where the pair's clocks have slack, all lags within it together."""
    lags = logits.shape[3]
    index = batch.part[:, :, None, None].expand(-1, -1, 1, lags)
    part = torch.gather(logits, 2, index)[:, :, 0]
    low = batch.shift.floor().long().clamp(0, max(0, lags - 2))
    share = (batch.shift - low).clamp(0, 1)[:, None]
    pick = low[:, None, None].expand(-1, part.shape[1], 1)
    after = (pick + 1).clamp(max=lags - 1)  # windows as long as each other may have but one lag
    finite = part.masked_fill(part == -torch.inf, 0.0)
    exact = (1 - share) * finite.gather(2, pick)[..., 0] + share * finite.gather(2, after)[..., 0]
    loose = finite.masked_fill(~_near(batch, lags)[:, None], -torch.inf).logsumexp(2)
    return torch.where(batch.slack[:, None] > 0, loose, exact)


def _near(batch: Batch, lags: int) -> Tensor:
    """Which lags (B, lags) are the true one, as far as the pair's clocks tell."""
    distance = (torch.arange(lags, device=batch.shift.device)[None] - batch.shift[:, None]).abs()
    return distance <= batch.slack[:, None].clamp(min=1)


def _token(model: Binder, similarity: Tensor, alive: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of each of the shorter's tokens over all parts and all times of the longer."""
    sensors, _, tokens, places = similarity.shape[1:]
    logits = (similarity * model.log_token_scale.exp()).transpose(2, 3)
    total = logits.flatten(3).logsumexp(3)
    chosen = batch.part[:, :, None, None, None].expand(-1, -1, tokens, 1, places)
    row = torch.gather(logits, 3, chosen)[:, :, :, 0]
    place = batch.shift[:, None] + torch.arange(tokens, device=row.device) * VOTE_STRIDE
    low = place.floor().long().clamp(0, places - 2)
    share = (place - low).clamp(0, 1)[:, None]
    pick = low[:, None, :, None].expand(-1, sensors, -1, 1)
    right = (1 - share) * row.gather(3, pick)[..., 0] + share * row.gather(3, pick + 1)[..., 0]
    counted = alive * (batch.slack[:, None, None] == 0)
    return ((total - right) * counted).sum() / counted.sum().clamp(min=1)


def _mean_of(hit: Tensor, present: Tensor) -> Tensor:
    return (hit & present).sum() / present.sum().clamp(min=1)
