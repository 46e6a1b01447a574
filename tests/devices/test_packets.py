"""Packets of samples: forms, stamps, counters, losses, and anything that is none."""

from __future__ import annotations

import contextlib
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mobind_live.devices.samples.limits import BadLine
from mobind_live.devices.samples.packet_form import PacketForm
from mobind_live.devices.samples.packets import Decoder, Samples, join

G = 9.80665
MOTION = ["ax", "ay", "az", "gx", "gy", "gz"]
STAMPED = {"format": "<I6h", "fields": ["t_ms", *MOTION]}
PLAIN = {"format": "<6h", "fields": MOTION}
XYZ = ("x", "y", "z")


def form(**more: Any) -> PacketForm:
    return PacketForm.model_validate({"sample": PLAIN, **more})


def decoder(nominal_hz: float = 100, axes: tuple[str, str, str] = XYZ, **more: Any) -> Decoder:
    return Decoder(form(**more), nominal_hz, axes)


def read(decode: Decoder, data: bytes, received_ns: int = 0) -> Samples:
    samples = decode(data, received_ns)
    assert samples is not None
    return samples


def sample(ax: int = 0, gz: int = 0) -> bytes:
    return struct.pack("<6h", ax, 0, 0, 0, 0, gz)


def stamped(*ticks: int) -> bytes:
    return b"".join(struct.pack("<I6h", tick % 2**32, *[1] * 6) for tick in ticks)


