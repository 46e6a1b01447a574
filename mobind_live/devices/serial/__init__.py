"""Serial IMUs: bytes to frames to named numbers."""
