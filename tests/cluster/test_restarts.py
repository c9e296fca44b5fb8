"""Coordinators that die, are replaced, or meet another one: jobs go on, and nothing is lost or done twice for long."""

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import wait_until

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 256, 512), (1, 256, 512), "256,16,32"


@pytest.fixture(scope="module")
def source(s3):
    """128 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(6).normal(280, 10, SHAPE).astype("float32").round(1)
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(
        s3.zarr("restarts/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4", compressors=(codec,))
    array[...] = values
    return "restarts/source.zarr", values


@pytest.fixture
def cluster(tmp_path, s3):
    cluster = Cluster(tmp_path, s3)
    yield cluster
    cluster.stop()


@pytest.fixture
def paced_cluster(tmp_path, s3):
    """Its job outlasts several restarts, on any machine."""
    cluster = Cluster(tmp_path, s3, puts_per_second=15)
    yield cluster
    cluster.stop()


def assert_equal(s3, path, values):
    target = zarr.open_array(s3.zarr(path), mode="r")
    assert np.array_equal(target[...].view("u4"), values.view("u4"))


def done_tasks(view):
    return sum(row["done"] for row in view["stages"])


def durable_progress(cluster, job, beyond):
    """Waits until more than `beyond` tasks are done, and durably so; returns how many."""
    seen = {}

    def further():
        seen.update(cluster.job(job))
        assert seen["state"] in {"ACCEPTED", "RUNNING", "SUCCEEDING", "SUCCEEDED"}, seen
        return done_tasks(seen) > beyond or seen["state"] == "SUCCEEDED"

    wait_until(further, f"more than {beyond} tasks done", 120)
    if seen["state"] == "SUCCEEDED":
        return None
    # What was done by then is in one of the next two objects: one may be on its way already.
    records, _ = cluster.journal_objects()
    wait_until(lambda: len(cluster.journal_objects()[0]) >= len(records) + 2
               or cluster.job(job)["state"] == "SUCCEEDED", "two more objects", 60)
    return done_tasks(seen)


def wait_for_heartbeats(cluster, count):
    """Until an idle coordinator has confirmed its reign so often: what was written before the first is named by it."""
    heartbeat = cluster.journal / "heartbeat"
    beats = {heartbeat.read_bytes()}
    wait_until(lambda: beats.add(heartbeat.read_bytes()) or len(beats) > count, f"{count} heartbeats")


def test_a_coordinator_that_is_killed_again_and_again_finishes_its_job(paced_cluster, s3, source):
    cluster, (path, values) = paced_cluster, source
    for n in range(3):
        cluster.worker(f"w{n}", memory="160MiB")
    cluster.workers_ready(3)
    job = cluster.submit(s3.url(path), s3.url("restarts/killed.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB",
                         "--request-id", "mine")
    kills, done = 0, 0
    while kills < 5:
        done = durable_progress(cluster, job, done)
        if done is None:
            break
        cluster.restart_coordinator()
        kills += 1
        recovered = cluster.job(job)
        assert done_tasks(recovered) >= done, "what was durable is done again"
        assert recovered["run"] == 1
    assert kills >= 3, "the job ended before the fault fired"
    again = cluster.submit(s3.url(path), s3.url("restarts/killed.zarr"), TARGET_CHUNKS, "--request-id", "mine")
    assert again == job, "the request id is forgotten"
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert_equal(s3, "restarts/killed.zarr", values)
    totals = {name: sum(row["measured"][name] for row in view["stages"]) for name in ["get_requests", "put_requests"]}
    assert totals == {name: view["plan"]["totals"][name] for name in totals}, "each task counts once"
    assert not [key for key in s3.keys("restarts/") if ".rechunk-" in key], "temporary objects are left"


def test_the_older_of_two_coordinators_ends_and_says_why(cluster, s3, source):
    path, values = source
    job = cluster.submit(s3.url(path), s3.url("restarts/two.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB")
    older = cluster.coordinator
    cluster.follow(cluster.start_coordinator("newer"))
    assert older.process.wait(timeout=60) == 4
    assert "a newer coordinator, of epoch 2, has taken over" in older.text()
    assert cluster.job(job)["state"] == "ACCEPTED"
    for n in range(2):
        cluster.worker(f"w{n}", memory="160MiB")
    cluster.wait_for_state(job, "SUCCEEDED")
    assert_equal(s3, "restarts/two.zarr", values)


def test_a_paused_coordinator_that_wakes_up_ends(cluster, s3, source):
    path, _ = source
    job = cluster.submit(s3.url(path), s3.url("restarts/paused.zarr"), TARGET_CHUNKS)
    older = cluster.coordinator
    older.pause()
    cluster.follow(cluster.start_coordinator("newer"))
    older.resume()
    assert older.process.wait(timeout=60) == 4
    cluster.worker("cleaner")
    assert cluster.command("cancel", job).code == 0


def test_one_that_stands_by_takes_over_when_the_other_is_gone(cluster, s3, source):
    path, _ = source
    job = cluster.submit(s3.url(path), s3.url("restarts/standby.zarr"), TARGET_CHUNKS)
    standby = cluster.start_coordinator("standby", "--standby")
    wait_until(lambda: "standing by" in standby.text(), "standing by")
    # The one that reigns confirms, and stays.
    wait_for_heartbeats(cluster, 4)
    assert cluster.coordinator.process.poll() is None and "nobody reigns" not in standby.text()
    cluster.coordinator.kill()
    cluster.follow(standby)
    assert cluster.job(job)["state"] == "ACCEPTED"
    cluster.worker("cleaner")
    assert cluster.command("cancel", job).code == 0


def test_a_damaged_journal_stops_the_start_and_is_named(cluster, s3, source):
    path, _ = source
    cluster.submit(s3.url(path), s3.url("restarts/damaged.zarr"), TARGET_CHUNKS)
    # The loss of the very last object shows once a heartbeat has named it.
    wait_for_heartbeats(cluster, 2)
    cluster.coordinator.kill()
    victim = sorted((cluster.journal / "journal").glob("*"))[1]
    damaged = bytearray(victim.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    victim.write_bytes(damaged)
    after = cluster.start_coordinator("after")
    assert after.process.wait(timeout=60) == 1
    assert "damaged" in after.text() and victim.name in after.text() and "checksum" in after.text()
    victim.unlink()
    again = cluster.start_coordinator("again")
    assert again.process.wait(timeout=60) == 1
    assert victim.name in again.text() and "is missing" in again.text()


def test_a_failed_job_that_is_retried_keeps_what_is_done(cluster, s3, source):
    path, values = source
    store = s3.store()
    key = f"{path}/c/255/0/0"
    good = bytes(store.get(key).bytes())
    store.put(key, b"no chunk at all")
    cluster.worker("w0", memory="160MiB")
    cluster.workers_ready(1)
    job = cluster.submit(s3.url(path), s3.url("restarts/retried.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB")
    failed = cluster.wait_for_state(job, "FAILED")
    assert "c/255/0/0" in failed["failure"]["message"]
    done = done_tasks(failed)
    assert done > 0
    store.put(key, good)
    cluster.restart_coordinator()
    ended = cluster.command("retry", job)
    assert ended.code == 0, ended.stderr
    view = cluster.wait_for_state(job, "SUCCEEDED")
    assert view["run"] == 2
    assert_equal(s3, "restarts/retried.zarr", values)
    gets = sum(row["measured"]["get_requests"] for row in view["stages"])
    assert gets == view["plan"]["totals"]["get_requests"], "what was done before the failure is read once"
    assert cluster.command("retry", job).code == 2
