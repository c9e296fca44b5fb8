"""rechunkit between two arrays of zarr-python, whose codecs run in zarrs, as its documentation does with zarr."""

import numpy as np
import zarr
from adapter import main
from rechunkit import rechunker
from zarr_arrays import source, target


def rechunk(job):
    zarr.config.set({"threading.max_workers": job["threads"], "codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    read, write = source(job), target(job)
    chunks = rechunker(
        read.__getitem__, tuple(job["shape"]), np.dtype(job["dtype"]), tuple(job["source_chunks"]),
        tuple(job["target_chunks"]), max_mem=job["max_mem"])
    for place, data in chunks:
        write[place] = data


main(rechunk, "rechunkit", "zarr", "zarrs")
