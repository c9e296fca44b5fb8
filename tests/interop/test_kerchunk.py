"""Sources in an index of kerchunk, written by hand: NetCDF files as they lie on a disk, in S3, on a web server."""

import json

import numpy as np
import pytest
import zarr
from arrays import assert_same, elements
from netcdf_archive import FILES, SHAPE, TIMES, classic, hdf5, metadata, refused, seen_by_zarr


def write_index(path, refs, **others):
    path.write_text(json.dumps({"version": 1, "refs": refs, **others}))
    return f"kerchunk+{path}"


@pytest.fixture
def archive(tmp_path):
    """Local files, their references and values."""
    (tmp_path / "files").mkdir()
    return *classic(tmp_path / "files", tmp_path / "files"), tmp_path / "refs.json"


@pytest.mark.parametrize("kind", [classic, hdf5])
@pytest.mark.parametrize("version", [0, 1])
def test_the_files_of_an_archive_are_one_source(tmp_path, rechunk_run, kind, version):
    refs, expected = kind(tmp_path, tmp_path)
    path = tmp_path / "all.json"
    source = write_index(path, refs)
    if version == 0:
        path.write_text(json.dumps(refs))
    report = rechunk_run(source, tmp_path / "target", "tas:time=-1,lat=2,lon=5")
    target = zarr.open_group(tmp_path / "target", mode="r")
    assert target["tas"].chunks == (TIMES, 2, 5)
    assert_same(expected, target["tas"])
    assert_same(seen_by_zarr(str(path))["tas"], target["tas"])
    np.testing.assert_array_equal(target["time"], np.arange(TIMES))
    np.testing.assert_array_equal(target["lat"], np.frombuffer(b"abcdefgh" * SHAPE[1], "<i8"))
    assert dict(target.attrs) == {"title": "an archive"} and target["tas"].attrs["units"] == "K"
    assert report["totals"]["get_requests"] == report["plan"]["totals"]["get_requests"]
    rechunk_run(f"{source}/tas", tmp_path / "one", "time=-1,lat=3", "--verify")
    assert_same(expected, zarr.open_array(tmp_path / "one", mode="r"))


def test_a_reference_that_is_missing_is_the_fill_value(archive, rechunk, rechunk_run, tmp_path):
    refs, expected, path = archive
    del refs["tas/1.0.0"]
    source = write_index(path, refs)
    report = rechunk_run(f"{source}/tas", tmp_path / "target", "time=-1,lat=2,lon=5")
    expected[SHAPE[0]:2 * SHAPE[0]] = -999
    assert_same(expected, zarr.open_array(tmp_path / "target", mode="r"))
    assert report["plan"]["arrays"][0]["listed_objects"] == FILES - 1
    strict = rechunk("plan", f"{source}/tas", tmp_path / "other", "--chunks", "12,2,5", "--strict")
    assert strict.code != 0 and "tas/1.0.0" in strict.stderr and "missing" in strict.stderr, strict.stderr


def test_whole_files_are_references_too(rechunk_run, tmp_path):
    expected = elements((6, 4), "<i4")
    refs = {".zarray": metadata([2, 4], "<i4", [6, 4], fill_value=0)}
    for number in range(3):
        (tmp_path / f"{number}.bin").write_bytes(expected[2 * number:2 * number + 2].tobytes())
        refs[f"{number}.0"] = [f"file://{tmp_path}/{number}.bin"]
    rechunk_run(write_index(tmp_path / "r.json", refs), tmp_path / "target", "6,1")
    assert_same(expected, zarr.open_array(tmp_path / "target", mode="r"))


@pytest.mark.parametrize("where", ["local", "s3"])
def test_an_archive_in_s3_is_a_source(s3, tmp_path, rechunk_run, where):
    refs, expected = classic(tmp_path, "{{ archive }}")
    for number in range(FILES):
        s3.store().put(f"kerchunk-{where}/{number}.nc", (tmp_path / f"{number}.nc").read_bytes())
    source = write_index(tmp_path / "refs.json", refs, templates={"archive": s3.url(f"kerchunk-{where}")})
    if where == "s3":
        s3.store().put("kerchunk-s3/refs.json", (tmp_path / "refs.json").read_bytes())
        source = f"kerchunk+{s3.url('kerchunk-s3/refs.json')}"
    target = s3.url(f"kerchunk-target-{where}")
    rechunk_run(source, target, "tas:time=-1,lat=2,lon=5", env=s3.env)
    assert_same(expected, zarr.open_group(s3.zarr(f"kerchunk-target-{where}"), mode="r")["tas"])


