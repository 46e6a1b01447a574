"""Reading recordings made elsewhere: keypoints and IMU samples in CSV files.

The delimiter may be a comma, a semicolon or a tab, or spaces, and lines before the header are passed over.
"""

from __future__ import annotations

from mobind_live.recordings.files.imu import ImuFile, imu_rate_hz, read_imu
from mobind_live.recordings.files.keypoints import KeypointFile, read_keypoints
from mobind_live.recordings.files.stamps import rate_hz

__all__ = ["ImuFile", "KeypointFile", "imu_rate_hz", "rate_hz", "read_imu", "read_keypoints"]
