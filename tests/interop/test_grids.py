"""Every grid: shards on either side, edges, chunks larger than the array, scalars, empty arrays, missing chunks."""

import itertools
import json

import numpy as np
import pytest
import zarr
from arrays import assert_same, bits, elements, open_array, stored
from zarr.codecs import ZstdCodec

SHAPE = (20, 33)


def make(path, shape=SHAPE, chunks=(5, 8), dtype="<i4", fill=True, **options):
    source = zarr.create_array(path, shape=shape, chunks=chunks, dtype=dtype, **options)
    if fill:
        source[...] = elements(shape, dtype)
    return source


@pytest.mark.parametrize("source_shards, target_shards, location", list(itertools.product(
    [None, (10, 16)], [None, "8,12", "20,36"], ["start", "end"])))
def test_shards_on_either_side(tmp_path, rechunk_run, source_shards, target_shards, location):
    shards = source_shards and {"shape": source_shards, "index_location": location}
    source = make(tmp_path / "a", shards=shards, compressors=(ZstdCodec(),))
    options = ["--shards", target_shards] if target_shards else []
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "4,6", *options)
    target = open_array(tmp_path / "b")
    assert target.chunks == (4, 6)
    assert target.shards == (target_shards and tuple(map(int, target_shards.split(","))))
    assert_same(source, target)
    objects = target.shards or target.chunks
    assert len(stored(tmp_path / "b")) == -(-SHAPE[0] // objects[0]) * -(-SHAPE[1] // objects[1])
    for name in ["get_requests", "put_requests", "bytes_decoded", "bytes_encoded"]:
        assert report["totals"][name] == report["plan"]["totals"][name], name


def test_kept_shards_and_unchanged_chunks(tmp_path, rechunk_run):
    source = make(tmp_path / "a", shards=(10, 16))
    rechunk_run(tmp_path / "a", tmp_path / "b", "keep,keep", "--shards", "keep")
    target = open_array(tmp_path / "b")
    assert (target.chunks, target.shards) == (source.chunks, source.shards)
    assert_same(source, target)


@pytest.mark.parametrize("shape, chunks, target", [
    ((), (), ""),
    ((0,), (4,), "2"),
    ((5, 0, 3), (2, 2, 2), "1,1,3"),
    ((7,), (100,), "3"),
    ((7,), (3,), "100"),
    ((1, 1), (1, 1), "1,1"),
    ((13, 17), (13, 1), "1,17"),
    ((13, 17), (1, 17), "-1,1"),
    ((97,), (10,), "7"),
])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_shapes_at_the_edge(tmp_path, rechunk_run, shape, chunks, target, zarr_format):
    source = make(tmp_path / "a", shape, chunks, zarr_format=zarr_format)
    report = rechunk_run(tmp_path / "a", tmp_path / "b", target)
    assert_same(source, open_array(tmp_path / "b"))
    assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"]


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_separator_is_kept(tmp_path, rechunk_run, separator, zarr_format):
    name = "v2" if zarr_format == 2 else "default"
    source = make(tmp_path / "a", zarr_format=zarr_format, chunk_key_encoding={"name": name, "separator": separator})
    rechunk_run(tmp_path / "a", tmp_path / "b", "20,4")
    prefix = "" if zarr_format == 2 else f"c{separator}"
    assert f"{prefix}0{separator}8" in stored(tmp_path / "b")
    assert_same(source, open_array(tmp_path / "b"))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("fill_value", [0, 42, None])
def test_missing_chunks_stay_missing(tmp_path, rechunk_run, zarr_format, fill_value):
    if fill_value is None and zarr_format == 3:
        pytest.skip("Zarr v3 always has a fill value")
    source = make(tmp_path / "a", fill=False, zarr_format=zarr_format, fill_value=fill_value)
    source[0:5, 0:8] = 7
    separator = "." if zarr_format == 2 else "/"
    prefix = "" if zarr_format == 2 else "c/"
    # Where the source was listed, what would hold nothing is not even planned.
    for target, options, assumed, skipped in [("b", [], "listed", 0), ("c", ["--list", "never"], "dense", 11)]:
        report = rechunk_run(tmp_path / "a", tmp_path / target, "5,11", *options)
        assert stored(tmp_path / target) == [f"{prefix}0{separator}0"]
        assert report["assumed"] == report["plan"]["assumed"] == assumed
        assert report["totals"]["skipped_fill_chunks"] == skipped
        planned = report["plan"]["totals"]["put_requests"]
        assert report["totals"]["put_requests"] + report["totals"]["skipped_fill_chunks"] == planned
        assert_same(source, open_array(tmp_path / target))
        assert not list(tmp_path.glob(".rechunk-*"))


@pytest.mark.parametrize("shards", [None, (10, 16)])
def test_what_is_missing_is_never_asked_for(tmp_path, rechunk_run, shards):
    source = make(tmp_path / "a", fill=False, fill_value=9, shards=shards)
    source[10:20, 16:32] = np.arange(160).reshape(10, 16)
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "4,4")
    (array,) = report["arrays"]
    assert array["listed_objects"] == len(stored(tmp_path / "a")) < array["source_objects"]
    for totals in (report["totals"], report["plan"]["totals"]):
        assert totals["missing_source_chunks"] == 0
        assert totals["get_requests"] == report["plan"]["totals"]["get_requests"]
    assert_same(source, open_array(tmp_path / "b"))


