"""Local disk that `rechunk run` may use: whatever the plan makes of it, nothing is left there."""

import numpy as np
import pytest
import zarr
from arrays import assert_same, open_array

SHAPE = (64, 24, 20)


@pytest.fixture
def maps(tmp_path):
    array = zarr.create_array(tmp_path / "maps", shape=SHAPE, chunks=(1, 24, 20), dtype="<f4")
    array[...] = np.arange(np.prod(SHAPE), dtype="<f4").reshape(SHAPE)
    return tmp_path / "maps"


def test_a_run_leaves_its_scratch_directory_empty(tmp_path, maps, rechunk_run):
    scratch = tmp_path / "scratch"
    options = ["--scratch", scratch, "--scratch-size", "10MB", "--max-mem", "24KiB", "--workers", "2"]
    report = rechunk_run(maps, tmp_path / "series", "16,3,2", *options)
    assert_same(open_array(maps), open_array(tmp_path / "series"))
    assert report["totals"]["get_requests"] == report["plan"]["totals"]["get_requests"]
    assert not list(scratch.glob("*")), "not even a lock"


def test_a_plan_makes_no_scratch_directory(tmp_path, maps, rechunk):
    scratch = tmp_path / "scratch"
    ended = rechunk("plan", maps, tmp_path / "series", "--chunks", "16,3,2", "--scratch", scratch)
    assert ended.code == 0, ended.stderr
    assert not scratch.exists()


def test_a_scratch_directory_that_cannot_be_used_is_refused(tmp_path, maps, rechunk):
    (tmp_path / "file").write_text("")
    ended = rechunk("run", maps, tmp_path / "series", "--chunks", "16,3,2", "--scratch", tmp_path / "file")
    assert ended.code == 2, ended.stderr
    assert "scratch" in ended.stderr and "file" in ended.stderr
    ended = rechunk("run", maps, tmp_path / "series", "--chunks", "16,3,2", "--scratch-size", "1GB")
    assert ended.code == 2, "a size of what?"
