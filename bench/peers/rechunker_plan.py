"""What rechunker would do, by its own code: jobs as JSON on stdin, stages as JSON on stdout.

`rechunker.api` makes the copy spec, `rechunker.pipeline` its stages, as its executors run them: the first stage maps over
the intermediate chunks (not over the read chunks of the plan), the second over the write chunks.
"""

import json
import sys
from importlib.metadata import version

import zarr
from overlaps import count, stage
from rechunker.api import _setup_rechunk
from rechunker.pipeline import spec_to_pipeline

# Tasks that are really listed, to hold the count against rechunker's own iterator.
FEW = 1_000_000


def plan(job):
    shape, itemsize = tuple(job["shape"]), 4
    source = zarr.create(shape, chunks=tuple(job["source_chunks"]), dtype="f4", store={})
    try:
        specs, _, _ = _setup_rechunk(
            source, tuple(job["target_chunks"]), job["max_mem"], target_store={}, temp_store={}
        )
    except (ValueError, AssertionError) as refusal:
        return {"refusal": f"{type(refusal).__name__}: {refusal}"}
    spec = specs[0]
    target = spec.write.array.chunks
    pipeline = spec_to_pipeline(spec)
    if spec.intermediate.array is None:
        stages = [stage(pipeline.stages[0].name, shape, itemsize, spec.write.chunks, source.chunks, target)]
    else:
        between = spec.intermediate.array.chunks
        stages = [
            stage(pipeline.stages[0].name, shape, itemsize, spec.intermediate.chunks, source.chunks, between),
            stage(pipeline.stages[1].name, shape, itemsize, spec.write.chunks, between, target),
        ]
    assert len(stages) == len(pipeline.stages)
    for ours, theirs in zip(stages, pipeline.stages):
        assert ours["tasks"] > FEW or ours["tasks"] == sum(1 for _ in theirs.mappable), ours
    stages[-1]["is_target"] = True
    assert stages[-1]["objects"] == count(shape, job["target_chunks"])
    return {"stages": stages}


def main():
    answers = [plan(job) for job in json.load(sys.stdin)]
    versions = {name: version(name) for name in ("rechunker", "dask", "zarr")}
    json.dump({"versions": versions, "answers": answers}, sys.stdout)


main()
