"""The main job on a cluster: one coordinator, three workers, S3; workers that die, cancels, refusals."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr
from cluster import Cluster, peak_rss
from conftest import run_rechunk, wait_until

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 256, 512), (1, 256, 512), "256,16,32"


@pytest.fixture(scope="module")
def source(s3):
    """128 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(5).normal(280, 10, SHAPE).astype("float32").round(1)
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(
        s3.zarr("cluster/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4", compressors=(codec,))
    array[...] = values
    return "cluster/source.zarr", values


@pytest.fixture
def cluster(tmp_path, s3):
    cluster = Cluster(tmp_path, s3)
    yield cluster
    cluster.stop()


@pytest.fixture
def paced_cluster(tmp_path, s3):
    """Its 256 chunks take six seconds, on any machine: a fault finds work to disturb."""
    cluster = Cluster(tmp_path, s3, puts_per_second=40)
    yield cluster
    cluster.stop()


def assert_equal(s3, path, values):
    target = zarr.open_array(s3.zarr(path), mode="r")
    assert np.array_equal(target[...].view("u4"), values.view("u4"))


def target_keys(s3, path):
    """Everything below the target's parent that is the target's or temporary."""
    return [key for key in s3.keys("cluster/") if key.startswith((path, "cluster/.rechunk-"))]


def test_three_workers_rechunk_an_array_on_s3_as_planned(cluster, s3, source):
    path, values = source
    workers = [cluster.worker(f"w{n}", memory="160MiB") for n in range(3)]
    cluster.workers_ready(3)
    report = cluster.submit(s3.url(path), s3.url("cluster/three.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB",
                            "--wait", "--quiet")
    assert report["state"] == "SUCCEEDED"
    assert report["arrays"][0]["shape_of_plan"] == "exchange"
    for name in ["get_requests", "put_requests", "delete_requests", "bytes_decoded", "bytes_encoded"]:
        assert report["totals"][name] == report["plan"]["totals"][name], name
    assert_equal(s3, "cluster/three.zarr", values)
    assert len([key for key in target_keys(s3, "cluster/three.zarr") if "/c/" in key]) == 16 * 16
    assert not [key for key in s3.keys("cluster/") if ".rechunk-" in key], "temporary objects are left"
    for worker in workers:
        assert peak_rss(worker.process) < 160 << 20, worker.name


def test_workers_share_the_request_rate_that_the_table_of_their_store_states(tmp_path, s3, source):
    path, values = source
    cluster = Cluster(tmp_path, s3, puts_per_second=100)
    try:
        for number in range(2):
            cluster.worker(f"w{number}", memory="128MiB")
        cluster.workers_ready(2)
        report = cluster.submit(s3.url(path), s3.url("cluster/rated.zarr"), TARGET_CHUNKS, "--wait", "--quiet")
        assert report["state"] == "SUCCEEDED"
        assert report["basis"]["target"]["puts_per_second"] == 100, "the plan counts on no more"
        assert report["rate_wait_seconds"] > 0, "256 chunks take seconds at this rate"
        assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"]
        assert_equal(s3, "cluster/rated.zarr", values)
    finally:
        cluster.stop()


@pytest.mark.parametrize("region", [None, (slice(7, 251), slice(3, None), slice(None))], ids=["whole", "region"])
def test_a_killed_worker_delays_the_job_and_changes_nothing_else(paced_cluster, s3, source, region):
    cluster, (path, values) = paced_cluster, source
    workers = [cluster.worker(f"w{n}", memory="128MiB") for n in range(3)]
    cluster.workers_ready(3)
    target = "cluster/killed.zarr" if region is None else "cluster/killed-region.zarr"
    part = [] if region is None else ["--region", "7:251,3:,:"]
    job = cluster.submit(s3.url(path), s3.url(target), TARGET_CHUNKS, *part)
    cluster.wait_for_work(job)
    held = {worker["id"]: worker["leased_tasks"] for worker in cluster.command("workers").json}
    victim = max(workers, key=lambda worker: held.get(worker.name, 0))
    victim.kill()
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert view["leases_expired"] > 0, "the killed worker held nothing: the fault did not fire"
    assert_equal(s3, target, values if region is None else np.ascontiguousarray(values[region]))
    totals = {name: sum(row["measured"][name] for row in view["stages"]) for name in ["get_requests", "put_requests"]}
    assert totals == {name: view["plan"]["totals"][name] for name in totals}
    assert not [key for key in s3.keys("cluster/") if ".rechunk-" in key], "temporary objects are left"


def test_an_append_that_is_cancelled_or_loses_a_worker_leaves_what_stood_and_is_done_again(paced_cluster, s3, source):
    cluster, (path, values), target = paced_cluster, source, "cluster/grown.zarr"
    workers = [cluster.worker(f"w{n}", memory="128MiB") for n in range(3)]
    cluster.workers_ready(3)
    # 100 maps in chunks of 64: the second of each row has room.
    cluster.submit(s3.url(path), s3.url(target), "64,32,64", "--region", ":100,:,:", "--wait", "--quiet")
    before = {key for key in s3.keys("cluster/") if key.startswith(target)}

    job = cluster.submit(s3.url(path), s3.url(target), None, "--append", "0")
    cluster.wait_for_work(job, "copy_read_to_write")
    wait_until(lambda: {key for key in s3.keys("cluster/") if key.startswith(target)} - before, "something written")
    cluster.command("cancel", job)
    cluster.wait_for_state(job, "CANCELLED")
    assert_equal(s3, target, np.ascontiguousarray(values[:100]))
    assert not [key for key in s3.keys("cluster/") if ".rechunk-" in key], "temporary objects are left"

    job = cluster.submit(s3.url(path), s3.url(target), None, "--append", "0")
    cluster.wait_for_work(job, "copy_read_to_write")
    held = {worker["id"]: worker["leased_tasks"] for worker in cluster.command("workers").json}
    max(workers, key=lambda worker: held.get(worker.name, 0)).kill()
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert view["leases_expired"] > 0, "the killed worker held nothing: the fault did not fire"
    assert_equal(s3, target, values)


def test_a_worker_that_is_asked_to_stop_gives_its_work_back(paced_cluster, s3, source):
    cluster, (path, values) = paced_cluster, source
    workers = [cluster.worker(f"w{n}", memory="128MiB") for n in range(2)]
    cluster.workers_ready(2)
    job = cluster.submit(s3.url(path), s3.url("cluster/drained.zarr"), TARGET_CHUNKS)
    cluster.wait_for_work(job)
    workers[0].terminate()
    assert workers[0].process.wait(timeout=60) == 0, workers[0].text()
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert view["leases_expired"] == 0
    assert_equal(s3, "cluster/drained.zarr", values)


@pytest.fixture
def patient_cluster(tmp_path, s3):
    """Its leases outlast any pause of a test."""
    cluster = Cluster(tmp_path, s3, lease=600, puts_per_second=40)
    yield cluster
    cluster.stop()


def test_a_cancelled_job_leaves_nothing(patient_cluster, s3, source):
    cluster, (path, _) = patient_cluster, source
    workers = [cluster.worker(f"w{n}", memory="128MiB") for n in range(2)]
    cluster.workers_ready(2)
    job = cluster.submit(s3.url(path), s3.url("cluster/cancelled.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB")
    wait_until(lambda: target_keys(s3, "cluster/cancelled.zarr"), "something written")
    # In mid-write, whatever the machine is busy with: they hear of the cancel when it is decided.
    for worker in workers:
        worker.pause()
    with ThreadPoolExecutor(1) as elsewhere:
        cancel = elsewhere.submit(cluster.command, "cancel", job)
        cluster.wait_for_state(job, "CANCELLING")
        for worker in workers:
            worker.resume()
        ended = cancel.result()
    assert ended.code == 0, ended.stderr
    assert cluster.job(job)["state"] == "CANCELLED"
    assert target_keys(s3, "cluster/cancelled.zarr") == []


def test_two_jobs_at_once_share_the_workers(cluster, s3, source):
    path, values = source
    jobs = {name: cluster.submit(s3.url(path), s3.url(name), TARGET_CHUNKS, "--max-mem", "96MiB")
            for name in ["cluster/left.zarr", "cluster/right.zarr"]}
    waiting = cluster.job(jobs["cluster/left.zarr"])
    assert "worker" in waiting["waits_for"]
    for n in range(2):
        cluster.worker(f"w{n}", memory="192MiB")
    for name, job in jobs.items():
        cluster.wait_for_state(job, "SUCCEEDED")
        assert_equal(s3, name, values)


def test_a_live_jobs_target_is_refused_by_name(cluster, s3, source):
    path, _ = source
    job = cluster.submit(s3.url(path), s3.url("cluster/live.zarr"), TARGET_CHUNKS)
    for target in ["cluster/live.zarr", "cluster/live.zarr/inside"]:
        ended = cluster.command("submit", s3.url(path), s3.url(target), "--chunks", TARGET_CHUNKS)
        assert ended.code == 2
        assert ended.json["error"]["code"] == "ALREADY_EXISTS"
        assert job in ended.json["error"]["message"]
    # No worker is there to clean up: one comes, and the cancel goes through.
    cluster.worker("cleaner")
    assert cluster.command("cancel", job).code == 0


def test_the_same_request_id_gives_the_same_job(cluster, s3, source):
    path, _ = source
    first, second = (cluster.submit(s3.url(path), s3.url("cluster/once.zarr"), TARGET_CHUNKS, "--request-id", "mine")
                     for _ in range(2))
    assert first == second


def test_a_store_that_no_table_covers_is_refused(cluster, s3, source, tmp_path):
    path, _ = source
    ended = cluster.command("submit", s3.url(path), f"{tmp_path}/here.zarr", "--chunks", TARGET_CHUNKS)
    assert ended.code == 2
    assert ended.json["error"]["code"] == "PERMISSION_DENIED"
    assert ended.json["error"]["field"] == "target"
    assert not (tmp_path / "here.zarr").exists()


def test_without_a_coordinator_the_exit_code_is_three(tmp_path):
    for command in [["jobs"], ["submit", tmp_path, tmp_path / "b", "--chunks", "1", "--reconnect", "0s"]]:
        ended = run_rechunk(*command, "--coordinator", "http://127.0.0.1:1")
        assert ended.code == 3, ended.stderr
        assert "127.0.0.1:1" in ended.stderr


def test_an_unknown_job_is_refused(cluster):
    ended = cluster.command("show", "job-000000000000")
    assert ended.code == 2
    assert json.loads(ended.stdout)["error"]["code"] == "NOT_FOUND"
    assert "job-000000000000" in ended.stderr


def test_run_works_on_s3_without_a_cluster(s3, source):
    path, values = source
    ended = run_rechunk("run", s3.url(path), s3.url("cluster/run.zarr"), "--chunks", TARGET_CHUNKS, "--output", "json",
                        env=s3.env)
    assert ended.code == 0, ended.stderr
    assert_equal(s3, "cluster/run.zarr", values)
