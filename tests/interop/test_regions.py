"""`--region`: a part of what zarr-python wrote, as zarr-python and xarray would cut it out, in every shape of plan."""

import numpy as np
import pytest
import xarray
import zarr
import zarr.storage
from arrays import as_predicted, assert_same, bits, elements, open_array
from zarr.codecs import ZstdCodec

SHAPE = (50, 30, 22)
CHUNKS = (4, 30, 11)
# Parts that begin and end with chunks, with none, and within one chunk.
PARTS = {
    "aligned": (slice(8, 40), slice(None), slice(11, 22)),
    "anywhere": (slice(5, 47), slice(3, 29), slice(7, 20)),
    "inside one chunk": (slice(17, 19), slice(4, 9), slice(12, 13)),
    "the end": (slice(49, 50), slice(None), slice(None)),
}

# Options of the source, target chunks and options of the command line, for each way through.
WAYS = {
    "sweep": ({}, "6,10,4", []),
    "small tasks": ({}, "50,2,2", ["--max-mem", "40kB"]),
    "shards to shards": ({"shards": (8, 30, 22)}, "5,5,5", ["--shards", "10,15,10"]),
    "passed on": ({}, "keep,keep,keep", []),
    "unpacked": ({"shards": (8, 30, 22)}, "keep,keep,keep", ["--shards", "none"]),
    "verified": ({}, "7,7,7", ["--verify"]),
}


def spell(part):
    return ",".join(f"{'' if s.start is None else s.start}:{'' if s.stop is None else s.stop}" for s in part)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_part_is_what_zarr_python_cuts_out(tmp_path, rechunk_run, zarr_format, way, part):
    options, chunks, arguments = WAYS[way]
    if zarr_format == 2 and ("shards" in options or "--shards" in arguments):
        pytest.skip("Zarr v2 has no shards")
    source = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<f4", zarr_format=zarr_format,
                               fill_value=-1, **options)
    source[...] = elements(SHAPE, "<f4")
    report = rechunk_run(tmp_path / "a", tmp_path / "b", chunks, "--region", spell(PARTS[part]), *arguments)
    target = open_array(tmp_path / "b")
    expected = source[PARTS[part]]
    assert target.shape == expected.shape
    assert bits(target[...]) == bits(expected)
    as_predicted(report)


@pytest.mark.parametrize("begin", [0, 96, 101])
@pytest.mark.parametrize("options", [["--exchange-codec", "none"], ["--exchange-codec", "lz4", "--verify"]])
def test_a_part_goes_through_an_exchange(tmp_path, rechunk_run, begin, options):
    source = zarr.create_array(tmp_path / "a", shape=(260, 256, 256), chunks=(2, 256, 256), dtype="<f4",
                               compressors=ZstdCodec(level=1))
    source[...] = np.arange(260 * 256 * 256, dtype="<f4").reshape(260, 256, 256)
    part = (slice(begin, 258), slice(None), slice(1, 255))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "-1,16,16", "--region", spell(part), "--max-mem", "6MiB",
                         "--threads", "2", *options)
    assert report["arrays"][0]["shape_of_plan"] == "exchange"
    assert_same(source[part], open_array(tmp_path / "b"))
    as_predicted(report)
    assert report["totals"]["delete_requests"] == report["plan"]["totals"]["delete_requests"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "temporary space is left"


@pytest.mark.parametrize("begin", [0, 16, 11])
def test_a_part_goes_over_local_disk(tmp_path, rechunk_run, begin):
    source = zarr.create_array(tmp_path / "a", shape=(64, 24, 20), chunks=(2, 24, 20), dtype="<f4")
    source[...] = elements((64, 24, 20), "<f4")
    part = (slice(begin, 63), slice(3, None), slice(None))
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "16,3,2", "--region", spell(part), "--scratch",
                         tmp_path / "scratch", "--scratch-size", "10MB", "--max-mem", "64KiB", "--workers", "2")
    assert bits(open_array(tmp_path / "b")[...]) == bits(source[part])
    as_predicted(report)


