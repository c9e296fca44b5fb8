"""`--append`: what is new in a source that grows goes behind what was rechunked, as if all of it were rechunked anew."""

import hashlib

import numpy as np
import pytest
import xarray
import zarr
import zarr.storage
from arrays import as_predicted, bits, elements, open_array, texts
from zarr.codecs import ZstdCodec

LENGTHS = [7, 16, 17, 40, 61]
REST = (30, 22)

# Options of the source, chunks and options of the target, options of each append.
WAYS = {
    "sweep": ({}, "6,10,4", [], []),
    "full chunks alone": ({}, "1,30,22", [], []),
    "one chunk along the axis": ({}, "100!,5,5", [], []),
    "small tasks": ({}, "6,10,4", [], ["--max-mem", "40kB"]),
    "shards": ({}, "3,5,5", ["--shards", "6,15,10"], []),
    "from shards": ({"shards": (8, 30, 22)}, "5,5,5", ["--shards", "10,15,10"], []),
    "the same chunks": ({}, "keep,keep,keep", [], []),
    "compressed anew": ({}, "5,30,22", ["--codec", "zstd:1"], []),
    "verified": ({}, "7,7,7", [], ["--verify"]),
}


def contents(path):
    """Every file below a path and its hash."""
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in path.rglob("*") if file.is_file()}


@pytest.fixture(scope="session")
def append(rechunk):
    """`append(source, target, dimension, ...)` must succeed; returns the JSON report."""

    def run(source, target, dimension, *options, env=None):
        ended = rechunk("run", source, target, "--append", dimension, "--output", "json", *options, env=env)
        assert ended.code == 0, ended.stderr + ended.stdout
        return ended.json

    return run


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("axis", [0, 2])
def test_a_target_that_grew_holds_what_the_source_holds(tmp_path, rechunk_run, append, zarr_format, way, axis):
    options, chunks, made, appended = WAYS[way]
    if zarr_format == 2 and ("shards" in options or "--shards" in made):
        pytest.skip("Zarr v2 has no shards")
    if axis == 2:
        turn = lambda lengths: (*lengths[1:], lengths[0])  # noqa: E731
        options = {name: turn(value) for name, value in options.items()}
        chunks, made = ",".join(turn(chunks.split(","))), [
            ",".join(turn(word.split(","))) if "," in word else word for word in made]
    else:
        turn = tuple
    values = elements(turn((LENGTHS[-1], *REST)), "<f4")
    source = zarr.create_array(tmp_path / "a", shape=turn((LENGTHS[0], *REST)), chunks=turn((4, 30, 11)), dtype="<f4",
                               zarr_format=zarr_format, fill_value=-1, **options)
    upto = lambda length: (slice(None),) * axis + (slice(length),)  # noqa: E731
    for number, length in enumerate(LENGTHS):
        source.resize(turn((length, *REST)))
        source[...] = values[upto(length)]
        if number == 0:
            rechunk_run(tmp_path / "a", tmp_path / "b", chunks, *made)
        else:
            as_predicted(append(tmp_path / "a", tmp_path / "b", axis, *appended))
        target = open_array(tmp_path / "b")
        assert target.shape == source.shape
        assert bits(target[...]) == bits(values[upto(length)]), length
    rechunk_run(tmp_path / "a", tmp_path / "c", chunks, *made)
    assert contents(tmp_path / "b") == contents(tmp_path / "c"), "as if all of it were rechunked at once"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"], "temporary space is left"