def milliseconds(samples: Samples) -> list[int]:
    assert samples.device_ns is not None
    return [ns // 1_000_000 for ns in samples.device_ns.tolist()]


def test_counts_become_si_units_by_their_factors() -> None:
    decode = decoder(scale={"acc": 16 / 32768, "gyro": 2000 / 32768})

    one = read(decode, sample(ax=2048, gz=-16384))

    np.testing.assert_allclose(one.acc_m_s2, [[G, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(one.gyro_rad_s, [[0, 0, np.deg2rad(-1000)]], rtol=1e-6)
    assert (one.device_ns, one.quaternion) == (None, None)


def test_axes_are_turned_for_both_sensors() -> None:
    one = read(decoder(axes=("x", "-z", "y"), acc="m/s2", gyro="rad/s"), struct.pack("<6h", 1, 2, 3, 4, 5, 6))

    np.testing.assert_array_equal(one.acc_m_s2, [[1, -3, 2]])
    np.testing.assert_array_equal(one.gyro_rad_s, [[4, -6, 5]])


def test_big_endian_and_other_values_between() -> None:
    decode = decoder(
        sample={"format": ">3hH3h", "fields": ["ax", "ay", "az", "battery", "gx", "gy", "gz"]}, acc="m/s2"
    )

    assert read(decode, struct.pack(">3hH3h", 1, 2, 3, 9, 0, 0, 0)).acc_m_s2.tolist() == [[1, 2, 3]]


def test_as_many_samples_as_fit() -> None:
    decode = decoder()

    assert [len(read(decode, sample() * n).acc_m_s2) for n in (1, 5, 2)] == [1, 5, 2]


def test_several_quantities_one_after_the_other() -> None:
    """Movesense: three accelerations, then three rates."""
    decode = decoder(
        begins="02 63",
        header={"format": "<2xI", "fields": ["t_ms"]},
        sample=[
            {"format": "<3f", "fields": ["ax", "ay", "az"]},
            {"format": "<3f", "fields": ["gx", "gy", "gz"]},
        ],
        acc="m/s2",
        gyro="rad/s",
    )

    one = read(decode, struct.pack("<BBI18f", 2, 99, 7, *range(18)))

    assert one.acc_m_s2.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert one.gyro_rad_s.tolist() == [[9, 10, 11], [12, 13, 14], [15, 16, 17]]
    assert milliseconds(one) == [7, 17, 27]


def test_the_newest_may_come_first() -> None:
    one = read(decoder(sample=STAMPED, order="newest_first"), stamped(30, 20, 10))

    assert milliseconds(one) == [10, 20, 30]


@pytest.mark.parametrize(("stamp_of", "first"), [("oldest", 1000), ("newest", 980)])
def test_one_stamp_for_a_packet_is_spread_over_its_samples(stamp_of: str, first: int) -> None:
    decode = decoder(header={"format": "<I", "fields": ["t_ms"]}, stamp_of=stamp_of)

    first_packet = read(decode, struct.pack("<I", 1000) + sample() * 3)
    # The device is 5 % slower than it should be, which the next packet's stamp tells.
    second = read(decode, struct.pack("<I", 2000) + sample() * 3)
    third = read(decode, struct.pack("<I", 2032) + sample() * 3)

    assert milliseconds(first_packet) == [first, first + 10, first + 20]
    assert milliseconds(second) == [first + 1000, first + 1010, first + 1020]  # packets were lost: nominal
    assert np.diff(milliseconds(third)).tolist() in ([10, 11], [11, 10], [11, 11])
    assert third.device_ns is not None
    assert third.device_ns[0 if stamp_of == "oldest" else -1] == 2_032_000_000


def test_one_stamp_for_a_packet_is_spread_by_the_true_rate_though_half_of_it_is_said() -> None:
    decode = decoder(header={"format": "<I", "fields": ["t_ms"]}, nominal_hz=100)
    packets = [read(decode, struct.pack("<I", 160 * n) + sample() * 8) for n in range(10)]

    assert milliseconds(packets[1]) == [160 + 10 * n for n in range(8)]
    assert [at for one in packets[6:] for at in milliseconds(one)] == list(range(960, 1600, 20))


def test_a_clock_wraps_around_at_the_width_of_its_field_or_where_it_is_said() -> None:
    whole = decoder(sample=STAMPED)
    narrow = decoder(sample={"format": "<I6h", "fields": ["t_us", *MOTION]}, time_bits=24)

    assert milliseconds(read(whole, stamped(2**32 - 10))) == [2**32 - 10]
    assert milliseconds(read(whole, stamped(0, 10))) == [2**32, 2**32 + 10]
    first, second = read(narrow, stamped(2**24 - 1)), read(narrow, stamped(1))
    assert first.device_ns is not None
    assert second.device_ns is not None
    assert second.device_ns[0] - first.device_ns[0] == 2_000


@settings(max_examples=30)
@given(
    start=st.integers(0, 2**16 - 1),
    steps=st.lists(st.integers(-5, 2**15 - 1), min_size=1, max_size=40),
    factor=st.sampled_from([1, 0.5, 30.517578125]),
)
def test_wrapped_stamps_are_the_unwrapped_ones(start: int, steps: list[int], factor: float) -> None:
    decode = decoder(sample={"format": "<H6h", "fields": ["t_us", *MOTION]}, scale={"t": factor})
    true = start + np.concatenate([[0], np.cumsum(steps)])

    data = b"".join(struct.pack("<H6h", tick % 2**16, *[1] * 6) for tick in true.tolist())
    stamps = read(decode, data).device_ns

    assert stamps is not None
    np.testing.assert_allclose(stamps, true * factor * 1000, atol=1)


@pytest.mark.parametrize(("where", "seqs"), [("header", (254, 255, 1)), ("sample", (126, 127, 129))])
def test_a_counter_stands_for_stamps_where_there_are_none(where: str, seqs: tuple[int, ...]) -> None:
    if where == "header":
        decode = decoder(header={"format": "B", "fields": ["seq"]})
        packets = [bytes([seq]) + sample() * 2 for seq in seqs]
    else:
        decode = decoder(sample={"format": "<B6h", "fields": ["seq", *MOTION]})
        packets = [b"".join(bytes([n % 256]) + sample() for n in (2 * seq, 2 * seq + 1)) for seq in seqs]

    assert [milliseconds(read(decode, packet)) for packet in packets] == [[0, 10], [20, 30], [60, 70]]


@pytest.mark.parametrize("fields", ["seq", "t_ms"])
def test_a_counter_that_wrapped_in_a_gap_is_carried_on_by_the_arrival(fields: str) -> None:
    decode = decoder(header={"format": "B", "fields": [fields]}, scale={"t": 10})

    packets = [bytes([n % 256]) + sample() for n in (0, 300, 301)]
    first, *rest = (
        read(decode, data, at_ms * 1_000_000) for data, at_ms in zip(packets, (5, 3020, 3021), strict=True)
    )

    assert [milliseconds(one)[0] - milliseconds(first)[0] for one in rest] == [3000, 3010]


def test_a_stamp_goes_before_a_counter() -> None:
    decode = decoder(header={"format": "<BI", "fields": ["seq", "t_ms"]})

    assert milliseconds(read(decode, struct.pack("<BI", 9, 77) + sample())) == [77]


@pytest.mark.parametrize(
    ("fields", "clocked"),
    [(["t_ms", "seq"], True), (["t_ms", "-"], True), (["-", "seq"], True), (["-", "-"], False)],
)
def test_whether_the_device_says_when(fields: list[str], clocked: bool) -> None:
    assert form(header={"format": "<IH", "fields": fields}).clocked == clocked


def test_a_packet_that_comes_twice_counts_once() -> None:
    decode = decoder(header={"format": "B", "fields": ["seq"]})
    read(decode, b"\x01" + sample())

    with pytest.raises(BadLine, match="its counter is the same"):
        decode(b"\x01" + sample(), 0)


def test_a_quaternion_comes_along_unless_the_axes_are_turned() -> None:
    turned = {"format": "<6h4h", "fields": [*MOTION, "qw", "qx", "qy", "qz"]}
    data = sample() + struct.pack("<4h", 16384, 0, 0, 0)

    one = read(decoder(sample=turned, scale={"quat": 1 / 16384}), data)

    assert one.quaternion is not None
    assert one.quaternion.tolist() == [[1, 0, 0, 0]]
    assert read(decoder(sample=turned, axes=("y", "-x", "z")), data).quaternion is None


@pytest.mark.parametrize(("name", "of"), [("sum8", lambda data: sum(data) % 256), ("crc32", zlib.crc32)])
def test_a_checksum_ends_the_packet(name: str, of: Any) -> None:
    decode = decoder(checksum=name, samples=2)
    good = sample(1) * 2
    whole = good + of(good).to_bytes(1 if name == "sum8" else 4, "little")

    assert len(read(decode, whole).acc_m_s2) == 2
    with pytest.raises(BadLine, match="checksum"):
        decode(whole[:3] + b"\x55" + whole[4:], 0)


def test_other_bytes_may_follow() -> None:
    decode = decoder(samples=1, trailing=True)

    assert len(read(decode, sample() + bytes(28)).acc_m_s2) == 1
    assert len(read(decode, sample()).acc_m_s2) == 1
    with pytest.raises(BadLine, match="11 bytes, expected 12"):
        decode(sample()[:-1], 0)


@pytest.mark.parametrize(
    ("more", "data", "says"),
    [
        ({}, b"", "0 bytes, expected 0 and some times 12"),
        ({}, sample() + b"1", "13 bytes, expected"),
        ({"samples": 2}, sample(), "12 bytes, expected 24"),
        ({"samples": 1}, sample() * 2, "24 bytes, expected 12"),
        ({"scale": {"acc": 1.0}}, sample(ax=32767), "beyond what a sensor"),
        (
            {"sample": {"format": "<6f", "fields": MOTION}},
            struct.pack("<6f", *[float("nan")] * 6),
            "not finite",
        ),
        ({"sample": {"format": "<Q6h", "fields": ["t_s", *MOTION]}}, b"\xff" * 20, "time is out of range"),
    ],
)
def test_a_bad_packet_is_explained(more: dict[str, Any], data: bytes, says: str) -> None:
    with pytest.raises(BadLine, match=says):
        decoder(**more)(data, 0)


def test_packets_that_begin_otherwise_are_of_another_kind() -> None:
    decode = decoder(begins="55 61", sample={"format": "<2x6h", "fields": MOTION})

    assert decode(b"\x55\x71" + sample(), 0) is None
    assert decode(b"", 0) is None
    assert read(decode, b"\x55\x61" + sample(ax=1)).acc_m_s2[0, 0] == pytest.approx(G)


@given(data=st.binary(max_size=200))
def test_anything_is_samples_or_a_bad_packet(data: bytes) -> None:
    decode = decoder(header={"format": "<BI", "fields": ["seq", "t_us"]}, checksum="crc8")
    floats = decoder(sample={"format": "<d6f", "fields": ["t_s", *MOTION]})

    for one in (decode, floats):
        with contextlib.suppress(BadLine):
            samples = read(one, data)
            assert np.isfinite(samples.acc_m_s2).all()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sample": {"format": "<5h", "fields": MOTION[:5]}}, "missing: gz"),
        ({"sample": {"format": "<6h", "fields": MOTION[:5]}}, "6 values, but 5 are named"),
        ({"header": {"format": "<h", "fields": ["ax"]}}, "in more than one place"),
        ({"header": {"format": "<4h", "fields": ["qw", "qx", "qy", "qz"]}}, "belongs to the sample"),
        ({"header": {"format": "<h", "fields": ["seq"]}}, "seq must be an unsigned"),
        ({"begins": "5561x"}, "not bytes in hex"),
        ({"trailing": True}, "fixed number of samples"),
        ({"scale": {"acc": 0}}, "leaves nothing"),
        ({"smaple": 1}, "smaple"),
    ],
)
def test_a_wrong_form_is_explained(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        form(**more)


def test_the_size_of_a_packet_is_known_if_the_number_of_samples_is() -> None:
    assert form().size is None
    assert (
        form(samples=6, sample=STAMPED, checksum="crc32", header={"format": "<H", "fields": ["seq"]}).size
        == 102
    )


def test_joined_packets_are_one() -> None:
    decode = decoder(sample=STAMPED)
    parts = [read(decode, stamped(0, 10)), read(decode, stamped(40))]

    whole = join(parts)

    assert milliseconds(whole) == [0, 10, 40]
    assert (len(whole.acc_m_s2), len(whole.gyro_rad_s), whole.quaternion) == (3, 3, None)
