"""The binding tensor: evidence for every (IMU, person, part, lag), gathered as tokens come.

Both sides keep rings of tokens. A new token is compared at once with every token of the other side within
the lag range, so that each pair of tokens is counted exactly once, when the later of the two comes. Lags
are in tokens: ``lag = imu token - pose token``, which is the offset of ``schema`` (t_imu = t_cam + offset).

Forgetting runs on motion, not on time: a resting sensor neither adds evidence nor loses any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SPARE = 64  # tokens that a ring holds beyond the lag range: the most that may come at once
MEMORIES_S = (60.0, 6.0)  # slow and fast: seconds of full motion after which evidence weighs 1/e
SLOW, FAST = 0, 1
RECENT_MOTION_S = 2.5  # seconds of motion below which the fast memory alone says nothing
STEPPED = 0.3  # of what was known of an offset before it stepped, that is kept


@dataclass(slots=True)
class _Ring:
    """The last ``size`` tokens of each row: ``tokens`` (rows, size, width); ``head`` is one past the
    newest."""

    tokens: Tensor
    head: Tensor

    @property
    def size(self) -> int:
        return self.tokens.shape[-2]

    def clear(self, row: int, head: int) -> None:
        self.tokens[row] = 0
        self.head[row] = head

    def write(self, row: int, first: int, new: Tensor) -> None:
        """Put tokens (..., n, width) at ``first``; what was skipped since the last ones is nothing."""
        head = int(self.head[row])
        if first - head >= self.size or first < head:
            self.tokens[row] = 0
        elif first > head:
            self.tokens[row, ..., torch.arange(head, first) % self.size, :] = 0
        place = torch.arange(first, first + new.shape[-2]) % self.size
        self.tokens[row, ..., place, :] = new
        self.head[row] = first + new.shape[-2]


class Evidence:
    """``sums`` (2, I, P, 11, 2 L + 1): the slow and the fast memory, lags from -L to L; ``motion_s`` (2, I,
    P): the seconds of motion in each; ``moment`` (2, I, P): those times the stamps they were at; ``felt_s``
    (I,): all seconds of motion so far. I is fixed; P follows who is in view."""

    def __init__(
        self,
        imus: int,
        parts: int,
        width: int,
        max_lag: int,
        token_hz: float,
        device: torch.device,
        memories_s: tuple[float, float] = MEMORIES_S,
    ) -> None:
        self.max_lag, self.token_s, self.device = max_lag, 1.0 / token_hz, device
        self.memories_s = memories_s
        self.parts, self.width = parts, width
        size = 2 * max_lag + SPARE
        self.imu = _Ring(torch.zeros(imus, size, width, device=device), torch.zeros(imus, dtype=torch.long))
        self.pose = _Ring(torch.zeros(0, parts, size, width, device=device), torch.zeros(0, dtype=torch.long))
        self.sums = torch.zeros(2, imus, 0, parts, 2 * max_lag + 1, device=device)
        # Doubles, since the mean time of the motion is the one over the other: a host may be up for months.
        self.motion_s = torch.zeros(2, imus, 0, dtype=torch.double)
        self.moment = torch.zeros(2, imus, 0, dtype=torch.double)
        self.felt_s = torch.zeros(imus, dtype=torch.double)

    @property
    def _kept(self) -> tuple[Tensor, Tensor, Tensor]:
        """All that is remembered of (memory, IMU, person)."""
        return self.sums, self.motion_s, self.moment

    def add_person(self, slot: int, head: int) -> None:
        """Start a person in ``slot`` (a new one or one that is free again) whose first token is ``head``."""
        grow = slot + 1 - self.pose.head.shape[0]
        if grow > 0:
            self.pose.tokens = _grown(self.pose.tokens, grow, 0)
            self.pose.head = _grown(self.pose.head, grow, 0)
            self.sums, self.motion_s, self.moment = (_grown(kept, grow, 2) for kept in self._kept)
        self.pose.clear(slot, head)
        for kept in self._kept:
            kept[:, :, slot] = 0

    def keep_people(self, count: int) -> None:
        """Let go of the slots from ``count`` on: all of them are compared with every token."""
        self.pose.tokens, self.pose.head = self.pose.tokens[:count].clone(), self.pose.head[:count].clone()
        self.sums, self.motion_s, self.moment = (kept[:, :, :count].clone() for kept in self._kept)

    def take_fast(self, imus: Sequence[int], people: Sequence[int]) -> None:
        """Let the fast memory replace the slow one: what was believed of ``imus`` and ``people`` no longer
        holds."""
        for kept in self._kept:
            for imu in imus:
                kept[SLOW, imu, people] = kept[FAST, imu, people]

    def shift(self, imus: Sequence[int], people: Sequence[int], tokens: float) -> None:
        """What the slow memory has of ``imus`` and ``people`` moves to lags larger by ``tokens``, and counts
        for less, since that is known but roughly; but for the last seconds, which are left as they are."""
        for imu in imus:
            sums = self.sums[:, imu, people]
            self.sums[SLOW, imu, people] = sums[FAST] + STEPPED * _shifted(sums[SLOW] - sums[FAST], tokens)
            for kept in (self.motion_s, self.moment):
                fast = kept[FAST, imu, people]
                kept[SLOW, imu, people] = fast + STEPPED * (kept[SLOW, imu, people] - fast)

    def exchange(self, one: int, other: int) -> None:
        """What the slow memory has of two people changes places, but for the last seconds: those were seen
        of whom they are now."""
        pair = [one, other]
        for kept in self._kept:
            before = kept[SLOW][:, pair] - kept[FAST][:, pair]
            kept[SLOW][:, pair] = before.flip(1) + kept[FAST][:, pair]

    def forget(self, imu: int) -> None:
        """Let go of everything that ``imu`` has shown."""
        for kept in self._kept:
            kept[:, imu] = 0

    def see_imus(self, imus: list[int], first: list[int], tokens: list[Tensor], people: list[int]) -> None:
        """New tokens of several IMUs, each (n, width) from its token ``first`` on, all within SPARE of each
        other. ``people`` are in view."""
        if not imus:
            return
        low, similarity = self._similarity(torch.cat(tokens), first, tokens, self.pose)
        similarity = similarity.unflatten(0, (-1, self.parts)).permute(2, 0, 1, 3)  # (N, P, parts, places)
        done = 0
        for imu, start, new in zip(imus, first, tokens, strict=True):
            self._fade(imu, float(new.norm(dim=-1).sum()) * self.token_s, start * self.token_s, people)
            self.imu.write(imu, start, new)
            found = self._diagonals(similarity[done : done + len(new)], start, low, self.pose)
            done += len(new)
            # Along the ring the lag falls: its tokens are later, the later they are.
            self.sums[:, imu, ..., self.sums.shape[-1] - found.shape[-1] :] += found.flip(-1)

    def see_people(self, people: list[int], first: list[int], tokens: list[Tensor]) -> None:
        """New tokens of several people, each (parts, n, width) from its token ``first`` on, all within SPARE
        of each other."""
        if not people:
            return
        everything = torch.cat([new.transpose(0, 1) for new in tokens])
        low, similarity = self._similarity(everything.flatten(0, 1), first, tokens, self.imu)
        similarity = similarity.unflatten(1, (-1, self.parts)).permute(1, 0, 2, 3)  # (N, I, parts, places)
        done = 0
        for person, start, new in zip(people, first, tokens, strict=True):
            self.pose.write(person, start, new)
            found = self._diagonals(similarity[done : done + new.shape[1]], start, low, self.imu)
            done += new.shape[1]
            self.sums[:, :, person, :, : found.shape[-1]] += found

    def at_s(self, memory: int, imu: int, person: int) -> float:
        """The mean time, on the IMU's stamps, of the motion behind the evidence; there must be some."""
        return float(self.moment[memory, imu, person]) / float(self.motion_s[memory, imu, person])

    def _fade(self, imu: int, motion_s: float, at_s: float, people: list[int]) -> None:
        """Let what is known of ``imu`` count for less, since it has moved for another ``motion_s`` seconds at
        ``at_s``, and note these for ``people``."""
        for memory, tau in enumerate(self.memories_s):
            share = math.exp(-motion_s / tau)
            for kept in self._kept:
                kept[memory, imu] *= share
        self.felt_s[imu] += motion_s
        self.motion_s[:, imu, people] += motion_s
        self.moment[:, imu, people] += motion_s * at_s

    def _similarity(
        self, everything: Tensor, first: list[int], tokens: list[Tensor], other: _Ring
    ) -> tuple[int, Tensor]:
        """What the new ``tokens``, all rows of ``everything`` (N, width), may be compared with: the first
        place of the ring ``other`` and the products (rows, N, places) from there on. Only what is there is
        multiplied: usually half of the lag range is still to come."""
        low = min(first) - self.max_lag
        newest = int(other.head.max()) if len(other.head) else 0
        high = min(max(first) + self.max_lag, newest) + max(new.shape[-2] for new in tokens)
        rows = other.tokens.view(-1, other.size, self.width).transpose(1, 2)
        given = everything.expand(len(rows), -1, -1)
        start = low % other.size
        until = start + max(0, high - low)
        if until <= other.size:
            return low, given @ rows[..., start:until]
        return low, torch.cat([given @ rows[..., start:], given @ rows[..., : until - other.size]], dim=-1)

    def _diagonals(self, similarity: Tensor, first: int, low: int, other: _Ring) -> Tensor:
        """Sums (R, parts, lags) over the n tokens from ``first`` on of their similarities (n, R, parts,
        places) with the ring ``other`` from its place ``low`` on, read from L tokens before each token to
        L after it, or as far as there is anything."""
        count, size = len(similarity), other.size
        begin = first - self.max_lag - low
        lags = min(2 * self.max_lag + 1, similarity.shape[-1] - begin - count + 1)
        if not count or lags <= 0:
            return similarity.new_zeros(*similarity.shape[1:3], 0)
        place = torch.arange(first - self.max_lag, first - self.max_lag + lags + count - 1)
        there = (place < other.head[:, None]) & (place >= other.head[:, None] - size)
        read = similarity[..., begin : begin + len(place)] * there[:, None].to(self.device)
        # Each token's lags begin one place further on than those of the token before.
        by_token, *rest = read.stride()
        return read.as_strided((*read.shape[:-1], lags), (by_token + 1, *rest)).sum(dim=0)


def _shifted(curves: Tensor, tokens: float) -> Tensor:
    """Curves (..., L) over lags, moved to larger ones by ``tokens``; nothing comes in from outside."""
    lags = curves.shape[-1]
    whole = math.floor(tokens)
    share = tokens - whole
    wide = torch.nn.functional.pad(curves, (lags, lags))
    start = lags - whole
    return (1 - share) * wide[..., start : start + lags] + share * wide[..., start - 1 : start - 1 + lags]


def _grown(tensor: Tensor, by: int, axis: int) -> Tensor:
    shape = list(tensor.shape)
    shape[axis] = by
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=axis)
