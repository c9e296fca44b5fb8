"""cubed on two processes, which share the memory: `allowed_mem` is what one task may use."""

import cubed
import zarr
from adapter import main
from zarr_arrays import source, target

#: What a Python process with cubed and zarr takes before any data, about; cubed asks to be told.
RESERVED = 100_000_000


def rechunk(job):
    share = job["max_mem"] // job["threads"]
    # Below twice of it the reserve would leave nothing: then the limit is for data alone.
    reserved = RESERVED if share > 2 * RESERVED else 0
    spec = cubed.Spec(
        work_dir=job["temp"], allowed_mem=share, reserved_mem=reserved, executor_name="processes",
        executor_options={"max_workers": job["threads"]})
    array = cubed.from_zarr(job["source"], spec=spec)
    assert array.shape == source(job).shape
    cubed.store([array.rechunk(tuple(job["target_chunks"]))], [target(job)])


if __name__ == "__main__":
    zarr.config.set({"threading.max_workers": 2})
    main(rechunk, "cubed", "zarr", "numcodecs")
