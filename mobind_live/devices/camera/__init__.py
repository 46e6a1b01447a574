"""Cameras: frames from any source, stamped, and the people in them."""
