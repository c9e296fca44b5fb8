"""Traces of real processes: one for each job, from its submission to every request, and logs that programs can read."""

import json

import numpy as np
import pytest
import zarr
from cluster import Cluster
from conftest import run_rechunk, wait_until
from otlp import Collector

SHAPE, SOURCE_CHUNKS, TARGET_CHUNKS = (32, 64, 64), (1, 64, 64), "32,16,16"
CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
SERVER, CLIENT = 2, 3


@pytest.fixture(scope="module")
def source(s3):
    """A small array of maps on S3."""
    array = zarr.create_array(s3.zarr("traces/source.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4")
    array[...] = np.arange(np.prod(SHAPE), dtype="f4").reshape(SHAPE)
    return s3.url("traces/source.zarr")


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


class Traced(Cluster):
    """A cluster whose programs have these variables."""

    def __init__(self, directory, s3, variables):
        self.variables = variables
        super().__init__(directory, s3)

    def _start(self, name, *command, env=None):
        return super()._start(name, *command, env={**self.variables, **(env or {})})

    def run(self, source, target, *options, env=None):
        """Runs a job, ends every program in good order, and says the job's id and how it ended."""
        submitted = run_rechunk("submit", source, target, "--chunks", TARGET_CHUNKS, *options, "--coordinator", self.url,
                                "--output", "json", env=env)
        assert submitted.code == 0, submitted.stderr
        job = submitted.json["job"]
        view = self.wait_for_state(job, "SUCCEEDED", "FAILED")
        for process in reversed(self.processes):
            process.terminate()
            process.process.wait(timeout=60)
        return job, view


@pytest.fixture
def traced(tmp_path, s3, collector):
    clusters = []

    def start(**variables):
        cluster = Traced(tmp_path, s3, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **variables})
        clusters.append(cluster)
        return cluster

    yield start
    for cluster in clusters:
        cluster.stop()


def trace_of(job):
    """As deploy/TRACES.md says it."""
    return b"rechunk".hex() + "000000" + job.removeprefix("job-")


def test_a_job_is_one_trace_from_its_submission_to_every_request(traced, collector, s3, source):
    cluster = traced()
    workers = [cluster.worker(f"w{number}") for number in range(2)]
    cluster.workers_ready(len(workers))
    parent = "-".join(("00", *CALLER, "01"))
    job, view = cluster.run(source, s3.url("traces/target.zarr"), env={"TRACEPARENT": parent})
    assert view["state"] == "SUCCEEDED"
    spans = collector.spans()
    assert {span.trace for span in spans} == {trace_of(job)}
    assert {span.attributes["rechunk.job"] for span in spans} == {job}
    by_id = {span.id: span for span in spans}
    assert len(by_id) == len(spans), "no span is sent twice"

    def named(*names):
        return [span for span in spans if span.name in names]

    [root], [plan], [submit] = named("job"), named("plan"), named("submit")
    assert [span for span in spans if not span.parent] == [root]
    assert all(span.parent in by_id for span in spans if span is not root), "every parent is there"
    assert root.attributes["rechunk.state"] == "SUCCEEDED" and root.failure is None
    assert (submit.kind, submit.links, submit.parent, plan.parent) == (SERVER, [CALLER], root.id, root.id)
    assert {span.service for span in (root, plan, submit)} == {"rechunk-coordinator"}

    stages = named(*{stage["name"] for stage in view["stages"]})
    assert {stage.parent for stage in stages} == {root.id} and {stage.service for stage in stages} == {root.service}
    leases, tasks, requests = named("lease"), named("task"), named("get", "put", "list", "delete", "head")
    assert {lease.parent for lease in leases} == {stage.id for stage in stages}
    assert sum(lease.attributes["rechunk.tasks"] for lease in leases) == len(tasks)
    assert len(tasks) == sum(stage["tasks"] for stage in view["stages"])
    assert {task.parent for task in tasks} == {lease.id for lease in leases}
    assert {request.parent for request in requests} <= {task.id for task in tasks}
    assert {span.kind for span in requests} == {CLIENT}
    assert {span.service for span in leases + tasks + requests} == {"rechunk-worker"}
    assert len(spans) == 3 + len(stages) + len(leases) + len(tasks) + len(requests)
    for kind, counted in [("get", "get_requests"), ("put", "put_requests")]:
        chunks = [span for span in named(kind) if "zarr.json" not in span.attributes["url.full"]]
        assert len(chunks) == sum(stage["measured"][counted] for stage in view["stages"]), kind
    for span in spans:
        assert 0 < span.begun <= span.ended and span.failure is None, span
    for span in stages + leases + tasks + [plan]:
        parent = by_id[span.parent]
        if span.service == parent.service:
            assert parent.begun <= span.begun and span.ended <= parent.ended, span


def test_a_trace_says_why_a_job_failed(traced, collector, s3, source):
    cluster = traced()
    cluster.worker("w")
    broken = s3.url("traces/broken.zarr")
    array = zarr.create_array(s3.zarr("traces/broken.zarr"), shape=SHAPE, chunks=SOURCE_CHUNKS, dtype="f4")
    array[...] = 1
    s3.store().put("traces/broken.zarr/c/7/0/0", b"not a chunk")
    job, view = cluster.run(broken, s3.url("traces/of-broken.zarr"))
    assert view["state"] == "FAILED"
    spans = collector.spans()
    [root] = [span for span in spans if span.name == "job"]
    assert root.trace == trace_of(job) and root.attributes["rechunk.state"] == "FAILED"
    assert view["failure"]["message"] in root.failure
    assert any(span.name == "task" and "c/7/0/0" in span.failure for span in spans if span.failure)


def test_a_share_of_nothing_and_no_endpoint_send_nothing(traced, collector, s3, source):
    cluster = traced(OTEL_TRACES_SAMPLER="always_off")
    cluster.worker("w")
    assert cluster.run(source, s3.url("traces/unsampled.zarr"))[1]["state"] == "SUCCEEDED"
    assert collector.spans() == []


def test_what_a_program_cannot_send_ends_its_start(traced, collector):
    cluster = traced()
    refused = cluster._start("other", "rechunk-worker", "--coordinator", cluster.url,
                             env={"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})
    assert refused.process.wait(timeout=60) == 2
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in refused.text() and "grpc" in refused.text()


def test_a_collector_that_is_away_delays_no_job(traced, collector, s3, source):
    collector.close()
    cluster = traced()
    cluster.worker("w")
    assert cluster.run(source, s3.url("traces/alone.zarr"))[1]["state"] == "SUCCEEDED"


def test_logs_are_objects_with_the_ids_of_what_they_speak_of(tmp_path, s3, source):
    cluster = Traced(tmp_path, s3, {"RECHUNK_LOG_FORMAT": "json", "RUST_LOG": "debug,h2=warn,hyper=warn"})
    worker = cluster.worker("w")
    job, _ = cluster.run(source, s3.url("traces/logged.zarr"))

    def lines(process):
        return [json.loads(line) for line in process.text().splitlines()]

    done = [line for line in lines(worker) if line["message"] == "a task is done"]
    assert done and all({"timestamp", "level", "target", "stage", "lease", "task"} <= set(line) for line in done)
    assert {line["job"] for line in done} == {job}
    passed = [line for line in lines(cluster.coordinator) if line["message"] == "barrier passed"]
    assert {line["stage"] for line in passed} >= {line["stage"] for line in done}
    assert {line["job"] for line in passed} == {job}
    cluster.stop()
