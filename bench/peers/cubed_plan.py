"""What cubed would do, by its own code: jobs as JSON on stdin, stages as JSON on stdout.

The job is `from_zarr`, `rechunk`, `to_zarr`, as its manual shows it; the stages are the operations of the finished plan.
"""

import json
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import cubed
import zarr
from cubed.core.ops import _rechunk_plan
from overlaps import count, stage

ITEMSIZE = 4


def plan(job, directory):
    shape, target = tuple(job["shape"]), tuple(job["target_chunks"])
    spec = cubed.Spec(work_dir=str(directory), allowed_mem=job["max_mem"], reserved_mem=job["reserved_mem"])
    path = directory / "source.zarr"
    zarr.create_array(path, shape=shape, chunks=tuple(job["source_chunks"]), dtype="f4")
    source = cubed.from_zarr(str(path), spec=spec)
    passes = list(_rechunk_plan(source, target))
    stored = cubed.to_zarr(source.rechunk(target), str(directory / "target.zarr"), compute=False)
    operations = [
        (data["func_name"], data["primitive_op"].num_tasks)
        for _, data in stored.plan().dag.nodes(data=True)
        if data.get("primitive_op") is not None and data["op_name"] != "create-arrays"
    ]
    stages, read = [], tuple(job["source_chunks"])
    for regions, write in passes:
        regions = tuple(min(n, length) for n, length in zip(shape, regions))
        stages.append(stage("rechunk", shape, ITEMSIZE, regions, read, write))
        read = write
    # to_zarr copies the last array of the work directory into the target, chunk by chunk.
    stages.append(stage("to_zarr", shape, ITEMSIZE, target, read, target))
    assert [(s["name"], s["tasks"]) for s in stages] == operations, (stages, operations)
    stages[-1]["is_target"] = True
    assert stages[-1]["objects"] == count(shape, target)
    return {"stages": stages}


def main():
    warnings.simplefilter("ignore")
    answers = []
    for job in json.load(sys.stdin):
        with tempfile.TemporaryDirectory() as directory:
            try:
                answers.append(plan(job, Path(directory)))
            except (ValueError, NotImplementedError) as refusal:
                text = str(refusal).replace(directory, "")
                answers.append({"refusal": f"{type(refusal).__name__}: {text}"})
    versions = {name: version(name) for name in ("cubed", "zarr")}
    json.dump({"versions": versions, "answers": answers}, sys.stdout)


main()
