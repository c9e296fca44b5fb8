"""Groups, attributes, consolidated metadata and conversion between the formats, as zarr-python and xarray see them."""

import json
import pathlib

import numpy as np
import pytest
import xarray
import zarr
from arrays import assert_same, elements, open_array

SAMPLES = {"A1B climate": "A1B_north_america.nc", "sea-surface temperature": "ostia_monthly.nc"}


def sample(name):
    import iris_sample_data

    path = pathlib.Path(iris_sample_data.path) / SAMPLES[name]
    return xarray.open_dataset(path, decode_cf=True)


def dataset(seed=3):
    """A small dataset with coordinates, gaps, times and scale factors."""
    shape = (30, 12, 18)
    values = np.random.default_rng(seed).normal(280, 10, shape).astype("float32")
    values[4, 5, 6] = np.nan
    return xarray.Dataset(
        {"tas": (("time", "lat", "lon"), values, {"units": "K", "note": "mean, of \"day\""}),
         "mask": (("lat", "lon"), np.random.default_rng(1).integers(0, 2, shape[1:]).astype("int8"))},
        coords={"time": np.datetime64("2001-01-01", "ns") + np.arange(shape[0]).astype("timedelta64[D]"),
                "lat": np.linspace(-60, 60, shape[1]), "lon": np.linspace(0, 340, shape[2])},
        attrs={"title": "made", "big": 10**18})


def write(data, path, zarr_format, consolidated=True, **encoding):
    data.to_zarr(path, zarr_format=zarr_format, consolidated=consolidated, encoding=encoding)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_chosen_variable_is_a_dataset_with_its_coordinates(tmp_path, rechunk_run, zarr_format):
    data = dataset().assign_coords(height=2.0, station=("lat", np.arange(12.0)), free=("x", np.arange(3)))
    write(data, tmp_path / "a", zarr_format, tas={"chunks": (1, 12, 18)})
    rechunk_run(tmp_path / "a", tmp_path / "b", "time=-1,lat=4,lon=5", "--include", "t?s", "--exclude", "station")
    expected = read(tmp_path / "a")[["tas"]].drop_vars("station")
    xarray.testing.assert_identical(read(tmp_path / "b"), expected)
    assert "free" not in expected.variables and "height" in expected.coords, "the sample has what the rule is about"


