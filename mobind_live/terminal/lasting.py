"""For how long what ``preflight`` has found of a stream stays, though the motion no longer shows it."""

from __future__ import annotations

from mobind_live.terminal.findings import Finding, State

STEADY_NS = 3_000_000_000


class Passed:
    """The streams that have passed for a while. Whoever moved in turn has shown where their sensors are, and
    need not go on: only what speaks against it, or a stream that is not well, takes a pass back."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._last: dict[str, tuple[Finding, int]] = {}

    def __call__(self, found: Finding, now_ns: int) -> Finding:
        """The finding of now, or the pass that still holds."""
        if found.state is State.PASS:
            if now_ns - self._since_ns.setdefault(found.stream, now_ns) > STEADY_NS:
                self._last[found.stream] = found, now_ns
            return found
        self._since_ns.pop(found.stream, None)
        if not found.open_only:
            self._last.pop(found.stream, None)
        if found.stream not in self._last:
            return found
        passed, at_ns = self._last[found.stream]
        return Finding(passed.stream, State.PASS, f"{(now_ns - at_ns) * 1e-9:.0f} s ago: {passed.text}")


class Contradicted:
    """What was found to contradict the YAML for a while. It stays what is to be mended when its wearer walks
    out of view, or stops moving: only a sensor that is where it should be takes it back."""

    def __init__(self) -> None:
        self._since_ns: dict[str, int] = {}
        self._last: dict[str, tuple[str, int]] = {}

    def __call__(self, found: Finding, now_ns: int) -> Finding:
        """The finding of now, or the contradiction that still holds with that beside it."""
        if found.wrong:
            if now_ns - self._since_ns.setdefault(found.stream, now_ns) > STEADY_NS:
                self._last[found.stream] = found.wrong, now_ns
            return found
        self._since_ns.pop(found.stream, None)
        if found.right:
            self._last.pop(found.stream, None)
        if found.stream not in self._last:
            return found
        wrong, at_ns = self._last[found.stream]
        ago_s = (now_ns - at_ns) * 1e-9
        return Finding(found.stream, State.FAIL, f"{ago_s:.0f} s ago: {wrong}; now: {found.text}")
