"""From rechunker's arguments to a request."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rechunk import _rechunk
from rechunk._chunks import chunk_specs
from rechunk._errors import refused
from rechunk._options import read_options
from rechunk._places import join, source_place, store_place
from rechunk._request import Request

_TEMP_OPTIONS = ("codec", "limit", "keep")


def request_of(
    service: _rechunk.Service,
    source: Any,
    target_chunks: Any,
    max_mem: int | str | None,
    target_store: Any,
    target_options: Mapping[str, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[str, Any] | None = None,
    array_name: str | None = None,
    *,
    request_id: str | None = None,
    strict: bool = False,
    verify: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    region: Mapping[str, slice] | Sequence[slice] | None = None,
    append: str | int | None = None,
    prefer: str = "time",
    listing: bool | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Request:
    """The request; `service` is asked where a meaning depends on the source's arrays."""
    if append is not None and target_chunks is not None:
        raise refused("target_chunks", "an append keeps the target's chunks; give None")
    target = store_place("target_store", target_store)
    overwrite = bool((target_options or {}).get("overwrite", False))
    places = Request(
        source=source_place(source, storage_options),
        target=join(target, array_name) if array_name else target,
        overwrite=overwrite,
        max_mem=None if max_mem is None else str(max_mem),
        temp=None if temp_store is None else store_place("temp_store", temp_store),
        strict=strict,
        verify=verify,
        include=patterns("include", include),
        exclude=patterns("exclude", exclude),
        region=slices(region),
        append=None if append is None else str(append),
        prefer=prefer,
        listing=listing,
        request_id=request_id,
    )

    @functools.cache
    def ranks() -> Mapping[str, int]:
        # A plan that changes nothing says what arrays there are.
        asked = dataclasses.replace(places, listing=False, request_id=None, append=None)
        plan = service.plan(asked)[0]
        return {array["name"]: len(array["shape"]) for array in json.loads(plan)["arrays"]}

    options = read_options(target_options, ranks)
    return dataclasses.replace(
        places,
        chunks=chunk_specs(target_chunks, ranks),
        shards=options.shards,
        codecs=options.codecs,
        zarr_format=options.zarr_format,
        consolidate=options.consolidate,
        write_empty_chunks=options.write_empty_chunks,
        **_of_temp(temp_options),
    )


def patterns(field: str, given: Sequence[str]) -> list[str]:
    """Patterns over the paths of arrays, one or several."""
    if isinstance(given, str):
        return [given]
    for pattern in given:
        if not isinstance(pattern, str):
            raise refused(field, f"{pattern!r} is no pattern; give the paths of arrays, as 'ocean/*'")
    return list(given)


def slices(region: Mapping[str, slice] | Sequence[slice] | None) -> list[str]:
    """A region in the words of the command line."""
    if region is None:
        return []
    if isinstance(region, Mapping):
        terms = [f"{dimension}={_slice(part)}" for dimension, part in region.items()]
    else:
        terms = [_slice(part) for part in region]
    return [",".join(terms)] if terms else []


def _slice(part: slice) -> str:
    if not isinstance(part, slice):
        raise refused("region", f"{part!r} is no slice; give slice(0, 1000)")
    bounds = [part.start, part.stop] if part.step in (None, 1) else [part.start, part.stop, part.step]
    return ":".join("" if bound is None else str(bound) for bound in bounds)


def _of_temp(options: Mapping[str, Any] | None) -> dict[str, Any]:
    options = options or {}
    for key in options:
        if key not in _TEMP_OPTIONS:
            raise refused(
                "temp_options",
                f"there is no option {key!r}: temporary objects are no Zarr arrays; there are codec (auto, none, lz4, "
                "zstd), limit (a size) and keep",
            )
    limit = options.get("limit")
    return {
        "exchange_codec": options.get("codec") or "none" if "codec" in options else "auto",
        "temp_limit": None if limit is None else str(limit),
        "keep_temp": bool(options.get("keep", False)),
    }
