"""Who wears which IMU, where, and by how much its clock is off: from streams to answers."""
