"""cubed on two processes, which share the memory: `allowed_mem` is what one task may use."""

import os

import cubed
import zarr
from adapter import main
from zarr_arrays import target

#: What a Python process with cubed and zarr takes before any data, about; cubed asks to be told.
RESERVED = 100_000_000


def storage_options(address):
    if not address.startswith("s3://"):
        return None
    return {"key": os.environ["AWS_ACCESS_KEY_ID"], "secret": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ["AWS_ENDPOINT_URL"]}


def rechunk(job):
    share = job["max_mem"] // job["threads"]
    # Below twice of it the reserve would leave nothing: then the limit is for data alone.
    reserved = RESERVED if share > 2 * RESERVED else 0
    spec = cubed.Spec(
        work_dir=job["temp"], allowed_mem=share, reserved_mem=reserved, executor_name="processes",
        executor_options={"max_workers": job["threads"]}, storage_options=storage_options(job["temp"]))
    array = cubed.from_zarr(job["source"], spec=spec)
    cubed.store([array.rechunk(tuple(job["target_chunks"]))], [target(job)])


if __name__ == "__main__":
    zarr.config.set({"threading.max_workers": 2})
    main(rechunk, "cubed", "zarr", "numcodecs")
