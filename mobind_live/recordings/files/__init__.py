"""Recordings made elsewhere: tables whose columns are recognized."""
