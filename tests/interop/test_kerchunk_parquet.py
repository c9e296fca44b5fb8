"""Sources in references that kerchunk and fsspec wrote as Parquet: on a disk, in S3, on a web server."""

import json
import pathlib

import kerchunk.df
import numpy as np
import pytest
import zarr
from arrays import assert_same, elements
from fsspec.implementations.reference import LazyReferenceMapper
from netcdf_archive import FILES, SHAPE, TIMES, classic, hdf5, metadata, refused, seen_by_zarr


def write_records(path, refs, engine="fastparquet", record_size=10_000):
    """The references as fsspec writes them."""
    out = LazyReferenceMapper.create(str(path), record_size=record_size, engine=engine)
    for key, value in as_text(refs).items():
        out[key] = value
    out.flush()
    return f"kerchunk+{path}"


def as_text(refs):
    """The references with every document as text."""
    return {key: json.dumps(value) if isinstance(value, dict) else value for key, value in refs.items()}


@pytest.fixture
def archive(tmp_path):
    """Local files, their references and values."""
    (tmp_path / "files").mkdir()
    return *classic(tmp_path / "files", tmp_path / "files"), tmp_path / "refs.parq"


@pytest.mark.parametrize("kind", [classic, hdf5])
@pytest.mark.parametrize("engine", ["fastparquet", "pyarrow"])
@pytest.mark.parametrize("record_size", [2, 7, 10_000])
def test_the_files_of_an_archive_are_one_source(tmp_path, rechunk_run, kind, engine, record_size):
    refs, expected = kind(tmp_path, tmp_path)
    path = tmp_path / "all.parq"
    source = write_records(path, refs, engine, record_size)
    report = rechunk_run(source, tmp_path / "target", "tas:time=-1,lat=2,lon=5")
    target = zarr.open_group(tmp_path / "target", mode="r")
    assert target["tas"].chunks == (TIMES, 2, 5)
    assert_same(expected, target["tas"])
    assert_same(seen_by_zarr(LazyReferenceMapper(str(path), engine=engine))["tas"], target["tas"])
    np.testing.assert_array_equal(target["time"], np.arange(TIMES))
    np.testing.assert_array_equal(target["lat"], np.frombuffer(b"abcdefgh" * SHAPE[1], "<i8"))
    assert dict(target.attrs) == {"title": "an archive"} and target["tas"].attrs["units"] == "K"
    assert report["totals"]["get_requests"] == report["plan"]["totals"]["get_requests"]
    rechunk_run(f"{source}/tas", tmp_path / "one", "time=-1,lat=3", "--verify")
    assert_same(expected, zarr.open_array(tmp_path / "one", mode="r"))


def test_kerchunk_writes_what_is_read(archive, rechunk_run, tmp_path):
    refs, expected, path = archive
    (tmp_path / "refs.json").write_text(json.dumps({"version": 1, "refs": as_text(refs)}))
    kerchunk.df.refs_to_dataframe(str(tmp_path / "refs.json"), str(path))
    rechunk_run(f"kerchunk+{path}", tmp_path / "target", "tas:time=-1,lat=2,lon=5")
    rechunk_run(f"kerchunk+{tmp_path}/refs.json", tmp_path / "same", "tas:time=-1,lat=2,lon=5")
    target, same = (zarr.open_group(tmp_path / name, mode="r") for name in ("target", "same"))
    assert_same(expected, target["tas"])
    assert sorted(target) == sorted(same) == ["lat", "tas", "time"]
    for name in target:
        assert_same(same[name], target[name])


