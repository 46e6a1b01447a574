"""Which cameras are at this Linux machine, and what they can do: asked of the kernel, none is started."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobind_live.devices.udev import lasting_name

# linux/videodev2.h: each request is its number and the struct that it fills.
_CAPABILITY = struct.Struct("=16s32s32sII I3I")  # driver, card, bus, version, caps, caps of this node
_FORMAT = struct.Struct("=III32sII3I")  # index, type, flags, description, pixels, ...
_SIZE = struct.Struct("=III6I2I")  # index, pixels, kind, width and height (or their ranges)
_INTERVAL = struct.Struct("=IIIII6I2I")  # index, pixels, width, height, kind, numerator and denominator
_QUERYCAP = 0x80685600
_ENUM_FORMATS = 0xC0405602
_ENUM_SIZES = 0xC02C564A
_ENUM_INTERVALS = 0xC034564B
_VIDEO_CAPTURE = 1
_DEVICE_CAPS = 0x80000000
_DISCRETE = 1
_MOST = 64  # entries of one list: some drivers never say that they are through

COMFORTABLE = (1280, 30.0)  # pixels across and frames a second beyond which more does not help


class CannotList(Exception):
    """This system does not tell which cameras there are; one line."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One picture format of a camera; ``fps`` is the most at this size, 0 if it is not said."""

    pixels: str
    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """``path`` stays the same when others are plugged in, where udev gives such a name.
    ``problem`` says why it cannot be asked, empty if it can."""

    number: int
    path: str
    title: str
    modes: tuple[Mode, ...] = ()
    problem: str = ""

    def modes_text(self) -> str:
        """All modes: ``MJPG 1920x1080 30 fps, 1280x720 60 fps; YUYV 640x480 30 fps``."""
        groups: dict[str, list[str]] = {}
        for mode in self.modes:
            rate = f" {mode.fps:g} fps" if mode.fps else ""
            groups.setdefault(mode.pixels, []).append(f"{mode.width}x{mode.height}{rate}")
        return (
            "; ".join(f"{pixels} {', '.join(sizes)}" for pixels, sizes in groups.items()) or "says no modes"
        )

    def best(self) -> dict[str, Any]:
        """What to ask of it, as keys of the YAML: the largest comfortable picture at a good rate."""
        across, enough = COMFORTABLE
        if not self.modes:
            return {}
        mode = max(
            self.modes,
            key=lambda m: (
                min(across - m.width, 0),  # the smallest, where all are larger
                min(m.fps, enough),
                m.width * m.height,
                m.fps,
                m.pixels == "MJPG",
            ),
        )
        rate = {"fps": mode.fps} if mode.fps else {}
        return {"size": [mode.width, mode.height], **rate, "format": mode.pixels}


def cameras(dev: Path = Path("/dev")) -> list[Camera]:
    """The cameras in ``dev``, by number. Raises CannotList."""
    if sys.platform != "linux":
        raise CannotList("cameras can only be listed on Linux; try source: 0, 1, ...")
    numbered = sorted((int(node.name[5:]), node) for node in dev.glob("video*") if node.name[5:].isdigit())
    found = [camera for number, node in numbered if (camera := _camera(number, node)) is not None]
    named = []
    for camera in found:
        equals = [Path(other.path) for other in found if other.title == camera.title]
        named.append(replace(camera, path=lasting_name(Path(camera.path), equals, dev / "v4l")))
    return named


def _camera(number: int, node: Path) -> Camera | None:
    """The camera behind ``node``; None if it is something else, such as a camera's second node."""
    path = str(node)
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        hint = "; join the group `video`, and log in again" if error.errno == errno.EACCES else ""
        return Camera(number=number, path=path, title=str(node), problem=f"{error.strerror}{hint}")
    try:
        answer = _ask(descriptor, _QUERYCAP, _CAPABILITY, ())
        if answer is None:
            return None
        caps = answer[5] if answer[4] & _DEVICE_CAPS else answer[4]
        if not caps & _VIDEO_CAPTURE:
            return None
        title = answer[1].split(b"\0")[0].decode("utf-8", "replace")
        return Camera(number=number, path=path, title=title, modes=tuple(_modes(descriptor)))
    finally:
        os.close(descriptor)


def _modes(descriptor: int) -> Iterator[Mode]:
    for _, _, _, _, code, *_ in _all(descriptor, _ENUM_FORMATS, _FORMAT, (_VIDEO_CAPTURE,)):
        pixels = code.to_bytes(4, "little").decode("latin-1").strip()
        for _, _, kind, *numbers in _all(descriptor, _ENUM_SIZES, _SIZE, (code,)):
            # A range of sizes (smallest, largest, step): the largest will do.
            width, height = (numbers[0], numbers[1]) if kind == _DISCRETE else (numbers[1], numbers[4])
            yield Mode(pixels, width, height, _fps(descriptor, code, width, height))


def _fps(descriptor: int, code: int, width: int, height: int) -> float:
    """The most frames a second: the shortest interval, which in a range is the first number, too."""
    rows = _all(descriptor, _ENUM_INTERVALS, _INTERVAL, (code, width, height))
    rates = [below / above for _, _, _, _, _, above, below, *_ in rows if above]
    return round(max(rates, default=0.0), 3)


def _all(
    descriptor: int, request: int, layout: struct.Struct, key: tuple[int, ...]
) -> Iterator[tuple[Any, ...]]:
    """The entries of one of the kernel's lists: asked by index, until there is no such entry."""
    for index in range(_MOST):
        row = _ask(descriptor, request, layout, (index, *key))
        if row is None:
            return
        yield row


def _ask(
    descriptor: int, request: int, layout: struct.Struct, begin: tuple[int, ...]
) -> tuple[Any, ...] | None:
    """One ioctl, its struct beginning with the numbers ``begin``; None if the kernel says no."""
    import fcntl  # not on Windows

    buffer = bytearray(layout.size)
    struct.pack_into(f"={len(begin)}I", buffer, 0, *begin)
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, request, buffer)
        return layout.unpack(buffer)
    return None
