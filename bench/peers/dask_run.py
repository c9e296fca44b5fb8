"""dask.array's rechunk: `tasks` on threads, or `p2p` on a cluster of two processes that share the memory."""

import dask
import dask.array
import zarr
from adapter import main
from zarr_arrays import source, target


def rechunk(job):
    zarr.config.set({"threading.max_workers": job["threads"]})
    method = job["options"]["method"]
    if method == "tasks":
        with dask.config.set(scheduler="threads", num_workers=job["threads"]):
            copy(job, method)
        return
    from distributed import Client, LocalCluster

    share = job["max_mem"] // job["threads"]
    with LocalCluster(
        n_workers=job["threads"], threads_per_worker=1, memory_limit=share, dashboard_address=None,
        local_directory=job["temp"] if not job["temp"].startswith("s3://") else None,
    ) as cluster, Client(cluster):
        copy(job, method)


def copy(job, method):
    with dask.config.set({"array.rechunk.method": method}):
        array = dask.array.from_zarr(source(job)).rechunk(tuple(job["target_chunks"]))
        dask.array.store(array, target(job), lock=False)


if __name__ == "__main__":
    main(rechunk, "dask", "distributed", "zarr", "numcodecs")
