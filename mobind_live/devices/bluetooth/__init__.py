"""Bluetooth Low Energy IMUs: links, and known devices."""
