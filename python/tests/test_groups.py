"""Groups, and datasets of xarray that were opened from one."""

import numpy as np
import pytest
import rechunk
import xarray as xr
import zarr
from conftest import elements


def dataset():
    """Two variables and the coordinates of one of them, one decoded from its encoding."""
    values = elements((12, 8, 10), "f4")
    return xr.Dataset(
        {
            "tas": (("time", "lat", "lon"), values, {"units": "K"}),
            "mask": (("lat", "lon"), values[0] > 280),
            "packed": (("time",), np.arange(12) * 0.5, {}, {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}),
        },
        coords={"time": xr.date_range("2000-01-01", periods=12), "lat": np.linspace(-70, 70, 8), "lon": np.arange(10.0)},
        attrs={"title": "made up"},
    )


@pytest.fixture
def group(tmp_path):
    dataset().to_zarr(
        tmp_path / "in.zarr", consolidated=False, encoding={"tas": {"chunks": (1, 8, 10)}, "mask": {"chunks": (8, 10)}})
    return tmp_path / "in.zarr"


@pytest.mark.parametrize(
    "target_chunks",
    [
        {"time": -1, "lat": 4},
        {"tas": (12, 4, 10), "mask": (4, 10)},
        {"tas": {"time": 12, "lat": 4}, "mask": {"lat": 4}, "lat": None},
        {"time": 12, "lat": 4, "packed": None},
    ],
)
def test_a_group_is_rechunked_by_dimension_or_by_array(group, tmp_path, target_chunks):
    target = rechunk.rechunk(group, target_chunks, "512MiB", tmp_path / "out.zarr").execute()
    assert isinstance(target, zarr.Group)
    assert target["tas"].chunks == (12, 4, 10) and target["mask"].chunks == (4, 10)
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "out.zarr", consolidated=False).load(), dataset())


def test_arrays_that_nothing_names_are_copied_unchanged(group, tmp_path):
    rechunk.rechunk(zarr.open_group(group, mode="r"), {"tas": (12, 4, 10)}, "512MiB", tmp_path / "out.zarr").execute()
    source, target = zarr.open_group(group), zarr.open_group(tmp_path / "out.zarr")
    assert sorted(source.array_keys()) == sorted(target.array_keys())
    assert target["mask"].chunks == source["mask"].chunks and target["tas"].chunks == (12, 4, 10)


def test_an_array_of_a_group_is_one_chunk_where_its_name_says_so(group, tmp_path):
    target = rechunk.rechunk(group, {"tas": -1}, "512MiB", tmp_path / "out.zarr").execute()
    assert target["tas"].chunks == (12, 8, 10)


def test_options_go_to_the_array_that_they_name(group, tmp_path):
    options = {"tas": {"compressors": zarr.codecs.GzipCodec(level=1)}, "compressors": zarr.codecs.ZstdCodec(level=2)}
    target = rechunk.rechunk(group, {"time": -1}, "512MiB", tmp_path / "out.zarr", options).execute()
    assert [type(codec).__name__ for codec in target["tas"].compressors] == ["GzipCodec"]
    assert [type(codec).__name__ for codec in target["mask"].compressors] == ["ZstdCodec"]


@pytest.mark.parametrize("chunks", [None, {}, "auto"])
def test_a_dataset_as_it_was_opened_is_its_store(group, tmp_path, chunks):
    opened = xr.open_zarr(group, chunks=chunks, consolidated=False)
    rechunk.rechunk(opened, {"time": -1, "lat": 4}, "512MiB", tmp_path / "out.zarr").execute()
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "out.zarr", consolidated=False).load(), dataset())


def test_a_dataset_that_was_opened_without_decoding_is_its_store_too(group, tmp_path):
    opened = xr.open_zarr(group, decode_cf=False, consolidated=False)
    assert rechunk.rechunk(opened, {"time": -1}, "512MiB", tmp_path / "out.zarr").source == str(group)


CHANGES = {
    "a selection": lambda ds: ds.isel(time=slice(0, 5)),
    "a reversal": lambda ds: ds.isel(time=slice(None, None, -1)),
    "a computed variable": lambda ds: ds.assign(tas=ds.tas * 1),
    "another variable": lambda ds: ds.assign(new=ds.tas),
    "a renaming": lambda ds: ds.rename(tas="t"),
    "renamed dimensions": lambda ds: ds.rename_dims(lat="y"),
    "a missing variable": lambda ds: ds.drop_vars("mask"),
    "an attribute": lambda ds: ds.assign_attrs(title="other"),
    "an index": lambda ds: ds.assign_coords(lat=ds.lat + 1),
    "memory": lambda ds: ds.load(),
    "a transposition": lambda ds: ds.transpose("lon", "lat", "time"),
}


@pytest.mark.parametrize("chunks", [None, {}])
@pytest.mark.parametrize("change", CHANGES)
def test_a_dataset_that_was_changed_is_refused_with_what_to_give(group, tmp_path, change, chunks):
    changed = CHANGES[change](xr.open_zarr(group, chunks=chunks, consolidated=False))
    with pytest.raises(rechunk.RequestError, match="Give .*in.zarr") as refused:
        rechunk.rechunk(changed, {"time": -1}, "512MiB", tmp_path / "out.zarr")
    assert refused.value.field == "source" and not (tmp_path / "out.zarr").exists()
