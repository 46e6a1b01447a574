"""Simulated people and rooms, and what sensors and cameras would measure there: pure numpy."""
