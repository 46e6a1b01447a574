"""Known serial IMUs: against a real recording where there is one, else against their makers' own examples."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from serial_devices import config, sealed, slipped

from mobind_live.devices.samples.readings import Sample
from mobind_live.devices.samples.turning import from_angles, rate
from mobind_live.devices.serial.profiles import profiles

G = 9.80665


def parsed(data: bytes, profile: str, chunk: int = 57, **more: object) -> tuple[list[Sample], int]:
    """The samples in ``data``, read in pieces, and how much was bad."""
    parser = config(profile=profile, **more).parser()
    samples = [s for at in range(0, len(data), chunk) for s in parser.feed(data[at : at + chunk], at)]
    return samples, parser.bad


def motion(samples: list[Sample]) -> np.ndarray:
    return np.array([sample.motion for sample in samples])


@pytest.mark.parametrize("name", profiles())
def test_each_profile_is_a_right_section(name: str) -> None:
    assert config(profile=name).parser().feed(b"\x55\xaa" * 100, 0) == []
    assert config(profile=name).streams("a")[0].kind == "imu"


def test_an_unknown_profile_is_told_which_there_are() -> None:
    with pytest.raises(ValidationError, match=r"no profile 'wt902'; there are: arduino_csv, .*bno08x_rvc"):
        config(profile="wt902")


def test_a_rig_may_set_a_profiles_keys_anew() -> None:
    changed = config(profile="wt901", baud=115200, nominal_hz=100)
    assert (changed.baud, changed.nominal_hz, changed.scale) == (115200, 100, config(profile="wt901").scale)


# --- WitMotion


def wit(kind: int, *values: int) -> bytes:
    return sealed(bytes([0x55, kind]) + struct.pack("<4h", *values), "sum8")


def test_wt901_is_one_sample_for_each_pair_of_acceleration_and_rate() -> None:
    data = wit(0x51, 2048, 0, -2048, 2500) + wit(0x52, 16384, 0, -164, 2500) + wit(0x53, 1, 2, 3, 0)
    (first, second), bad = parsed(data * 2, "wt901")
    np.testing.assert_allclose(first.motion[:3], [G, 0, -G])
    np.testing.assert_allclose(np.degrees(first.motion[3:]), [1000, 0, -164 * 2000 / 32768])
    assert (bad, first.device_ns, second.quaternion) == (0, None, None)


def test_wt901_with_a_quaternion() -> None:
    data = wit(0x51, 0, 0, 2048, 0) + wit(0x52, 0, 0, 0, 0) + wit(0x59, 32767, 0, -16384, 0)
    (sample,), _ = parsed(data, "wt901_quaternion")
    assert sample.quaternion == pytest.approx((1, 0, -0.5, 0), abs=1e-4)


def test_a_wt901_that_does_not_send_its_rates_is_told_so() -> None:
    parser = config(profile="wt901").parser()
    assert parser.feed(wit(0x51, 0, 0, 2048, 0) * 3, 0) == []
    assert parser.bad == 2
    assert "a sample without its frame 55 52" in parser.last_bad


def test_a_wt901_frame_that_is_damaged_costs_its_own_sample() -> None:
    pair = wit(0x51, 0, 0, 2048, 0) + wit(0x52, 0, 0, 0, 0)
    for hit in range(22):
        broken = bytearray(pair)
        broken[hit] ^= 0xFF
        samples, bad = parsed(pair + bytes(broken) + pair, "wt901")
        assert len(samples) == 2
        assert 1 <= bad <= 2  # the frame, and the sample that lacks it


def test_a_real_wt901(shared_data: Path) -> None:
    """88,748 bytes: gravity is where the device's own angles say, and its angles turn as its rates say."""
    data = (shared_data / "formats/witmotion_wt901_serial_dump.bin").read_bytes()
    samples, bad = parsed(data, "wt901")
    assert (len(samples), bad) == (2017, 0)
    raw = np.frombuffer(data, np.uint8).reshape(-1, 11)
    angles = raw[raw[:, 1] == 0x53][:, 2:8].copy().view("<i2") * (180 / 32768)  # (2017, 3) roll, pitch, yaw
    roll, pitch = np.radians(angles[:, :2]).T
    up = np.stack([-np.sin(pitch), np.sin(roll) * np.cos(pitch), np.cos(roll) * np.cos(pitch)], axis=1)
    measured = motion(samples)
    assert np.median(np.linalg.norm(measured[:, :3], axis=1)) == pytest.approx(G, rel=0.05)
    for axis in range(3):
        assert np.corrcoef(up[:, axis], measured[:, axis])[0, 1] > 0.99
    turns = [from_angles((z, y, x), ("z", "y", "x")) for x, y, z in angles]
    per_sample = np.array([rate(a, b, 2.0) for a, b in zip(turns, turns[2:], strict=False)])
    rates = measured[1:-1, 3:]
    periods_s = (per_sample * rates).sum(axis=0) / (rates**2).sum(axis=0)
    for axis in range(3):
        assert np.corrcoef(per_sample[:, axis], rates[:, axis])[0, 1] > 0.9
    np.testing.assert_allclose(periods_s, 0.0234, rtol=0.06)  # one rate for all axes: signs and scale agree


# --- x-io x-IMU3: the examples of its manual