@pytest.mark.parametrize("old", [130, 100])
def test_an_append_goes_through_an_exchange(tmp_path, rechunk_run, append, old):
    values = np.arange(260 * 256 * 256, dtype="<f4").reshape(260, 256, 256)
    source = zarr.create_array(tmp_path / "a", shape=(old, 256, 256), chunks=(2, 256, 256), dtype="<f4",
                               compressors=ZstdCodec(level=1))
    source[...] = values[:old]
    memory = ["--max-mem", "6MiB", "--threads", "2"]
    rechunk_run(tmp_path / "a", tmp_path / "b", "130!,16,16", *memory)
    source.resize(values.shape)
    source[old:] = values[old:]
    report = append(tmp_path / "a", tmp_path / "b", 0, *memory)
    assert report["arrays"][0]["shape_of_plan"] == "exchange"
    as_predicted(report)
    assert bits(open_array(tmp_path / "b")[...]) == bits(values)
    assert report["totals"]["delete_requests"] == report["plan"]["totals"]["delete_requests"]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_text_grows(tmp_path, rechunk, rechunk_run, append, zarr_format):
    values = texts((40, 5), np.dtypes.StringDType(), seed=3)
    source = zarr.create_array(tmp_path / "a", shape=(23, 5), chunks=(3, 5), dtype=str, zarr_format=zarr_format)
    source[...] = values[:23]
    rechunk_run(tmp_path / "a", tmp_path / "b", "10,2")
    source.resize((40, 5))
    source[...] = values
    append(tmp_path / "a", tmp_path / "b", 0, "--verify")
    assert (open_array(tmp_path / "b")[...] == values).all()
    source.resize((47, 5))
    append(tmp_path / "a", tmp_path / "b", 0)
    source[45, 4] = "revised"
    source.resize((50, 5))
    before = contents(tmp_path / "b")
    refused = rechunk("run", tmp_path / "a", tmp_path / "b", "--append", 0)
    assert refused.code == 1 and "is not continued by the source" in refused.stderr, refused.stderr
    assert contents(tmp_path / "b") == before


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_dataset_grows_as_xarray_appends_to_it(tmp_path, rechunk_run, append, zarr_format):
    random = np.random.default_rng(5)
    data = xarray.Dataset(
        {"tas": (("time", "lat", "lon"), random.normal(280, 10, (40, 6, 8)).astype("f4"), {"units": "K"}),
         "mask": (("lat", "lon"), random.integers(0, 2, (6, 8)))},
        coords={"time": np.datetime64("2001-01-01", "ns") + np.arange(40).astype("timedelta64[D]"),
                "lat": np.linspace(-60, 60, 6), "lon": np.linspace(0, 340, 8)})
    first = data.isel(time=slice(0, 25))
    first.to_zarr(tmp_path / "a", zarr_format=zarr_format, consolidated=True, encoding={"tas": {"chunks": (3, 6, 8)}})
    rechunk_run(tmp_path / "a", tmp_path / "b", "tas:time=10,lat=2,lon=2")
    mask = contents(tmp_path / "b/mask")
    data.isel(time=slice(25, 40)).to_zarr(tmp_path / "a", append_dim="time", consolidated=True)
    xarray.testing.assert_identical(xarray.open_zarr(tmp_path / "b").load(), first)
    report = append(tmp_path / "a", tmp_path / "b", "time")
    assert sorted(array["name"] for array in report["arrays"]) == ["tas", "time"]
    for consolidated in [True, False]:
        xarray.testing.assert_identical(xarray.open_zarr(tmp_path / "b", consolidated=consolidated).load(), data)
    assert contents(tmp_path / "b/mask") == mask
    before = contents(tmp_path / "b")
    again = append(tmp_path / "a", tmp_path / "b", "time")
    assert again["totals"]["put_requests"] == 0 and contents(tmp_path / "b") == before, "nothing is new"


def test_an_append_on_s3(s3, rechunk_run, append):
    values = elements((50, *REST), "<f4")
    source = zarr.create_array(zarr.storage.ObjectStore(s3.store("append/a")), shape=(33, *REST), chunks=(4, 30, 11),
                               dtype="<f4", dimension_names=["time", "y", "x"])
    source[...] = values[:33]
    rechunk_run(s3.url("append/a"), s3.url("append/b"), "10,7,5", env=s3.env)
    source.resize(values.shape)
    source[33:] = values[33:]
    as_predicted(append(s3.url("append/a"), s3.url("append/b"), "time", env=s3.env))
    target = zarr.open_array(zarr.storage.ObjectStore(s3.store("append/b")), mode="r")
    assert bits(target[...]) == bits(values)


