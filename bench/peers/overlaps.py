"""Counts by geometry: which chunks do the regions of a stage's tasks touch?

A stage of either peer maps over a grid of regions; each task reads every chunk that its region touches, whole, and
writes every chunk that it touches. Both are products over the axes, so that 10^9 pairs cost nothing.
"""

import numpy as np


def touched(shape, regions, chunks):
    """Pairs of a region and a chunk that it touches, and the elements of those chunks, clipped to the array."""
    pairs, elements = 1, 1
    for length, region, chunk in zip(shape, regions, chunks):
        starts = np.arange(0, length, region, dtype=np.int64)
        ends = np.minimum(starts + region, length)
        first, last = starts // chunk, -(-ends // chunk)
        pairs *= int((last - first).sum())
        elements *= int((np.minimum(last * chunk, length) - first * chunk).sum())
    return pairs, elements


def count(shape, chunks):
    """Boxes of a grid."""
    boxes = 1
    for length, chunk in zip(shape, chunks):
        boxes *= -(-length // chunk)
    return boxes


def stage(name, shape, itemsize, regions, read, write):
    """What one stage asks of the stores. A region that holds a chunk only in part reads it before it writes it."""
    gets, elements_read = touched(shape, regions, read)
    puts, elements_written = touched(shape, regions, write)
    aligned = all(r % w == 0 or r >= n for n, r, w in zip(shape, regions, write))
    if not aligned:
        gets, elements_read = gets + puts, elements_read + elements_written
    return {
        "name": name,
        "tasks": count(shape, regions),
        "gets": gets,
        "puts": puts,
        "objects": count(shape, write),
        "read_bytes": elements_read * itemsize,
        "written_bytes": elements_written * itemsize,
    }
