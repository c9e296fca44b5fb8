"""The executors of large engines, where those are installed: `python/tests/engines_run` installs them."""

import sys

import engines
import pytest

MISSING = "%s is not installed: python/tests/engines_run tests it in an environment of its own"


@pytest.fixture(scope="module", params=["beam", "prefect", "lithops"])
def executor(request):
    package = {"beam": "apache_beam"}.get(request.param, request.param)
    pytest.importorskip(package, reason=MISSING % request.param)
    module = pytest.importorskip(f"rechunk.executors.{request.param}")
    if request.param == "beam":
        yield module.BeamExecutor()
    elif request.param == "lithops":
        # Its functions are processes of this interpreter, and its storage is a directory.
        yield module.LithopsExecutor(
            parallel=1, backend="localhost", storage="localhost", runtime=sys.executable, log_level="WARNING")
    else:
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=600):
            yield module.PrefectExecutor(retries=0)


def test_an_exchange_gives_the_same_objects_as_in_one_process(executor, tmp_path):
    engines.check_array(executor, tmp_path)


def test_tasks_that_run_twice_give_the_same_objects(executor, tmp_path):
    engines.check_twice(executor, tmp_path, "lz4")


def test_a_failure_is_raised_and_leaves_nothing(executor, tmp_path):
    engines.check_failure(executor, tmp_path)


def test_functions_of_ones_own_run_with_barriers(executor, tmp_path):
    engines.check_functions(executor, tmp_path)
