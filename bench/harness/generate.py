"""Writes the source of one work with zarr-python. Runs in the environment `check`; the job is JSON on stdin."""

from __future__ import annotations

import itertools
import json
import math
import sys

import numcodecs
import zarr
import zarr.codecs
import zarr.storage
from elements import Elements, is_stored
from places import store


def create(job: dict) -> zarr.Array:
    """The empty array, in the format that the job names."""
    common = {"store": store(job["source"]), "shape": job["shape"], "chunks": job["source_chunks"], "fill_value": 0}
    dtype = "<" + job["dtype"]
    if job["format"] == 2:
        codec = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE) if job["compressed"] else None
        return zarr.create_array(
            **common, dtype=dtype, zarr_format=2, compressors=codec,
            chunk_key_encoding={"name": "v2", "separator": "/"})
    width = int(job["dtype"][1:])
    blosc = zarr.codecs.BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=width)
    return zarr.create_array(**common, dtype=dtype, zarr_format=3, compressors=blosc if job["compressed"] else None)


def fill(array: zarr.Array, job: dict) -> None:
    """Writes slabs of whole chunks of about 64 MiB."""
    elements = Elements(tuple(job["shape"]), job["dtype"])
    shape, chunks = job["shape"], job["source_chunks"]
    if job["stored"] < 1:
        counts = [math.ceil(length / chunk) for length, chunk in zip(shape, chunks)]
        for position in itertools.product(*map(range, counts)):
            if is_stored(position, job["stored"]):
                start = [at * chunk for at, chunk in zip(position, chunks)]
                write(array, elements, start, [s + c for s, c in zip(start, chunks)])
        return
    # Along the axis with the most chunks: no slab holds the whole of a wide array.
    axis = max(range(len(shape)), key=lambda axis: shape[axis] / chunks[axis])
    plane = array.nbytes // shape[axis]
    step = max(1, (64 << 20) // (plane * chunks[axis])) * chunks[axis]
    for first in range(0, shape[axis], step):
        start, end = [0] * len(shape), list(shape)
        start[axis], end[axis] = first, first + step
        write(array, elements, start, end)


def write(array: zarr.Array, elements: Elements, start: list[int], end: list[int]) -> None:
    end = [min(e, length) for e, length in zip(end, array.shape)]
    array[tuple(slice(s, e) for s, e in zip(start, end))] = elements.block(start, end)


def main() -> None:
    job = json.load(sys.stdin)
    array = create(job)
    fill(array, job)
    chunks = array.nchunks_initialized if job["stored"] < 1 else array.nchunks
    json.dump({"chunks": chunks, "versions": {"zarr": zarr.__version__, "numcodecs": numcodecs.__version__}}, sys.stdout)


main()
