"""Chunks that differ in length along an axis, such as months of days, as source and as target."""

import json
import shutil

import numpy as np
import pytest
import rectilinear
import xarray
import zarr
from arrays import as_predicted, assert_same, bits, elements, open_array, stored, texts
from test_groups import read
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

MONTHS = [31, 28, 31, 30, 31, 30, [31, 2], 30, 31, 30, 31]
SHAPE = (365, 20, 12)
GRID = [MONTHS, [7, 1, 12], 12]
CODECS = {
    "raw": {"compressors": None},
    "zstd": {"compressors": (ZstdCodec(),)},
    "blosc": {"compressors": (BloscCodec(cname="lz4", typesize=4),)},
    "transposed": {"filters": (TransposeCodec(order=(2, 0, 1)),), "compressors": (Crc32cCodec(),)},
    "big": {"serializer": BytesCodec(endian="big"), "compressors": None},
}


def source(place, shape=SHAPE, grid=GRID, dtype="<f4", missing=(), **options):
    values = elements(shape, dtype).copy()
    rectilinear.write(place, values, grid, missing, dimension_names=["time", "lat", "lon"][: len(shape)], **options)
    return values


@pytest.mark.parametrize("codecs", CODECS)
@pytest.mark.parametrize("chunks, options", [
    ("30,20,12", []), ("365,3,5", []), ("1,20,12", []), ("100,7,12", ["--shards", "200,14,12"]), ("-1,-1,-1", []),
])
def test_it_becomes_regular_bit_for_bit_and_as_predicted(tmp_path, rechunk_run, codecs, chunks, options):
    values = source(tmp_path / "a", **CODECS[codecs])
    report = rechunk_run(tmp_path / "a", tmp_path / "b", chunks, "--verify", *options)
    target = open_array(tmp_path / "b")
    assert bits(target[...]) == bits(values)
    assert target.metadata.chunk_grid.to_dict()["name"] == "regular"
    assert_same(values, target)
    as_predicted(report)


@pytest.mark.parametrize("shape_of_plan, options", [
    ("exchange", []), ("group_local", ["--scratch", "1GB"]),
])
def test_little_memory_takes_the_plans_that_little_memory_takes(tmp_path, rechunk_run, shape_of_plan, options):
    shape = (365, 96, 120)
    values = source(tmp_path / "a", shape, [MONTHS, 96, 120], compressors=(GzipCodec(),))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "365,4,4", "--max-mem", "10MiB", *options)
    plans = [array["shape_of_plan"] for array in report["arrays"]]
    assert plans == [shape_of_plan], report["plan"]
    assert_same(values, open_array(tmp_path / "b"))
    as_predicted(report)


def test_shards_that_differ_in_length_are_read(tmp_path, rechunk_run):
    grid = [[8, 4, 12, 8, [4, 3]], [6, 9, 6]]
    values = elements((43, 20), "<i2")
    rectilinear.write(tmp_path / "a", values, grid, chunks=(4, 3), compressors=(ZstdCodec(),))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "5,20", "--verify")
    assert_same(values, open_array(tmp_path / "b"))
    as_predicted(report)
    # The shards of the target are as long as the longest.
    rechunk_run(tmp_path / "a", tmp_path / "c", "keep,keep")
    target = open_array(tmp_path / "c")
    assert (target.chunks, target.shards) == ((4, 3), (12, 9))
    assert_same(values, target)


def test_chunks_that_are_not_named_stay_as_they_are(tmp_path, rechunk_run):
    values = source(tmp_path / "a", compressors=(ZstdCodec(),))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "lat=10,lon=5", "--verify")
    kept, lengths = rectilinear.read(tmp_path / "b")
    assert bits(kept) == bits(values)
    assert lengths == [rectilinear.lengths(MONTHS, 365), [10, 10], [5, 5, 5]]
    assert len(stored(tmp_path / "b")) == 12 * 2 * 3
    as_predicted(report)
    # And again, with another codec and nothing else.
    report = rechunk_run(tmp_path / "b", tmp_path / "c", "keep,keep,keep", "--codec", "none")
    again, same = rectilinear.read(tmp_path / "c")
    assert (bits(again), same) == (bits(values), lengths)
    as_predicted(report)


