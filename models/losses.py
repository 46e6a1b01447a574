"""The loss: name the wearer, the part and the time of every IMU, all at once.

The evidence for (person, part, lag) is the sum over time of IMU token . pose token, times a learned scale;
its softmax, with a ``nobody`` beside it, is the posterior that the daemon publishes. Training minimizes
exactly that posterior's cross-entropy, over random lengths of evidence, so that it comes out calibrated. A
second term asks the same of every single token. The pose window starts a random time before the IMU's, so
that no position in a window can give the time away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mobind_live.models.centre import Centre
from mobind_live.models.encoders import Binder

IMU_STRIDE = 2  # every second IMU token votes: neighbours say nearly the same


@dataclass(frozen=True, slots=True)
class Batch:
    """B people, each with K of their sensors.

    ``imu`` (B, K, Ti, 15) and ``pose`` (B, Tp, 6, 40) at 50 Hz; ``part`` (B, K) index of the part worn;
    ``shift`` (B,) the pose token, as a real number, at which the IMU's first token falls;
    ``length`` (B, K) how many IMU tokens count; ``absent`` (B, K) 1 where the wearer is left out of the
    candidates; ``slack`` (B,) tokens by which the pair's own clocks may be off (0: exact).
    """

    imu: Tensor
    pose: Tensor
    part: Tensor
    shift: Tensor
    length: Tensor
    absent: Tensor
    slack: Tensor

    def to(self, device: torch.device) -> Batch:
        return Batch(**{name: getattr(self, name).to(device) for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Losses:
    total: Tensor
    joint: Tensor
    token: Tensor
    part_accuracy: Tensor
    person_accuracy: Tensor


def binding_loss(model: Binder, batch: Batch, *, centred: bool = False, token_weight: float = 0.3) -> Losses:
    """The losses of one batch, and how often the best candidate names the right part and person.
    ``centred``: of tokens less their running mean, as they are used."""
    people, sensors = batch.part.shape
    imu = model.embed_imu(batch.imu.flatten(0, 1)).unflatten(0, (people, sensors))
    pose = model.embed_pose(batch.pose)
    if centred:
        imu, pose = Centre().step(imu), Centre().step(pose)
    imu = imu[:, :, ::IMU_STRIDE]
    similarity = torch.einsum("bknd,bpmd->bkpnm", imu, pose)
    alive = (torch.arange(imu.shape[2], device=imu.device) * IMU_STRIDE)[None, None] < batch.length[..., None]
    own = _lagged(similarity, alive)
    others = _across(imu * alive[..., None], pose, batch.shift)
    joint, person_ok, part_ok = _joint(model, own, others, batch)
    token = _token(model, similarity, alive, batch)
    return Losses(joint + token_weight * token, joint, token, part_ok, person_ok)


def _lagged(similarity: Tensor, alive: Tensor) -> Tensor:
    """Evidence (B, K, 11, L) for each lag, from similarities (B, K, 11, N, M): sums along diagonals."""
    *lead, tokens, places = similarity.shape
    lags = places - IMU_STRIDE * (tokens - 1)
    masked = (similarity * alive[:, :, None, :, None]).contiguous()
    stride = masked.stride()
    diagonals = masked.as_strided((*lead, tokens, lags), (*stride[:-2], places + IMU_STRIDE, 1))
    return diagonals.sum(dim=-2)


def _across(imu: Tensor, pose: Tensor, shift: Tensor) -> Tensor:
    """Evidence (B, K, B', 11) for everybody in the batch, each at their own true lag."""
    tokens = imu.shape[2]
    index = shift.round().long()[:, None] + torch.arange(tokens, device=imu.device) * IMU_STRIDE
    aligned = torch.gather(pose, 2, index[:, None, :, None].expand(-1, pose.shape[1], -1, pose.shape[3]))
    return torch.einsum("bknd,cpnd->bkcp", imu, aligned)


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
    person = own_logits.flatten(2).logsumexp(2) > torch.logsumexp(other_logits, 2)
    best = own.amax(dim=3).argmax(dim=2)
    return loss, _mean_of(person, present), _mean_of(best == batch.part, present)


def _true_lags(logits: Tensor, batch: Batch) -> Tensor:
    """The log-evidence (B, K) at the true part and lag: between the two neighbouring lags in proportion
    (a soft target), or, where the pair's clocks have slack, all lags within it together."""
    lags = logits.shape[3]
    index = batch.part[:, :, None, None].expand(-1, -1, 1, lags)
    part = torch.gather(logits, 2, index)[:, :, 0]
    low = batch.shift.floor().long().clamp(0, lags - 2)
    share = (batch.shift - low).clamp(0, 1)[:, None]
    pick = low[:, None, None].expand(-1, part.shape[1], 1)
    finite = part.masked_fill(part == -torch.inf, 0.0)
    exact = (1 - share) * finite.gather(2, pick)[..., 0] + share * finite.gather(2, pick + 1)[..., 0]
    distance = (torch.arange(lags, device=logits.device)[None] - batch.shift[:, None]).abs()
    near = distance <= batch.slack[:, None].clamp(min=1)
    loose = finite.masked_fill(~near[:, None], -torch.inf).logsumexp(2)
    return torch.where(batch.slack[:, None] > 0, loose, exact)


def _token(model: Binder, similarity: Tensor, alive: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of each IMU token over all parts and times of its wearer."""
    sensors, _, tokens, places = similarity.shape[1:]
    logits = (similarity * model.log_token_scale.exp()).transpose(2, 3)
    total = logits.flatten(3).logsumexp(3)
    chosen = batch.part[:, :, None, None, None].expand(-1, -1, tokens, 1, places)
    row = torch.gather(logits, 3, chosen)[:, :, :, 0]
    place = batch.shift[:, None] + torch.arange(tokens, device=row.device) * IMU_STRIDE
    low = place.floor().long().clamp(0, places - 2)[:, None, :, None].expand(-1, sensors, -1, 1)
    share = (place - place.floor())[:, None]
    right = (1 - share) * row.gather(3, low)[..., 0] + share * row.gather(3, low + 1)[..., 0]
    counted = alive * (batch.slack[:, None, None] == 0)
    return ((total - right) * counted).sum() / counted.sum().clamp(min=1)


def _mean_of(hit: Tensor, present: Tensor) -> Tensor:
    return (hit & present).sum() / present.sum().clamp(min=1)
