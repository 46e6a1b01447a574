"""Which channels are the IMU's, from their labels, types and units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobind_live.devices.lsl.channels import Channel, LayoutError, Wanted, channels_of, layout, meaning

LABELS = ("GyroX", "GyroY", "GyroZ", "AccX", "AccY", "AccZ", "Battery")
UNITS = ("deg/s", "deg/s", "deg/s", "g", "g", "g", "%")
CHANNELS = tuple(Channel(label, unit) for label, unit in zip(LABELS, UNITS, strict=True))
PLAIN = (Channel(),) * 6
PLACES = Wanted(acc_channels=(0, 1, 2), gyro_channels=(3, 4, 5))


@pytest.mark.parametrize(
    ("channel", "means"),
    [
        (Channel("AccX"), "ax"),
        (Channel("ACC_Y"), "ay"),
        (Channel("accel-z"), "az"),
        (Channel("Accelerometer X (g)"), "ax"),
        (Channel("Left Wrist Gyr.Y"), "gy"),
        (Channel("imu1_ACCX"), "ax"),
        (Channel("gz"), "gz"),
        (Channel("AngularVelocityX"), "gx"),
        (Channel("Acceleration_Y"), "ay"),
        (Channel("X", type="ACC"), "ax"),
        (Channel("z", type="Gyroscope"), "gz"),
        (Channel("", type="AccelerationX"), "ax"),
        (Channel("Quat W"), "qw"),
        (Channel("OrientationZ"), "qz"),
        (Channel("LinearAccelerationX"), None),
        (Channel("free acc x"), None),
        (Channel("MagX"), None),
        (Channel("time"), None),
        (Channel(), None),
    ],
)
def test_what_a_channel_is(channel: Channel, means: str | None) -> None:
    assert meaning(channel) == means


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_label_has_a_meaning_or_none(label: str, kind: str) -> None:
    assert meaning(Channel(label, type=kind)) in {None, *(f + a for f in "agq" for a in "wxyz")}


def test_the_labels_say_where_and_the_units_how_much() -> None:
    found = layout(CHANNELS, Wanted())

    acc, gyro, turn = found.split(np.array([[0.0, 180.0, 0.0, 0.0, 1.0, 2.0, 99.0]]))

    np.testing.assert_allclose(acc, [[0.0, 9.80665, 19.6133]], rtol=1e-6)
    np.testing.assert_allclose(gyro, [[0.0, np.pi, 0.0]], rtol=1e-6)
    assert (acc.dtype, gyro.dtype, turn) == (np.float32, np.float32, None)


@pytest.mark.parametrize(
    ("acc", "gyro", "means"),
    [
        ("m/s^2", "rad/s", ("m/s2", "rad/s")),
        ("m/s²", "°/s", ("m/s2", "deg/s")),
        ("meters_per_second_squared", "radians per second", ("m/s2", "rad/s")),
        ("m·s⁻²", "dps", ("m/s2", "deg/s")),
        ("mG", "Degrees/s", ("mg", "deg/s")),
        ("(g)", "rad/sec", ("g", "rad/s")),
    ],
)
def test_units_as_people_write_them(acc: str, gyro: str, means: tuple[str, str]) -> None:
    channels = [Channel(label, gyro if label.startswith("G") else acc) for label in LABELS[:6]]
    found = layout(channels, Wanted())
    assert (found.acc_unit, found.gyro_unit) == means


def test_a_unit_in_the_label_will_do() -> None:
    channels = [Channel(f"{label} ({unit})") for label, unit in zip(LABELS, UNITS, strict=True)]
    assert layout(channels, Wanted()) == layout(CHANNELS, Wanted())


def test_the_yaml_goes_before_the_description() -> None:
    wanted = Wanted(
        acc_channels=(2, "GyroX", 1),
        gyro_channels=("AccX", "AccY", 5),
        quaternion_channels=(7, 8, 9, 6),
        acc="m/s2",
        gyro="rad/s",
    )

    acc, gyro, turn = layout((*CHANNELS, *[Channel()] * 3), wanted).split(np.arange(10.0)[None])

    assert (acc.tolist(), gyro.tolist()) == ([[2, 0, 1]], [[3, 4, 5]])
    assert turn is not None
    assert turn.tolist() == [[7, 8, 9, 6]]


def test_a_channel_is_used_once() -> None:
    with pytest.raises(LayoutError, match="channel AccX is used twice"):
        layout(CHANNELS, Wanted(gyro_channels=("GyroX", "GyroY", "AccX")))


def test_a_quaternion_is_taken_if_it_is_there() -> None:
    turn = tuple(Channel(f"Quat{axis}") for axis in "WXYZ")
    assert layout((*turn, *CHANNELS), Wanted()).quaternion == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("channels", "wanted", "says"),
    [
        (PLAIN, Wanted(), r"no channel is ax .*6 channels have none\); set acc_channels: \[0, 1, 2\]"),
        (CHANNELS[3:], Wanted(), r"no channel is gx .*AccX, AccY, .*set gyro_channels: \[3, 4, 5\]"),
        ((*CHANNELS, Channel("Left AccX")), Wanted(), "several channels could be ax: AccX, Left AccX"),
        (CHANNELS, Wanted(acc_channels=(0, 1, 7)), "no channel 7; the 7 count from 0"),
        (CHANNELS, Wanted(gyro_channels=("gx", "GyroY", "GyroZ")), "no channel has the label 'gx'; .*GyroX"),
        (CHANNELS, Wanted(quaternion_channels=("qw", 1, 2, 3)), "no channel has the label 'qw'"),
        (PLAIN, PLACES, r"unit of acc .*none\); .*g, mg, m/s2"),
        ((*CHANNELS[:4], Channel("AccY", "mg"), CHANNELS[5]), Wanted(), "it says: g, mg"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said(channels: tuple[Channel, ...], wanted: Wanted, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        layout(channels, wanted)


def test_a_description_names_each_channel_or_none() -> None:
    channel = "<channel><label> AccX </label><unit>g</unit><type>ACC</type></channel><channel/>"
    xml = f"<info><desc><channels>{channel}</channels></desc></info>"
    assert channels_of(xml, 2) == (Channel("AccX", "g", "ACC"), Channel())
    assert channels_of(xml, 3) == (Channel(),) * 3
    assert channels_of("<info><desc/></info>", 1) == (Channel(),)
    assert channels_of("<info", 1) == (Channel(),)


def test_a_number_beyond_any_float_is_infinite() -> None:
    acc, _, _ = layout(CHANNELS, Wanted()).split(np.full((1, 7), 1e300))
    assert np.isinf(acc).all()
