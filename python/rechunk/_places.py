"""From what users hold (URLs, paths, zarr-python's and xarray's objects) to places: URLs and local paths.

Looks at objects by their types' modules, so that nothing is imported that the user does not have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rechunk import _datasets
from rechunk._errors import refused


_PROTOCOLS = {
    "s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az",
    "http": "http", "https": "https",
}  # fmt: skip


def source_place(source: Any, storage_options: Mapping[str, Any] | None = None) -> str:
    """Where a source lies."""
    module = type(source).__module__.partition(".")[0]
    name = type(source).__name__
    if module == "xarray":
        if name != "Dataset":
            raise refused("source", f"an xarray {name} has no chunks in a store; give the Dataset or the URL it is from")
        return _datasets.place_of(source, storage_options)
    if module == "zarr" and name in ("Array", "Group", "AsyncArray", "AsyncGroup"):
        return join(store_place("source", source.store), source.path)
    if hasattr(source, "__dask_graph__"):
        raise refused(
            "source",
            "a Dask collection is a computation, not stored chunks; give the URL, zarr.Array or zarr.Group it was read "
            "from, or store it first with to_zarr",
        )
    return store_place("source", source)


def store_place(field: str, store: Any) -> str:
    """Where a store lies: a path, a URL, or a store object of zarr-python or fsspec."""
    if isinstance(store, str):
        return store
    if isinstance(store, os.PathLike):
        return str(os.fspath(store))
    name = type(store).__name__
    module = type(store).__module__
    if module.startswith("zarr.") and name == "StorePath":
        return join(store_place(field, store.store), store.path)
    if module.startswith("zarr.") and name == "LocalStore":
        return str(store.root)
    if module.startswith("zarr.") and name == "FsspecStore":
        return _fsspec_place(field, store.fs, store.path)
    if module.startswith("zarr.") and name == "ObjectStore":
        return _obstore_place(field, store.store)
    if module.startswith("obstore."):
        return _obstore_place(field, store)
    if module.startswith("zarr.") and name in ("DirectoryStore", "NestedDirectoryStore"):
        return str(store.path)
    if module.startswith("zarr.") and name == "FSStore":
        return _fsspec_place(field, store.fs, store.path)
    if module.startswith("fsspec.") and name == "FSMap":
        return _fsspec_place(field, store.fs, store.root)
    raise refused(
        field,
        f"a {module}.{name} is no place that other processes can read; give a path, a URL (s3://…), or a zarr-python "
        "store of local files, S3, GCS or Azure; what lies in memory or in a zip file can be copied out with zarr.copy_store or "
        "to_zarr first",
    )


def join(place: str, path: str) -> str:
    """The node at `path` in the store at `place`."""
    path = path.strip("/")
    return f"{place.rstrip('/')}/{path}" if path else place


def _fsspec_place(field: str, fs: Any, path: str) -> str:
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    if protocol in ("file", "local"):
        return str(path)
    scheme = _PROTOCOLS.get(protocol)
    if scheme is None:
        supported = "s3://, gs://, az://, https:// and local files"
        raise refused(field, f"{protocol}:// of fsspec is not supported; supported are {supported}")
    # Paths of http are URLs.
    return str(path) if "://" in path else f"{scheme}://{path}"


def _obstore_place(field: str, store: Any) -> str:
    name = type(store).__name__
    prefix = str(getattr(store, "prefix", None) or "")
    if name == "LocalStore" and prefix:
        return prefix
    if name == "S3Store":
        return join(f"s3://{store.config['bucket']}", prefix)
    if name == "GCSStore":
        return join(f"gs://{store.config['bucket']}", prefix)
    if name == "AzureStore":
        return join(f"az://{store.config['container_name']}", prefix)
    if name == "HTTPStore":
        return str(store.url)
    raise refused(
        field,
        f"obstore's {name} is not supported here; supported are S3Store, GCSStore, AzureStore, HTTPStore, and LocalStore "
        "with a prefix",
    )