def test_ximu3_binary_as_its_manual_has_it() -> None:
    inertial = bytes.fromhex("C9 40 42 0F 00 00 00 00 00" + "00 00 00 00" * 5 + "00 00 80 3F 0A")
    quaternion = bytes.fromhex("D1 40 42 0F 00 00 00 00 00 00 00 80 3F" + "00 00 00 00" * 3 + "0A")
    command = b'{"ping":{"interface":"USB","name":"x-IMU3","sn":"01234567"}}\n'
    samples, bad = parsed(b"\x00\n" + command + inertial + quaternion + inertial, "ximu3")
    assert bad == 0
    assert [sample.device_ns for sample in samples] == [1_000_000_000] * 2
    np.testing.assert_allclose(motion(samples), [[0, 0, G, 0, 0, 0]] * 2)


def test_ximu3_ascii_as_its_manual_has_it() -> None:
    data = (
        b"cut off\n"
        b"I,1000000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000\r\n"
        b"Q,1000000,1.0000,0.0000,0.0000,0.0000\r\n"
        b"N,1000000,This is a notification message.\r\n"
        b'{"ping":{"interface":"USB","name":"x-IMU3","sn":"01234567"}}\n'
        b"I,1020000,180.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n"
        b"000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000\n"
    )
    samples, bad = parsed(data, "ximu3_ascii")
    assert bad == 1  # the last line, whose beginning was lost
    assert [sample.device_ns for sample in samples] == [1_000_000_000, 1_020_000_000]
    np.testing.assert_allclose(samples[1].motion, [0, 0, G, np.pi, 0, 0])


def test_ximu3_both_ways_from_a_real_export(shared_data: Path) -> None:
    lines = (shared_data / "formats/ximu3_inertial.csv").read_text().splitlines()[1:]
    rows = [[float(cell) for cell in line.split(",")] for line in lines]
    text = "".join("I," + line + "\r\n" for line in ["0,0,0,0,0,0,0", *lines])
    packed = [struct.pack("<BQ6f", 0xC9, int(row[0]), *row[1:]) for row in rows]
    binary = b"\n" + b"".join(slipped(one, end=0x0A) for one in packed)
    for data, profile in ((text.encode(), "ximu3_ascii"), (binary, "ximu3")):
        samples, bad = parsed(data, profile)
        assert (len(samples), bad) == (len(rows), 0)
        assert [sample.device_ns for sample in samples] == [round(row[0]) * 1000 for row in rows]
        expected = np.array([[*(a * G for a in row[4:]), *np.radians(row[1:4])] for row in rows])
        np.testing.assert_allclose(motion(samples), expected, rtol=1e-5, atol=1e-6)
        assert 0.98 * G < np.median(np.linalg.norm(motion(samples)[:, :3], axis=1)) < 1.02 * G
    steps = np.diff([row[0] for row in rows])
    assert np.median(steps) == pytest.approx(1e6 / config(profile="ximu3").nominal_hz, rel=0.01)


# --- BNO08x in UART-RVC mode


def rvc(index: int, *values: int) -> bytes:
    return sealed(b"\xaa\xaa" + struct.pack("<B6h3x", index % 256, *values), "sum8", start=2)


def test_bno08x_frames_are_as_in_its_datasheet() -> None:
    example = bytes.fromhex("AA AA DE 01 00 92 FF 25 08 8D FE EC FF D1 03 00 00 00 E7")
    assert rvc(222, 1, -110, 2085, -371, -20, 977) == example
    (sample,), bad = parsed(example + rvc(223, 1, -110, 2085, -371, -20, 977), "bno08x_rvc")
    assert (bad, sample.device_ns) == (0, 2_220_000_000)
    np.testing.assert_allclose(sample.motion, [-0.371 * G, -0.020 * G, 0.977 * G, 0, 0, 0], atol=1e-9)
    assert sample.quaternion is not None


def test_bno08x_rates_come_from_its_angles_and_its_index_is_its_clock() -> None:
    """90 deg/s to the left: yaw falls by 0.9 degrees a frame, through its wrap and that of the index."""
    frames = [rvc(i, (17500 - 90 * i + 18000) % 36000 - 18000, 0, 0, 0, 0, 1000) for i in range(600)]
    del frames[400]
    samples, bad = parsed(b"".join(frames), "bno08x_rvc")
    assert (len(samples), bad) == (598, 0)  # the last one waits for the next
    np.testing.assert_allclose(np.degrees(motion(samples)[:, 3:]), [[0, 0, 90]] * 598, atol=1e-6)
    steps = [b.device_ns - a.device_ns for a, b in pairwise(samples) if a.device_ns is not None]  # type: ignore
    assert sorted(set(steps)) == [10_000_000, 20_000_000]
    assert [sample.received_ns for sample in samples] == sorted(sample.received_ns for sample in samples)


def test_bno08x_index_is_a_clock_over_a_gap_of_several_of_its_turns() -> None:
    parser = config(profile="bno08x_rvc").parser()
    frames = [i for i in range(1000) if not 200 <= i < 720]
    samples = [s for i in frames for s in parser.feed(rvc(i, 0, 0, 0, 0, 0, 1000), i * 10_000_000)]
    assert [sample.device_ns for sample in samples] == [i * 10_000_000 for i in frames[:-1]]
