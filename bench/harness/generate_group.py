"""Writes the source of the scale-out benchmark with zarr-python: a group of equal arrays without a codec. Runs in the
environment `check`; the job is JSON on stdin.
"""

from __future__ import annotations

import json
import sys

import zarr
from elements import Elements
from places import store


def main() -> None:
    job = json.load(sys.stdin)
    group = zarr.create_group(store(job["source"]), zarr_format=3)
    block = Elements(tuple(job["shape"]), job["dtype"]).block([0, 0, 0], job["shape"])
    for number in range(job["arrays"]):
        array = group.create_array(
            f"variable_{number:03}", shape=job["shape"], chunks=job["source_chunks"], dtype="<" + job["dtype"],
            fill_value=0, compressors=None, dimension_names=["time", "y", "x"])
        array[:] = block
    json.dump({"arrays": job["arrays"]}, sys.stdout)


main()
