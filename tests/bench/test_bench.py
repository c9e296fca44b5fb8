"""The benchmark itself, on arrays of a few megabytes: it makes its data, runs rechunk and the floor, checks what they
wrote, and notices when that is wrong. No peer is installed; this environment's packages make and check the data.
"""

import json
import os
import subprocess
import sys

import pytest

from conftest import PROGRAMS, ROOT

BENCH = ROOT / "bench"
HARNESS = BENCH / "harness"


@pytest.fixture
def environment():
    """What tells the benchmark to use this Python and these programs, and to build and install nothing."""
    return {**os.environ, "RECHUNK_BENCH_BIN": str(PROGRAMS), "RECHUNK_BENCH_PYTHON": sys.executable}


def run_bench(environment, results, *arguments):
    command = [sys.executable, BENCH / "run", *arguments, "--results", results]
    ended = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=environment, timeout=300, check=False)
    return ended, json.loads((results / "run.json").read_text())["records"]


def test_rechunk_and_the_floor_are_measured_and_checked(environment, tmp_path):
    ended, records = run_bench(
        environment, tmp_path, "W3", "W5", "W7", "--scale", "0.002", "--only", "us,floor", "--repeat", "1",
        "--max-mem", "256MiB")
    assert ended.returncode == 0, ended.stderr
    seen = {(record["work"], record["contender"]) for record in records}
    assert seen == {(work, who) for work in ("W3", "W5", "W7a", "W7b") for who in ("us", "floor")}
    for record in records:
        assert record["failure"] is None and record["wrong"] is None, record
        assert record["wall_seconds"] > 0 and record["peak_rss_bytes"] > 1 << 20, record
        # The store copies what is passed on as it is: nothing is read.
        is_read = (record["work"], record["contender"]) != ("W7a", "us")
        assert (record["requests"]["get_requests"] > 0) == is_read and record["requests"]["put_requests"] > 0, record
    table = (tmp_path / "run.md").read_text()
    assert table.count("| **rechunk** | 256 MiB | 1 |") == 4, table
    assert (tmp_path / "run.svg").read_text().startswith("<svg")


def test_our_dask_executor_is_measured_and_checked_as_a_peer_is(environment, tmp_path):
    ended, (record,) = run_bench(
        environment, tmp_path, "W1a", "--scale", "0.002", "--only", "us_on_dask", "--repeat", "1", "--max-mem", "256MiB")
    assert ended.returncode == 0, ended.stderr
    assert record["failure"] is record["wrong"] is record["unplanned"] is None, record
    assert record["requests"]["put_requests"] > 0
    assert "| **rechunk on dask** | 256 MiB | 1 |" in (tmp_path / "run.md").read_text()


def test_a_wrong_element_is_noticed(environment, tmp_path):
    """A target that differs in one bit: the check must say so."""
    import numpy
    import zarr

    job = {"shape": [4, 32, 64], "dtype": "f4", "stored": 1, "compressed": True, "source_chunks": [1, 32, 64],
           "target_chunks": [4, 16, 32], "format": 3, "source": str(tmp_path / "source"), "target": str(tmp_path / "target")}

    def ask(program):
        ended = subprocess.run(
            [sys.executable, str(HARNESS / program)], input=json.dumps(job), capture_output=True, text=True, check=True)
        return json.loads(ended.stdout)

    assert ask("generate.py")["chunks"] == 4
    source = zarr.open_array(job["source"], mode="r")
    target = zarr.create_array(job["target"], shape=job["shape"], chunks=job["target_chunks"], dtype="f4", fill_value=0)
    target[:] = source[:]
    assert ask("check.py")["wrong"] is None
    bits = source[2, 5, 7].view(numpy.uint32) ^ numpy.uint32(1)
    target[2, 5, 7] = bits.view(numpy.float32)
    assert "elements differ" in ask("check.py")["wrong"]


def test_a_contender_that_fails_is_a_row_and_not_the_end(environment, tmp_path):
    """The others have their turns, and the failure is written down with what was said."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "rechunk").symlink_to(PROGRAMS / "rechunk")
    (programs / "floor").write_text("#!/bin/sh\necho no floor today >&2\nexit 3\n")
    (programs / "floor").chmod(0o755)
    ended, records = run_bench(
        {**environment, "RECHUNK_BENCH_BIN": str(programs)}, tmp_path, "W7a", "--scale", "0.002", "--only", "us,floor",
        "--repeat", "1", "--max-mem", "256MiB")
    assert ended.returncode == 1, "a failure shows in the exit code"
    failures = {record["contender"]: record["failure"] for record in records}
    assert failures == {"floor": "exit code 3: no floor today", "us": None}
