"""Dask: a graph of delayed calls, on whatever scheduler is current: threads, processes, or a distributed cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import dask
from dask.delayed import Delayed, delayed

from rechunk._counts import Counts, summed
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines, Pipeline

FAN_IN = 100
"""Results that one node of the graph sums."""


class DaskExecutor(PipelineExecutor[Delayed]):
    """Its plan is one Delayed, which can also be looked at or computed elsewhere. `execute_plan(plan, **kwargs)` hands
    `kwargs` to `compute`: `scheduler=`, or `retries=` with a distributed cluster. `parallel` is the number of threads of
    the scheduler that is current when it is made."""

    def __init__(self, parallel: int | None = None) -> None:
        self.parallel = parallel or _threads()

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> Delayed:
        return _sum([_of_pipeline(pipeline) for pipeline in pipelines])

    def execute_plan(self, plan: Delayed, **kwargs: Any) -> Counts:
        return Counts(plan.compute(**kwargs))

    def everywhere(self, function: Callable[[], None]) -> None:
        function()
        client = _client()
        if client is not None:
            client.run(function)


def _client() -> Any:
    """That of the distributed cluster that is current, if there is one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


def _threads() -> int:
    """Calls that the current scheduler runs at a time; a guess where its workers are still to come."""
    client = _client()
    if client is not None:
        known = 0 if client.asynchronous else sum(client.nthreads().values())
        return known or PipelineExecutor.parallel
    return int(dask.config.get("num_workers", None) or os.cpu_count() or 1)


class _Function:
    """A function as one node of the graph, so that what is bound to it travels once and not with every call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


def _of_pipeline(pipeline: Pipeline) -> Delayed:
    # What the stages before came to; every call of a stage waits for it.
    before = delayed(Counts(), pure=False)
    for stage in pipeline.stages:
        function = delayed(_Function(stage.callee), name=None, pure=False, traverse=False)
        call = delayed(_call, pure=False)
        name = f"{pipeline.name or 'pipeline'}-{stage.name}"
        calls = [
            call(function, arguments, before, dask_key_name=f"{name}-{number}-{function.key}")
            for number, arguments in enumerate(stage.calls())
        ]
        before = _sum([before, *calls])
    return before


def _call(function: _Function, arguments: tuple[Any, ...], _before: Counts) -> Counts:
    return summed([function.function(*arguments)])


def _sum(results: list[Delayed]) -> Delayed:
    """The sum of all, FAN_IN at a time."""
    total = delayed(_total, pure=False)
    while len(results) > 1:
        groups = [results[start : start + FAN_IN] for start in range(0, len(results), FAN_IN)]
        results = [total(group) for group in groups]
    return results[0] if results else delayed(Counts(), pure=False)


def _total(results: list[Counts]) -> Counts:
    return summed(results)
