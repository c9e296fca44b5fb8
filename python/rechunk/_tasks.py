"""A rechunk as pipelines of Python functions, for an engine: each call runs some tasks of a stage of a plan in Rust."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from typing import Any

from rechunk import _rechunk
from rechunk._counts import Counts
from rechunk._request import Machine, Request
from rechunk.executors.base import PipelineExecutor
from rechunk.executors.python import PythonExecutor
from rechunk.pipelines import ParallelPipelines, Pipeline, Stage

CALLS_PER_SLOT = 8
"""Calls of a stage for each task that an engine runs at a time: enough that the last wave does not idle, and few enough
that an engine's own cost for a call is small beside its work."""


def run_task(plan: bytes, pipeline: int, stage: int, task: int) -> Counts:
    """Runs one task of a plan in this process. `plan` is all that it needs, but for credentials, which come from the
    environment. It may run again, here or elsewhere, also at the same time, and then writes the same."""
    return run_tasks(plan, pipeline, stage, (task, task + 1))


def run_tasks(plan: bytes, pipeline: int, stage: int, tasks: tuple[int, int]) -> Counts:
    """Runs the tasks from the first to before the second, as many at a time as memory and threads allow."""
    start, stop = tasks
    return Counts.from_json(_rechunk.run_tasks(plan, pipeline, stage, start, stop))


@dataclasses.dataclass(frozen=True)
class EnginePlan:
    """A plan for an engine."""

    data: bytes
    """The plan with its functions, for `run_task`."""
    figures: dict[str, Any]
    """As `rechunk plan --output json` has it."""
    phases: list[ParallelPipelines]
    """To be executed one after another."""
    cleanup: ParallelPipelines
    """Removes what the phases wrote."""

    def remove(self, engine: PipelineExecutor[Any]) -> None:
        """Removes what an execution that failed has written, once none of its tasks runs any more."""
        engine.everywhere(functools.partial(_rechunk.stop_tasks, self.data))
        PythonExecutor().run(self.cleanup)


def prepare(request: Request, machine: Machine, parallel: int) -> EnginePlan:
    """Plans for an engine that runs `parallel` tasks at a time."""
    data, outline_text, figures = _rechunk.prepare(request, machine, parallel)
    outline = json.loads(outline_text)

    def pipelines(listed: list[dict[str, Any]]) -> ParallelPipelines:
        return ParallelPipelines([_pipeline(data, pipeline, parallel) for pipeline in listed])

    phases = [pipelines(phase["pipelines"]) for phase in outline["phases"]]
    return EnginePlan(data, json.loads(figures), phases, pipelines(outline["cleanup"]))


def _pipeline(data: bytes, outline: dict[str, Any], parallel: int) -> Pipeline:
    stages = [
        Stage(
            functools.partial(run_tasks, data, outline["number"], number),
            stage["name"],
            _batches(stage["tasks"], parallel),
        )
        for number, stage in enumerate(outline["stages"])
    ]
    return Pipeline(stages, outline["name"])


def _batches(tasks: int, parallel: int) -> list[tuple[int, int]]:
    size = max(1, math.ceil(tasks / (parallel * CALLS_PER_SLOT)))
    return [(start, min(start + size, tasks)) for start in range(0, tasks, size)]
