"""A coordinator and a worker as processes, and Python as their client."""

import pytest
import rechunk
from conftest import TARGET_CHUNKS, elements, make_array, objects


def test_a_job_is_submitted_followed_and_reported(coordinator, source, tmp_path):
    client = rechunk.connect(coordinator.url)
    job = client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", request_id="mine")
    again = client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", request_id="mine")
    assert again.id == job.id and [known.id for known in client.jobs()] == [job.id]
    assert job.state in ("ACCEPTED", "RUNNING") and job.report is None
    coordinator.start_worker()
    job.wait()
    assert job.state == "SUCCEEDED" and client.job(job.id).state == "SUCCEEDED"
    assert job.report["totals"]["put_requests"] == job.report["plan"]["totals"]["put_requests"]
    assert job.id in repr(job) and job.id in job._repr_html_()
    import zarr

    assert zarr.open_array(tmp_path / "out.zarr")[...].tobytes() == elements().tobytes()
    job.delete()
    assert client.jobs() == []


def test_a_job_is_cancelled_and_leaves_nothing(coordinator, source, tmp_path):
    client = rechunk.connect(coordinator.url)
    job = client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    coordinator.start_worker()
    job.cancel()
    assert job.state == "CANCELLED"
    with pytest.raises(rechunk.CancelledError):
        job.wait()
    assert not (tmp_path / "out.zarr").exists()


def test_a_failed_job_goes_on_when_it_is_tried_again(coordinator, source, tmp_path):
    coordinator.start_worker()
    chunk = source / "c" / "3" / "0" / "0"
    good = chunk.read_bytes()
    chunk.write_bytes(b"this is no chunk")
    job = rechunk.connect(coordinator.url).submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    with pytest.raises(rechunk.JobFailedError, match="c/3/0/0"):
        job.wait()
    chunk.write_bytes(good)
    assert job.retry().wait().state == "SUCCEEDED"


def test_the_url_of_a_coordinator_is_an_executor(coordinator, source, tmp_path):
    coordinator.start_worker()
    target = rechunk.rechunk(
        source, TARGET_CHUNKS, None, tmp_path / "out.zarr", executor=coordinator.url).execute()
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "local.zarr").execute()
    assert target.chunks == TARGET_CHUNKS
    assert objects(tmp_path / "out.zarr") == objects(tmp_path / "local.zarr")


def test_a_coordinator_says_what_it_would_do(coordinator, source, tmp_path):
    plan = rechunk.connect(coordinator.url).plan(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    assert plan["totals"]["put_requests"] == 20 and plan.page is None and plan._repr_html_().startswith("<pre>")
    assert not (tmp_path / "out.zarr").exists()


def test_errors_of_a_coordinator_are_those_of_this_process(coordinator, source, tmp_path):
    client = rechunk.connect(coordinator.url)
    make_array(tmp_path / "out.zarr", (4,), (4,))
    with pytest.raises(FileExistsError):
        client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    with pytest.raises(PermissionError):
        client.submit(source, TARGET_CHUNKS, "512MiB", "/nobody/may/write.zarr")
    with pytest.raises(FileNotFoundError, match="job-000000000000"):
        client.job("job-000000000000")