def test_an_archive_with_groups_and_a_number_without_axes_is_read(tmp_path, rechunk_run):
    refs, expected = classic(tmp_path, tmp_path)
    refs = {f"inner/part/{key}": value for key, value in refs.items()}
    for group in ("", "inner/"):
        refs[f"{group}.zgroup"] = '{"zarr_format": 2}'
    refs["height/.zarray"] = metadata([], "<f8", [])
    # As Python writes it; JSON has no such number.
    refs["height/.zattrs"] = '{"valid_max": NaN, "units": "m"}'
    refs["height/0"] = np.float64(2.5).tobytes()
    source = write_records(tmp_path / "refs.parquet", refs, record_size=3)
    rechunk_run(source, tmp_path / "target", "inner/part/tas:time=-1,lat=2,lon=5")
    target = zarr.open_group(tmp_path / "target", mode="r")
    assert_same(expected, target["inner/part/tas"])
    assert target["height"][()] == 2.5 and np.isnan(target["height"].attrs["valid_max"])
    rechunk_run(f"{source}/inner/part/tas", tmp_path / "one", "time=-1,lat=3", "--verify")
    assert_same(expected, zarr.open_array(tmp_path / "one", mode="r"))


@pytest.mark.parametrize("engine", ["fastparquet", "pyarrow"])
def test_a_reference_that_is_missing_is_the_fill_value(archive, rechunk, rechunk_run, tmp_path, engine):
    refs, expected, path = archive
    del refs["tas/1.0.0"]
    source = write_records(path, refs, engine, 2)
    for name, first in (("target", 1), ("less", 0)):
        report = rechunk_run(f"{source}/tas", tmp_path / name, "time=-1,lat=2,lon=5")
        expected[first * SHAPE[0]:2 * SHAPE[0]] = -999
        assert_same(expected, zarr.open_array(tmp_path / name, mode="r"))
        assert report["plan"]["arrays"][0]["listed_objects"] == FILES - 2 + first
        strict = rechunk("plan", f"{source}/tas", tmp_path / "other", "--chunks", "12,2,5", "--strict")
        assert strict.code != 0 and f"tas/{first}.0.0" in strict.stderr and "missing" in strict.stderr, strict.stderr
        # The record of the first two chunks is not there at all, as where a writer had none of them.
        (path / "tas" / "refs.0.parq").unlink(missing_ok=True)


def test_whole_files_are_references_too(rechunk_run, tmp_path):
    expected = elements((6, 4), "<i4")
    refs = {".zgroup": '{"zarr_format": 2}', "a/.zarray": metadata([2, 4], "<i4", [6, 4], fill_value=0)}
    for number in range(3):
        (tmp_path / f"{number}.bin").write_bytes(expected[2 * number:2 * number + 2].tobytes())
        refs[f"a/{number}.0"] = [f"file://{tmp_path}/{number}.bin"]
    rechunk_run(f"{write_records(tmp_path / 'r.parq', refs)}/a", tmp_path / "target", "6,1")
    assert_same(expected, zarr.open_array(tmp_path / "target", mode="r"))


@pytest.mark.parametrize("engine", ["fastparquet", "pyarrow"])
def test_of_a_large_array_only_the_part_that_is_asked_for_is_read(rechunk_run, tmp_path, engine):
    count, missing = 2_000, 1_030
    expected = np.arange(count, dtype="<i4")
    (tmp_path / "numbers").write_bytes(expected.tobytes())
    expected[missing] = -1
    refs = {".zgroup": '{"zarr_format": 2}', "a/.zarray": metadata([1], "<i4", [count], fill_value=-1)}
    refs |= {f"a/{number}": [f"{tmp_path}/numbers", 4 * number, 4] for number in range(count) if number != missing}
    # So many references to one file that their paths are written as categories.
    path = tmp_path / "r.parq"
    source = f"{write_records(path, refs, engine, 100)}/a"
    report = rechunk_run(source, tmp_path / "part", "50", "--region", "950:1050")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "part", mode="r")[:], expected[950:1050])
    assert report["totals"]["get_requests"] == 99
    rechunk_run(source, tmp_path / "target", "2000")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target", mode="r")[:], expected)


def put_all(store, path, name):
    """The directory of records, as objects."""
    for file in pathlib.Path(path).rglob("*"):
        if file.is_file():
            store.put(f"{name}/{file.relative_to(path)}", file.read_bytes())


