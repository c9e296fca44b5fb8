"""Our Dask executor on Dask's threads, the same number that rechunker has. `max_mem` is what the process may use: its tasks
share it.
"""

import dask
import rechunk
from adapter import main


def on_dask(job):
    with dask.config.set(scheduler="threads", num_workers=job["threads"]):
        plan = rechunk.rechunk(
            job["source"], tuple(job["target_chunks"]), job["max_mem"], job["target"],
            target_options={"zarr_format": 3, "shards": job["target_shards"] and tuple(job["target_shards"])},
            temp_store=job["temp"], executor="dask", threads=job["threads"])
        plan.execute()
    return {"totals": plan.report["totals"], "planned": plan.plan["totals"]}


main(on_dask, "dask")
