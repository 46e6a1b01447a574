"""Recordings made without the daemon: the engine over whole files, for ``mobind-live sync``."""
