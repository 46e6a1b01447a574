"""Bluetooth Low Energy IMUs: links, packets, known devices."""
