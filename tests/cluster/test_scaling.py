"""From no worker to some and back, driven by nothing but what KEDA is answered, as KEDA asks."""

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import wait_until
from keda import Keda

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 128, 256), (1, 128, 256), "256,16,16"
SLOTS, MOST_WORKERS = 2, 3


@pytest.fixture(scope="module")
def source(s3):
    """32 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(11).normal(280, 10, SHAPE).astype("float32").round(1)
    array = zarr.create_array(s3.zarr("scaling/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4")
    array[...] = values
    return "scaling/source.zarr", values


@pytest.fixture
def cluster(tmp_path, s3):
    """No worker; a job of 128 chunks takes seconds, in small leases, on any machine."""
    cluster = Cluster(tmp_path, s3, puts_per_second=25, lease_work=1)
    yield cluster
    cluster.stop()


@pytest.fixture
def keda(cluster):
    keda = Keda(f"{cluster.address}:{cluster.port}", SLOTS, MOST_WORKERS)
    yield keda
    keda.close()


class Workers:
    """Processes that are started and told to end, so that there are as many as KEDA wants."""

    def __init__(self, cluster, keda):
        self.cluster, self.keda = cluster, keda
        self.running, self.ended, self.counts = [], [], [0]
        self.ended_at_work = 0

    def follow(self):
        """Starts or ends workers until there are as many as there should be."""
        wanted = self.keda.replicas()
        while len(self.running) < wanted:
            name = f"w{len(self.running) + len(self.ended)}"
            self.running.append(self.cluster.worker(name, memory="160MiB", cpus=SLOTS))
        while len(self.running) > wanted:
            self._end_one()
        if self.counts[-1] != wanted:
            self.counts.append(wanted)

    def _end_one(self):
        """One that holds work where there is such a one: Kubernetes does not spare it."""
        leased = {worker["id"]: worker["leased_tasks"] for worker in self.cluster.command("workers").json}
        victim = max(self.running, key=lambda worker: leased.get(worker.name, 0))
        self.ended_at_work += leased.get(victim.name, 0) > 0
        self.running.remove(victim)
        self.ended.append(victim)
        victim.terminate()


def run_scaled(cluster, workers, s3, source, name):
    """A job from its submission to its end, with the workers that KEDA wants and no others."""
    assert workers.running == [] and workers.keda.metric() == 0
    target = f"scaling/{name}.zarr"
    job = cluster.submit(s3.url(source[0]), s3.url(target), TARGET_CHUNKS, "--max-mem", "8MiB")
    assert workers.keda.next_push() is True, "pushed, with nobody asking"
    assert workers.keda.metric() > MOST_WORKERS * SLOTS, "there is work for more, and no worker"
    before = len(workers.counts)

    def is_over():
        workers.follow()
        return not workers.running

    wait_until(is_over, "the end of all work", seconds=240)
    view = cluster.job(job)
    assert view["state"] == "SUCCEEDED", view
    assert np.array_equal(zarr.open_array(s3.zarr(target), mode="r")[...].view("u4"), source[1].view("u4"))
    counts = workers.counts[before:]
    assert max(counts) == MOST_WORKERS and counts[-1] == 0, counts
    return view


def test_workers_come_from_none_and_go_to_none_as_the_scaler_says_and_no_work_is_lost(cluster, keda, s3, source):
    assert keda.next_push() is False, "said at once"
    assert (keda.replicas(), keda.target()) == (0, ("rechunk-slots-wanted", SLOTS))
    workers = Workers(cluster, keda)
    for name in ["first", "second"]:
        view = run_scaled(cluster, workers, s3, source, name)
        assert view["run"] == 1 and view["leases_expired"] == 0, "a worker that was taken down left work behind"
        measured = {key: sum(row["measured"][key] for row in view["stages"]) for key in ["get_requests", "put_requests"]}
        assert measured == {key: view["plan"]["totals"][key] for key in measured}, "work was done twice"
        assert [worker.process.wait(timeout=60) for worker in workers.ended] == [0] * len(workers.ended)
        wait_until(lambda: cluster.command("workers").json == [], "a coordinator without workers")
    assert workers.ended_at_work > 0, "no worker was taken down while it held work"
    assert not [key for key in s3.keys("scaling/") if ".rechunk-" in key], "temporary objects are left"
