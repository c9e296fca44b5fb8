"""What the runbook says to do, done with real processes while a job runs."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import PROGRAMS, wait_until
from small_disk import NotPermitted, SmallDisk

# Programs of an earlier version; tests/upgrade builds some.
OLDER = pathlib.Path(os.environ.get("RECHUNK_TEST_OLDER_BIN", PROGRAMS))

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (256, 128, 256), (1, 128, 256), "256,16,16"


@pytest.fixture(scope="module")
def source(s3):
    """32 MiB of float32 maps on S3: its path and its values."""
    values = np.random.default_rng(9).normal(280, 10, SHAPE).astype("float32").round(1)
    array = zarr.create_array(s3.zarr("operations/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4")
    array[...] = values
    return "operations/source.zarr", values


class Older(Cluster):
    """One that an earlier version began."""

    programs = OLDER


@pytest.fixture
def cluster(tmp_path, s3):
    """Three workers; a job of 128 chunks takes them ten seconds, on any machine."""
    cluster = Older(tmp_path, s3, puts_per_second=12)
    for number in range(3):
        cluster.worker(f"old-{number}", memory="160MiB")
    cluster.workers_ready(3)
    cluster.programs = PROGRAMS
    yield cluster
    cluster.stop()


def submit(cluster, s3, source, name):
    """A job under way; submitted again it is the same."""
    target = s3.url(f"operations/{name}.zarr")
    job = cluster.submit(s3.url(source[0]), target, TARGET_CHUNKS, "--max-mem", "8MiB", "--request-id", name)
    if cluster.job(job)["state"] != "SUCCEEDED":
        cluster.wait_for_work(job)
    return job


def workers(cluster):
    return {worker["id"] for worker in cluster.command("workers").json}


def assert_done(cluster, s3, source, job, name):
    view = cluster.wait_for_state(job, "SUCCEEDED")
    target = zarr.open_array(s3.zarr(f"operations/{name}.zarr"), mode="r")
    assert np.array_equal(target[...].view("u4"), source[1].view("u4"))
    totals = {key: sum(row["measured"][key] for row in view["stages"]) for key in ["get_requests", "put_requests"]}
    assert totals == {key: view["plan"]["totals"][key] for key in totals}, "each task counts once"
    assert not [key for key in s3.keys("operations/") if ".rechunk-" in key], "temporary objects are left"
    return view


def end_coordinator(cluster):
    """As an operator does it, or Kubernetes."""
    cluster.coordinator.terminate()
    assert cluster.coordinator.process.wait(timeout=60) == 0, cluster.coordinator.text()


def start_again(cluster, name):
    """A coordinator where the last one was, with the journal that the cluster has now."""
    cluster.coordinator = cluster.start_coordinator(name, port=cluster.port)
    cluster.follow(cluster.coordinator)


def test_every_process_is_replaced_while_a_job_runs(cluster, s3, source):
    job = submit(cluster, s3, source, "rolling")
    replaced_at_work = 0
    for number, old in enumerate(cluster.processes[1:4]):
        cluster.worker(f"new-{number}", memory="160MiB")
        wait_until(lambda name=f"new-{number}": name in workers(cluster), "the new one")
        replaced_at_work += cluster.job(job)["state"] == "RUNNING"
        old.terminate()
        assert old.process.wait(timeout=60) == 0, old.text()
    replaced_at_work += cluster.job(job)["state"] == "RUNNING"
    end_coordinator(cluster)
    start_again(cluster, "new")
    view = assert_done(cluster, s3, source, job, "rolling")
    assert replaced_at_work >= 3, "the job ended before it was disturbed"
    assert view["run"] == 1 and view["leases_expired"] == 0, "a drained worker left work behind"
    wait_until(lambda: workers(cluster) == {"new-0", "new-1", "new-2"}, "only new workers")


@pytest.fixture
def mixed(tmp_path, s3):
    """A coordinator of the earlier version, and a worker of each."""
    cluster = Older(tmp_path, s3, puts_per_second=12)
    logs = {"RUST_LOG": "info,rechunk_worker=debug"}
    cluster.worker("older", memory="160MiB", env=logs)
    cluster.programs = PROGRAMS
    cluster.worker("newer", memory="160MiB", env=logs)
    cluster.workers_ready(2)
    yield cluster
    cluster.stop()


def test_both_versions_work_on_one_job_below_either_coordinator(mixed, s3, source):
    of_workers = mixed.processes[1:3]
    for name in ["below-the-older", "below-the-newer"]:
        before = [process.text().count("a task is done") for process in of_workers]
        view = assert_done(mixed, s3, source, submit(mixed, s3, source, name), name)
        assert view["retries"] == 0 and view["leases_expired"] == 0
        for process, count in zip(of_workers, before, strict=True):
            assert process.text().count("a task is done") > count, f"{process.name} did nothing {name}"
        if name == "below-the-older":
            end_coordinator(mixed)
            start_again(mixed, "newer-coordinator")
            mixed.workers_ready(2)


def test_an_upgrade_is_taken_back_while_a_job_runs_or_is_refused_by_the_journals_format(mixed, s3, source):
    end_coordinator(mixed)
    start_again(mixed, "newer-coordinator")
    job = submit(mixed, s3, source, "back")
    end_coordinator(mixed)
    mixed.programs = OLDER
    older = mixed.start_coordinator("older-again", port=mixed.port)
    wait_until(lambda: "coordinator ready" in older.text() or older.process.poll() is not None, "the older one")
    if older.process.poll() is None:
        mixed.follow(older)
    else:
        assert "format" in older.text(), older.text()
        mixed.programs = PROGRAMS
        start_again(mixed, "newer-again")
    assert_done(mixed, s3, source, job, "back")


def test_the_journal_moves_to_another_kind_of_store_with_its_jobs(cluster, s3, source):
    job = submit(cluster, s3, source, "moved")
    end_coordinator(cluster)
    store, copied = s3.store(), 0
    for path in cluster.journal.rglob("*"):
        if path.is_file():
            store.put(f"moved-journal/{path.relative_to(cluster.journal)}", path.read_bytes())
            copied += 1
    assert copied > 0
    # So that nobody starts a coordinator on it: the two would not know of each other.
    cluster.journal.rename(cluster.journal.with_suffix(".moved"))
    cluster.journal = s3.url("moved-journal")
    start_again(cluster, "elsewhere")
    assert cluster.job(job)["run"] == 1
    assert_done(cluster, s3, source, job, "moved")
    assert submit(cluster, s3, source, "moved") == job, "the request id was lost on the way"


def test_a_damaged_object_of_the_journal_is_put_back_from_a_backup(cluster, s3, source, tmp_path):
    job = submit(cluster, s3, source, "backup")
    end_coordinator(cluster)
    shutil.copytree(cluster.journal, tmp_path / "backup")
    victim = max((cluster.journal / "journal").iterdir())
    victim.write_bytes(victim.read_bytes()[:-1])
    broken = cluster.start_coordinator("broken", port=cluster.port)
    assert broken.process.wait(timeout=60) == 1
    assert victim.name in broken.text(), "the fault did not fire, or its object is not named"
    shutil.copy(tmp_path / "backup" / "journal" / victim.name, victim)
    start_again(cluster, "repaired")
    assert_done(cluster, s3, source, job, "backup")


class OnDisk(Cluster):
    """All processes see a small disk."""

    def __init__(self, disk, *arguments, **options):
        self.disk = disk
        super().__init__(*arguments, **options)

    def prefix(self, name):
        return self.disk.prefix


@pytest.fixture
def disk(tmp_path):
    try:
        disk = SmallDisk(tmp_path / "disk", 200)
    except NotPermitted as forbidden:
        pytest.skip(f"full disks are not tested: {forbidden}")
    yield disk
    disk.close()


def test_a_full_disk_under_the_journal_ends_the_coordinator_and_loses_nothing(disk, tmp_path, s3, source):
    cluster = OnDisk(disk, tmp_path, s3, puts_per_second=25, journal=disk.directory / "journal")
    try:
        for number in range(2):
            cluster.worker(f"w{number}", memory="160MiB")
        cluster.workers_ready(2)
        job = submit(cluster, s3, source, "journal-full")
        assert disk.fill(), "there is space left: the fault did not fire"
        assert cluster.coordinator.process.wait(timeout=60) == 1
        assert "no space is left on the device" in cluster.coordinator.text()
        # Whatever starts it again: it says the same as long as that lasts.
        still = cluster.start_coordinator("still", port=cluster.port)
        assert still.process.wait(timeout=60) == 1 and "no space is left on the device" in still.text()
        disk.clear()
        start_again(cluster, "after")
        assert_done(cluster, s3, source, job, "journal-full")
    finally:
        cluster.stop()


def test_a_full_disk_under_the_target_fails_the_job_and_a_retry_goes_on(disk, tmp_path, s3, source):
    path, values = source
    cluster = OnDisk(disk, tmp_path, s3, puts_per_second=25)
    try:
        end_coordinator(cluster)
        with open(cluster.config, "a") as config:
            config.write(f'[[stores]]\nprefix = "file://{disk.directory}"\naccess = "read-write"\n')
        start_again(cluster, "with-disk")
        cluster.worker("w0", memory="160MiB")
        cluster.workers_ready(1)
        target = f"file://{disk.directory}/target.zarr"
        job = cluster.submit(s3.url(path), target, TARGET_CHUNKS, "--max-mem", "8MiB")
        wait_until(lambda: sum(row["done"] for row in cluster.job(job)["stages"]) > 0, "a task that is done")
        assert disk.fill(), "there is space left: the fault did not fire"
        failed = cluster.wait_for_state(job, "FAILED")
        assert "no space is left on the device" in failed["failure"]["message"]
        done = sum(row["done"] for row in failed["stages"])
        disk.clear()
        assert cluster.command("retry", job).code == 0
        view = cluster.wait_for_state(job, "SUCCEEDED")
        assert done > 0 and view["run"] == 2
        assert np.array_equal(zarr.open_array(disk.path / "target.zarr", mode="r")[...].view("u4"), values.view("u4"))
    finally:
        cluster.stop()


def test_a_full_scratch_disk_sends_its_tasks_to_other_workers(disk, tmp_path, s3):
    values = np.random.default_rng(10).normal(size=SHAPE).astype("float32")
    array = zarr.create_array(s3.zarr("operations/rows.zarr"), shape=SHAPE, chunks=(1, 16, 256), dtype="f4")
    array[...] = values
    cluster = OnDisk(disk, tmp_path, s3)
    try:
        full = cluster.worker("full", "160MiB", options=["--scratch", disk.directory / "scratch"])
        cluster.worker("other", "160MiB", options=["--scratch", tmp_path / "scratch"])
        cluster.workers_ready(2)
        assert disk.fill(), "there is space left: the fault did not fire"
        target = s3.url("operations/scratch.zarr")
        job = cluster.submit(s3.url("operations/rows.zarr"), target, "256,16,32", "--max-mem", "2MiB")
        view = cluster.wait_for_state(job, "SUCCEEDED")
        assert view["plan"]["arrays"][0]["shape_of_plan"] == "group_local"
        assert "no space is left on the device" in full.text(), "it was given nothing: the fault did not fire"
        assert np.array_equal(zarr.open_array(s3.zarr("operations/scratch.zarr"), mode="r")[...], values)
    finally:
        cluster.stop()