@pytest.mark.parametrize("where", ["local", "s3"])
def test_an_archive_in_s3_is_a_source(s3, tmp_path, rechunk_run, where):
    refs, expected = classic(tmp_path, s3.url(f"records-{where}"))
    for number in range(FILES):
        s3.store().put(f"records-{where}/{number}.nc", (tmp_path / f"{number}.nc").read_bytes())
    source = write_records(tmp_path / "refs.parq", refs, record_size=2)
    if where == "s3":
        put_all(s3.store(), tmp_path / "refs.parq", "records-s3/refs.parq")
        source = f"kerchunk+{s3.url('records-s3/refs.parq')}"
    target = s3.url(f"records-target-{where}")
    rechunk_run(source, target, "tas:time=-1,lat=2,lon=5", env=s3.env)
    assert_same(expected, zarr.open_group(s3.zarr(f"records-target-{where}"), mode="r")["tas"])


def test_an_archive_on_a_web_server_is_a_source_and_leads_to_no_local_file(web, tmp_path, rechunk, rechunk_run):
    refs, expected = classic(tmp_path, web.endpoint)
    write_records(tmp_path / "refs.parq", refs)
    source = f"kerchunk+{web.endpoint}/refs.parq"
    rechunk_run(source, tmp_path / "target", "tas:time=-1,lat=2,lon=5")
    assert_same(expected, zarr.open_group(tmp_path / "target", mode="r")["tas"])
    refs["tas/0.0.0"][0] = str(tmp_path / "0.nc")
    write_records(tmp_path / "refs.parq", refs)
    refused(rechunk("plan", f"{source}/tas", tmp_path / "t", "--chunks", "12,2,5"), "0.nc", "[[stores]]")


def test_what_cannot_be_used_is_refused_by_name(archive, rechunk, tmp_path):
    refs, _, path = archive
    source = write_records(path, {**refs, "tas/0.0.0": ["0.nc", 0, 960]})
    refused(rechunk("run", source, tmp_path / "t", "--chunks", "tas:12,2,5"), "tas/refs.0.parq", "row 0", "whole URL")
    (path / "tas" / "refs.0.parq").write_bytes(b"PAR1")
    refused(rechunk("run", source, tmp_path / "t", "--chunks", "tas:12,2,5"), "tas/refs.0.parq", "no Parquet file")
    (path / ".zmetadata").write_text("{}")
    refused(rechunk("run", source, tmp_path / "t", "--chunks", "tas:12,2,5"), "refs.parq", ".zmetadata")
    assert not (tmp_path / "t").exists()


def test_a_file_that_is_gone_fails_the_job_and_is_named(archive, rechunk, tmp_path):
    refs, _, path = archive
    (tmp_path / "files" / "1.nc").unlink()
    ended = rechunk("run", write_records(path, refs), tmp_path / "t", "--chunks", "tas:12,2,5")
    assert ended.code != 0 and "1.nc" in ended.stderr and "not there" in ended.stderr, ended.stderr
    assert not (tmp_path / "t" / ".zgroup").exists() and not (tmp_path / "t" / "tas" / ".zarray").exists()


def test_an_archive_is_not_written_over(archive, rechunk, tmp_path):
    refs, _, path = archive
    source = write_records(path, refs)
    before = sorted(file for file in tmp_path.rglob("*"))
    for target in (tmp_path, tmp_path / "files", path, path / "tas", path / "new"):
        refused(rechunk("run", source, target, "--chunks", "tas:12,2,5", "--overwrite"), "target")
    assert sorted(file for file in tmp_path.rglob("*")) == before


def test_info_says_what_an_index_has(archive, rechunk):
    refs, _, path = archive
    ended = rechunk("info", write_records(path, refs, record_size=2), "--output", "json")
    assert ended.code == 0, ended.stderr
    arrays = {array["name"]: array for array in ended.json["arrays"]}
    assert sorted(arrays) == ["lat", "tas", "time"]
    assert arrays["tas"]["stored"] == {"objects": FILES, "bytes": 4 * TIMES * SHAPE[1] * SHAPE[2], "has_more": False}