def grown(tmp_path, rechunk_run):
    """A source of 30 elements, 23 of which are in the target, in chunks of 5."""
    values = elements((30, 4), "<i4")
    source = zarr.create_array(tmp_path / "a", shape=(23, 4), chunks=(3, 4), dtype="<i4", dimension_names=["t", "x"])
    source[...] = values[:23]
    rechunk_run(tmp_path / "a", tmp_path / "b", "5,2")
    source.resize((30, 4))
    source[...] = values
    return source, values


@pytest.mark.parametrize("changed", [20, 22])
def test_a_source_that_does_not_continue_the_target_changes_nothing(tmp_path, rechunk, rechunk_run, changed):
    source, _ = grown(tmp_path, rechunk_run)
    source[changed, 3] += 1
    before = contents(tmp_path / "b")
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--append", "t")
    assert ended.code == 1, ended.stderr
    assert "is not continued by the source" in ended.stderr and "nothing was written" in ended.stderr, ended.stderr
    assert contents(tmp_path / "b") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"], "temporary space is left"


def test_what_stands_stays_where_the_source_was_revised(tmp_path, rechunk_run, append):
    source, values = grown(tmp_path, rechunk_run)
    source[:20] = 0
    append(tmp_path / "a", tmp_path / "b", "t")
    assert bits(open_array(tmp_path / "b")[...]) == bits(values)


def test_what_an_append_left_behind_that_came_to_nothing_does_not_show(tmp_path, rechunk_run, append):
    source, values = grown(tmp_path, rechunk_run)
    # It wrote the last chunk that has room and one behind it; then the source became fill values there.
    stray = zarr.create_array(tmp_path / "stray", shape=(30, 4), chunks=(5, 2), dtype="<i4")
    stray[...] = values
    for key in ["c/4/0", "c/4/1", "c/5/0"]:
        (tmp_path / "b" / key).parent.mkdir(exist_ok=True)
        (tmp_path / "b" / key).write_bytes((tmp_path / "stray" / key).read_bytes())
    source[23:] = 0
    append(tmp_path / "a", tmp_path / "b", "t")
    assert bits(open_array(tmp_path / "b")[...]) == bits(values[:23]) + bytes(7 * 4 * 4)


def test_gaps_of_what_is_new_stay_gaps(tmp_path, rechunk_run, append):
    source = zarr.create_array(tmp_path / "a", shape=(20, 4), chunks=(5, 4), dtype="<i4", dimension_names=["t", "x"])
    source[:10] = 7
    rechunk_run(tmp_path / "a", tmp_path / "b", "10,2")
    source.resize((60, 4))
    source[50:] = 3
    append(tmp_path / "a", tmp_path / "b", "t")
    assert bits(open_array(tmp_path / "b")[...]) == bits(source[...])
    assert sorted(p.name for p in (tmp_path / "b/c").iterdir()) == ["0", "5"]


def test_wrong_appends_are_told(tmp_path, rechunk, rechunk_run):
    grown(tmp_path, rechunk_run)
    zarr.create_array(tmp_path / "short", shape=(9, 4), chunks=(3, 4), dtype="<i4", dimension_names=["t", "x"])
    for source, target, options, word in [
        ("a", "none", ["--append", "t"], "leave --append out"),
        ("a", "b", ["--append", "lat"], "no array of the source has that dimension"),
        ("short", "b", ["--append", "t"], "23 elements"),
        ("a", "b", ["--append", "t", "--chunks", "5,2"], "does not go with append"),
        ("a", "b", [], "--chunks"),
    ]:
        before = contents(tmp_path / "b")
        refused = rechunk("run", tmp_path / source, tmp_path / target, *options)
        assert refused.code == 2 and word in refused.stderr, refused.stderr
        assert contents(tmp_path / "b") == before and not (tmp_path / "none").exists()