def read(path, **options):
    return xarray.open_zarr(path, **options).load()


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
def test_a_dataset_reads_identical(tmp_path, rechunk_run, zarr_format, consolidated):
    data = dataset()
    write(data, tmp_path / "a", zarr_format, consolidated, tas={"chunks": (1, 12, 18)})
    rechunk_run(tmp_path / "a", tmp_path / "b", "time=-1,lat=4,lon=5")
    target = read(tmp_path / "b", consolidated=consolidated)
    xarray.testing.assert_identical(read(tmp_path / "a", consolidated=consolidated), target)
    group = zarr.open_group(tmp_path / "b", mode="r")
    assert group["tas"].chunks == (30, 4, 5)
    assert group["mask"].chunks == (4, 5)
    assert group["time"].chunks == (30,), "coordinates are never split"
    has = json.loads((tmp_path / "b/zarr.json").read_text()).get("consolidated_metadata") is not None \
        if zarr_format == 3 else (tmp_path / "b/.zmetadata").exists()
    assert has == consolidated


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("source_format, target_format", [(2, 3), (3, 2)])
def test_converted_datasets_read_identical(tmp_path, rechunk_run, source_format, target_format):
    data = dataset()
    write(data, tmp_path / "a", source_format, tas={"chunks": (1, 12, 18)})
    rechunk_run(tmp_path / "a", tmp_path / "b", "tas:time=10,lat=4", "--zarr-format", str(target_format))
    assert zarr.open_group(tmp_path / "b", mode="r").metadata.zarr_format == target_format
    xarray.testing.assert_identical(read(tmp_path / "a"), read(tmp_path / "b"))


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("source_format, target_format", [(2, 2), (3, 3), (2, 3), (3, 2)])
def test_real_data_goes_through(tmp_path, rechunk_run, name, source_format, target_format):
    data = sample(name)
    for variable in data.variables.values():
        variable.encoding = {}
    largest = max(data.data_vars, key=lambda variable: data[variable].size)
    chunks = (1, *data[largest].shape[1:])
    strings = [v for v in data.variables if data[v].dtype.kind in "OT"]
    data = data.drop_vars(strings)
    write(data, tmp_path / "a", source_format, **{largest: {"chunks": chunks}})
    dims = data[largest].dims
    spec = f"{largest}:{dims[0]}=-1,{dims[1]}=7,{dims[2]}=11"
    rechunk_run(tmp_path / "a", tmp_path / "b", spec, "--zarr-format", str(target_format))
    xarray.testing.assert_identical(read(tmp_path / "a"), read(tmp_path / "b"))
    target = zarr.open_group(tmp_path / "b", mode="r")[largest]
    assert target.chunks == (data[largest].shape[0], 7, 11)
    assert_same(zarr.open_group(tmp_path / "a", mode="r")[largest], target)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_nested_groups_keep_their_attributes(tmp_path, rechunk_run, zarr_format):
    root = zarr.create_group(tmp_path / "a", zarr_format=zarr_format, attributes={"level": 0})
    inner = root.create_group("x/y", attributes={"level": 2})
    for group, name in [(root, "p"), (inner, "q")]:
        array = group.create_array(name, shape=(10, 9), chunks=(2, 9), dtype="i2", attributes={"name": name})
        array[...] = elements((10, 9), "i2")
    zarr.consolidate_metadata(str(tmp_path / "a"))
    rechunk_run(tmp_path / "a", tmp_path / "b", ["p:10,3", "x/y/q:5,5"])
    source, target = zarr.open_group(tmp_path / "a", mode="r"), zarr.open_group(tmp_path / "b", mode="r")
    assert dict(target.attrs) == {"level": 0} and dict(target["x/y"].attrs) == {"level": 2}
    for name, chunks in [("p", (10, 3)), ("x/y/q", (5, 5))]:
        assert target[name].chunks == chunks
        assert dict(target[name].attrs) == dict(source[name].attrs)
        assert_same(source[name], target[name])
    consolidated = target.metadata.consolidated_metadata
    assert consolidated is not None and {"p", "x", "x/y", "x/y/q"} <= set(consolidated.flattened_metadata)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_pass_through_as_text(tmp_path, rechunk_run, zarr_format):
    zarr.create_array(tmp_path / "a", shape=(4,), chunks=(2,), dtype="f4", zarr_format=zarr_format)[:] = 1
    text = '{"z": NaN, "a": -Infinity, "big": 123456789012345678901234567890, "float": 1.0, "tiny": 1e-7, "s": "é"}'
    document = tmp_path / "a" / (".zattrs" if zarr_format == 2 else "zarr.json")
    if zarr_format == 2:
        document.write_text(text)
    else:
        fields = json.loads(document.read_text())
        fields["attributes"] = "HERE"
        document.write_text(json.dumps(fields).replace('"HERE"', text))
    rechunk_run(tmp_path / "a", tmp_path / "b", "4")
    written = (tmp_path / "b" / document.name).read_text()
    for piece in ["NaN", "-Infinity", "123456789012345678901234567890", "1.0", "1e-7"]:
        assert piece in written, written
    attributes = json.loads(written) if zarr_format == 2 else json.loads(written)["attributes"]
    assert list(attributes) == ["z", "a", "big", "float", "tiny", "s"]
    assert attributes["s"] == "é"
    assert_same(open_array(tmp_path / "a"), open_array(tmp_path / "b"))


@pytest.mark.parametrize("fill", ["NaN", "Infinity", -0.0, 1.5])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_fill_values_are_kept_by_bits(tmp_path, rechunk_run, fill, zarr_format):
    source = zarr.create_array(
        tmp_path / "a", shape=(9,), chunks=(2,), dtype="<f8", zarr_format=zarr_format, fill_value=float(fill))
    source[0:2] = 5
    rechunk_run(tmp_path / "a", tmp_path / "b", "3")
    target = open_array(tmp_path / "b")
    assert np.float64(target.fill_value).tobytes() == np.float64(source.fill_value).tobytes()
    assert_same(source, target)


def test_an_array_can_join_a_group_whose_consolidated_metadata_then_names_it(tmp_path, rechunk_run):
    group = zarr.create_group(tmp_path / "g", zarr_format=3)
    group.create_array("old", shape=(4,), chunks=(2,), dtype="i4")[:] = 1
    zarr.consolidate_metadata(str(tmp_path / "g"))
    source = zarr.create_array(tmp_path / "a", shape=(6, 6), chunks=(1, 6), dtype="i4")
    source[...] = elements((6, 6), "i4")
    rechunk_run(tmp_path / "a", tmp_path / "g/new", "6,1")
    target = zarr.open_consolidated(str(tmp_path / "g"), mode="r")
    assert set(target.array_keys()) == {"old", "new"}
    assert_same(source, target["new"])
