"""From a device's numbers to samples: fields, checksums, units, counters."""
