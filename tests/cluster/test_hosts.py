"""Coordinator, workers and store on hosts of their own: hosts that are lost, cut off, or far away."""

import pytest
from conftest import wait_until
from hosts import TARGET_CHUNKS, HostedCluster, HostedS3, Network, is_equal, make_source, why_not

SOURCE = "hosts/source.zarr"
WORKERS = ("w0", "w1", "w2")


@pytest.fixture(scope="module")
def network():
    forbidden = why_not()
    if forbidden:
        pytest.skip(f"several hosts are not tested: {forbidden}")
    network = Network("store", "coordinator", "reserve", "client", *WORKERS)
    yield network
    network.close()


@pytest.fixture(scope="module")
def store(network, tmp_path_factory):
    server = HostedS3(tmp_path_factory.mktemp("store"), network)
    network.call(make_source, server, SOURCE)
    yield server
    server.stop()


@pytest.fixture
def cluster(tmp_path, store, network):
    """Three workers; a job of 256 chunks takes them six seconds, on any machine."""
    cluster = HostedCluster(tmp_path, store, network, puts_per_second=40)
    try:
        for name in WORKERS:
            cluster.worker(name, memory="160MiB")
        cluster.workers_ready(len(WORKERS))
        yield cluster
    finally:
        network.heal()
        for name in network.addresses:
            network.plug(name)
        cluster.stop()


def submit(cluster, store, name):
    """A job whose target is `name`, under way."""
    job = cluster.submit(store.url(SOURCE), store.url(f"hosts/{name}.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB")
    cluster.wait_for_work(job)
    return job


def busiest(cluster):
    held = {worker["id"]: worker["leased_tasks"] for worker in cluster.command("workers").json}
    return max(held, key=held.get)


def assert_done(cluster, store, job, name):
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert cluster.network.call(is_equal, store, f"hosts/{name}.zarr")
    totals = {key: sum(row["measured"][key] for row in view["stages"]) for key in ["get_requests", "put_requests"]}
    assert totals == {key: view["plan"]["totals"][key] for key in totals}, "each task counts once"
    assert not [key for key in store.keys("hosts/") if ".rechunk-" in key], "temporary objects are left"
    return view


def process_of(cluster, name):
    (process,) = [process for process in cluster.processes if process.name == name]
    return process


@pytest.mark.parametrize("fault", ["lost", "cut off from the coordinator"])
def test_a_workers_host_that_goes_costs_its_leases_and_may_come_back(cluster, store, network, fault):
    name = fault.split()[0]
    job = submit(cluster, store, name)
    victim = busiest(cluster)
    if fault == "lost":
        network.unplug(victim)
    else:
        # It still reaches the store, and must not write what others do by now.
        network.part(victim, "coordinator")
    view = assert_done(cluster, store, job, name)
    assert view["leases_expired"] > 0, "it held nothing: the fault did not fire"
    assert process_of(cluster, victim).process.poll() is None, "a worker that is alone waits"
    network.plug(victim)
    network.heal()
    cluster.workers_ready(len(WORKERS))
    wait_until(lambda: any(worker["id"] == victim for worker in cluster.command("workers").json), "its return")
    after = f"{name}-after"
    assert_done(cluster, store, submit(cluster, store, after), after)


def test_a_coordinators_host_that_is_lost_is_replaced_and_its_job_goes_on(cluster, store, network):
    job = submit(cluster, store, "moved")
    old = cluster.coordinator
    cluster.replace_coordinator()
    view = assert_done(cluster, store, job, "moved")
    assert view["run"] == 1
    assert old.process.poll() is None, "it cannot know yet"
    network.plug("coordinator")
    assert old.process.wait(timeout=120) == 4
    assert "a newer coordinator, of epoch 2, has taken over" in old.text()
    cluster.workers_ready(len(WORKERS))


def test_a_worker_behind_a_slow_link_keeps_its_lease_and_holds_nobody_up(cluster, store, network):
    network.slow("w0", "16mbit")
    try:
        job = submit(cluster, store, "slow")
        view = assert_done(cluster, store, job, "slow")
        _, received = network.slowed("w0")
        assert received > 0, "nothing was slowed down: the fault did not fire"
        assert view["leases_expired"] == 0
        worker = process_of(cluster, "w0")
        assert worker.process.poll() is None and "a lease ended before it was renewed" not in worker.text()
    finally:
        network.hasten("w0")
