"""How each kind of device is read: what the drivers in ``drivers/`` are made of."""
