"""Probes and metrics of real processes: what they say holds, and the documentation lists just what they show."""

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import wait_until
from metrics import Face, documented

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (64, 256, 512), (1, 256, 512), "64,16,32"
HTTP = ("--http", "127.0.0.1:0")
HTTP_OF_WORKER = {"RECHUNK_HTTP": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def source(s3):
    """32 MiB of float32 maps on S3."""
    array = zarr.create_array(s3.zarr("observe/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4")
    array[...] = np.random.default_rng(7).normal(280, 10, SHAPE).astype("float32").round(1)
    return s3.url("observe/source.zarr")


@pytest.fixture
def cluster(tmp_path, s3):
    # Writes beyond the request rate wait, and that is a metric too.
    cluster = Cluster(tmp_path, s3, puts_per_second=100, coordinator_options=HTTP)
    yield cluster
    cluster.stop()


def test_a_program_lives_whatever_becomes_of_the_others_and_is_ready_when_they_answer(cluster):
    coordinator = Face(cluster.coordinator)
    assert (coordinator.status("/livez"), coordinator.get("/readyz")) == (200, (200, "ready\n"))
    assert coordinator.status("/elsewhere") == 404
    second = Face(cluster.start_coordinator("second", "--standby", *HTTP))
    assert second.status("/livez") == 200
    status, why = second.get("/readyz")
    assert status == 503 and "standing by" in why

    worker = Face(cluster.worker("w", env=HTTP_OF_WORKER))
    wait_until(lambda: worker.status("/readyz") == 200, "a worker that is heard")
    cluster.coordinator.kill()
    wait_until(lambda: worker.status("/readyz") == 503, "a worker that notices")
    assert "coordinator does not answer" in worker.get("/readyz")[1]
    assert worker.status("/livez") == 200
    assert worker.scrape().value("rechunk_worker_connected") == 0
    wait_until(lambda: second.status("/readyz") == 200, "the one that stood by")
    assert second.scrape().value("rechunk_coordinator_epoch") == 2


def test_metrics_say_what_happened_and_the_documentation_lists_them_all(cluster, s3, source):
    coordinator = Face(cluster.coordinator)
    idle = coordinator.scrape()
    assert idle.value("rechunk_coordinator_slots_wanted") == 0
    job = cluster.submit(source, s3.url("observe/target.zarr"), TARGET_CHUNKS, "--max-mem", "24MiB")
    waiting = coordinator.scrape()
    assert waiting.value("rechunk_coordinator_tasks_ready") > 0
    assert waiting.value("rechunk_coordinator_slots_wanted") == waiting.value("rechunk_coordinator_tasks_ready")
    assert waiting.value("rechunk_coordinator_tasks_leased") == 0

    workers = [Face(cluster.worker(f"w{number}", env=HTTP_OF_WORKER)) for number in range(2)]
    view = cluster.wait_for_state(job, "SUCCEEDED")
    tasks = sum(stage["tasks"] for stage in view["stages"])
    assert tasks > 3
    wait_until(lambda: all(face.scrape().value("rechunk_worker_leases") == 0 for face in workers), "the last reports")
    of_workers, of_coordinator = [face.scrape() for face in workers], coordinator.scrape()
    check_values(of_coordinator, of_workers, view, tasks, f"s3://{s3.bucket}")
    check_documented(of_coordinator, of_workers)


def check_values(coordinator, workers, view, tasks, store):
    def of_workers(name, **labels):
        return sum(scrape.value(name, **labels) for scrape in workers)

    done = sum(value for scrape in workers for name, labels, value in scrape.samples
               if name == "rechunk_worker_tasks_total" and labels["outcome"] == "done")
    assert coordinator.value("rechunk_coordinator_tasks_done_total") == done == tasks
    assert coordinator.value("rechunk_coordinator_jobs", state="succeeded") == 1
    assert coordinator.value("rechunk_coordinator_jobs") == 1
    for nothing in ["tasks_ready", "tasks_leased", "leases", "slots_wanted", "leases_expired_total"]:
        assert coordinator.value(f"rechunk_coordinator_{nothing}") == 0, nothing
    assert coordinator.value("rechunk_coordinator_workers", standing="active") == len(workers)
    assert coordinator.value("rechunk_coordinator_worker_slots") == of_workers("rechunk_worker_slots") == 2
    assert coordinator.value("rechunk_coordinator_epoch") == 1
    assert 0 < coordinator.value("rechunk_coordinator_journal_writes_total", kind="records", outcome="done")
    assert coordinator.value("rechunk_coordinator_journal_records_total") > len(view["stages"])
    assert 0 < coordinator.value("rechunk_coordinator_leases_granted_total") <= tasks
    assert coordinator.value("rechunk_coordinator_plan_seconds_count", outcome="made") == 1

    measured = {name: sum(stage["measured"][name] for stage in view["stages"])
                for name in ["get_requests", "put_requests", "delete_requests", "metadata_requests", "repeated_requests",
                             "wire_bytes_read", "wire_bytes_written"]}
    sent = {kind: of_workers("rechunk_store_requests_total", store=store, kind=kind) for kind in ["get", "put"]}
    assert 0 < measured["get_requests"] <= sent["get"]
    assert 0 < measured["put_requests"] <= sent["put"]
    # A slow answer may have been asked for twice.
    assert measured["repeated_requests"] == of_workers("rechunk_store_repeated_requests_total", store=store)
    assert sum(measured[f"{kind}_requests"] for kind in ["get", "put", "delete", "metadata", "repeated"]) == of_workers(
        "rechunk_store_requests_total", store=store)
    assert of_workers("rechunk_store_bytes_total", store=store, kind="get") >= measured["wire_bytes_read"] > 0
    assert of_workers("rechunk_store_bytes_total", store=store, kind="put") >= measured["wire_bytes_written"] > 0
    assert of_workers("rechunk_store_request_seconds_count", store=store, kind="put") == sent["put"]
    assert of_workers("rechunk_worker_codec_seconds_count", work="decode") >= SHAPE[0]
    assert of_workers("rechunk_worker_codec_seconds_count", work="encode") >= 16 * 16
    for scrape in workers:
        budget = scrape.value("rechunk_worker_memory_budget_bytes")
        assert 0 < budget < 256 << 20
        assert scrape.value("rechunk_worker_memory_granted_bytes") == 0
        assert budget / 10 < scrape.value("rechunk_worker_resident_bytes") < 256 << 20
        assert scrape.value("rechunk_worker_connected") == 1


def check_documented(coordinator, workers):
    table = documented()
    assert len(table) > 40
    for program, scrapes in [("coordinator", [coordinator]), ("worker", workers)]:
        shown = set().union(*(scrape.kinds for scrape in scrapes))
        ours = {name for name, metric in table.items() if metric.program == program}
        both = {name for name, metric in table.items() if metric.program == "both"}
        assert ours - shown == set(), f"documented and not shown by a {program}"
        assert shown - ours - both == set(), f"shown by a {program} and not documented for it"
        for scrape in scrapes:
            for name, labels in scrape.labels().items():
                assert scrape.kinds[name] == table[name].kind, name
                assert labels <= table[name].labels, name
                assert scrape.helps[name] == table[name].help, name
    shown = set().union(*(scrape.kinds for scrape in [coordinator, *workers]))
    assert set(table) - shown == set(), "documented and shown by nobody"
