"""From a device's bytes and numbers to samples: what serial, Bluetooth and LSL devices share."""
