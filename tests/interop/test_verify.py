"""`--verify`: the target is read back, as bits, before it is published; the plan says so and says what it takes."""

import numpy as np
import pytest
import zarr
from arrays import assert_same, elements, open_array

DTYPES = ["bool", "i1", ">i2", "<f2", "<f4", ">f8", "<c16", "S5", "<M8[ns]"]


def row(report, name="verify"):
    return next(stage for stage in report["stages"] if stage["name"] == name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning", "ignore::UserWarning")
def test_every_dtype_is_read_back_by_its_bits(tmp_path, rechunk_run, dtype, zarr_format):
    zarr.create_array(tmp_path / "a", shape=(11, 7, 13), chunks=(3, 7, 5), dtype=dtype, zarr_format=zarr_format)[...] = (
        elements((11, 7, 13), dtype)
    )
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "5,4,6", "--verify")
    assert_same(open_array(tmp_path / "a"), open_array(tmp_path / "b"))
    assert report["verify"] and report["plan"]["verify"]
    for name in ["get_requests", "put_requests", "bytes_decoded", "bytes_encoded"]:
        assert row(report)[name] == row(report["plan"])[name], name
        assert report["totals"][name] == report["plan"]["totals"][name], name
    assert row(report)["tasks"] > 0
    assert row(report)["peak_task_memory_bytes"] <= row(report)["task_memory_bytes"]


@pytest.mark.parametrize("converted", ["2", "3"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_group_is_verified_array_by_array_in_either_format(tmp_path, rechunk_run, zarr_format, converted):
    group = zarr.create_group(tmp_path / "a", zarr_format=zarr_format)
    for name, fill_value in [("plain", 0), ("nan", np.nan), ("filled", -0.0)]:
        array = group.create_array(name, shape=(20, 33), chunks=(5, 8), dtype="<f8", fill_value=fill_value)
        array[2:11, 3:30] = elements((9, 27), "<f8")
    report = rechunk_run(
        tmp_path / "a", tmp_path / "b", ["plain:4,6", "nan:20,2"], "--verify", "--zarr-format", converted
    )
    for name in ["plain", "nan", "filled"]:
        assert_same(open_array(tmp_path / "a" / name), open_array(tmp_path / "b" / name))
    verified = {stage["array"] for stage in report["stages"] if stage["name"] == "verify"}
    assert verified == {"plain", "nan", "filled"}, "also the one that is passed on"


def test_without_it_nothing_is_read_back(tmp_path, rechunk_run):
    zarr.create_array(tmp_path / "a", shape=(20,), chunks=(5,), dtype="<i4")[...] = elements((20,), "<i4")
    report = rechunk_run(tmp_path / "a", tmp_path / "b", "4")
    assert not report["verify"]
    assert not [stage for stage in report["stages"] if stage["name"] == "verify"]


def test_people_are_told(tmp_path, rechunk):
    zarr.create_array(tmp_path / "a", shape=(20,), chunks=(5,), dtype="<i4")[...] = elements((20,), "<i4")
    planned = rechunk("plan", tmp_path / "a", tmp_path / "b", "--chunks", "4", "--verify")
    assert planned.code == 0 and "read back and compared" in planned.stdout
    ended = rechunk("run", tmp_path / "a", tmp_path / "b", "--chunks", "4", "--verify")
    assert ended.code == 0 and "verified: the target was read back (5 reads" in ended.stdout, ended.stdout
