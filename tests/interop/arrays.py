"""Arrays for the interop tests: made by zarr-python, compared element by element as bits."""

import numpy as np
import zarr

NUMERIC = ["bool", "i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4",
           "<f8", ">f8", "<c8", ">c8", "<c16", ">c16"]


def elements(shape, dtype, seed=7):
    """Random bits of a dtype, with the values that get lost most easily among them: NaN payloads, -0.0, extremes."""
    dtype = np.dtype(dtype)
    random = np.random.default_rng(seed)
    count = int(np.prod(shape, dtype=np.int64))
    if dtype.kind == "b":
        return random.integers(0, 2, count).astype(bool).reshape(shape)
    if dtype.kind in "SUV" and dtype.names is None:
        if dtype.kind == "V":
            return np.frombuffer(random.bytes(count * dtype.itemsize), dtype).reshape(shape)
        words = np.array(["", "a", "zarr", "éü", "rechunk"] if dtype.kind == "U" else [b"", b"a", b"zarr", b"rechunk"])
        return words[random.integers(0, len(words), count)].astype(dtype).reshape(shape)
    return np.frombuffer(random.bytes(count * dtype.itemsize), dtype).reshape(shape)


def texts(shape, dtype, seed=7):
    """Text or byte strings of very different lengths: empty ones, none of a width, one of 3 KB among them."""
    random = np.random.default_rng(seed)
    is_text = np.dtype(dtype).kind == "T"
    words = ["", "a", "zarr", "éü𝕫", "\0", "x" * 3000, "longer than what is assumed of an element: " + "word " * 20]
    words = words if is_text else [word.encode() + b"\xff" * len(word) for word in words]
    chosen = [words[n] for n in random.choice(len(words), int(np.prod(shape)), p=[.2, .2, .2, .2, .1, .02, .08])]
    values = np.empty(len(chosen), dtype)
    values[:] = chosen
    return values.reshape(shape)


def names(shape, dtype, seed=7):
    """Text or byte strings as of stations and remarks: empty ones, several scripts, few that are long."""
    random = np.random.default_rng(seed)
    words = ["", "Åsa", "陈", "rs1234567", "a𝕫\0b", "of the usual length, about", "x" * 300]
    words = words if np.dtype(dtype).kind == "T" else [word.encode() + b"\xff" for word in words]
    all_words = np.empty(len(words), dtype)
    all_words[:] = words
    chosen = random.choice(len(words), int(np.prod(shape)), p=[.2, .2, .2, .2, .1, .09, .01])
    return all_words[chosen].reshape(shape)


def bits(values):
    """The bytes of an array, whatever its values mean."""
    return np.ascontiguousarray(values).tobytes()


def assert_same(source, target, names=("source", "target")):
    """Both arrays have the same dtype, shape and bits."""
    left, right = np.asarray(source[...]), np.asarray(target[...])
    assert left.shape == right.shape
    assert left.dtype == right.dtype, f"{names[0]} is {left.dtype}, {names[1]} is {right.dtype}"
    if bits(left) != bits(right):
        width = left.dtype.itemsize
        a = np.frombuffer(bits(left), np.dtype((np.void, width)))
        b = np.frombuffer(bits(right), np.dtype((np.void, width)))
        differ = np.flatnonzero(a != b)
        at = np.unravel_index(differ[0], left.shape) if left.shape else ()
        raise AssertionError(f"{len(differ)} of {left.size} elements differ, the first at {at}: {left[at]} {right[at]}")


def stored(path):
    """Keys below a local path, metadata left out."""
    documents = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}
    return sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file() and p.name not in documents)


def as_predicted(report):
    """What was done is what was planned, where nothing was missing in the source."""
    for name in ["get_requests", "put_requests", "bytes_decoded", "bytes_encoded"]:
        skipped = report["totals"]["skipped_fill_chunks"] if name == "put_requests" else 0
        assert report["totals"][name] + skipped == report["plan"]["totals"][name], name


def open_array(path):
    return zarr.open_array(str(path), mode="r")
