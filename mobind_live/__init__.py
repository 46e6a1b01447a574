"""Real-time synchronization of cameras and body-worn IMUs from motion alone."""

__version__ = "0.1.0"
