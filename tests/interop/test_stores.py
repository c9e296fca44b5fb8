"""Arrays that zarr-python writes to other clouds and reads back from them, and sources on web servers."""

import numpy as np
import pytest
import xarray
import zarr
import zarr.storage
from arrays import assert_same, elements
from zarr.codecs import BytesCodec, ZstdCodec

SHAPE = (24, 18, 20)


@pytest.fixture(params=["gcs", "azure"])
def cloud(request):
    return request.getfixturevalue(request.param)


def at(cloud, path):
    return zarr.storage.ObjectStore(cloud.store(path))


def make(store, **options):
    array = zarr.create_array(store, shape=SHAPE, chunks=(4, 9, 20), dtype="<f4", **options)
    array[...] = elements(SHAPE, "<f4")
    return zarr.open_array(store, mode="r")


@pytest.mark.parametrize("kind", ["v2", "v3", "raw", "shards"])
def test_an_array_in_a_cloud_is_source_and_target(cloud, rechunk_run, request, kind):
    options = {
        "v2": {"zarr_format": 2},
        "v3": {"zarr_format": 3, "compressors": ZstdCodec(level=1)},
        "raw": {"zarr_format": 3, "serializer": BytesCodec(), "compressors": None},
        "shards": {"zarr_format": 3, "shards": (12, 9, 20)},
    }[kind]
    name = f"{request.node.callspec.id}"
    source = make(at(cloud, f"{name}/source"), **options)
    report = rechunk_run(cloud.url(f"{name}/source"), cloud.url(f"{name}/target"), "24,6,5", env=cloud.env)
    target = zarr.open_array(at(cloud, f"{name}/target"), mode="r")
    assert target.chunks == (24, 6, 5)
    assert_same(source, target)
    assert report["totals"]["put_requests"] == report["plan"]["totals"]["put_requests"]


def test_a_dataset_goes_from_one_cloud_to_the_other_and_to_disk(gcs, azure, rechunk_run, tmp_path):
    values = np.random.default_rng(3).normal(size=(12, 6, 8)).astype("f4")
    dataset = xarray.Dataset({"tas": (("time", "lat", "lon"), values)}, {"time": np.arange(12), "lat": np.arange(6.0)})
    dataset.to_zarr(at(gcs, "dataset"), zarr_format=3, consolidated=True,
                    encoding={"tas": {"chunks": (1, 6, 8)}})
    env = {**gcs.env, **azure.env}
    rechunk_run(gcs.url("dataset"), azure.url("dataset"), "tas:time=-1,lat=2,lon=2", env=env)
    xarray.testing.assert_identical(xarray.open_zarr(at(azure, "dataset")).load(), dataset)
    rechunk_run(azure.url("dataset"), tmp_path / "dataset", "tas:time=3", env=env)
    xarray.testing.assert_identical(xarray.open_zarr(tmp_path / "dataset").load(), dataset)


@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"zarr_format": 3, "shards": (12, 9, 20)}])
def test_an_array_on_a_web_server_is_a_source(web, rechunk_run, tmp_path, options):
    source = make(tmp_path / "the source", **options)
    rechunk_run(f"{web.endpoint}/the%20source", tmp_path / "target", "24,6,5")
    assert_same(source, zarr.open_array(tmp_path / "target", mode="r"))


def test_a_group_on_a_web_server_needs_consolidated_metadata(web, rechunk, rechunk_run, tmp_path):
    group = zarr.create_group(tmp_path / "group", zarr_format=3)
    make(tmp_path / "group" / "a")
    refused = rechunk("run", f"{web.endpoint}/group", tmp_path / "target", "--chunks", "a:24,6,5")
    assert refused.code == 2 and "consolidated metadata" in refused.stderr, refused.stderr
    zarr.consolidate_metadata(group.store)
    rechunk_run(f"{web.endpoint}/group", tmp_path / "target", "a:24,6,5")
    assert_same(zarr.open_array(tmp_path / "group/a"), zarr.open_array(tmp_path / "target/a"))


def test_nothing_is_written_to_a_web_server(web, rechunk, tmp_path):
    make(tmp_path / "source")
    refused = rechunk("run", tmp_path / "source", f"{web.endpoint}/target", "--chunks", "24,6,5")
    assert refused.code == 2 and "a web server can only be read" in refused.stderr, refused.stderr


def test_without_credentials_the_sentence_says_what_to_set(azure, gcs, rechunk, tmp_path):
    key = "bm90IHRoZSBrZXk="
    wrong = {"AZURE_STORAGE_CONNECTION_STRING": azure.env["AZURE_STORAGE_CONNECTION_STRING"].replace(azure.key, key)}
    refused = rechunk("plan", azure.url("x"), tmp_path / "t", "--chunks", "1", env=wrong)
    assert refused.code == 2 and "use other credentials" in refused.stderr, refused.stderr
    assert key not in refused.stderr
    refused = rechunk("plan", gcs.url("x"), tmp_path / "t", "--chunks", "1",
                      env={**gcs.env, "CLOUDSDK_AUTH_ACCESS_TOKEN": "not-the-token"})
    assert refused.code == 2 and "access denied" in refused.stderr, refused.stderr
    unnamed = rechunk("plan", "az://box/x", tmp_path / "t", "--chunks", "1", env={"AZURE_STORAGE_KEY": key})
    assert unnamed.code == 2 and "AZURE_STORAGE_ACCOUNT" in unnamed.stderr, unnamed.stderr
