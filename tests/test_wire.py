"""The wire form: what goes in comes out, and nothing that comes in can do harm."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import EXAMPLES, health, imu, offset, pose

from mobind_live.schema import (
    Imu,
    Message,
    Pose,
    SchemaError,
)
from mobind_live.wire import decode, encode


def frames_of(message: Message, **changed: Any) -> list[bytes]:
    """The frames of ``message`` with some keys of its map changed; a value of None takes the key away."""
    topic, packed, *raw = encode(message, seq=4, boot_ns=5, sent_ns=6)
    header = msgpack.unpackb(packed) | changed
    header = {key: value for key, value in header.items() if value is not None}
    again = msgpack.packb(header)
    assert again is not None
    return [topic, again, *raw]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda item: item.type_name)
def test_every_message_comes_out_as_it_went_in(message: Message) -> None:
    frames = encode(message, seq=4, boot_ns=5, sent_ns=6)
    received = decode(frames)
    assert (received.topic, received.seq, received.boot_ns, received.sent_ns) == (message.topic, 4, 5, 6)
    assert received.size == sum(len(frame) for frame in frames)
    assert type(received.message) is type(message)
    for field in fields(message):
        before, after = getattr(message, field.name), getattr(received.message, field.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            assert after.shape == before.shape
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before, field.name
            assert type(after) is type(before), field.name


def test_a_sender_may_be_careless_with_dtypes_and_empty_arrays() -> None:
    careless = replace(
        imu(2, quaternion=False),
        acc_m_s2=np.ones((2, 3), np.float64),
        device_ns=np.empty(0),
        quaternion=np.empty(0),
    )
    message = decode(encode(careless, seq=0, boot_ns=0, sent_ns=0)).message
    assert isinstance(message, Imu)
    assert message.acc_m_s2.dtype == np.float32
    assert message.quaternion.shape == (0, 4)


def test_a_sender_is_told_of_a_wrong_shape() -> None:
    with pytest.raises(SchemaError, match=r"imu message of 'left': gyro_rad_s has shape \(3,\)"):
        encode(replace(imu(3), gyro_rad_s=np.ones(3)), seq=0, boot_ns=0, sent_ns=0)
    with pytest.raises(SchemaError, match="boxes"):
        encode(replace(pose(2), boxes=np.ones((3, 4))), seq=0, boot_ns=0, sent_ns=0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (replace(pose(), t_ns=5.0), "pose message of 'front': t_ns: must be an integer, got float"),
        (replace(pose(), received_ns=np.float64(5)), "received_ns: must be an integer, got float"),
        (replace(pose(), image_size=(1920, 1080, 3)), "image_size: must be a list of 2, got list of 3"),
        (replace(pose(), simulated=1), "simulated: must be true or false, got int"),
        (replace(offset(), verdict="good"), "verdict: must be one of ok, ambiguous"),
        (replace(health(), detail=None), "health message of 'left': detail: must be text, got NoneType"),
    ],
)  # fmt: skip
def test_a_sender_is_told_of_a_wrong_type(message: Message, reason: str) -> None:
    with pytest.raises(SchemaError, match=reason):
        encode(message, seq=0, boot_ns=0, sent_ns=0)


def test_a_sender_may_give_numpy_s_numbers() -> None:
    given = replace(
        pose(), t_ns=np.int64(5), image_size=tuple(np.array([1920, 1080])), simulated=np.bool_(False)
    )
    received = decode(encode(given, seq=0, boot_ns=0, sent_ns=0)).message
    assert isinstance(received, Pose)
    assert (received.t_ns, received.image_size, received.simulated) == (5, (1920, 1080), False)


def test_unknown_keys_and_minor_versions_are_read() -> None:
    assert decode(frames_of(health(), schema="1.7", novelty=[1, 2])).message == health()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"schema": "2.0"}, "schema 2.0 .* this reader knows 1"),
        ({"type": "telepathy"}, "unknown message type 'telepathy'"),
        ({"type": ["pose"]}, "unknown message type"),
        ({"seq": "4"}, "seq: must be an integer, got str"),
        ({"seq": None}, "no 'seq'"),
        ({"t_ns": 1.5}, "t_ns: must be an integer, got float"),
        ({"t_ns": None}, "no 't_ns'"),
        ({"state": 3}, "state: must be text, got int"),
        ({"streams": [{"stream": "left"}]}, "streams: no 'kind'"),
        ({"streams": [3]}, "streams: must be a map, got int"),
        ({"counters": {"a": "b"}}, "counters: must be a number, got str"),
        ({"stream": "other"}, "does not belong there"),
        ({"arrays": [["x", "<f4", [1]]]}, "1 arrays announced, 0 frames came"),
        ({"arrays": 3}, "malformed health"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(SchemaError, match=reason):
        decode(frames_of(health(), **changed))


@pytest.mark.parametrize(
    "arrays",
    [
        [["track_ids", "<i4", [2]], ["boxes", "<f4", [2, 4]], ["keypoints", "|O", [2, 17, 3]]],
        [["track_ids", "<i4", [2]], ["boxes", "<f4", [2, 4]], ["keypoints", "<f4", [-1, 17, 3]]],
        [["track_ids", "<i4", [2]], ["boxes", "<f4", [4, 2]], ["keypoints", "<f4", [2, 17, 3]]],
        [["track_ids", "<i4", [2]], ["boxes", "<f4", [2, 4]], ["keypoints", "<f4", [2, 17, 2**62]]],
        [["track_ids", "<i4", [2]], ["boxes", "<f4", [2, 4]], ["other", "<f4", [2, 17, 3]]],
        [[["track_ids"], "<i4", [2]], ["boxes", "<f4", [2, 4]], ["keypoints", "<f4", [2, 17, 3]]],
    ],
)
def test_wrong_arrays_are_refused(arrays: list[Any]) -> None:
    with pytest.raises(SchemaError, match="malformed pose message"):
        decode(frames_of(pose(2), arrays=arrays))


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_random_frames_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(SchemaError):
        decode(frames)


_WILD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_wild_value_in_any_field_is_read_or_refused(message: Message, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(msgpack.unpackb(frames_of(message)[1]))))
    frames = frames_of(message, **{key: data.draw(_WILD)})
    cut = data.draw(st.integers(2, len(frames)))
    try:
        received = decode(frames[:cut])
    except SchemaError:
        return
    assert type(received.message) is type(message)
