"""What must hold of a job that has succeeded. Reads the store itself, not through the links."""

import pathlib
import shutil

import numpy as np
import obstore
import zarr

# Planned and measured in the same words; where a task ran twice its work counts once.
ALWAYS_EQUAL = ["get_requests", "bytes_decoded", "bytes_encoded"]


def differences(view, was_disturbed):
    """Where a job's figures are not what they must be, sentence by sentence."""
    found = []
    for row in view["stages"]:
        if row["done"] != row["tasks"] or row["leased"]:
            found.append(f"has {row['done']} of {row['tasks']} tasks of {row['name']} done and {row['leased']} leased")
    measured = {name: sum(row["measured"][name] for row in view["stages"])
                for name in [*ALWAYS_EQUAL, "put_requests", "skipped_fill_chunks", "delete_requests"]}
    measured["put_requests"] += measured["skipped_fill_chunks"]
    planned = view["plan"]["totals"]
    # What a second attempt left behind is deleted too: only without one do the deletions have to agree.
    for name in [*ALWAYS_EQUAL, "put_requests", *([] if was_disturbed else ["delete_requests"])]:
        if measured[name] != planned[name]:
            found.append(f"counted {measured[name]} {name} where {planned[name]} were predicted")
    return found


def compare(target, values):
    """Bytes that were compared, and where the target differs."""
    array = zarr.open_array(target, mode="r")
    got = array[...]
    if got.shape != values.shape or got.dtype != values.dtype:
        return 0, [f"has {got.dtype} {got.shape} where {values.dtype} {values.shape} was meant"]
    wrong = np.argwhere(got.view("u4") != values.view("u4"))
    return got.nbytes, [f"differs in {len(wrong)} elements, first at {wrong[0]}"] if len(wrong) else []


def expected_keys(target, values):
    """The target's objects: its metadata, and each chunk or shard that holds anything else than the fill value."""
    array = zarr.open_array(target, mode="r")
    unit = array.shards or array.chunks
    fill = np.asarray(array.fill_value, dtype=values.dtype).view("u4")
    keys = {"zarr.json"}
    for corner in np.ndindex(*(-(-length // step) for length, step in zip(values.shape, unit))):
        part = values[tuple(slice(n * step, n * step + step) for n, step in zip(corner, unit))]
        if (part.view("u4") != fill).any():
            keys.add("/".join(["c", *map(str, corner)]))
    return keys


class S3Place:
    """Where jobs on S3 write: a directory for each."""

    def __init__(self, s3):
        self.s3 = s3

    def url(self, path):
        return self.s3.url(path)

    def store(self, path):
        return self.s3.zarr(path)

    def keys(self, path):
        return set(self.s3.keys(f"{path}/"))

    def remove(self, path):
        if keys := list(self.keys(path)):
            obstore.delete(self.s3.store(), keys)


class FilesPlace:
    """Where jobs on local files write. An empty directory is something left over."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def url(self, path):
        return str(self.root / path)

    def store(self, path):
        return str(self.root / path)

    def keys(self, path):
        found = (entry for entry in (self.root / path).rglob("*") if not entry.is_dir() or not any(entry.iterdir()))
        return {str(entry.relative_to(self.root)) for entry in found}

    def remove(self, path):
        shutil.rmtree(self.root / path, ignore_errors=True)
