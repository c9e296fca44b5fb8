"""A chunk that kills every worker which reads it: the job ends with the reason, the workers' other work goes on."""

import asyncio
import os
import signal
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
import zarr
from chaos.store_link import StoreLink
from cluster import Cluster
from conftest import wait_until

SHAPE, TARGET_CHUNKS = (256, 64, 128), "256,16,16"

# The worker that asks for this chunk dies of it.
POISON = "c/200/0/0"

# A task is poisonous when three workers have died with it alone. Halving a lease of a few tasks takes no more than this.
DEATHS, MOST_DEATHS = 3, 10


@pytest.fixture(scope="module")
def source(s3):
    """8 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(8).normal(280, 10, SHAPE).astype("float32")
    array = zarr.create_array(s3.zarr("poison/source.zarr"), shape=SHAPE, chunks=(1, *SHAPE[1:]), dtype="f4")
    array[...] = values
    return "poison/source.zarr", values


@pytest.fixture
def loop():
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Mortal:
    """A worker that dies of the poison, as long as there is some, and is then started again."""

    def __init__(self, cluster, loop, name):
        self.cluster, self.name, self.lives, self.deaths = cluster, name, 0, 0
        self.link = StoreLink(name, seed=0)
        address = urlsplit(cluster.s3.endpoint)
        self.link.upstream = (address.hostname, address.port)
        asyncio.run_coroutine_threadsafe(self.link.open(), loop).result()
        self.link.on_request = self.meet
        self.config = cluster.directory / f"{name}.toml"
        self.config.write_text(cluster.store_table(f"http://127.0.0.1:{self.link.port}"))
        self.process = None
        self.revive()

    def revive(self):
        if self.process is None or self.process.process.poll() is not None:
            self.lives += 1
            self.process = self.cluster.worker(
                self.name, memory="160MiB", config=self.config, log=f"{self.name}-{self.lives}")

    def meet(self, method, target):
        # Only once by each: the request may be under way twice.
        if method == "GET" and target.split("?")[0].endswith(POISON) and self.deaths < self.lives:
            self.deaths += 1
            os.kill(self.process.process.pid, signal.SIGKILL)


def test_a_task_that_kills_its_workers_fails_its_job_and_not_the_fleet(tmp_path, s3, source, loop):
    path, values = source
    cluster = Cluster(tmp_path, s3, lease=1)
    try:
        workers = [Mortal(cluster, loop, f"w{n}") for n in range(2)]
        cluster.workers_ready(2)
        options = ["--max-mem", "2MiB", "--exchange-codec", "none"]
        job = cluster.submit(s3.url(path), s3.url("poison/target.zarr"), TARGET_CHUNKS, *options)
        seen = {}

        def ended():
            for worker in workers:
                worker.revive()
            seen.update(cluster.job(job))
            return seen["state"] in {"FAILED", "SUCCEEDED"}

        wait_until(ended, "the job's end", 180)
        assert seen["state"] == "FAILED" and seen["failure"]["reason"] == "TASK_POISONOUS", seen["failure"]
        assert "of stage copy_read_to_exchange" in seen["failure"]["message"]
        deaths = sum(worker.deaths for worker in workers)
        assert DEATHS <= deaths <= MOST_DEATHS, "the fault did not fire, or it took too many workers"
        # All but the poisonous task was done by the same workers, or waits for them only.
        reading = next(row for row in seen["stages"] if row["name"] == "copy_read_to_exchange")
        assert reading["tasks"] > 4 and reading["done"] < reading["tasks"]
        for worker in workers:
            worker.link.on_request = None
            worker.revive()
        assert cluster.command("retry", job).code == 0
        cluster.wait_for_state(job, "SUCCEEDED")
        assert np.array_equal(zarr.open_array(s3.zarr("poison/target.zarr"), mode="r")[...].view("u4"), values.view("u4"))
        assert not [key for key in s3.keys("poison/") if ".rechunk-" in key], "temporary objects are left"
    finally:
        cluster.stop()
