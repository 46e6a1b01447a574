"""Cameras and network streams: opened as the YAML asks, checked for what they give, and each frame stamped.

Frames come out as they are captured: what lay in a buffer before we came is thrown away.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mobind_live.devices.camera.stamps import Fresh, Stamps
from mobind_live.devices.camera.video import Capture, Frame, VideoError, grabbed

log = logging.getLogger(__name__)

OPEN_MS, READ_MS = 5000, 1500  # FFmpeg's own limits for network streams; without them it hangs for 30 s
PAUSE_S = 0.005  # between two tries to read a damaged picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a source; None: whatever it gives. ``pixels`` is a four-letter code such as MJPG.

    ``strict``: refuse a camera that gives something else, instead of saying so. ``delay_ns`` is the known
    time from exposure to arrival.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    pixels: str | None = None
    strict: bool = False
    delay_ns: int = 0


def is_device(source: int | str) -> bool:
    """Whether ``source`` is a camera at this machine: a number, or a path in /dev."""
    return isinstance(source, int) or source.startswith("/dev/")


def is_live(source: int | str) -> bool:
    """Whether ``source`` is a camera or a stream, not a file."""
    return isinstance(source, int) or is_device(source) or "://" in source


def open_live(source: int | str, request: Request) -> Capture:
    """The camera or stream, with ``request`` granted as far as it goes. Raises VideoError."""
    import cv2

    if not is_device(source):
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
        capture = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG, limits)
        problem = "no answer, or not a video; is the address right, and the sender on?"
    else:
        _check_node(source)
        system = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        capture = cv2.VideoCapture(source, system)
        problem = "does another program use it? `mobind-live devices` lists the cameras"
    if not capture.isOpened():
        capture.release()
        raise VideoError(f"{shown(source)} cannot be opened: {problem}")
    if str(source).startswith("http") and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0:
        capture.release()
        raise VideoError(f"{shown(source)} is a file and no stream; copy it here, and name it as `source`")
    if is_device(source):
        for prop, value in _settings(request):
            capture.set(prop, value)
    return capture


def _check_node(source: int | str) -> None:
    """Says why a camera cannot be there, where the system tells. Raises VideoError."""
    path = Path(f"/dev/video{source}") if isinstance(source, int) else Path(source)
    if sys.platform != "linux":
        return
    if not path.exists():
        raise VideoError(f"{shown(source)} is not there; `mobind-live devices` lists those that are")
    if not os.access(path, os.R_OK | os.W_OK):
        raise VideoError(f"{shown(source)}: no permission; join the group `video`, and log in again")


def shown(source: int | str) -> str:
    """``source`` for messages, which others may read: without a user's name and password."""
    return f"camera {source}" if is_device(source) else f"source {re.sub('//[^/]*@', '//', str(source))}"


def _settings(request: Request) -> Iterator[tuple[int, float]]:
    """OpenCV's settings, in the order that drivers want: the pixels limit the sizes, these the rates."""
    import cv2

    if request.pixels:
        yield cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*request.pixels.ljust(4))
    if request.size:
        yield cv2.CAP_PROP_FRAME_WIDTH, request.size[0]
        yield cv2.CAP_PROP_FRAME_HEIGHT, request.size[1]
    if request.fps:
        yield cv2.CAP_PROP_FPS, request.fps


def shortfall(capture: Capture, request: Request) -> str:
    """What was asked of a camera and not given, as text; empty if all was."""
    import cv2

    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    fps, pixels = capture.get(cv2.CAP_PROP_FPS), _pixels(capture)
    missed = []
    if request.size and request.size != (round(width), round(height)):
        missed.append(f"size {request.size[0]} x {request.size[1]}, gives {width:.0f} x {height:.0f}")
    if request.fps and abs(fps - request.fps) > 0.02 * request.fps:
        missed.append(f"{request.fps:g} fps, gives {fps:g}")
    if request.pixels and request.pixels.strip() != pixels:
        missed.append(f"format {request.pixels}, gives {pixels or 'another'}")
    return "; ".join(missed)


def live_frames(
    source: int | str,
    request: Request,
    nominal_hz: float,
    stop: threading.Event,
    dropped: Callable[[int], None],
) -> Iterator[Frame]:
    """Frames of a camera or stream from now on; ends when the source does. Raises VideoError.

    ``dropped(n)`` is told of frames that were thrown away, being older than they look.
    """
    capture = open_live(source, request)
    try:
        if is_device(source) and (missed := shortfall(capture, request)):
            text = f"{shown(source)}: asked for {missed}; `mobind-live devices` lists what it can"
            if request.strict:
                raise VideoError(text)
            log.warning("%s", text)
        kernel = is_device(source)
        stamps = Stamps(nominal_hz, request.delay_ns, kernel=kernel, made_up=_counts_frames(source, capture))
        fresh = Fresh(nominal_hz)
        for now_ns in grabbed(capture, stop, dropped, PAUSE_S):
            stamp_ns = _stamp_ns(capture)
            if not (kernel or fresh(stamp_ns, now_ns)):
                dropped(1)
                continue
            ok, image = capture.retrieve()
            if not ok:
                dropped(1)
                continue
            yield Frame(image=image, t_ns=stamps(stamp_ns, now_ns), received_ns=now_ns)
    finally:
        capture.release()


def _counts_frames(source: int | str, capture: Capture) -> bool:
    """Whether the stamps are FFmpeg's count of frames: JPEGs over HTTP have none of their own."""
    return str(source).startswith("http") and _pixels(capture) == "MJPG"


def _pixels(capture: Capture) -> str:
    """The four-letter code of the source's pictures, such as MJPG."""
    import cv2

    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return code.to_bytes(4, "little").decode("latin-1").strip("\0 ")


def _stamp_ns(capture: Capture) -> int:
    """The source's own stamp of the frame just grabbed; 0 where there is none."""
    import cv2

    return round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
