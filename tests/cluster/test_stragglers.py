"""A worker that stalls: another one does its tasks too, long before its leases run out."""

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import wait_until

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 256, 512), (1, 256, 512), "256,16,32"


@pytest.fixture(scope="module")
def source(s3):
    """128 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(9).normal(280, 10, SHAPE).astype("float32").round(1)
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(
        s3.zarr("stragglers/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4", compressors=(codec,))
    array[...] = values
    return "stragglers/source.zarr", values


@pytest.fixture
def cluster(tmp_path, s3):
    """Leases outlast any test, and are late after a second; the job takes seconds, on any machine."""
    cluster = Cluster(tmp_path, s3, lease=600, lease_work=1, puts_per_second=40)
    yield cluster
    cluster.stop()


def pause_at_work(cluster, worker):
    """Pauses the worker while it holds tasks that it has not reported."""

    def is_at_work():
        worker.pause()
        held = {row["id"]: row["leased_tasks"] for row in cluster.command("workers").json}
        if held[worker.name] > 0:
            return True
        worker.resume()
        return False

    wait_until(is_at_work, f"{worker.name} at work")


def test_the_tasks_of_a_worker_that_stalls_are_done_by_another_long_before_its_lease_ends(cluster, s3, source):
    path, values = source
    stalled, _ = [cluster.worker(f"w{n}", memory="128MiB") for n in range(2)]
    cluster.workers_ready(2)
    job = cluster.submit(s3.url(path), s3.url("stragglers/target.zarr"), TARGET_CHUNKS)
    cluster.wait_for_work(job)
    pause_at_work(cluster, stalled)

    def is_copied():
        copies = [row for row in cluster.job(job)["stages"] if row["name"].startswith("copy")]
        return copies and all(row["done"] == row["tasks"] for row in copies)

    wait_until(is_copied, "everything copied", 120)
    view = cluster.job(job)
    assert view["leases_expired"] == 0, "its lease has ended: nobody shows that a backup is faster"
    assert view["retries"] > 0, "nobody has done its tasks: the fault did not fire"
    assert view["state"] == "RUNNING", "it may still write, and nothing is published before it has stopped"
    stalled.resume()
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert view["leases_expired"] == 0
    assert_equal(s3, "stragglers/target.zarr", values)
    totals = {name: sum(row["measured"][name] for row in view["stages"]) for name in ["get_requests", "put_requests"]}
    assert totals == {name: view["plan"]["totals"][name] for name in totals}, "each task counts once"
    assert not [key for key in s3.keys("stragglers/") if ".rechunk-" in key], "temporary objects are left"


def assert_equal(s3, path, values):
    target = zarr.open_array(s3.zarr(path), mode="r")
    assert np.array_equal(target[...].view("u4"), values.view("u4"))
