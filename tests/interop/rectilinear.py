"""Rectilinear arrays, which no zarr-python of this Python writes: each chunk is an array of one chunk by itself."""

import itertools
import json
import pathlib
import tempfile

import numpy as np
import zarr



def lengths(axis, length):
    """The lengths of the chunks along an axis: a list of them and of runs, or the one length of all."""
    if isinstance(axis, int):
        return [axis] * -(-length // axis)
    return [each for entry in axis for each in (entry[:1] * entry[1] if isinstance(entry, list) else [entry])]


def boxes(shapes, shape):
    """Position, and begin and end per axis, of every chunk that has an element of the array."""
    axes = []
    for axis, length in zip(shapes, shape, strict=True):
        ends = np.cumsum(lengths(axis, length)).tolist()
        spans = zip([0, *ends[:-1]], ends)
        axes.append([(at, start, end) for at, (start, end) in enumerate(spans) if start < length])
    for chunk in itertools.product(*axes):
        yield tuple(at for at, _, _ in chunk), [start for _, start, _ in chunk], [end for _, _, end in chunk]


def one_chunk(place, shape, dtype, **options):
    grid = {"shards": shape} if "chunks" in options else {"chunks": shape}
    return zarr.create_array(place, shape=shape, dtype=dtype, **grid, **options)


def key(position):
    return "/".join(["c", *map(str, position)])


def write(place, values, shapes, missing=(), **options):
    """An array at the local path whose chunk grid is `shapes`, but for the chunks at the `missing` positions."""
    options = {"fill_value": 0, **options}
    attributes = {name: options.pop(name) for name in ("attributes", "dimension_names") if name in options}
    place.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        for number, (position, start, end) in enumerate(boxes(shapes, values.shape)):
            inside = tuple(slice(a, min(b, n)) for a, b, n in zip(start, end, values.shape))
            shape = tuple(b - a for a, b in zip(start, end))
            chunk = one_chunk(f"{scratch}/{number}", shape, values.dtype, **options)
            part = np.full(shape, options["fill_value"], values.dtype)
            part[tuple(slice(0, n) for n in values[inside].shape)] = values[inside]
            chunk[...] = part
            stored = chunk.store.root / key((0,) * values.ndim)
            if position not in missing and stored.exists():
                target = place / key(position)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stored.read_bytes())
        document = json.loads((chunk.store.root / "zarr.json").read_text())
    document["shape"] = list(values.shape)
    document["chunk_grid"] = {
        "name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": shapes}}
    document.update(attributes)
    (place / "zarr.json").write_text(json.dumps(document))


def read(place):
    """The elements of an array at the local path, and its grid as lengths of chunks per axis."""
    document = json.loads((place / "zarr.json").read_text())
    assert document["chunk_grid"]["name"] == "rectilinear", document["chunk_grid"]
    configuration = document["chunk_grid"]["configuration"]
    assert configuration["kind"] == "inline"
    shape, shapes = document["shape"], configuration["chunk_shapes"]
    values = None
    with tempfile.TemporaryDirectory() as scratch:
        for number, (position, start, end) in enumerate(boxes(shapes, shape)):
            lengths_of_chunk = [b - a for a, b in zip(start, end)]
            regular = {"name": "regular", "configuration": {"chunk_shape": lengths_of_chunk}}
            root = f"{scratch}/{number}"
            zarr.create_group(root)
            with open(f"{root}/zarr.json", "w") as file:
                json.dump({**document, "shape": lengths_of_chunk, "chunk_grid": regular}, file)
            stored = place / key(position)
            if stored.exists():
                target = pathlib.Path(root) / key((0,) * len(shape))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(stored.read_bytes())
            chunk = zarr.open_array(root, mode="r")[...]
            values = np.empty(shape, chunk.dtype) if values is None else values
            inside = tuple(slice(a, min(b, n)) for a, b, n in zip(start, end, shape))
            values[inside] = chunk[tuple(slice(0, s.stop - s.start) for s in inside)]
    return values, [lengths(axis, length) for axis, length in zip(shapes, shape)]
