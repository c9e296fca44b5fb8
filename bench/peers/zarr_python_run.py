"""zarr-python alone: slabs of whole target objects, about 512 MiB each, read and assigned. With the option
`codec_pipeline` its codecs run in zarrs.
"""

import itertools
import math

import zarr
from adapter import main
from zarr_arrays import source, target

SLAB_BYTES = 512 << 20


def rechunk(job):
    settings = {"threading.max_workers": job["threads"], "async.concurrency": 10}
    if "codec_pipeline" in job["options"]:
        settings["codec_pipeline.path"] = job["options"]["codec_pipeline"]
    zarr.config.set(settings)
    read, write = source(job), target(job)
    slab = list(write.shards or write.chunks)
    for axis in reversed(range(read.ndim)):
        room = SLAB_BYTES // (math.prod(slab) * read.dtype.itemsize)
        slab[axis] = min(slab[axis] * max(1, room), read.shape[axis])
    for start in itertools.product(*(range(0, length, step) for length, step in zip(read.shape, slab))):
        place = tuple(slice(at, min(at + step, length)) for at, step, length in zip(start, slab, read.shape))
        write[place] = read[place]


main(rechunk, "zarr", "zarrs", "numcodecs")
