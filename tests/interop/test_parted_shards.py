"""Shards larger than the memory: written in parts while they are filled, and read back by zarr-python."""

import re

import pytest
import zarr
from arrays import assert_same, elements, open_array, stored
from zarr.codecs import ZstdCodec

SHAPE = (64, 256, 256)
MEMORY = ["--max-mem", "12MiB", "--workers", "1"]


def make(path, chunks, **options):
    source = zarr.create_array(path, shape=SHAPE, chunks=chunks, dtype="<f4", **options)
    source[...] = elements(SHAPE, "<f4")
    return source


@pytest.mark.parametrize("chunks, inner, shape_of_plan", [
    ((16, 64, 64), "64,32,32", "direct_sweep"),
    ((16, 64, 64), "16,64,64", "copy_encoded"),
    ((1, 256, 256), "64,16,16", "exchange"),
])
@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_a_shard_of_the_whole_array_is_read_back(tmp_path, rechunk_run, chunks, inner, shape_of_plan, verify):
    source = make(tmp_path / "a", chunks, compressors=(ZstdCodec(),))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", inner, "--shards", "64,256,256", *MEMORY, *verify)
    assert report["arrays"][0]["shape_of_plan"] == shape_of_plan
    assert report["upload_parts"] >= 4
    target = open_array(tmp_path / "b")
    assert target.shards == SHAPE
    assert stored(tmp_path / "b") == ["c/0/0/0"]
    assert_same(source, target)
    for name in ["get_requests", "put_requests", "bytes_decoded", "bytes_encoded"]:
        assert report["totals"][name] == report["plan"]["totals"][name], name
    [copy, *_] = [stage for stage in report["stages"] if stage["name"].startswith("copy")]
    assert copy["peak_task_memory_bytes"] > 0
    for stage in report["stages"]:
        # Stages that move no chunks measure nothing.
        assert (stage["peak_task_memory_bytes"] or 0) <= stage["task_memory_bytes"] <= 12 << 20, stage
    assert not list(tmp_path.glob(".rechunk-*"))


@pytest.mark.parametrize("max_mem, is_sharded", [("12MiB", False), ("28MiB", True)])
def test_what_is_proposed_for_a_chunk_that_is_too_large_works(tmp_path, rechunk, rechunk_run, max_mem, is_sharded):
    source = make(tmp_path / "a", (16, 64, 64))
    memory = ["--max-mem", max_mem, "--workers", "1"]
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "64,256,256", *memory)
    assert ended.code == 2, ended.stderr
    chunks, shards = re.search(r"ask for --chunks (\S+)(?: --shards (\S+))?", ended.stderr).groups()
    assert shards == ("64,256,256" if is_sharded else None)
    rechunk_run(tmp_path / "a", tmp_path / "b", chunks, *(["--shards", shards] if shards else []), *memory)
    assert_same(source, open_array(tmp_path / "b"))


def test_a_shard_goes_to_s3_in_parts_of_at_least_five_mebibytes(tmp_path, rechunk_run, s3):
    source = make(tmp_path / "a", (16, 64, 64))
    options = ["--shards", "64,256,256", "--max-mem", "16MiB", "--workers", "1", "--temp", tmp_path / "temp"]
    report = rechunk_run(tmp_path / "a", s3.url("parted"), "64,32,32", *options, env=s3.env)
    assert report["upload_parts"] == 4, "three of 5 MiB, and the rest with the index"
    assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"] == 1
    assert [key for key in s3.keys("parted/") if not key.endswith("zarr.json")] == ["parted/c/0/0/0"]
    assert_same(source, zarr.open_array(s3.zarr("parted"), mode="r"))
