"""Numbers as the table and the log lines write them."""

from __future__ import annotations

from mobind_live.driver import StreamSpec
from mobind_live.schema import Health, Offset, StreamHealth

UNKNOWN_SIGMA_S = 5.0
NO_CAMERA = "no camera in this rig: offset, wearer and body part cannot be found"
SIMULATED = "SIMULATED: no real person, camera or sensor"

# Counters with a place of their own in the table, or of no interest in it.
_ELSEWHERE = (
    "cpu_s", "rss_mb", "latency_p50_ms", "latency_p95_ms", "sender_restarts", "shed_s", "shed_spans",
)  # fmt: skip


def duration(seconds: float) -> str:
    """``1:02:03``, or ``02:03`` below an hour."""
    total = max(0, int(seconds))
    hours, minutes = total // 3600, total // 60 % 60
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes:02}:{total % 60:02}"


def plain(word: str) -> str:
    """A name from the wire, for people: ``left_forearm`` becomes ``left forearm``."""
    return word.replace("_", " ")


def verdict(offset: Offset) -> str:
    """An offset's verdict; of one that is held, since when its wearer was seen last."""
    return f"held {duration(offset.held_s)}" if offset.held_s > 0 else plain(offset.verdict)


def clean(text: str) -> str:
    """``text`` as one line that no terminal takes for a command: it may come from a device."""
    return "".join(char if char.isprintable() else " " for char in text)


def age_s(health: StreamHealth, at_ns: int, now_ns: int) -> float | None:
    """Seconds since a stream's last sample, ``at_ns`` being when its health came; None before the first."""
    # The heartbeat is itself up to half a second old: time since then counts only once it is overdue.
    overdue = max(0.0, (now_ns - at_ns) * 1e-9 - 1.0)
    return None if health.age_s < 0 else health.age_s + overdue


def age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 10 else duration(seconds)


def loss(health: StreamHealth) -> str:
    """The share of a stream's samples that were lost since its process began."""
    every = health.received + health.lost
    return f"{100 * health.lost / every:.1f} %" if every else "-"


def jitter(health: StreamHealth) -> str:
    return f"{health.jitter_ms:.1f} ms" if health.rate_hz > 0 else "-"


def clock(spec: StreamSpec, health: StreamHealth) -> tuple[str, str, str, str]:
    """(offset, drift, residual, error) of a stream's clock mapping; ``host`` streams have none, nor have
    those that are played with the stamps of their recording. A mapping that began anew says how often, beside
    its offset."""
    if health.received == 0:
        return ("-", "-", "-", "-")
    if spec.clock == "host" or not (health.clock_offset_s or health.clock_uncertainty_ms):
        return ("host", "", "", "")
    offset_s = health.clock_offset_s
    # A device that counts from its own start is off by anything; one that shares our epoch by little.
    first = f"{offset_s:+.4f} s" if abs(offset_s) < 1000 else f"{offset_s:+.1f} s"
    if health.clock_resets:
        first += f" ↺{health.clock_resets}"
    drift = f"{health.clock_drift_ppm:+.1f} ppm" if abs(health.clock_drift_ppm) < 1000 else ""
    return (
        first,
        drift or f"{health.clock_drift_ppm * 1e-4:+.2f} %",
        f"{health.clock_residual_ms:.1f} ms",
        f"±{health.clock_uncertainty_ms:.2f} ms",
    )


def offset(message: Offset, *, with_sigma: bool = True) -> str:
    """``+1.234 ±0.010``; a question mark while it could be anything."""
    if message.sigma_s > UNKNOWN_SIGMA_S:
        return "?"
    return f"{message.offset_s:+.3f}" + (f" ±{message.sigma_s:.3f}" if with_sigma else "")


def process(health: Health) -> str:
    """What else a process tells: its detail, its latency, what it left out, and its counters that are not
    zero."""
    counters = health.counters
    pieces = [health.detail] if health.detail else []
    if "latency_p50_ms" in counters:
        p95 = counters.get("latency_p95_ms", 0.0)
        pieces.append(f"latency p50 {counters['latency_p50_ms']:.0f} ms, p95 {p95:.0f} ms")
    if counters.get("shed_s"):
        pieces.append(f"too slow: left out {counters['shed_s']:.0f} s, {counters['shed_spans']:.0f} times")
    pieces += [
        f"{plain(name)} {value:.6g}"
        for name, value in counters.items()
        if name not in _ELSEWHERE and "/" not in name and value
    ]
    return clean("; ".join(pieces))


def unread(health: Health, stream: str) -> str:
    """That what comes from the device of an IMU is no samples; empty if nothing else comes."""
    bad = [
        f"{plain(name.removesuffix(f'/{stream}'))} {count:.0f}"
        for name, count in health.counters.items()
        if name.startswith("bad_") and ("/" not in name or name.endswith(f"/{stream}")) and count
    ]
    return f"what comes cannot be read ({', '.join(bad)}): look at its baud rate and format" if bad else ""
