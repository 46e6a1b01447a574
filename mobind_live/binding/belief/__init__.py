"""What the evidence means: offset, wearer and part of each IMU, by itself and with all that others know."""
