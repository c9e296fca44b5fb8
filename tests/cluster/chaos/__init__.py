"""Chaos: jobs on a cluster of real processes that are killed, paused, cut off and starved, and what must hold.

`run.py` is the one to read first.
"""
