"""Sessions: what was on the bus, kept in one file (``file``, ``record``) and taken out again (``export``)."""