def test_lengths_may_be_asked_for(tmp_path, rechunk_run):
    values = elements((365, 20), "<f8")
    zarr.create_array(tmp_path / "a", shape=values.shape, chunks=(50, 20), dtype="<f8", dimension_names=("time", "lat"))[
        ...] = values
    months = "31+28+31+30+31+30+31*2+30+31+30+31"
    report = rechunk_run(tmp_path / "a", tmp_path / "b", f"time={months},lat=6", "--verify")
    written, lengths = rectilinear.read(tmp_path / "b")
    assert (bits(written), lengths) == (bits(values), [rectilinear.lengths(MONTHS, 365), [6] * 4])
    as_predicted(report)
    # Lengths that are all alike are a regular grid, and what reaches beyond the end is no chunk.
    rechunk_run(tmp_path / "a", tmp_path / "c", "100*4+7,20")
    assert open_array(tmp_path / "c").chunks == (100, 20)
    assert_same(values, open_array(tmp_path / "c"))


@pytest.mark.parametrize("region", ["time=40:200", "time=59:90,lat=2:13", "lat=7:8", "time=0:31"])
def test_a_part_begins_and_ends_anywhere(tmp_path, rechunk_run, region):
    values = source(tmp_path / "a", compressors=(ZstdCodec(),))
    bounds = {name: map(int, text.split(":")) for name, text in (term.split("=") for term in region.split(","))}
    part = values[tuple(slice(*bounds.get(name, (None, None))) for name in ("time", "lat", "lon"))]
    rechunk_run(tmp_path / "a", tmp_path / "b", "17,4,12", "--region", region, "--verify")
    assert_same(part, open_array(tmp_path / "b"))
    rechunk_run(tmp_path / "a", tmp_path / "c", "lon=5", "--region", region, "--verify")
    name = json.loads((tmp_path / "c" / "zarr.json").read_text())["chunk_grid"]["name"]
    kept = rectilinear.read(tmp_path / "c")[0] if name == "rectilinear" else open_array(tmp_path / "c")[...]
    assert bits(kept) == bits(part)


def test_missing_chunks_read_as_the_fill_value(tmp_path, rechunk_run):
    missing = [(2, 0, 0), (3, 1, 0), (11, 2, 0)]
    values = source(tmp_path / "a", missing=missing, fill_value=9.5)
    for position, start, end in rectilinear.boxes(GRID, SHAPE):
        if position in missing:
            values[tuple(slice(a, b) for a, b in zip(start, end))] = 9.5
    rechunk_run(tmp_path / "a", tmp_path / "b", "50,5,6", "--verify")
    assert_same(values, open_array(tmp_path / "b"))
    report = rechunk_run(tmp_path / "a", tmp_path / "c", "lon=6")
    assert bits(rectilinear.read(tmp_path / "c")[0]) == bits(values)
    assert report["totals"]["missing_source_chunks"] == 0, "a listing told which are missing"


def test_text_goes_through_too(tmp_path, rechunk_run):
    values = texts((30, 8), np.dtypes.StringDType())
    rectilinear.write(tmp_path / "a", values, [[5, 10, 2, 13], 8], fill_value="")
    rechunk_run(tmp_path / "a", tmp_path / "b", "7,3", "--verify")
    assert (open_array(tmp_path / "b")[...] == values).all()
    rechunk_run(tmp_path / "a", tmp_path / "c", "keep,3", "--verify")
    written, lengths = rectilinear.read(tmp_path / "c")
    assert lengths[0] == [5, 10, 2, 13] and (written == values).all()


