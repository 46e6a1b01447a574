"""The drivers: each file reads one kind of device, and is found by its name."""
