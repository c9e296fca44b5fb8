"""Datasets that were opened from Zarr and are untouched since: only then are the chunks in the store what they show."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rechunk._errors import refused

if TYPE_CHECKING:
    import xarray


def place_of(dataset: xarray.Dataset, storage_options: Mapping[str, Any] | None = None) -> str:
    """Where the dataset was opened, if it is as it was then."""
    place = dataset.encoding.get("source")
    if not isinstance(place, str):
        raise refused(
            "source", "this Dataset does not say where it was opened; give the URL or path of its Zarr group instead"
        )
    changed = _change(dataset, _reopened(place, dataset, storage_options))
    if changed:
        raise refused(
            "source",
            f"this Dataset is not as it was opened from {place}: {changed}. Give {place!r} to rechunk what is stored; "
            "to rechunk what was computed, store it first with to_zarr",
        )
    return place


def _reopened(place: str, dataset: xarray.Dataset, storage_options: Mapping[str, Any] | None) -> Any:
    import xarray

    options = dict(storage_options) if storage_options else None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decoded = xarray.open_zarr(place, chunks=None, storage_options=options)
        except Exception as error:
            raise refused("source", f"{place}, from which this Dataset was opened, is no Zarr group: {error}") from error
        if all(decoded.variables[name].dtype == dataset.variables[name].dtype for name in _shared(decoded, dataset)):
            return decoded
        return xarray.open_zarr(place, chunks=None, decode_cf=False, storage_options=options)


def _shared(one: xarray.Dataset, other: xarray.Dataset) -> set[Any]:
    return set(one.variables) & set(other.variables)


def _change(dataset: xarray.Dataset, stored: xarray.Dataset) -> str | None:
    """How a dataset differs from what is stored, if it does."""
    for name in stored.variables:
        if name not in dataset.variables:
            return f"variable {name!r} is missing"
    if not _equal(dataset.attrs, stored.attrs):
        return "its attributes are others"
    for name, variable in dataset.variables.items():
        if name not in stored.variables:
            return f"variable {name!r} is not stored there"
        changed = _change_of_variable(str(name), variable, stored.variables[name])
        if changed:
            return f"variable {name!r} {changed}"
    return None


def _change_of_variable(name: str, variable: Any, stored: Any) -> str | None:
    if variable.dims != stored.dims or variable.shape != stored.shape:
        return f"has {dict(zip(variable.dims, variable.shape))}, stored are {dict(zip(stored.dims, stored.shape))}"
    if variable.dtype != stored.dtype:
        return f"is of {variable.dtype}, stored is {stored.dtype}"
    if not _equal(variable.attrs, stored.attrs):
        return "has other attributes"
    data = variable._data
    if type(variable).__name__ == "IndexVariable":
        # Held in memory as an index, so its elements can be compared.
        return None if variable.equals(stored) else "has other elements"
    if hasattr(data, "__dask_graph__"):
        is_opened = str(data.name).startswith(f"open_dataset-{name}-")
        return None if is_opened else "is a Dask array of something else than opening the store"
    return None if _is_lazy_and_whole(data) else "is in memory, or a selection"


def _equal(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    # By text, because NaN differs from itself.
    return one.keys() == other.keys() and all(repr(one[key]) == repr(other[key]) for key in one)


def _is_lazy_and_whole(data: Any) -> bool:
    """Whether nothing but decoding stands between the data and the stored array."""
    while hasattr(data, "array"):
        key = getattr(data, "key", None)
        parts = getattr(key, "tuple", ())
        if any(part != slice(None) for part in parts):
            return False
        data = data.array
    return type(data).__name__ == "ZarrArrayWrapper"
