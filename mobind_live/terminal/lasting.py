"""For how long what ``preflight`` has found of a stream stays, though the motion no longer shows it."""

from __future__ import annotations

from mobind_live.terminal.findings import Finding, State

STEADY_NS = 3_000_000_000


class _Stood:
    """Of each stream, what was last found of it that had stood for a while."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._last: dict[str, tuple[Finding, int]] = {}

    def stands(self, found: Finding, now_ns: int) -> None:
        """It is so now."""
        if now_ns - self._since_ns.setdefault(found.stream, now_ns) > STEADY_NS:
            self._last[found.stream] = found, now_ns

    def lapsed(self, stream: str, now_ns: int, *, taken_back: bool) -> tuple[Finding, str] | None:
        """What it was before it was no longer so, and how long ago; None if it had not stood for long, or is
        ``taken_back``."""
        self._since_ns.pop(stream, None)
        if taken_back:
            self._last.pop(stream, None)
        if stream not in self._last:
            return None
        found, at_ns = self._last[stream]
        return found, f"{(now_ns - at_ns) * 1e-9:.0f} s ago"


class Passed:
    """The streams that have passed for a while. Whoever moved in turn has shown where their sensors are, and
    need not go on: only what speaks against it, or a stream that is not well, takes a pass back."""

    def __init__(self) -> None:
        self._stood = _Stood()

    def __call__(self, found: Finding, now_ns: int) -> Finding:
        """The finding of now, or the pass that still holds."""
        if found.state is State.PASS:
            self._stood.stands(found, now_ns)
            return found
        before = self._stood.lapsed(found.stream, now_ns, taken_back=not found.open_only)
        if before is None:
            return found
        passed, ago = before
        return Finding(passed.stream, State.PASS, f"{ago}: {passed.text}")


class Contradicted:
    """What was found to contradict the YAML for a while. It stays what is to be mended when its wearer walks
    out of view, or stops moving: only a sensor that is where it should be takes it back."""

    def __init__(self) -> None:
        self._stood = _Stood()

    def __call__(self, found: Finding, now_ns: int) -> Finding:
        """The finding of now, or the contradiction that still holds with that beside it."""
        if found.wrong:
            self._stood.stands(found, now_ns)
            return found
        before = self._stood.lapsed(found.stream, now_ns, taken_back=found.right)
        if before is None:
            return found
        contradicting, ago = before
        return Finding(found.stream, State.FAIL, f"{ago}: {contradicting.wrong}; now: {found.text}")
