"""The same checks for every executor: its tests are in the files that name the engine."""

import dataclasses
import functools

import functions
import numpy as np
import pytest
import rechunk
import zarr
from conftest import elements, make_array, objects

SHAPE, CHUNKS, TARGET_CHUNKS = (96, 128, 128), (1, 128, 128), (96, 16, 16)
MAX_MEM = "500kB"


class Twice(rechunk.PipelineExecutor):
    """Another executor, of which every call is run twice."""

    def __init__(self, executor):
        self.executor, self.parallel = executor, executor.parallel

    def pipelines_to_plan(self, pipelines):
        return self.executor.pipelines_to_plan(rechunk.ParallelPipelines([
            rechunk.Pipeline([
                dataclasses.replace(stage, function=functools.partial(functions.run_twice, stage.function))
                for stage in pipeline.stages
            ], pipeline.name)
            for pipeline in pipelines
        ]))

    def execute_plan(self, plan, **kwargs):
        return self.executor.execute_plan(plan, **kwargs)


def check_array(executor, tmp_path, codec="none", **kwargs):
    """An exchange on the engine gives the same objects as in this process, requests as planned, and leaves nothing."""
    values = make_array(tmp_path / "in.zarr", SHAPE, CHUNKS, attributes={"units": "K"})
    arguments = (tmp_path / "in.zarr", TARGET_CHUNKS, MAX_MEM)
    options = {"temp_options": {"codec": codec}, "threads": 1}
    rechunk.rechunk(*arguments, tmp_path / "local.zarr", **options).execute()
    rechunked = rechunk.rechunk(*arguments, tmp_path / "engine.zarr", executor=executor, **options)
    target = rechunked.execute(**kwargs)
    assert target[...].tobytes() == values.tobytes() and target.chunks == TARGET_CHUNKS
    assert objects(tmp_path / "engine.zarr") == objects(tmp_path / "local.zarr")
    assert not list(tmp_path.glob(".rechunk*"))
    planned, measured = rechunked.report["plan"], rechunked.report["totals"]
    assert "copy_read_to_exchange" in {stage["name"] for stage in planned["stages"]}
    for name in ("get_requests", "put_requests", "delete_requests", "bytes_decoded", "bytes_encoded"):
        assert measured[name] == planned["totals"][name] == rechunked.plan["totals"][name], name


def check_twice(executor, tmp_path, codec):
    """Where every task runs twice, the objects are the same, and nothing temporary is left."""
    make_array(tmp_path / "in.zarr", SHAPE, CHUNKS)
    arguments = (tmp_path / "in.zarr", TARGET_CHUNKS, MAX_MEM)
    options = {"temp_options": {"codec": codec}, "threads": 1}
    rechunk.rechunk(*arguments, tmp_path / "local.zarr", **options).execute()
    rechunk.rechunk(*arguments, tmp_path / "engine.zarr", executor=Twice(executor), **options).execute()
    assert objects(tmp_path / "engine.zarr") == objects(tmp_path / "local.zarr")
    assert not list(tmp_path.glob(".rechunk*"))


def check_sparse_group(executor, tmp_path):
    """A group with an array of which most chunks are missing, whose listing tasks read."""
    group = zarr.create_group(tmp_path / "in.zarr", attributes={"title": "made up"})
    sparse = group.create_array("sparse", shape=(40, 64, 64), chunks=(1, 64, 64), dtype="f4", fill_value=7)
    sparse[3] = sparse[21] = elements((64, 64))
    group.create_array("small", shape=(5,), chunks=(5,), dtype="i4")[...] = np.arange(5)
    chunks = {"sparse": (40, 16, 16)}
    rechunk.rechunk(group, chunks, "1MB", tmp_path / "out.zarr", executor=executor, threads=1).execute()
    target = zarr.open_group(tmp_path / "out.zarr")
    assert target["sparse"][...].tobytes() == sparse[...].tobytes() and target["small"][4] == 4
    assert target.attrs["title"] == "made up" and not list(tmp_path.glob(".rechunk*"))


def check_failure(executor, tmp_path):
    """A task that fails for good raises its sentence, and what was written is removed."""
    make_array(tmp_path / "in.zarr", SHAPE, CHUNKS)
    (tmp_path / "in.zarr" / "c" / "40" / "0" / "0").write_bytes(b"this is no chunk")
    rechunked = rechunk.rechunk(
        tmp_path / "in.zarr", TARGET_CHUNKS, MAX_MEM, tmp_path / "out.zarr", executor=executor, threads=1)
    with pytest.raises(Exception, match="c/40/0/0"):
        rechunked.execute()
    assert not (tmp_path / "out.zarr").exists() and not list(tmp_path.glob(".rechunk*"))


def check_functions(executor, tmp_path):
    """Functions of one's own: every call, a barrier between stages, pipelines side by side, counts summed."""
    places = [tmp_path / name for name in ("a", "b")]
    for place in places:
        place.mkdir()
    pipelines = rechunk.ParallelPipelines([
        rechunk.Pipeline([
            rechunk.Stage(functools.partial(functions.write, str(place)), "write", range(20)),
            rechunk.Stage(functools.partial(functions.sum_up, str(place)), "sum"),
        ], place.name)
        for place in places
    ])
    counts = executor.run(pipelines)
    assert counts == {"put_requests": 40, "peak_task_memory": 19}
    assert [(place / "sum").read_text() for place in places] == ["190", "190"]
    stage = rechunk.Stage(functions.fail, "fail", range(3))
    with pytest.raises(Exception, match="of one's own failed"):
        executor.run(rechunk.ParallelPipelines([rechunk.Pipeline([stage])]))
