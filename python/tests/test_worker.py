"""Functions of one's own on a coordinator: workers that offer them, as processes, and pipelines of them."""

import functools
import signal
import subprocess
import sys
import threading
import time

import functions
import pytest
import rechunk
from conftest import TARGET_CHUNKS

PROGRAM = """
import sys, functions, rechunk
worker = rechunk.Worker(sys.argv[1], slots=2, max_mem="512MiB", config=sys.argv[2] or None)
for name in sys.argv[3:]:
    worker.register(name, getattr(functions, name.partition("@")[0]))
worker.run()
print("stopped", flush=True)
"""


@pytest.fixture
def start(coordinator):
    """Starts workers of functions, as processes."""
    processes = []

    def start(*names, config=""):
        processes.append(subprocess.Popen(
            [sys.executable, "-c", PROGRAM, coordinator.url, str(config), *names], stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def one(stage, name="one"):
    return rechunk.ParallelPipelines([rechunk.Pipeline([stage], name)])


def test_functions_run_with_barriers_on_the_workers_that_registered_them(coordinator, start, tmp_path):
    places = [tmp_path / name for name in ("a", "b")]
    for place in places:
        place.mkdir()
    pipelines = rechunk.ParallelPipelines([
        rechunk.Pipeline([
            rechunk.Stage(functools.partial(functions.write, str(place)), "write", range(20)),
            rechunk.Stage(functools.partial(functions.sum_up, str(place)), "sum"),
        ], place.name)
        for place in places
    ])
    start("write")
    start("write", "sum_up")
    client = rechunk.connect(coordinator.url)
    job = client.submit_pipelines(pipelines, {"write": functions.write, "sum_up": functions.sum_up}, name="sums")
    job.wait()
    assert [(place / "sum").read_text() for place in places] == ["190", "190"]
    assert job.report["totals"]["put_requests"] == 40
    assert "pipelines" in repr(job) and "write" in job._repr_html_()
    # The same pipelines on an engine do the same.
    for place in places:
        (place / "sum").unlink()
    assert rechunk.get_executor("python").run(pipelines)["put_requests"] == 40
    assert [(place / "sum").read_text() for place in places] == ["190", "190"]


def test_inputs_and_bound_arguments_arrive_as_they_were(coordinator, start, tmp_path):
    (tmp_path / "notes").mkdir()
    inputs = [0, -1.5, "text", None, True, [1, [2]], (1, (2, 3)), {"tuple": [1]}, {"a": (1,)}]
    function = functools.partial(functions.note, str(tmp_path / "notes"), kind="test", box=(0, 1))
    start("note@2")
    client = rechunk.connect(coordinator.url)
    stage = rechunk.Stage(function, "note", inputs)
    job = client.submit_pipelines(one(stage), {"note@2": functions.note}, max_parallel_tasks=1).wait()
    found = {path.read_text() for path in (tmp_path / "notes").iterdir()}
    assert found == {repr((value, {"kind": "test", "box": (0, 1)})) for value in inputs}
    # What a coordinator does not count is left out.
    assert job.report["totals"]["get_requests"] == 2 * len(inputs) and "of_ones_own" not in job.report["totals"]


def test_phases_run_one_after_another_and_a_name_alone_is_a_function(coordinator, start, tmp_path):
    for number in range(20):
        (tmp_path / str(number)).write_text(str(number))
    phases = [
        one(rechunk.Stage(functools.partial(functions.write, str(tmp_path)), "write", range(5, 10)), "first"),
        one(rechunk.Stage("sum_up", "sum", [str(tmp_path)]), "second"),
    ]
    start("write", "sum_up")
    rechunk.connect(coordinator.url).submit_pipelines(phases, {"write": functions.write}).wait()
    assert (tmp_path / "sum").read_text() == "190"


def test_a_call_that_fails_is_made_again(coordinator, start, tmp_path):
    start("fail_at_first")
    client = rechunk.connect(coordinator.url)
    job = client.submit_pipelines(one(rechunk.Stage("fail_at_first", "try", [str(tmp_path)]))).wait()
    assert job.view["retries"] == 1


def test_a_function_that_fails_for_good_fails_the_job_with_its_sentence(coordinator, start):
    start("fail", "give_up")
    client = rechunk.connect(coordinator.url)
    with pytest.raises(rechunk.JobFailedError, match="fail@1, task .: ValueError: a function of one's own failed"):
        client.submit_pipelines(one(rechunk.Stage("fail", "fail", range(3))), retries=0).wait()
    job = client.submit_pipelines(one(rechunk.Stage("give_up", "give up", [1])), retries=5)
    with pytest.raises(rechunk.JobFailedError, match="this never helps"):
        job.wait()
    assert job.view["retries"] == 0


def test_a_job_waits_for_its_function_and_says_so(coordinator, start, tmp_path):
    start("write@1")
    client = rechunk.connect(coordinator.url)
    stage = rechunk.Stage(functools.partial(functions.write, str(tmp_path)), "write", [7])
    job = client.submit_pipelines(one(stage), {"write@2": functions.write})
    until(lambda: "write@2" in (job.refresh().view["waits_for"] or ""), "the wait for a function")
    start("write@2")
    job.wait()
    assert (tmp_path / "7").read_text() == "7"


def test_a_worker_without_stores_is_given_nothing_of_a_rechunk(coordinator, start, source, tmp_path):
    start("write")
    client = rechunk.connect(coordinator.url)
    stage = rechunk.Stage(functools.partial(functions.write, str(tmp_path)), "write", [7])
    client.submit_pipelines(one(stage), {"write": functions.write}).wait()
    job = client.submit(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    until(lambda: "a worker that offers" in (job.refresh().view["waits_for"] or ""), "the wait for ours")
    start("write", config=coordinator.config)
    assert job.wait().state == "SUCCEEDED"


def test_a_cancelled_job_runs_the_cleanup_after_its_calls_have_returned(coordinator, start, tmp_path):
    start("wait_for", "write")
    client = rechunk.connect(coordinator.url)
    cleanup = one(rechunk.Stage(functools.partial(functions.write, str(tmp_path)), "clean", [9]))
    job = client.submit_pipelines(
        one(rechunk.Stage("wait_for", "wait", [str(tmp_path)])), {"write": functions.write}, cleanup=cleanup)
    until((tmp_path / "begun").exists, "a call")
    threading.Timer(0, (tmp_path / "go").write_text, [""]).start()
    job.cancel()
    assert job.state == "CANCELLED" and (tmp_path / "9").exists() and (tmp_path / "done").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_finishes_its_calls_first(coordinator, start, tmp_path, number):
    process = start("wait_for")
    client = rechunk.connect(coordinator.url)
    job = client.submit_pipelines(one(rechunk.Stage("wait_for", "wait", [str(tmp_path)])))
    until((tmp_path / "begun").exists, "a call")
    process.send_signal(number)
    (tmp_path / "go").write_text("")
    out, _ = process.communicate(timeout=60)
    # As anywhere in Python, Ctrl-C is raised.
    assert (process.returncode, out) == ((0, "stopped\n") if number == signal.SIGTERM else (-signal.SIGINT, ""))
    assert job.wait().view["retries"] == 0 and (tmp_path / "done").exists()


def test_a_worker_runs_in_a_thread_until_it_is_stopped(coordinator, tmp_path):
    calls = []
    worker = rechunk.Worker(coordinator.url, slots=1).register("append", calls.append)
    running = threading.Thread(target=worker.run)
    running.start()
    client = rechunk.connect(coordinator.url)
    client.submit_pipelines(one(rechunk.Stage("append", "append", range(3)))).wait()
    worker.stop()
    running.join()
    assert sorted(set(calls)) == [0, 1, 2] and "append@1" in repr(worker)


def test_what_cannot_be_registered_is_refused(coordinator):
    worker = rechunk.Worker(coordinator.url)
    with pytest.raises(rechunk.RequestError, match="offers nothing"):
        worker.run()
    worker.register("write", functions.write).register("write@2", functions.write)
    with pytest.raises(rechunk.RequestError, match="already"):
        worker.register("write@1", functions.write)
    with pytest.raises(rechunk.RequestError, match="cannot be called"):
        worker.register("three", 3)
    for name in ("", "@1", "a@", "a@b", "a@0"):
        with pytest.raises(rechunk.RequestError, match="no name of a function"):
            worker.register(name, functions.write)
    with pytest.raises(rechunk.RequestError, match="verify@1"):
        rechunk.Worker(coordinator.url).register("verify", functions.write).run()
    with pytest.raises(rechunk.RequestError, match="at least 1"):
        rechunk.Worker(coordinator.url, slots=0)
    with pytest.raises(rechunk.RequestError, match="http"):
        rechunk.Worker("nowhere").register("write", functions.write).run()


def test_what_does_not_travel_is_refused(coordinator):
    client = rechunk.connect(coordinator.url)
    refusals = [
        (rechunk.Stage(functions.write, "s", range(3)), "by name only.*'write': write"),
        (rechunk.Stage("write", "s", [b"bytes"]), "type bytes"),
        (rechunk.Stage("write", "s", [{1: 2}]), "type dict"),
        (rechunk.Stage("write", "s", ["x" * 1024] * 1100), "1 MiB; give range"),
        (rechunk.Stage("verify", "s", [1]), "built-in function"),
    ]
    for stage, sentence in refusals:
        with pytest.raises(rechunk.RequestError, match=sentence):
            client.submit_pipelines(one(stage))
    with pytest.raises(rechunk.RequestError, match="fewer than none"):
        client.submit_pipelines(one(rechunk.Stage("write", "s", [1])), retries=-1)
    with pytest.raises(rechunk.RequestError, match="an engine needs the function"):
        rechunk.get_executor("python").run(one(rechunk.Stage("write", "s", [1])))
    assert client.jobs() == []


def test_the_same_request_id_is_the_same_job(coordinator):
    client = rechunk.connect(coordinator.url)
    first, again, other = (
        client.submit_pipelines(one(rechunk.Stage("write", "s", range(10**9))), request_id=id) for id in ("a", "a", None))
    assert first.id == again.id != other.id
