"""Stores and their options become places and `[[stores]]` tables; secrets stay in the environment of this process."""

import importlib.util
import os
import pathlib
import tomllib

import fsspec
import obstore.store
import pytest
import rechunk
import zarr
from conftest import TARGET_CHUNKS, elements, make_array
from rechunk import _places, _stores

KEY, SECRET = "the-key", "the-secret"


class Files:
    """A file system of fsspec whose package is not installed here."""

    def __init__(self, protocol, **options):
        self.protocol, self.storage_options = protocol, options


def mapper(protocol, root, **options):
    made = fsspec.FSMap.__new__(fsspec.FSMap)
    made.fs, made.root = Files(protocol, **options), root
    return made


@pytest.mark.parametrize(
    ("store", "place"),
    [
        (mapper(("s3", "s3a"), "bucket/a.zarr"), "s3://bucket/a.zarr"),
        (mapper(("gs", "gcs"), "bucket/a.zarr"), "gs://bucket/a.zarr"),
        (mapper("abfs", "container/a.zarr"), "az://container/a.zarr"),
        (mapper("https", "https://host/a.zarr"), "https://host/a.zarr"),
        (obstore.store.S3Store("bucket", prefix="a.zarr", skip_signature=True), "s3://bucket/a.zarr"),
        (obstore.store.GCSStore("bucket", prefix="a.zarr", skip_signature=True), "gs://bucket/a.zarr"),
        (obstore.store.AzureStore("container", prefix="a.zarr", account_name="n", skip_signature=True),
         "az://container/a.zarr"),
        (obstore.store.HTTPStore("https://host/a.zarr"), "https://host/a.zarr"),
    ],
)
def test_a_store_is_the_place_that_it_names(store, place):
    assert _places.store_place("source", store) == place
    if type(store).__module__.startswith("obstore"):
        assert _places.store_place("source", zarr.storage.ObjectStore(store)) == place


def test_stores_that_cannot_be_reached_from_elsewhere_are_refused():
    with pytest.raises(rechunk.RequestError, match="ftp:// of fsspec"):
        _places.store_place("source", mapper("ftp", "a.zarr"))
    with pytest.raises(rechunk.RequestError, match="MemoryStore"):
        _places.store_place("source", obstore.store.MemoryStore())
    with pytest.raises(rechunk.RequestError, match="bearer_token"):
        _stores.settings_of("source", obstore.store.GCSStore("b", config={"bearer_token": "t"}), None)


