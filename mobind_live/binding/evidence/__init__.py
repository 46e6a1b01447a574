"""What is summed up as streams come: one grid, the binding tensor, and what else each stream shows."""
