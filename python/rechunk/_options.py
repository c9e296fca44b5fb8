"""`target_options`: how the target is stored, in the words and with the codec objects of zarr-python 2 and 3."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rechunk._chunks import Ranks, chunk_specs
from rechunk._errors import refused

FIELD = "target_options"

_OF_TARGET = ("overwrite", "zarr_format", "consolidated", "write_empty_chunks")
_OF_ARRAY = ("compressor", "compressors", "filters", "serializer", "codecs", "shards", "fill_value")
_SHUFFLES = {0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}
_LITTLE_ENDIAN = {"name": "bytes", "configuration": {"endian": "little"}}


@dataclasses.dataclass
class Options:
    """What the options come to in a request."""

    overwrite: bool = False
    zarr_format: int | None = None
    consolidate: bool | None = None
    write_empty_chunks: bool = False
    shards: list[str] = dataclasses.field(default_factory=list)
    codecs: list[str] = dataclasses.field(default_factory=list)


def read_options(options: Mapping[str, Any] | None, ranks: Ranks) -> Options:
    """Reads `target_options`: those of the target, those of every array, and, by array, those of one."""
    read = Options()
    of_all: dict[str, Any] = {}
    for key, value in (options or {}).items():
        if key in _OF_TARGET:
            _of_target(read, key, value)
        elif key in _OF_ARRAY:
            of_all[key] = value
        elif isinstance(value, Mapping):
            _of_array(read, key, value, ranks)
        else:
            raise _unknown(key)
    if of_all:
        _of_array(read, "", of_all, ranks)
    return read


def _of_target(read: Options, key: str, value: Any) -> None:
    if key == "overwrite":
        read.overwrite = bool(value)
    elif key == "zarr_format":
        read.zarr_format = None if value is None else int(value)
    elif key == "consolidated":
        read.consolidate = None if value is None else bool(value)
    elif key == "write_empty_chunks":
        read.write_empty_chunks = bool(value)


def _of_array(read: Options, array: str, options: Mapping[str, Any], ranks: Ranks) -> None:
    field = f"{FIELD}[{array!r}]" if array else FIELD
    named = f"{array}:" if array else ""
    for key in options:
        if key in _OF_TARGET:
            raise refused(field, f"{key} is about the whole target; give it beside the arrays, not within one")
        if key not in _OF_ARRAY:
            raise _unknown(key)
    if "fill_value" in options:
        raise refused(
            field,
            "the fill value stays the source's, since missing chunks mean it; give no fill_value, and change it where "
            "the source is written",
        )
    if "shards" in options:
        shards = options["shards"]
        read.shards.extend([f"{named}none"] if shards is None else _shard_specs(shards, array, ranks, field))
    codec = codec_text(options, field)
    if codec is not None:
        read.codecs.append(named + codec)


def _shard_specs(shards: Any, array: str, ranks: Ranks, field: str) -> list[str]:
    if array:
        return chunk_specs({array: shards}, ranks, field)
    return chunk_specs(shards, ranks, field)


def _unknown(key: str) -> Exception:
    known = ", ".join((*_OF_TARGET, *_OF_ARRAY))
    return refused(
        FIELD,
        f"there is no option {key!r}; there are {known}, and the names of arrays with options of their own. Data type, "
        "attributes, dimension names and order stay as they are",
    )


def codec_text(options: Mapping[str, Any], field: str = FIELD) -> str | None:
    """The codec of an array's options as the command line writes it; None where they say nothing of codecs."""
    given = [key for key in ("compressor", "compressors", "codecs") if not _is_auto(options.get(key, "auto"))]
    if len(given) > 1:
        raise refused(field, f"{' and '.join(given)} say the same; give one of them")
    if given == ["codecs"]:
        return json.dumps([_dict_of(codec, field) for codec in _listed(options["codecs"])])
    compressors = [_dict_of(codec, field) for codec in _compressors(options)] if given else None
    filters, serializer = options.get("filters", "auto"), options.get("serializer", "auto")
    are_automatic = _is_auto(filters) and _is_auto(serializer)
    if compressors is None and are_automatic:
        return None
    if compressors is None:
        raise refused(field, "filters and serializer make sense beside a compressor only; give that too, or None")
    if are_automatic:
        short = _short(compressors)
        if short is not None:
            return short
    wanted_filters = [] if _is_auto(filters) else [_dict_of(codec, field) for codec in _listed(filters)]
    if any("id" in codec for codec in (*compressors, *wanted_filters)):
        # numcodecs' dictionaries: Zarr v2's metadata.
        compressor = compressors[0] if compressors else None
        return json.dumps({"compressor": compressor, "filters": wanted_filters or None})
    middle = _LITTLE_ENDIAN if _is_auto(serializer) else _dict_of(serializer, field)
    return json.dumps([*wanted_filters, middle, *compressors])


def _compressors(options: Mapping[str, Any]) -> list[Any]:
    singular = options.get("compressor", "auto")
    return _listed(options["compressors"] if _is_auto(singular) else singular)


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return list(value)
    return [value]


def _dict_of(codec: Any, field: str) -> dict[str, Any]:
    """A codec as metadata has it: v3's `{name, configuration}`, or numcodecs' `{id, …}`."""
    if isinstance(codec, Mapping):
        return dict(codec)
    if hasattr(codec, "to_dict"):
        return _plain(codec.to_dict())
    if hasattr(codec, "get_config"):
        return _plain(codec.get_config())
    raise refused(field, f"{codec!r} is no codec; give an object of zarr.codecs or numcodecs, or its dictionary")


def _plain(config: Any) -> dict[str, Any]:
    # Enumerations and numpy's scalars are no JSON.
    plain: dict[str, Any] = json.loads(json.dumps(config, default=lambda value: getattr(value, "value", None)))
    return plain


def _short(compressors: list[dict[str, Any]]) -> str | None:
    """As `zstd:3`, which replaces the compressor alone, in either format; None where that cannot say all."""
    if not compressors:
        return "none"
    codec = compressors[0]
    if len(compressors) > 1:
        return None
    name = str(codec.get("name", codec.get("id"))).removeprefix("numcodecs.")
    config = codec.get("configuration", {key: value for key, value in codec.items() if key != "id"})
    known = {key: value for key, value in config.items() if key not in ("checksum", "typesize", "blocksize")}
    if config.get("checksum") or config.get("blocksize"):
        return None
    if name in ("zstd", "gzip", "zlib", "bz2") and known.keys() <= {"level"}:
        return f"{name}:{known['level']}" if "level" in known else name
    if name == "blosc" and known.keys() <= {"cname", "clevel", "shuffle"} and "cname" in known:
        shuffle = known.get("shuffle", -1)
        shuffle = _SHUFFLES.get(shuffle, "") if isinstance(shuffle, int) else shuffle
        text = f"blosc:{known['cname']}:{known.get('clevel', 5)}"
        return f"{text}:{shuffle}" if shuffle else text
    return None
