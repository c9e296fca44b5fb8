"""The executors that need nothing but Python and Dask, on the real engines."""

import concurrent.futures
import multiprocessing

import engines
import pytest
import rechunk
from rechunk.executors.futures import ConcurrentFuturesExecutor
from rechunk.executors.python import PythonExecutor

ARRAYS = ["none", "lz4"]


@pytest.fixture(scope="module", params=["python", "threads", "processes", "own pool", "dask threads", "dask cluster"])
def executor(request):
    """Every engine of this file, with the machine that it needs."""
    if request.param == "python":
        yield PythonExecutor()
    elif request.param == "threads":
        yield ConcurrentFuturesExecutor(max_workers=4)
    elif request.param == "processes":
        yield ConcurrentFuturesExecutor(max_workers=2, processes=True)
    elif request.param == "own pool":
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield ConcurrentFuturesExecutor(pool)
    elif request.param == "dask threads":
        dask = pytest.importorskip("dask")
        with dask.config.set(num_workers=3):
            executor = pytest.importorskip("rechunk.executors.dask").DaskExecutor()
            assert executor.parallel == 3, "work is cut for the threads that there are"
            yield executor
    else:
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster,
            distributed.Client(cluster),
        ):
            executor = pytest.importorskip("rechunk.executors.dask").DaskExecutor()
            assert executor.parallel == 4, "the threads of the cluster"
            yield executor


@pytest.mark.parametrize("codec", ARRAYS)
def test_an_exchange_gives_the_same_objects_as_in_one_process(executor, tmp_path, codec):
    engines.check_array(executor, tmp_path, codec)


@pytest.mark.parametrize("codec", ARRAYS)
def test_tasks_that_run_twice_give_the_same_objects(executor, tmp_path, codec):
    engines.check_twice(executor, tmp_path, codec)


def test_a_sparse_group_is_rechunked(executor, tmp_path):
    engines.check_sparse_group(executor, tmp_path)


def test_a_failure_is_raised_and_leaves_nothing(executor, tmp_path):
    engines.check_failure(executor, tmp_path)


def test_functions_of_ones_own_run_with_barriers(executor, tmp_path):
    engines.check_functions(executor, tmp_path)


def test_executors_have_names(source, tmp_path):
    for name in ("python", "concurrent.futures", "dask"):
        rechunk.rechunk(source, (24, 5, 7), "512MiB", tmp_path / f"{name}.zarr", executor=name).execute()
    assert engines.objects(tmp_path / "python.zarr") == engines.objects(tmp_path / "dask.zarr")
    assert engines.objects(tmp_path / "python.zarr") == engines.objects(tmp_path / "concurrent.futures.zarr")


def test_the_plan_for_dask_is_one_delayed_value_that_can_be_computed_elsewhere(tmp_path):
    executor = rechunk.get_executor("dask")
    stage = rechunk.Stage(lambda number: rechunk.Counts(squares=number * number), "square", [1, 2, 3])
    delayed = executor.pipelines_to_plan(rechunk.ParallelPipelines([rechunk.Pipeline([stage])]))
    assert delayed.compute(scheduler="synchronous") == {"squares": 14}


def test_one_task_runs_by_its_numbers_and_again(source, tmp_path):
    from rechunk import _tasks

    rechunked = rechunk.rechunk(source, (24, 5, 7), "512MiB", tmp_path / "out.zarr", executor="python")
    plan = _tasks.prepare(rechunked._request, rechunked._home.machine, 1)
    first = rechunk.run_task(plan.data, 0, 0, 0)
    assert first == rechunk.run_task(plan.data, 0, 0, 0) and isinstance(first, rechunk.Counts)
    with pytest.raises(rechunk.RequestError, match="no stage 9"):
        rechunk.run_task(plan.data, 0, 9, 0)
    with pytest.raises(rechunk.RequestError, match="not a plan"):
        rechunk.run_task(b"plan", 0, 0, 0)


def test_a_plan_holds_no_credentials(source, tmp_path, monkeypatch):
    from rechunk import _tasks

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    rechunked = rechunk.rechunk(source, (24, 5, 7), "512MiB", tmp_path / "out.zarr", executor="python")
    data = _tasks.prepare(rechunked._request, rechunked._home.machine, 1).data
    assert b"the-key" not in data and b"the-secret" not in data
