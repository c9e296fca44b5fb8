"""Reads a target with zarr-python and compares it bit for bit with what it must be, block by block. Runs in the
environment `check`; the job is JSON on stdin, the answer JSON on stdout.
"""

from __future__ import annotations

import itertools
import json
import math
import sys

import numpy as np
import zarr
from elements import Elements, is_stored
from places import store

BLOCK_BYTES = 64 << 20


def expected(job: dict, elements: Elements, start: list[int], end: list[int]) -> np.ndarray:
    """What the block must be: the elements, and fill where no source chunk was stored."""
    if job["stored"] >= 1:
        return elements.block(start, end)
    chunks = job["source_chunks"]
    block = np.zeros([e - s for s, e in zip(start, end)], elements.dtype)
    positions = (range(s // chunk, math.ceil(e / chunk)) for s, e, chunk in zip(start, end, chunks))
    for position in itertools.product(*positions):
        if is_stored(position, job["stored"]):
            first = [max(at * chunk, s) for at, chunk, s in zip(position, chunks, start)]
            last = [min(at * chunk + chunk, e) for at, chunk, e in zip(position, chunks, end)]
            place = tuple(slice(f - s, l - s) for f, l, s in zip(first, last, start))
            block[place] = elements.block(first, last)
    return block


def objects_of(array: zarr.Array) -> tuple[int, ...]:
    """Lengths of what one object holds: reading in these never reads an object twice."""
    return array.shards or array.chunks


def difference(array: zarr.Array, job: dict) -> str | None:
    """What is wrong with the array, if anything."""
    if list(array.shape) != job["shape"]:
        return f"the shape is {array.shape}, not {job['shape']}"
    if array.dtype != np.dtype("<" + job["dtype"]):
        return f"the data type is {array.dtype}, not {job['dtype']}"
    if list(array.chunks) != job["target_chunks"] and not job.get("other_chunks"):
        return f"the chunks are {array.chunks}, not {job['target_chunks']}"
    elements = Elements(tuple(job["shape"]), job["dtype"])
    steps = list(objects_of(array))
    # As many objects side by side as the block may hold, along the last axes first.
    for axis in reversed(range(array.ndim)):
        room = BLOCK_BYTES // (math.prod(steps) * array.dtype.itemsize)
        steps[axis] = min(steps[axis] * max(1, room), array.shape[axis])
    for start in itertools.product(*(range(0, length, step) for length, step in zip(array.shape, steps))):
        end = [min(s + step, length) for s, step, length in zip(start, steps, array.shape)]
        found = np.ascontiguousarray(array[tuple(slice(s, e) for s, e in zip(start, end))])
        right = expected(job, elements, list(start), end)
        if not same_bits(found, right):
            return f"elements differ between {list(start)} and {end}"
    return None


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a.view("u1"), b.view("u1")))


def main() -> None:
    job = json.load(sys.stdin)
    try:
        wrong = difference(zarr.open_array(store(job["target"], read_only=True), mode="r"), job)
    except Exception as error:  # noqa: BLE001 - what cannot be read is wrong, whatever it says
        wrong = f"zarr-python cannot read it: {type(error).__name__}: {error}"
    json.dump({"correct": wrong is None, "wrong": wrong}, sys.stdout)


main()
