"""What the worker publishes: offsets, bindings and actions as messages, and what outlives a worker."""
