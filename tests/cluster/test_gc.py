"""Temporary objects that dead jobs left behind: found and removed, and never those of a job that may need them."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import ENVIRONMENT, PROGRAMS, run_rechunk, wait_until

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 256, 512), (1, 256, 512), "256,16,32"

# Small enough for an exchange.
LITTLE_MEMORY = ("--max-mem", "24MiB")


@pytest.fixture(scope="module")
def source(s3):
    """128 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(10).normal(280, 10, SHAPE).astype("float32").round(1)
    codec = zarr.codecs.BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")
    array = zarr.create_array(
        s3.zarr("gc/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4", compressors=(codec,))
    array[...] = values
    return "gc/source.zarr", values


@pytest.fixture
def cluster(tmp_path, s3):
    """Its leases outlast any pause of a test."""
    cluster = Cluster(tmp_path, s3, lease=600)
    yield cluster
    cluster.stop()


def gc(cluster, s3, *arguments):
    return run_rechunk("gc", *arguments, "--coordinator", cluster.url, "--output", "json", env=s3.env)


def spaces(ended):
    assert ended.code == 0, ended.stderr
    return {space["job"]: space for space in ended.json["spaces"]}


def temp_keys(s3, place, job):
    return s3.keys(f"{place}/.rechunk-{job}/")


def late_write(s3, place, job):
    """A write of a worker that died, which the store completes when the job is over."""
    key = f"{place}/.rechunk-{job}/{job}/0/0/0/7"
    s3.store().put(key, b"late")
    return key


def test_what_a_dead_job_left_is_listed_then_removed_and_a_live_job_keeps_what_it_has(cluster, s3, source):
    (path, values), place = source, "gc/live"
    worker = cluster.worker("w", memory="160MiB")
    cluster.workers_ready(1)
    dead = cluster.submit(s3.url(path), s3.url(f"{place}/dead.zarr"), TARGET_CHUNKS, *LITTLE_MEMORY)
    assert cluster.command("cancel", dead).code == 0
    key = late_write(s3, place, dead)
    live = cluster.submit(s3.url(path), s3.url(f"{place}/live.zarr"), TARGET_CHUNKS, *LITTLE_MEMORY)
    wait_until(lambda: temp_keys(s3, place, live), "something in the live job's space")
    worker.pause()
    held = temp_keys(s3, place, live)
    assert held, "the live job has nothing to lose"

    found = spaces(gc(cluster, s3, s3.url(place)))
    assert set(found) == {dead, live}
    assert found[dead]["left_behind"] and not found[dead]["removed"] and found[dead]["objects"] == 1
    assert not found[live]["left_behind"] and "needs it" in found[live]["reason"]
    assert temp_keys(s3, place, dead) == [key], "a listing removes nothing"

    # Where its jobs had their spaces, the coordinator knows; and no age makes a live job's space an old one.
    found = spaces(gc(cluster, s3, "--remove", "--unknown-older-than", "1h"))
    assert found[dead]["removed"] and not found[live]["removed"]
    assert temp_keys(s3, place, dead) == []
    assert set(held) <= set(temp_keys(s3, place, live)), "a write may still have arrived, but nothing goes"
    worker.resume()
    cluster.wait_for_state(live, "SUCCEEDED")
    target = zarr.open_array(s3.zarr(f"{place}/live.zarr"), mode="r")
    assert np.array_equal(target[...].view("u4"), values.view("u4"))
    assert spaces(gc(cluster, s3)) == {}


def test_a_failed_job_keeps_its_space_for_a_retry_and_a_kept_one_stays(cluster, s3, source):
    (path, _), place = source, "gc/failed"
    store = s3.store()
    bad = f"{path}/c/255/0/0"
    good = bytes(store.get(bad).bytes())
    store.put(bad, b"no chunk at all")
    cluster.worker("w", memory="160MiB")
    cluster.workers_ready(1)
    failed = cluster.submit(s3.url(path), s3.url(f"{place}/failed.zarr"), TARGET_CHUNKS, *LITTLE_MEMORY)
    cluster.wait_for_state(failed, "FAILED")
    store.put(bad, good)
    kept = cluster.submit(s3.url(path), s3.url(f"{place}/kept.zarr"), TARGET_CHUNKS, *LITTLE_MEMORY, "--keep-temp")
    cluster.wait_for_state(kept, "SUCCEEDED")
    before = temp_keys(s3, place, failed), temp_keys(s3, place, kept)
    assert all(before), "there is nothing to lose"
    found = spaces(gc(cluster, s3, s3.url(place), "--remove"))
    assert not found[failed]["left_behind"] and not found[kept]["left_behind"]
    assert "asked to keep" in found[kept]["reason"]
    assert (temp_keys(s3, place, failed), temp_keys(s3, place, kept)) == before
    # Deleted, it is unknown: what comes after that stays until somebody says which age is enough.
    assert cluster.command("delete", failed).code == 0
    assert temp_keys(s3, place, failed) == []
    key = late_write(s3, place, failed)
    found = spaces(gc(cluster, s3, s3.url(place), "--remove", "--unknown-older-than", "1h"))
    assert "unknown" in found[failed]["reason"] and not found[failed]["removed"]
    assert temp_keys(s3, place, failed) == [key]


def test_without_a_coordinator_that_answers_nothing_is_removed(cluster, s3):
    job, place = "job-00000000dead", "gc/away"
    key = late_write(s3, place, job)
    cluster.coordinator.kill()
    ended = gc(cluster, s3, s3.url(place), "--remove", "--unknown-older-than", "1h")
    assert ended.code == 3, ended.stderr
    assert temp_keys(s3, place, job) == [key]


def test_what_a_killed_run_left_on_a_disk_goes_by_its_age(tmp_path):
    # 64 MiB that do not compress: enough to be killed in the middle of it.
    array = zarr.create_array(tmp_path / "maps", shape=(256, 256, 256), chunks=(1, 256, 256), dtype="<f4")
    array[...] = np.random.default_rng(11).random(array.shape, dtype="<f4")
    # What is missing is written down in the temporary space, where it lies to the end of the job.
    (tmp_path / "maps" / "c" / "7" / "0" / "0").unlink()
    run = subprocess.Popen(
        [PROGRAMS / "rechunk", "run", tmp_path / "maps", tmp_path / "series", "--chunks", "256,16,16", "--threads", "1",
         "--quiet"], env=ENVIRONMENT)

    def objects():
        return [path for path in tmp_path.glob(".rechunk-job-*/**/*") if path.is_file()]

    wait_until(objects, "a temporary object")
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the run had ended before the fault fired"
    left = objects()
    assert left

    def gc(*arguments):
        return list(spaces(run_rechunk("gc", tmp_path, "--no-coordinator", "--output", "json", *arguments)).values())

    others = sorted(path for path in tmp_path.glob("maps/**/*"))
    for arguments, reason in [(["--remove"], "its job is unknown"), (["--remove", "--unknown-older-than", "1h"], "not old")]:
        [space] = gc(*arguments)
        assert reason in space["reason"] and not space["removed"]
        assert objects() == left
    for path in left:
        os.utime(path, (time.time() - 7200,) * 2)
    [space] = gc("--unknown-older-than", "1h")
    assert space["left_behind"] and not space["removed"] and objects() == left
    [space] = gc("--remove", "--unknown-older-than", "1h")
    assert space["removed"] and not list(tmp_path.glob(".rechunk-*")), "not even the directory is left"
    assert sorted(path for path in tmp_path.glob("maps/**/*")) == others
    assert gc() == []
