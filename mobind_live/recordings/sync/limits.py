"""What ``sync`` takes."""

SHORTEST_S = 5.0  # of the camera's recording and of each IMU's
MOST_OFFSET_S = 600.0  # that may be searched
