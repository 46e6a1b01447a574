"""Who wears which IMU, where, and by how much its clock is off: from streams to answers.

``engine.py`` is the way through. Each room knows only those before it: ``evidence`` (streams on one grid,
and what is summed up of them), ``belief`` (what that means), and then, side by side, ``changes`` (whether it
still holds) and ``output`` (what is said of it).
"""
