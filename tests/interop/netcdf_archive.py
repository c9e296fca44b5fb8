"""An archive of NetCDF files, as kerchunk refers to them; and what others read of it."""

import base64
import json
import zlib

import fsspec
import netCDF4
import numpy as np
import xarray
import zarr
import zarr.storage
from arrays import elements

SHAPE = (4, 6, 10)
FILES = 3
TIMES = FILES * SHAPE[0]


def write_file(path, values, **options):
    """One file of the archive, with the variable `tas`."""
    with netCDF4.Dataset(path, "w", **options) as file:
        for name, length in zip(("time", "lat", "lon"), SHAPE):
            file.createDimension(name, length)
        chunks = {} if file.data_model == "NETCDF3_CLASSIC" else {"chunksizes": (2, 6, 5)}
        packed = {"zlib": True, "shuffle": False} if chunks else {}
        variable = file.createVariable("tas", "f4", ("time", "lat", "lon"), **chunks, **packed)
        variable.set_auto_maskandscale(False)
        variable[...] = values


def seen_by_xarray(path):
    """What xarray reads of a file, undecoded."""
    with xarray.open_dataset(path, engine="netcdf4", decode_cf=False) as dataset:
        return dataset["tas"].values


def seen_by_zarr(references):
    """What zarr-python reads through fsspec's reader of references: a path of JSON, or a mapping."""
    references = fsspec.filesystem("reference", fo=references, remote_protocol="file", asynchronous=True)
    return zarr.open_group(zarr.storage.FsspecStore(references, path=""), mode="r")


def metadata(chunks, dtype, shape=(TIMES, *SHAPE[1:]), **others):
    fields = {"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": dtype, "compressor": None,
              "fill_value": -999.0, "order": "C", "filters": None, **others}
    return json.dumps(fields)


def references(tas):
    """All references of the archive, given those of `tas`: time as text in base64, lat as plain text."""
    time = np.arange(TIMES, dtype="<i8")
    lat = np.frombuffer(b"abcdefgh" * SHAPE[1], "<i8")
    return {
        ".zgroup": '{"zarr_format": 2}',
        ".zattrs": {"title": "an archive"},
        "tas/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["time", "lat", "lon"], "units": "K"}),
        "time/.zarray": metadata([TIMES], "<i8", [TIMES], fill_value=None),
        "time/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["time"]}),
        "time/0": "base64:" + base64.b64encode(time.tobytes()).decode(),
        "lat/.zarray": metadata([SHAPE[1]], "<i8", [SHAPE[1]], fill_value=None),
        "lat/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["lat"]}),
        "lat/0": lat.tobytes().decode(),
        **tas,
    }


def classic(directory, place):
    """NetCDF3: big-endian, each file one chunk. The references, and the values that xarray sees."""
    tas, seen = {"tas/.zarray": metadata(list(SHAPE), ">f4")}, []
    for number in range(FILES):
        path = directory / f"{number}.nc"
        write_file(path, elements(SHAPE, "<f4", seed=number), format="NETCDF3_CLASSIC")
        seen.append(seen_by_xarray(path))
        data = seen[-1].astype(">f4").tobytes()
        offset = path.read_bytes().find(data)
        assert offset > 0
        tas[f"tas/{number}.0.0"] = [f"{place}/{number}.nc", offset, len(data)]
    return references(tas), np.concatenate(seen).astype(">f4")


def find_stream(data, wanted):
    """Where the bytes of a file hold a zlib stream of `wanted`."""
    start = data.find(b"\x78")
    while start >= 0:
        stream = zlib.decompressobj()
        try:
            if stream.decompress(data[start:]) == wanted and stream.eof:
                return start, len(data) - start - len(stream.unused_data)
        except zlib.error:
            pass
        start = data.find(b"\x78", start + 1)
    raise AssertionError("no such chunk")


def hdf5(directory, place):
    """NetCDF4: four compressed chunks in each file."""
    tas, seen = {"tas/.zarray": metadata([2, 6, 5], "<f4", compressor={"id": "zlib", "level": 4})}, []
    for number in range(FILES):
        path = directory / f"{number}.nc"
        # Few values, so that chunks are compressed.
        write_file(path, np.random.default_rng(number).integers(0, 3, SHAPE).astype("f4"), format="NETCDF4")
        seen.append(seen_by_xarray(path))
        for row in range(2):
            for column in range(2):
                chunk = seen[-1][2 * row:2 * row + 2, :, 5 * column:5 * column + 5]
                offset, length = find_stream(path.read_bytes(), np.ascontiguousarray(chunk).tobytes())
                tas[f"tas/{2 * number + row}.0.{column}"] = [f"{place}/{number}.nc", offset, length]
    return references(tas), np.concatenate(seen)


def refused(ended, *words):
    assert ended.code == 2, ended.stderr + ended.stdout
    for word in words:
        assert word in ended.stderr, ended.stderr