def test_chunks_full_of_the_fill_value_are_not_written_unless_asked(tmp_path, rechunk_run):
    source = make(tmp_path / "a", fill=False, fill_value=3, config={"write_empty_chunks": True})
    source[...] = 3
    assert len(stored(tmp_path / "a")) == 20
    rechunk_run(tmp_path / "a", tmp_path / "b", "20,11")
    assert stored(tmp_path / "b") == []
    rechunk_run(tmp_path / "a", tmp_path / "c", "20,11", "--write-empty-chunks")
    assert len(stored(tmp_path / "c")) == 3
    assert_same(source, open_array(tmp_path / "b"))
    assert_same(source, open_array(tmp_path / "c"))


def test_a_negative_zero_is_not_the_fill_value(tmp_path, rechunk_run):
    source = make(tmp_path / "a", fill=False, dtype="<f8", fill_value=0.0, config={"write_empty_chunks": True})
    source[...] = -0.0
    rechunk_run(tmp_path / "a", tmp_path / "b", "20,33")
    assert len(stored(tmp_path / "b")) == 1
    assert bits(open_array(tmp_path / "b")[...]) == bits(np.full(SHAPE, -0.0))


def test_strict_refuses_a_missing_chunk_and_leaves_nothing(tmp_path, rechunk):
    make(tmp_path / "a", fill=False)[0:5, 0:8] = 7
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "20,33", "--strict")
    assert ended.code == 2
    assert "c/" in ended.stderr and "missing" in ended.stderr
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "20,33", "--strict", "--list", "never")
    assert ended.code == 1
    assert "c/" in ended.stderr and "missing" in ended.stderr
    assert not stored(tmp_path / "b") if (tmp_path / "b").exists() else True
    assert sorted(p.name for p in tmp_path.iterdir() if not p.is_dir() or any(p.rglob("*"))) == ["a"]


def test_a_small_memory_makes_an_exchange_of_the_same_bits(tmp_path, rechunk_run):
    shape = (256, 256, 256)
    source = make(tmp_path / "a", shape, (1, 256, 256), "<f4", compressors=(ZstdCodec(level=1),))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "256,16,16", "--max-mem", "8MiB", "--threads", "2")
    assert report["arrays"][0]["shape_of_plan"] == "exchange", json.dumps(report["plan"], indent=1)
    assert_same(source, open_array(tmp_path / "b"))
    for name in ["get_requests", "put_requests", "delete_requests", "bytes_decoded", "bytes_encoded"]:
        assert report["totals"][name] == report["plan"]["totals"][name], name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "temporary space is left"
