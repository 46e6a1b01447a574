"""Recordings: files read, sessions kept and exported, offsets and labels worked out afterwards."""
