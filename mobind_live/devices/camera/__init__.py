"""Cameras: frames from any source, stamped, and the people in them."""

import os

# Read when cv2 is imported: FFmpeg writes a line for each damaged packet, and we say what is wrong ourselves.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
