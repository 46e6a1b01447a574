"""Actions learned by example, at once: a window is like an example if the trunks see the same in both.

What ``ActionNet`` sees in a window, of the person and of each sensor, becomes a direction. A label's windows
are compared with these directions in all modalities that both have, in units of how much the example varies
within itself. The nearest of the label stand against the nearest counter-example, and against a border
(``BORDER``) beyond which nothing is alike, so that motion never seen before is none of the labels. How
probable a label then is, is fitted for each set of modalities to windows left out of the example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.optimize import minimize

from mobind_live.models.actions import WINDOW
from mobind_live.vocabulary import PARTS

MODALITIES = ("pose", *PARTS)
BORDER = 3.0  # times the usual distance within the example; the same exercise in another take is within
_USUAL = 0.03  # squared distance within an example that is too short to tell
_LEAST, _MOST = 0.012, 0.05  # of it: one that never varies would know nothing but itself, and the reverse
_NEAREST = 3  # the distance to a label is that to its third nearest window: one may be odd
_ENOUGH = 5  # windows from which to tell how an example varies
_SLOPE = 3.0  # of probability's logit over the score, before an example says otherwise
_MOST_P = 0.99
_MOST_MINE = 128  # windows kept of a label, however much was recorded: an answer has to look at all of them
_MOST_REST = 128  # and of its counter-examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What is known of ``label``: windows ``seen`` (N, 12, hidden), NaN where a modality is missing;
    ``mine`` (N,) True for those of the action, else counter-examples; of which of ``recordings`` they are
    (N,), and the step they begin at (N,). ``weights`` is the fingerprint of the network that saw them."""

    label: str
    weights: str
    seen: np.ndarray
    mine: np.ndarray
    recording: np.ndarray
    start: np.ndarray
    recordings: tuple[str, ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        there = np.isfinite(self.seen[self.mine, :, 0])
        return tuple(name for n, name in enumerate(MODALITIES) if there[:, n].any())

    def __add__(self, other: Example) -> Example:
        """Both together; a counter-example that the other's example covers is none, and what both have counts
        once."""
        recordings = tuple(dict.fromkeys([*self.recordings, *other.recordings]))
        parts = []
        for first, one, rest in ((True, self, other), (False, other, self)):
            number = np.array([recordings.index(name) for name in one.recordings])[one.recording]
            theirs = np.array([recordings.index(name) for name in rest.recordings])[rest.recording]
            same = number[:, None] == theirs
            apart = np.abs(one.start[:, None] - rest.start)
            covered = (same & rest.mine & (apart < WINDOW)).any(axis=1) & ~one.mine
            again = (same & (one.mine[:, None] == rest.mine) & (apart == 0)).any(axis=1)
            keep = ~covered if first else ~covered & ~again
            parts.append((one.seen[keep], one.mine[keep], number[keep], one.start[keep]))
        seen, mine, recording, start = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Example(
            label=self.label,
            weights=self.weights,
            seen=seen,
            mine=mine,
            recording=recording,
            start=start,
            recordings=recordings,
        )


def direction(hidden: np.ndarray) -> np.ndarray:
    """What the trunks see (..., hidden), none negative, as a direction: its square root at length 1, so that
    neither a few strong channels nor how strong all are decide."""
    root = np.sqrt(np.maximum(hidden, 0.0))
    return (root / (np.linalg.norm(root, axis=-1, keepdims=True) + 1e-6)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows by modality: directions ``values`` (12, N, hidden), 0 where missing, their squared ``length``
    (12, N), and which are ``there`` (12, N), 1 or 0. Tensors, since the worker's setting of threads holds for
    these alone: NumPy's products take all cores, and wait for each other where the cores are busy."""

    values: torch.Tensor
    length: torch.Tensor
    there: torch.Tensor

    @classmethod
    def of(cls, seen: np.ndarray) -> Windows:
        """From directions (N, 12, hidden), NaN where missing."""
        given = torch.as_tensor(seen, dtype=torch.float32).transpose(0, 1)
        values = given.nan_to_num().contiguous()
        return cls(values, (values * values).sum(dim=2), given[..., 0].isfinite().float())

    def rows(self, at: np.ndarray) -> Windows:
        which = torch.from_numpy(at)
        return Windows(self.values[:, which], self.length[:, which], self.there[:, which])

    def only(self, modalities: np.ndarray) -> Windows:
        """Without all modalities but these (12,)."""
        keep = torch.from_numpy(modalities)[:, None]
        return replace(self, length=self.length * keep, there=self.there * keep)


@dataclass(slots=True)
class _Class:
    """One label: which of all windows are its own, its counter-examples and the other labels' (indices)."""

    example: Example
    mine: np.ndarray
    rest: np.ndarray
    others: np.ndarray
    scale: np.ndarray  # (12,)
    fits: dict[tuple[bool, ...], tuple[float, float]] = field(default_factory=dict)


class Known:
    """Every label that was learned by example."""

    def __init__(self, examples: Sequence[Example] = ()) -> None:
        self.labels = tuple(example.label for example in examples)
        kept = [thinned(example) for example in examples]
        nothing = np.zeros((0, len(MODALITIES), 1), np.float32)
        self._windows = Windows.of(np.concatenate([one.seen for one in kept] or [nothing]))
        self._classes = _classes(kept)
        self._scales = np.reshape([one.scale for one in self._classes], (-1, len(MODALITIES)))

    def probabilities(self, seen: np.ndarray) -> np.ndarray:
        """How probable each label is (labels,) for one window's directions (12, hidden), NaN where there are
        none; each by itself, so that they do not sum to one. 0 where there is nothing to compare."""
        there = np.isfinite(seen[:, 0])
        once_each = Windows.of(np.repeat(seen[None], len(self.labels), axis=0))
        to_all = distances(once_each, self._windows, self._scales)
        each = zip(self._classes, to_all, strict=True)
        return np.array([self._probability(one, row, there) for one, row in each])

    def _probability(self, one: _Class, to_all: np.ndarray, there: np.ndarray) -> float:
        """From the distances (N,) to all windows."""
        to_rest = to_all[np.concatenate([one.rest, one.others])]
        score = scores(to_all[None, one.mine], to_rest[None])[0]
        if not np.isfinite(score):
            return 0.0
        among = tuple(there.tolist())
        if among not in one.fits:
            one.fits[among] = _fit(*held_out(one, self._windows.only(there)))
        slope, shift = one.fits[among]
        return float(min(_MOST_P, 1 / (1 + np.exp(-slope * (score - shift)))))

    def check(self, label: str) -> tuple[float, float]:
        """Of the windows of ``label``'s example, each left out in turn, and of its counter-examples: the
        shares that would be taken for it. NaN where there are none to tell."""
        one = self._classes[self.labels.index(label)]
        there = np.isin(MODALITIES, one.example.modalities)
        own, rest = held_out(one, self._windows.only(there))
        _, shift = _fit(own, rest)
        taken = [float(np.mean(part > shift)) if len(part) else float("nan") for part in (own, rest)]
        return taken[0], taken[1]


def with_known(closed: np.ndarray, known: np.ndarray) -> np.ndarray:
    """One posterior over the closed set (L,) and the labels known by example (K,): their odds compete with
    everything that the closed set may say."""
    odds = known / (1 - np.minimum(known, _MOST_P))
    return np.concatenate([closed / closed.sum(), odds]) / (1 + odds.sum())


def thinned(example: Example) -> Example:
    """At most ``_MOST_MINE`` windows of the action and ``_MOST_REST`` others, evenly from everything that was
    enrolled: each enrolment has its share, whatever the length of the others."""
    keep = np.zeros(len(example.mine), bool)
    changes = (np.diff(example.mine) != 0) | (np.diff(example.recording) != 0)
    run = np.concatenate([[0], np.cumsum(changes)])  # one enrolment's windows lie in a row
    for kind, most in ((example.mine, _MOST_MINE), (~example.mine, _MOST_REST)):
        rows = np.flatnonzero(kind)
        keep[rows[_even(run[rows], most)]] = True
    return replace(
        example,
        seen=example.seen[keep],
        mine=example.mine[keep],
        recording=example.recording[keep],
        start=example.start[keep],
    )


def _even(run: np.ndarray, most: int) -> np.ndarray:
    """Which (N,) of the windows to keep, of which runs (N,) they are: at most ``most``, evenly within each
    run, and as many of each; what a short run leaves goes to the longer ones."""
    if len(run) <= most:
        return np.ones(len(run), bool)
    _, of, sizes = np.unique(run, return_inverse=True, return_counts=True)
    ascending = np.sort(sizes)
    before = np.cumsum(ascending) - ascending
    shares = (most - before) / np.arange(len(sizes), 0, -1)  # were all shorter runs whole
    share = shares[np.argmax(shares <= ascending)]
    passed = np.floor(np.cumsum(np.minimum(1.0, share / sizes[of])) + 0.5)
    return np.diff(passed, prepend=0.0) > 0


def distances(a: Windows, b: Windows, scale: np.ndarray) -> np.ndarray:
    """Squared distances (A, B) between windows: the mean over the modalities that both have, each in units of
    ``scale`` (A or 1, 12); infinite where they share none."""
    unit = a.there / torch.as_tensor(scale.T, dtype=torch.float32)
    total = (unit * a.length).T @ b.there + unit.T @ b.length
    for n in torch.nonzero((a.there.sum(dim=1) > 0) & (b.there.sum(dim=1) > 0)).flatten().tolist():
        total -= (2 * unit[n][:, None] * a.values[n]) @ b.values[n].T
    shared = a.there.T @ b.there
    return torch.where(shared > 0, total.clamp(min=0) / shared, torch.inf).numpy()


def scores(to_mine: np.ndarray, to_rest: np.ndarray) -> np.ndarray:
    """The log ratio (A,) of how far the rest is, at most the border, to how far the label is; from squared
    distances (A, M) and (A, K). Minus infinity where there is nothing to compare with."""
    nearest = np.sort(to_mine, axis=1)[:, min(_NEAREST, to_mine.shape[1]) - 1]
    usable = np.where(np.isfinite(nearest), nearest, to_mine.min(axis=1))
    rest = np.minimum(to_rest.min(axis=1, initial=np.inf), BORDER**2)
    return np.log(np.maximum(rest, 1e-3)) - np.log(np.maximum(usable, 1e-3))


def _classes(examples: Sequence[Example]) -> list[_Class]:
    """Each label among the windows of all of them, one after the other."""
    mine = np.concatenate([np.zeros(0, bool), *(one.mine for one in examples)])
    label = np.repeat(np.arange(len(examples)), [len(one.mine) for one in examples])
    return [
        _Class(
            example=one,
            mine=np.flatnonzero(mine & (label == n)),
            rest=np.flatnonzero(~mine & (label == n)),
            others=np.flatnonzero(mine & (label != n)),
            scale=_scale(one),
        )
        for n, one in enumerate(examples)
    ]


def _apart(example: Example, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(rows, columns), True where two windows share no moment."""
    same = example.recording[rows][:, None] == example.recording[columns]
    return ~same | (np.abs(example.start[rows][:, None] - example.start[columns]) >= WINDOW)


def _scale(example: Example) -> np.ndarray:
    """How far the example's windows usually are from each other (12,), squared, in each modality."""
    rows = np.flatnonzero(example.mine)
    apart = _apart(example, rows, rows)
    out = np.full(len(MODALITIES), _USUAL)
    own = Windows.of(example.seen[rows])
    unit = np.ones((1, len(MODALITIES)))
    for n in range(len(MODALITIES)):
        alone = own.only(np.arange(len(MODALITIES)) == n)
        far = np.sort(np.where(apart, distances(alone, alone, unit), np.inf), axis=1)
        nearest = far[:, min(_NEAREST, len(rows)) - 1]
        told = nearest[np.isfinite(nearest)]
        if len(told) >= _ENOUGH:
            out[n] = np.clip(np.median(told), _LEAST, _MOST)
    return out


def held_out(one: _Class, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the example's own windows and of the counter-examples, each compared only with what shares no
    moment with it, among the ``windows`` of all labels."""
    example = one.example
    mine, rest = np.flatnonzero(example.mine), np.flatnonzero(~example.mine)
    found = []
    for rows, at in ((mine, one.mine), (rest, one.rest)):
        to_all = distances(windows.rows(at), windows, one.scale[None])
        to_mine = np.where(_apart(example, rows, mine), to_all[:, one.mine], np.inf)
        to_rest = np.where(_apart(example, rows, rest), to_all[:, one.rest], np.inf)
        score = scores(to_mine, np.concatenate([to_rest, to_all[:, one.others]], axis=1))
        found.append(score[np.isfinite(score)])
    return found[0], found[1]


def _fit(own: np.ndarray, rest: np.ndarray) -> tuple[float, float]:
    """Slope and middle of the probability over the score. What is known beforehand counts as much as a few
    windows: within one recording everything is more alike than between two, so that it alone would make the
    answers too sure."""
    if not len(own) or not len(rest):
        return _SLOPE, 0.0
    windows = min(20.0, len(own) / 4)  # neighbours overlap

    def cost(at: np.ndarray) -> float:
        slope = _SLOPE * np.exp(-abs(at[0]))
        wrong = (
            np.logaddexp(0, -slope * (own - at[1])).mean() + np.logaddexp(0, slope * (rest - at[1])).mean()
        )
        return windows * wrong / 2 + at[0] ** 2 + 2 * at[1] ** 2

    best = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    return float(_SLOPE * np.exp(-abs(best[0]))), float(best[1])
