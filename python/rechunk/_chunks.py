"""`target_chunks` as the chunk specs of the command line."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rechunk._errors import refused

FIELD = "target_chunks"

Ranks = Callable[[], Mapping[str, int]]
"""Asks for the number of axes of every array of the source, by its path; an array job has one array, named ''."""


def chunk_specs(target_chunks: Any, ranks: Ranks, field: str = FIELD) -> list[str]:
    """The specs of `target_chunks`: a tuple by position; a dict by dimension, or by array of either; None for the
    source's chunks; -1 for whole arrays."""
    if target_chunks is None:
        return []
    if isinstance(target_chunks, str):
        return [target_chunks]
    if isinstance(target_chunks, Mapping):
        return _of_mapping(target_chunks, ranks, field)
    if _is_number(target_chunks):
        return [_named(array, _everywhere(target_chunks, rank, field)) for array, rank in ranks().items()]
    return [_by_position(target_chunks, field)]


def _of_mapping(chunks: Mapping[Any, Any], ranks: Ranks, field: str) -> list[str]:
    specs: list[str] = []
    dimensions: dict[str, Any] = {}
    kept: list[str] = []
    for key, value in chunks.items():
        name = str(key)
        if value is None:
            kept.append(name)
        elif isinstance(value, Mapping):
            specs.append(f"{name}:{_by_dimension(value, field)}")
        elif _is_number(value) or isinstance(value, str):
            dimensions[name] = value
        else:
            specs.append(f"{name}:{_by_position(value, field)}")
    if dimensions.keys() & _whole_arrays(dimensions, ranks):
        arrays = ranks()
        for name in _whole_arrays(dimensions, ranks):
            specs.append(_named(name, _everywhere(dimensions.pop(name), arrays[name], field)))
    # A dimension or an array that is not named keeps its chunks; only beside dimensions an array must say so.
    if kept and dimensions:
        arrays = ranks()
        specs.extend(_named(name, ",".join(["keep"] * arrays[name])) for name in kept if arrays.get(name))
    if dimensions:
        specs.append(_by_dimension(dimensions, field))
    return specs


def _whole_arrays(dimensions: Mapping[str, Any], ranks: Ranks) -> list[str]:
    """The names with -1 that are arrays of several axes: no dimension is meant."""
    whole = [name for name, value in dimensions.items() if _is_number(value) and operator.index(value) == -1]
    if not whole:
        return []
    arrays = ranks()
    return [name for name in whole if arrays.get(name, 0) > 1]


def _by_position(values: Iterable[Any], field: str) -> str:
    try:
        listed = list(values)
    except TypeError:
        message = f"{values!r} is neither a tuple of lengths, a dict, None nor -1"
        raise refused(field, message) from None
    return ",".join(_value(value, field) for value in listed)


def _by_dimension(values: Mapping[Any, Any], field: str) -> str:
    for name in values:
        if "," in str(name):
            raise refused(field, f"the dimension {name!r} has a comma in its name; give its chunks by position")
    return ",".join(f"{name}={_value(value, field)}" for name, value in values.items())


def _everywhere(value: Any, rank: int, field: str) -> str:
    if operator.index(value) != -1:
        raise refused(field, f"{value!r} alone says nothing of single axes; give a tuple or a dict, or -1 for whole arrays")
    return ",".join(["-1"] * rank)


def _value(value: Any, field: str) -> str:
    if value is None:
        return "keep"
    if isinstance(value, str):
        return value
    if _is_number(value):
        return str(operator.index(value))
    if isinstance(value, (tuple, list)) and value and all(_is_number(part) for part in value):
        # As Dask spells chunks along an axis. All alike, but for the last, are a regular grid.
        lengths = [operator.index(part) for part in value]
        if set(lengths[:-1]) <= {lengths[0]} and lengths[-1] <= lengths[0]:
            return str(lengths[0])
        return "+".join(map(str, lengths))
    raise refused(field, f"{value!r} is no chunk length; give a positive number, -1 for the whole axis, or None")


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and getattr(value, "ndim", 0) == 0


def _named(array: str, spec: str) -> str:
    return f"{array}:{spec}" if array else spec