def test_a_dataset_of_months_reads_as_one_of_regular_chunks(tmp_path, rechunk_run):
    time = np.arange(365)
    dataset = xarray.Dataset({"tas": (("time", "lat"), elements((365, 20), "<i4"))}, {"time": time, "lat": np.arange(20)})
    dataset.to_zarr(tmp_path / "regular", zarr_format=3, consolidated=False)
    dataset.to_zarr(tmp_path / "a", zarr_format=3, consolidated=False)
    document = json.loads((tmp_path / "a" / "tas" / "zarr.json").read_text())
    shutil.rmtree(tmp_path / "a" / "tas")
    rectilinear.write(tmp_path / "a" / "tas", dataset["tas"].values, [MONTHS, 20], compressors=(ZstdCodec(),),
                      dimension_names=document["dimension_names"], attributes=document["attributes"])
    rechunk_run(tmp_path / "a", tmp_path / "b", "time=100,lat=20", "--verify")
    xarray.testing.assert_identical(read(tmp_path / "b"), read(tmp_path / "regular"))


def test_it_goes_through_a_real_store(tmp_path, rechunk_run, s3):
    values = source(tmp_path / "a", compressors=(ZstdCodec(),))
    rechunk_run(tmp_path / "a", s3.url("rectilinear/b"), "lat=10,lon=6", env=s3.env)
    rechunk_run(s3.url("rectilinear/b"), tmp_path / "c", "73,20,12", "--verify", env=s3.env)
    assert_same(values, open_array(tmp_path / "c"))


def test_info_tells_the_lengths(tmp_path, rechunk):
    source(tmp_path / "a")
    ended = rechunk("info", tmp_path / "a", "--output", "json")
    assert ended.code == 0, ended.stderr
    array = ended.json["arrays"][0]
    assert array["chunks"] == [31, 12, 12]
    assert array["object_lengths"] == [rectilinear.lengths(MONTHS, 365), [7, 1, 12], None]
    assert array["grid"]["objects"] == 36
    ended = rechunk("info", tmp_path / "a")
    assert "≤31×≤12×12" in ended.stdout, ended.stdout


@pytest.mark.parametrize("chunks, options, reason", [
    ("lon=6", ["--zarr-format", "2"], "rectilinear"),
    ("time=100+200", [], "add up to 300, and it has 365 elements"),
    ("time=100+0+400", [], "no list of lengths"),
    ("time=1*99999,lat=20,lon=12", [], "no list of lengths"),
    ("time=100+400", ["--shards", "time=200"], "--shards none"),
    ("time=100", ["--shards", "time=100+300"], "shards have one length"),
])
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path, rechunk, chunks, options, reason):
    source(tmp_path / "a")
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", chunks, *options)
    assert ended.code == 2 and reason in ended.stderr, ended.stderr
    assert not (tmp_path / "b").exists()


def test_nothing_is_appended_to_chunks_that_differ(tmp_path, rechunk, rechunk_run):
    source(tmp_path / "a")
    rechunk_run(tmp_path / "a", tmp_path / "b", "lon=6")
    longer = elements((400, 20, 12), "<f4").copy()
    rectilinear.write(tmp_path / "longer", longer, [100, 20, 12], dimension_names=["time", "lat", "lon"])
    ended = rechunk("run", tmp_path / "longer", tmp_path / "b", "--append", "time")
    assert ended.code != 0 and "differ in length" in ended.stderr, ended.stderr
    # Of a source whose chunks differ everything may be appended.
    rechunk_run(tmp_path / "a", tmp_path / "c", "50,20,12")
    longer[:365] = rectilinear.read(tmp_path / "b")[0]
    rectilinear.write(tmp_path / "grown", longer, [[*MONTHS, 35], 20, 12], dimension_names=["time", "lat", "lon"])
    ended = rechunk("run", tmp_path / "grown", tmp_path / "c", "--append", "time")
    assert ended.code == 0, ended.stderr
    assert_same(longer, open_array(tmp_path / "c"))