@pytest.mark.parametrize("shards", [None, (8, 30, 22)])
def test_a_part_on_s3_is_what_zarr_python_reads(s3, rechunk_run, request, shards):
    name = f"region-{request.node.callspec.id}"
    source = zarr.create_array(zarr.storage.ObjectStore(s3.store(f"{name}/a")), shape=SHAPE, chunks=CHUNKS, dtype="<f4",
                               shards=shards)
    source[...] = elements(SHAPE, "<f4")
    for way, region in PARTS.items():
        report = rechunk_run(s3.url(f"{name}/a"), s3.url(f"{name}/{way}"), "9,7,5", "--region", spell(region),
                             env=s3.env)
        target = zarr.open_array(zarr.storage.ObjectStore(s3.store(f"{name}/{way}")), mode="r")
        assert bits(target[...]) == bits(source[region]), way
        as_predicted(report)


@pytest.mark.parametrize("listing", ["always", "never"])
def test_gaps_of_a_part_stay_gaps(tmp_path, rechunk_run, listing):
    source = zarr.create_array(tmp_path / "a", shape=(60, 20), chunks=(7, 6), dtype="<i2", fill_value=9)
    source[14:35, 6:12] = elements((21, 6), "<i2")
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "10,5", "--region", "9:58,2:19", "--list", listing)
    assert bits(open_array(tmp_path / "b")[...]) == bits(source[9:58, 2:19])
    if listing == "always":
        as_predicted(report)
    assert report["totals"]["put_requests"] < report["plan"]["totals"]["put_requests"] or listing == "always"


def test_a_part_that_is_passed_on_keeps_its_objects(tmp_path, rechunk_run):
    source = zarr.create_array(tmp_path / "a", shape=SHAPE, chunks=CHUNKS, dtype="<f4", compressors=ZstdCodec(level=1))
    source[...] = elements(SHAPE, "<f4")
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "keep,keep,keep", "--region", "8:48,:,11:")
    assert [stage["name"] for stage in report["stages"] if stage["tasks"]][0] == "copy_encoded"
    assert (tmp_path / "b/c/0/0/0").read_bytes() == (tmp_path / "a/c/2/0/1").read_bytes()
    assert (tmp_path / "b/c/9/0/0").read_bytes() == (tmp_path / "a/c/11/0/1").read_bytes()
    assert bits(source[8:48, :, 11:]) == bits(open_array(tmp_path / "b")[...])


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_dataset_is_cut_as_xarray_cuts_it(tmp_path, rechunk_run, zarr_format):
    random = np.random.default_rng(5)
    data = xarray.Dataset(
        {"tas": (("time", "lat", "lon"), random.normal(280, 10, (40, 6, 8)).astype("f4"), {"units": "K"}),
         "bounds": (("lat", "edge"), random.normal(size=(6, 2)))},
        coords={"time": np.datetime64("2001-01-01", "ns") + np.arange(40).astype("timedelta64[D]"),
                "lat": np.linspace(-60, 60, 6), "lon": np.linspace(0, 340, 8)})
    data.to_zarr(tmp_path / "a", zarr_format=zarr_format, consolidated=True, encoding={"tas": {"chunks": (3, 6, 8)}})
    rechunk_run(tmp_path / "a", tmp_path / "b", "tas:time=-1,lat=2,lon=2", "--region", "time=7:31,lon=2:7")
    for consolidated in [True, False]:
        cut = xarray.open_zarr(tmp_path / "b", consolidated=consolidated).load()
        xarray.testing.assert_identical(cut, data.isel(time=slice(7, 31), lon=slice(2, 7)))


def test_wrong_regions_are_told(tmp_path, rechunk):
    zarr.create_array(tmp_path / "a", shape=(20,), chunks=(5,), dtype="<i4", dimension_names=["time"])
    for region, word in [("time=0:21", "20 elements"), ("lat=0:2", "no array of the source has dimension"),
                         ("time=3:3", "holds nothing"), ("time=0:9:3", "no step"), ("time=3", "START:STOP")]:
        refused = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "4", "--region", region)
        assert refused.code == 2 and word in refused.stderr and "region" in refused.stderr, refused.stderr
        assert not (tmp_path / "b").exists()