def test_an_archive_on_a_web_server_is_a_source_and_leads_to_no_local_file(web, tmp_path, rechunk, rechunk_run):
    refs, expected = classic(tmp_path, web.endpoint)
    write_index(tmp_path / "refs.json", refs)
    source = f"kerchunk+{web.endpoint}/refs.json"
    rechunk_run(source, tmp_path / "target", "tas:time=-1,lat=2,lon=5")
    assert_same(expected, zarr.open_group(tmp_path / "target", mode="r")["tas"])
    refs["tas/0.0.0"][0] = str(tmp_path / "0.nc")
    write_index(tmp_path / "refs.json", refs)
    refused(rechunk("plan", f"{source}/tas", tmp_path / "t", "--chunks", "12,2,5"), "0.nc", "[[stores]]")


@pytest.mark.parametrize(("change", "words"), [
    ({"tas/0.0.0": ["0.nc", 0, 960]}, ["tas/0.0.0", "whole URL"]),
    ({"tas/0.0.0": ["{{f(n='0')}}", 0, 960]}, ["tas/0.0.0", "jinja"]),
    ({"tas/0.0.0": ["{{u}}/0.nc", 0, 960]}, ["tas/0.0.0", 'template "u"']),
    ({"tas/0.0.0": ["s3://b/0.nc", 0]}, ["tas/0.0.0", "[url, offset, length]"]),
    ({"tas/../0": "x"}, ["tas/../0", "`..`"]),
])
def test_what_an_index_cannot_say_is_refused_by_name(archive, rechunk, tmp_path, change, words):
    refs, _, path = archive
    source = write_index(path, {**refs, **change})
    refused(rechunk("run", source, tmp_path / "t", "--chunks", "tas:12,2,5"), "refs.json", *words)
    assert not (tmp_path / "t").exists()


def test_other_forms_of_references_are_refused_by_name(archive, rechunk, tmp_path):
    refs, _, path = archive
    source = write_index(path, refs, gen=[{"key": "tas/{{i}}.0.0"}])
    refused(rechunk("plan", source, tmp_path / "t", "--chunks", "tas:12,2,5"), '"gen"')
    path.write_text("{")
    refused(rechunk("plan", source, tmp_path / "t", "--chunks", "tas:12,2,5"), "refs.json", "JSON")


def test_a_file_that_is_gone_fails_the_job_and_is_named(archive, rechunk, tmp_path):
    refs, _, path = archive
    (tmp_path / "files" / "1.nc").unlink()
    ended = rechunk("run", write_index(path, refs), tmp_path / "t", "--chunks", "tas:12,2,5")
    assert ended.code != 0 and "1.nc" in ended.stderr and "not there" in ended.stderr, ended.stderr
    assert not (tmp_path / "t" / ".zgroup").exists() and not (tmp_path / "t" / "tas" / ".zarray").exists()


def test_an_archive_is_not_written_over(archive, rechunk, tmp_path):
    refs, _, path = archive
    source = write_index(path, refs)
    for target in (tmp_path, tmp_path / "files", path):
        refused(rechunk("run", source, target, "--chunks", "tas:12,2,5", "--overwrite"), "target")
    refused(rechunk("run", tmp_path / "x", source, "--chunks", "12,2,5"), "can only be read")
    assert sorted(file.name for file in (tmp_path / "files").iterdir()) == ["0.nc", "1.nc", "2.nc"]


def test_info_says_what_an_index_has(archive, rechunk):
    refs, _, path = archive
    ended = rechunk("info", write_index(path, refs), "--output", "json")
    assert ended.code == 0, ended.stderr
    arrays = {array["name"]: array for array in ended.json["arrays"]}
    assert sorted(arrays) == ["lat", "tas", "time"]
    assert arrays["tas"]["stored"] == {"objects": FILES, "bytes": 4 * TIMES * SHAPE[1] * SHAPE[2], "has_more": False}
