"""Prefect 3: a flow, and a mapped task for every stage, with Prefect's own retries and task runners."""

from __future__ import annotations

import concurrent.futures
import contextvars
from collections.abc import Callable
from typing import Any

from prefect import Flow, flow, task, unmapped
from prefect.cache_policies import NO_CACHE

from rechunk._counts import Counts, summed
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines, Pipeline


class PrefectExecutor(PipelineExecutor[Flow[[], Counts]]):
    """Its plan is a flow, which can also be deployed. `task_runner` is Prefect's (threads by default), `retries` those of
    each call."""

    def __init__(self, parallel: int = 8, retries: int = 2, task_runner: Any = None) -> None:
        self.parallel = parallel
        self.retries = retries
        self.task_runner = task_runner

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> Flow[[], Counts]:
        retries = self.retries

        def run_pipelines() -> Counts:
            with concurrent.futures.ThreadPoolExecutor(max(1, min(len(pipelines), self.parallel))) as threads:
                # Each pipeline in the flow's own context, so that its tasks are the flow's.
                runs = [
                    threads.submit(contextvars.copy_context().run, _run_pipeline, pipeline, retries)
                    for pipeline in pipelines
                ]
                return summed(run.result() for run in runs)

        return flow(run_pipelines, name="rechunk", task_runner=self.task_runner, validate_parameters=False)

    def execute_plan(self, plan: Flow[[], Counts], **kwargs: Any) -> Counts:
        return Counts(plan(**kwargs))


def _run_pipeline(pipeline: Pipeline, retries: int) -> Counts:
    total = Counts()
    for stage in pipeline.stages:
        call = task(_call, name=f"{pipeline.name} {stage.name}".strip(), retries=retries, cache_policy=NO_CACHE)
        calls = stage.calls()
        if calls:
            total = total + summed(call.map(unmapped(stage.callee), calls).result())
    return total


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Counts:
    return summed([function(*arguments)])
