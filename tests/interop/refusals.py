"""What rechunk refuses, written by zarr-python where it can write it, and the reason and the name in the message."""

import dataclasses
import json
import typing

import numpy as np
import zarr


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A source that is refused: what it is, how it is written, and what the refusal says."""

    label: str
    reason: str
    word: str
    write: typing.Callable
    options: tuple = ()


def created(**options):
    def write(path):
        array = zarr.create_array(path, shape=(4,), chunks=(2,), **options)
        if array.dtype.kind not in "OT":
            array[:2] = 1 if array.dtype.names is None else np.zeros(2, array.dtype)
    return write


def changed(document, change, **options):
    """An array whose document is changed after it was written: zarr-python has no such codec, or none installed."""
    def write(path):
        created(**options)(path)
        fields = json.loads((path / document).read_text())
        change(fields)
        (path / document).write_text(json.dumps(fields))
    return write


def v2(field, value, dtype="<f4"):
    return changed(".zarray", lambda fields: fields.update({field: value}), dtype=dtype, zarr_format=2)


def v3(field, value, dtype="<f4"):
    return changed("zarr.json", lambda fields: fields.update({field: value}), dtype=dtype, zarr_format=3)


def in_v3(name, configuration=None, dtype="<f4", place=0):
    entry = {"name": name, "configuration": configuration or {}}
    return changed("zarr.json", lambda fields: fields["codecs"].insert(place, entry), dtype=dtype, zarr_format=3)


def filtered(filter, dtype="<f4"):
    return v2("filters", [filter], dtype)


NO_DTYPE, NO_CODEC, NO_EXTENSION = "UNSUPPORTED_DTYPE", "UNSUPPORTED_CODEC", "UNSUPPORTED_EXTENSION"
TO_V2, TO_V3 = ("--zarr-format", "2"), ("--zarr-format", "3")

REFUSALS = [
    # Elements of variable length.
    *(Refusal(f"v2 object with {id}", NO_DTYPE, "variable-length", changed(
        ".zarray", lambda fields, id=id: fields.update({"dtype": "|O", "filters": [{"id": id}], "fill_value": None}),
        dtype="<i4", zarr_format=2)) for id in [
            "json2", "pickle", "msgpack2", "categorize", "vlen-array"]),
    Refusal("v2 fields that are objects", NO_DTYPE, "variable-length", v2("dtype", [["a", "|O"]])),
    Refusal("delta of text", NO_CODEC, "delta", changed(
        ".zarray", lambda fields: fields["filters"].append({"id": "delta", "dtype": "<i4"}), dtype=str, zarr_format=2)),
    Refusal("text stored as numbers", NO_CODEC, "vlen-utf8", v3("data_type", "string")),
    Refusal("v2 byte strings with a number as fill value", "INVALID_FILL_VALUE", "base64", changed(
        ".zarray", lambda fields: fields.update({"filters": [{"id": "vlen-bytes"}], "fill_value": 0}),
        dtype=str, zarr_format=2)),
    # Data types.
    Refusal("v2 <f16", NO_DTYPE, "<f16", v2("dtype", "<f16")),
    Refusal("v3 int4", NO_DTYPE, "int4", v3("data_type", "int4")),
    Refusal("v3 float8_e4m3", NO_DTYPE, "float8_e4m3", v3("data_type", "float8_e4m3")),
    # Codecs.
    *(Refusal(f"v2 compressor {id}", NO_CODEC, id, v2("compressor", {"id": id})) for id in ["zfpy", "pcodec", "snappy"]),
    *(Refusal(f"v2 filter {id}", NO_CODEC, id, filtered({"id": id})) for id in [
        "base64", "jenkins_lookup3", "n5_wrapper"]),
    *(Refusal(f"v3 {name}", NO_CODEC, name, in_v3(name, place=1)) for name in [
        "numcodecs.zfpy", "numcodecs.pcodec", "gdeflate", "packbits", "bitround"]),
    Refusal("v3 vlen-utf8", NO_CODEC, "vlen-utf8", v3("codecs", [{"name": "vlen-utf8"}])),
    Refusal("v3 sharding within sharding", NO_CODEC, "shards within shards", v3("codecs", [
        {"name": "sharding_indexed", "configuration": {
            "chunk_shape": [2], "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "codecs": [{"name": "sharding_indexed", "configuration": {
                "chunk_shape": [1], "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}]}}])),
    # Filters that cannot be exact.
    Refusal("delta of complex numbers", NO_CODEC, "<c8", filtered({"id": "delta", "dtype": "<c8"}, "<c8")),
    Refusal("delta of booleans", NO_CODEC, "delta", filtered({"id": "delta", "dtype": "|b1"}, "|b1")),
    Refusal("delta of <f4 as <f8", NO_CODEC, "sums", filtered({"id": "delta", "dtype": "<f4", "astype": "<f8"})),
    Refusal("delta of <i8 as <u8", NO_CODEC, "sums", filtered({"id": "delta", "dtype": "<i8", "astype": "<u8"}, "<i8")),
    Refusal("a filter of another width", NO_CODEC, "4 bytes", filtered({"id": "delta", "dtype": "<i8"})),
    Refusal("a filter of another byte order", NO_CODEC, "byte order", filtered({"id": "delta", "dtype": ">f4"})),
    Refusal("a v3 filter of another byte order", NO_CODEC, "byte order",
            in_v3("numcodecs.delta", {"dtype": ">f4", "astype": ">f4"})),
    Refusal("a filter behind a checksum", NO_CODEC, "delta", v2("filters", [
        {"id": "crc32"}, {"id": "delta", "dtype": "<f4"}])),
    Refusal("a transpose behind a filter", NO_CODEC, "transpose", changed("zarr.json", lambda fields: fields.update(
        {"codecs": [{"name": "numcodecs.delta", "configuration": {"dtype": "<f4"}},
                    {"name": "transpose", "configuration": {"order": [0]}}, *fields["codecs"]]}),
        dtype="<f4", zarr_format=3)),
    Refusal("lzma with filters in an xz stream", NO_CODEC, "lzma", v2("compressor", {
        "id": "lzma", "format": 1, "filters": [{"id": 33}]})),
    Refusal("rounding that is asked for", NO_CODEC, "bitround", created(dtype="<f4", zarr_format=2), (
        "--codec", '{"compressor":null,"filters":[{"id":"bitround","keepbits":3}]}')),
    # Extensions.
    Refusal("storage transformers", NO_EXTENSION, "indirection", v3("storage_transformers", [{"name": "indirection"}])),
    Refusal("an extension that must be understood", NO_EXTENSION, "magic", v3("magic", {"name": "magic"})),
    Refusal("another chunk grid", NO_EXTENSION, "hexagonal", v3("chunk_grid", {"name": "hexagonal"})),
    Refusal("another chunk key encoding", NO_EXTENSION, "fancy", v3("chunk_key_encoding", {"name": "fancy"})),
    # What the other format lacks.
    Refusal("v2 to v3: fields in big-endian order", "NO_CONVERSION", ">i2", created(
        dtype=np.dtype([("a", ">i2")]), zarr_format=2, compressors=None), TO_V3),
    Refusal("v2 to v3: fields that are arrays", "NO_CONVERSION", "[2]", v2("dtype", [["a", "<u2", [2]]], "<i4"), TO_V3),
    Refusal("v3 to v2: bfloat16", "NO_CONVERSION", "bfloat16", v3("data_type", "bfloat16", "<i2"), TO_V2),
    Refusal("v3 to v2: shards", "SHARDS_NEED_V3", "shards", created(dtype="<i2", zarr_format=3),
            (*TO_V2, "--shards", "2")),
]
