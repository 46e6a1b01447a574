"""Files: read, recorded, exported, and worked out afterwards."""