@pytest.mark.parametrize(
    ("store", "options", "table"),
    [
        (mapper("s3", "b/a", endpoint_url="http://h:1", client_kwargs={"region_name": "r"}, requester_pays=True), None,
         {"endpoint": "http://h:1", "region": "r", "requester_pays": True}),
        (mapper("s3", "b/a", anon=True, config_kwargs={"s3": {"addressing_style": "virtual"}}), None,
         {"anonymous": True, "path_style": False}),
        ("s3://b/a", {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": "http://h:1"}},
         {"endpoint": "http://h:1", "credentials": {"access_key_id_env": KEY, "secret_access_key_env": SECRET}}),
        ("gs://b/a", {"token": "/etc/key.json"}, {"credentials": "/etc/key.json"}),
        ("gs://b/a", {"token": "anon", "project": "p"}, {"anonymous": True}),
        ("az://b/a", {"account_name": "n", "account_key": SECRET},
         {"account": "n", "credentials": {"account_key_env": SECRET}}),
        (obstore.store.S3Store("b", endpoint="http://h:1", region="r", access_key_id=KEY, secret_access_key=SECRET,
                               virtual_hosted_style_request=False), None,
         {"endpoint": "http://h:1", "region": "r", "path_style": True,
          "credentials": {"access_key_id_env": KEY, "secret_access_key_env": SECRET}}),
        (obstore.store.AzureStore("b", account_name="n", sas_key="sv=1&sig=2"), None, {"account": "n", "credentials": {}}),
        (obstore.store.GCSStore("b", skip_signature=True), None, {"anonymous": True}),
    ],
)
def test_the_options_of_a_store_are_a_table_without_a_secret(store, options, table):
    text = _stores.tables([(_places.store_place("source", store), _stores.settings_of("source", store, options))])
    assert SECRET not in text and KEY not in text
    files, found = tomllib.loads(text)["stores"]
    assert files == {"prefix": "file:///", "access": "read-write"}
    assert found.pop("prefix").endswith("://b") and found.pop("access") == "read-write"
    credentials = found.pop("credentials", None)
    wanted = dict(table)
    if isinstance(credentials, dict):
        named = {name: os.environ[variable] for name, variable in credentials.items()}
        assert named == wanted.pop("credentials") or named["sas_token_env"]
    elif credentials:
        assert credentials == wanted.pop("credentials")
    wanted.pop("credentials", None)
    assert found == wanted


def test_places_without_options_need_no_tables_and_one_bucket_may_be_spoken_to_in_two_ways():
    assert _stores.tables([("s3://b/a", None), ("/data", None)]) is None
    anonymous = _stores.Settings(anonymous=True)
    both = tomllib.loads(_stores.tables([("s3://b/out", None), ("s3://b/in", anonymous)]))["stores"]
    assert [(table["prefix"], table.get("anonymous")) for table in both[1:]] == [("s3://b", None), ("s3://b/in", True)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"key": KEY}, "belong together"),
        ({"profile": "mine"}, "AWS_PROFILE"),
        ({"session": object()}, "session cannot be taken for s3://"),
        ({"client_kwargs": {"verify": False}}, "client_kwargs.verify"),
    ],
)
def test_options_that_cannot_be_taken_are_refused_by_name(source, options, sentence):
    with pytest.raises(rechunk.RequestError, match=sentence) as refused:
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", "s3://bucket/out.zarr", storage_options=options)
    assert refused.value.field == "storage_options"


def test_options_are_not_for_coordinators_and_not_beside_a_file_of_stores(source, tmp_path):
    arguments = source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr"
    with pytest.raises(rechunk.RequestError, match="stores of their own"):
        rechunk.rechunk(*arguments, executor="http://127.0.0.1:9", storage_options={"anon": True})
    with pytest.raises(rechunk.RequestError, match="config has the stores"):
        rechunk.rechunk(*arguments, config=tmp_path / "stores.toml", storage_options={"anon": True})


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The S3 server that the tests of the programs have."""
    path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tests_of_the_programs", path)
    programs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(programs)
    server = programs.S3(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.mark.parametrize("executor", ["local", "concurrent.futures"])
def test_a_real_store_is_reached_with_the_options_that_it_was_opened_with(s3, source, tmp_path, monkeypatch, executor):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    target = zarr.storage.ObjectStore(obstore.store.S3Store(
        s3.bucket, prefix=f"{executor}/store.zarr", endpoint=s3.endpoint, access_key_id=s3.key, region="us-east-1",
        secret_access_key=s3.secret, virtual_hosted_style_request=False, client_options={"allow_http": True}))
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", target, executor=executor).execute()
    assert zarr.open_array(target)[...].tobytes() == elements().tobytes()
    # Back from there, by its URL and fsspec's names.
    options = {"key": s3.key, "secret": s3.secret, "endpoint_url": s3.endpoint}
    rechunk.rechunk(
        f"s3://{s3.bucket}/{executor}/store.zarr", (1, 20, 30), "512MiB", tmp_path / "back.zarr", executor=executor,
        storage_options=options).execute()
    assert zarr.open_array(tmp_path / "back.zarr")[...].tobytes() == elements().tobytes()


def test_an_array_of_zarr_2_and_one_on_http_are_read(tmp_path):
    import functools
    import http.server
    import threading

    values = make_array(tmp_path / "in.zarr", zarr_format=2)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/in.zarr"
        store = obstore.store.HTTPStore(url, client_options={"allow_http": True})
        target = rechunk.rechunk(store, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr").execute()
        server.shutdown()
    assert target[...].tobytes() == values.tobytes()
