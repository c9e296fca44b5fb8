"""The client for asyncio, on a coordinator and a worker as processes."""

import asyncio
import functools

import functions
import pytest
import rechunk
from conftest import TARGET_CHUNKS, elements
from rechunk import aio


def test_jobs_are_submitted_followed_and_reported_in_one_loop(coordinator, source, tmp_path):
    async def story():
        client = await aio.connect(coordinator.url)
        jobs = [await client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / f"{name}.zarr") for name in "ab"]
        assert {job.state for job in jobs} <= {"ACCEPTED", "RUNNING"} and jobs[0].report is None
        waiting = asyncio.gather(*(job.wait() for job in jobs))
        # Nothing runs them yet, and the loop is free.
        assert [job.id for job in await client.jobs()] == [jobs[1].id, jobs[0].id]
        assert not waiting.done()
        coordinator.start_worker()
        assert [job.state for job in await waiting] == ["SUCCEEDED", "SUCCEEDED"]
        report = jobs[0].report
        assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"]
        assert jobs[0].id in repr(jobs[0]) and jobs[0].id in jobs[0]._repr_html_()
        await jobs[0].delete()
        assert [job.id for job in await client.jobs()] == [jobs[1].id]

    asyncio.run(story())
    import zarr

    for name in "ab":
        assert zarr.open_array(tmp_path / f"{name}.zarr")[...].tobytes() == elements().tobytes()


def test_who_stops_waiting_leaves_the_job_alone(coordinator, source, tmp_path):
    async def story():
        client = await aio.connect(coordinator.url)
        job = await client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job.wait(), 0.1)
        coordinator.start_worker()
        return (await job.wait()).state

    assert asyncio.run(story()) == "SUCCEEDED"


def test_jobs_are_cancelled_and_tried_again(coordinator, source, tmp_path):
    async def story():
        client = await aio.connect(coordinator.url)
        job = await client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "cancelled.zarr")
        coordinator.start_worker()
        assert (await job.cancel()).state == "CANCELLED"
        with pytest.raises(rechunk.CancelledError):
            await job.wait()
        chunk = source / "c" / "3" / "0" / "0"
        good = chunk.read_bytes()
        chunk.write_bytes(b"this is no chunk")
        job = await client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "failed.zarr")
        with pytest.raises(rechunk.JobFailedError, match="c/3/0/0"):
            await job.wait()
        chunk.write_bytes(good)
        await job.retry()
        return (await job.wait()).state

    assert asyncio.run(story()) == "SUCCEEDED"


def test_plans_pipelines_and_errors_are_those_of_the_other_client(coordinator, source, tmp_path, capsys):
    async def story():
        client = await aio.connect(coordinator.url)
        plan = await client.plan(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
        assert plan["totals"]["put_requests"] == 20
        with pytest.raises(FileNotFoundError, match="job-000000000000"):
            await client.job("job-000000000000")
        with pytest.raises(rechunk.RequestError) as refused:
            await client.submit(source, (1, 2), "512MiB", tmp_path / "out.zarr")
        assert refused.value.field == "target_chunks"
        stage = rechunk.Stage(functools.partial(functions.write, str(tmp_path)), "write", [7])
        pipelines = rechunk.ParallelPipelines([rechunk.Pipeline([stage])])
        job = await client.submit_pipelines(pipelines, {"write": functions.write})
        worker = rechunk.Worker(coordinator.url, slots=1).register("write", functions.write)
        running = asyncio.create_task(asyncio.to_thread(worker.run))
        await job.wait(progress=True)
        worker.stop()
        await running

    asyncio.run(story())
    assert (tmp_path / "7").read_text() == "7" and "write" in capsys.readouterr().err


def test_a_coordinator_that_is_not_there_is_said_so():
    with pytest.raises(rechunk.UnreachableError, match="127.0.0.1:9"):
        asyncio.run(aio.connect("http://127.0.0.1:9"))
