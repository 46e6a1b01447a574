"""Serial parsers under fire: whatever happens to the bytes, nothing raises, nothing is lost uncounted.

A case is one damaged frame between good ones; the default takes seconds, and as many in all as you say run by
``pytest tests/devices/test_serial_fuzz.py --fuzz-cases 1000000``.
"""

from __future__ import annotations

import random

import pytest
from serial_devices import DEVICES, Device

from mobind_live.devices.samples.readings import Parser

POOL = 1000  # samples before stamps begin again


def damaged(frame: bytes, chance: random.Random) -> bytes:
    """``frame`` with one thing done to it; never nothing left."""
    kind, a, b = chance.randrange(6), chance.randrange(len(frame)), chance.randrange(len(frame))
    a, b = min(a, b), max(a, b) + 1
    if kind == 0:  # bits
        return frame[:a] + bytes([frame[a] ^ chance.randrange(1, 256)]) + frame[a + 1 :]
    if kind == 1:  # a run of noise
        return frame[:a] + chance.randbytes(b - a) + frame[b:]
    if kind == 2:  # bytes lost
        return frame[:a] + frame[b:] or frame[:1]
    if kind == 3:  # bytes too many
        return frame[:a] + chance.randbytes(chance.randrange(1, 40)) + frame[a:]
    if kind == 4:  # a part sent twice
        return frame[:b] + frame[a:]
    return frame[:b]  # cut short


class Account:
    """What was sent, what came out, what was called bad."""

    def __init__(self, device: Device) -> None:
        self.parser: Parser[object] = device.config.parser()
        self.sent = self.got = self.owed = self.most_owed = 0
        self.seen: set[int] = set()

    def feed(self, data: bytes, frames: int) -> None:
        """``frames``: at least so many must come out or be called bad, though one may have to wait."""
        bad = self.parser.bad
        samples = self.parser.feed(data, 0)
        self.seen.update(sample.device_ns for sample in samples if sample.device_ns is not None)
        self.got += len(samples)
        self.owed = max(0, self.owed + frames - len(samples) - (self.parser.bad - bad))
        self.most_owed = max(self.most_owed, self.owed)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_damage_costs_the_damaged_frame_and_is_counted(device: Device, fuzz_cases: int) -> None:
    chance = random.Random(device.name)
    frames = [device.frame(i) for i in range(POOL)]
    account = Account(device)
    account.feed(device.frame(0) * 2, 0)
    cases = fuzz_cases // len(DEVICES)
    missed = [0, 0]
    for case in range(cases):
        i = case * 3 % (POOL - 3)
        account.seen.clear()
        account.feed(damaged(frames[i], chance) + frames[i + 1] + frames[i + 2], 2 if device.separated else 3)
        account.owed = 0 if device.separated else account.owed
        # Whatever waits for what comes next, this brings it out.
        account.feed(frames[-1] * device.lag, device.lag)
        for after in (1, 2):
            missed[after - 1] += (i + after) * 10_000_000 not in account.seen
    beside, later = missed[0] / cases, missed[1] / cases
    assert account.most_owed <= device.lag
    assert later <= 4 * device.blind**2 + 3 / cases
    if not device.separated:
        assert beside <= device.blind + 3 / cases
    assert beside < 0.5


@pytest.mark.parametrize("device", [d for d in DEVICES if not d.separated], ids=lambda device: device.name)
def test_every_byte_is_in_a_sample_or_called_bad(device: Device) -> None:
    chance = random.Random(1)
    parser = device.config.parser()
    sent = used = 0
    for case in range(2000):
        data = device.frame(case) + (chance.randbytes(chance.randrange(60)) if case else b"")
        used += len(parser.feed(data, 0)) * len(device.frame(0))
        sent += len(data)
    assert 0 <= sent - used - parser.bad_bytes <= 128


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_noise_alone_never_raises_and_is_called_bad(device: Device) -> None:
    chance = random.Random(2)
    parser = device.config.parser()
    for _ in range(300):
        parser.feed(chance.randbytes(chance.randrange(400)), 0)
    assert parser.bad > 20
    assert parser.bad_bytes > 20_000
