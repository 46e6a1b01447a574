"""Which rows of the evidence are whose: people come and go, and their rows are used again."""

from __future__ import annotations

_UNUSED = 8  # of people who have left, as after a crowd, that are kept for others


class Slots:
    """Numbers from 0 on, the lowest free one first; ``count`` is one more than the highest that there is."""

    def __init__(self) -> None:
        self.count = 0
        self._free: set[int] = set()

    def take(self) -> int:
        """A slot that nobody has."""
        if not self._free:
            self.count += 1
            return self.count - 1
        slot = min(self._free)
        self._free.remove(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Let others have ``slot``, which was taken."""
        self._free.add(slot)

    def cut(self) -> bool:
        """Let go of the slots above all that are taken, if these have become many. True if there are fewer
        now."""
        used = 1 + max((slot for slot in range(self.count) if slot not in self._free), default=-1)
        if self.count - used < _UNUSED:
            return False
        self.count, self._free = used, {slot for slot in self._free if slot < used}
        return True
