"""The Python lines of README.md work as they stand, with another coordinator and places of this machine."""

import ast
import asyncio
import inspect
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import make_array

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

FUNCTIONS = """
import pathlib, rechunk
urls = ["a", "b"]
def download(url):
    pathlib.Path(url).write_text(url)
def combine():
    pathlib.Path("combined").write_text("".join(pathlib.Path(url).read_text() for url in urls))
"""


def block(text):
    (found,) = [code for code in BLOCKS if text in code]
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs lines where maps.zarr lies; what they have named."""
    make_array(tmp_path / "maps.zarr", (12, 32, 64), (1, 32, 64))
    monkeypatch.chdir(tmp_path)
    import rechunk

    names = {"rechunk": rechunk, "asyncio": asyncio}

    def run(code):
        code = compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return names

    return run


def test_the_first_lines_rechunk_maps_into_series(run):
    names = run(block("import rechunk\n\nplan"))
    assert names["series"].chunks == (12, 16, 32)
    assert names["plan"].report["totals"]["put_requests"] == names["plan"].plan["totals"]["put_requests"]


def test_an_executor_of_ones_choice(run):
    names = run("source, chunks, target = 'maps.zarr', (12, 16, 32), 'out.zarr'")
    # Retries are those of a cluster; threads have none.
    code = block("DaskExecutor(parallel=64)").replace("execute(retries=3)", "execute()")
    run(code)
    assert (pathlib.Path(names["target"]) / "zarr.json").exists()


def test_functions_of_ones_own_on_an_engine(run):
    run(FUNCTIONS)
    run(block("get_executor"))
    assert pathlib.Path("combined").read_text() == "ab"


def here(code, coordinator, tmp_path):
    return code.replace("http://127.0.0.1:7380", coordinator.url).replace("s3://bucket", str(tmp_path))


def test_jobs_of_a_coordinator_from_both_clients(run, coordinator, tmp_path):
    coordinator.start_worker()
    lines = here(block("client = rechunk.connect"), coordinator, tmp_path)
    # A job that has succeeded is neither cancelled nor tried again.
    run(lines.replace("job.cancel(); job.retry(); ", ""))
    assert (tmp_path / "series.zarr" / "zarr.json").exists()
    run(f"sources = [{str(tmp_path / 'maps.zarr')!r}]")
    names = run(here(block("rechunk.aio.connect"), coordinator, tmp_path))
    assert [job.state for job in names["jobs"]] == ["SUCCEEDED"]


def test_functions_of_ones_own_on_a_coordinator(run, coordinator, tmp_path):
    worker = subprocess.Popen(
        [sys.executable, "-c", FUNCTIONS + here(block("rechunk.Worker("), coordinator, tmp_path)], cwd=tmp_path)
    try:
        run(FUNCTIONS)
        run(block("get_executor").partition("rechunk.get_executor")[0])
        run(here("client = rechunk.connect('http://127.0.0.1:7380')", coordinator, tmp_path))
        run(block("submit_pipelines"))
        assert pathlib.Path("combined").read_text() == "ab"
    finally:
        worker.terminate()
        assert worker.wait() == 0
