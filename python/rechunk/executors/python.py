"""Plain Python: one call after another, in this thread. What the others are compared with."""

from __future__ import annotations

import os
from typing import Any

from rechunk._counts import Counts, summed
from rechunk.executors import _retry
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines


class PythonExecutor(PipelineExecutor[ParallelPipelines]):
    """Runs every call in this thread, in order. A call of ours still runs several tasks at a time."""

    def __init__(self) -> None:
        self.parallel = os.cpu_count() or 1

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> ParallelPipelines:
        return pipelines

    def execute_plan(self, plan: ParallelPipelines, *, retries: int = _retry.RETRIES, **kwargs: Any) -> Counts:
        if kwargs:
            raise TypeError(f"PythonExecutor takes retries only, and was given {', '.join(kwargs)}")
        return summed(
            _retry.call(stage.callee, arguments, retries)
            for pipeline in plan
            for stage in pipeline.stages
            for arguments in stage.calls()
        )
