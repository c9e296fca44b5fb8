"""rechunker on dask's threads. `max_mem` is what one worker may use, and its workers are the two threads: each is given
its share.
"""

import os

import dask
import rechunker
import zarr
from adapter import main


def store(address):
    if not address.startswith("s3://"):
        return address
    import s3fs

    files = s3fs.S3FileSystem(
        key=os.environ["AWS_ACCESS_KEY_ID"], secret=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    return files.get_mapper(address.removeprefix("s3://"), check=False)


def rechunk(job):
    source = zarr.open_array(store(job["source"]), mode="r")
    options = {"compressor": zarr.Blosc("lz4", 5, zarr.Blosc.SHUFFLE) if job["compressed"] else None}
    plan = rechunker.rechunk(
        source, tuple(job["target_chunks"]), job["max_mem"] // job["threads"], store(job["target"]),
        target_options=options, temp_store=store(job["temp"]), temp_options=options)
    with dask.config.set(scheduler="threads", num_workers=job["threads"]):
        plan.execute()


main(rechunk, "rechunker", "dask", "zarr", "numcodecs")
