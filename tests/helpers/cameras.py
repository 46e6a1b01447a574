"""Camera drivers played with a stand-in for the pose network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mobind_live.clock import host_now_ns
from mobind_live.devices.camera import pose
from mobind_live.devices.camera.pose import People
from mobind_live.driver import Context, EndOfStream
from mobind_live.drivers.camera import Config, Driver
from mobind_live.schema import Message, Pose

SECOND = 1_000_000_000


def one_person(image: np.ndarray) -> People:
    """A stand-in for the network: one person whose nose tells the picture's brightness."""
    keypoints = np.full((1, 17, 3), 0.9, np.float32)
    keypoints[0, :, 0], keypoints[0, :, 1] = image.mean(), np.arange(17)
    return People(
        track_ids=np.array([7], np.int32), boxes=np.array([[0, 0, 9, 9]], np.float32), keypoints=keypoints
    )


class StandIn:
    """Sees one person in each picture."""

    def __call__(self, images: Mapping[str, np.ndarray], /) -> dict[str, People]:
        return {camera: one_person(image) for camera, image in images.items()}

    def forget(self, camera: str) -> None:
        pass


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pose network replaced at its border."""
    monkeypatch.setattr(pose, "finder", lambda options, cameras: StandIn())


def config(source: object, **more: object) -> Config:
    return Config.model_validate({"driver": "camera", "source": source, **more})


def play(config: Config, context: Context, *, at_most: int = 1000) -> tuple[list[Message], Driver]:
    got: list[Message] = []
    driver = Driver(config, context)
    with driver:
        try:
            while len(got) < at_most:
                got.extend(driver.read())
        except EndOfStream:
            pass
    return got, driver


def poses(messages: list[Message]) -> list[Pose]:
    return [message for message in messages if isinstance(message, Pose)]


def at(seconds_ago: float = 0.0) -> Context:
    return Context(name="cam0", epoch_ns=host_now_ns() - int(seconds_ago * SECOND))
