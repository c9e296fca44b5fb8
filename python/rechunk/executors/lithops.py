"""Lithops, the heir of PyWren: calls as functions of a cloud, or as processes of this machine with its localhost backend."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import lithops

from rechunk._counts import Counts, summed
from rechunk.executors import _retry
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines, Stage

Call = tuple[Callable[..., Any], tuple[Any, ...], int]


class LithopsExecutor(PipelineExecutor[ParallelPipelines]):
    """Runs calls on `lithops.FunctionExecutor(**options)`; without options that is the one Lithops is configured for. The
    runtime must have rechunk. `execute_plan(plan, retries=2, **kwargs)` hands `kwargs` to each `map`.

    Pipelines go in step: the first stages of all side by side, then the second ones.
    """

    def __init__(self, parallel: int = 8, **options: Any) -> None:
        self.parallel = parallel
        self.options = options

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> ParallelPipelines:
        return pipelines

    def execute_plan(self, plan: ParallelPipelines, *, retries: int = _retry.RETRIES, **kwargs: Any) -> Counts:
        total = Counts()
        for stages in itertools.zip_longest(*(pipeline.stages for pipeline in plan)):
            calls = [call for stage in stages if stage for call in _calls(stage, retries)]
            if calls:
                total = total + self._map(calls, kwargs)
        return total

    def _map(self, calls: list[Call], kwargs: dict[str, Any]) -> Counts:
        # An executor of its own for every map: the localhost backend ends its queue's threads when the results of a map
        # are cleaned up, and a map that is begun just then is queued and never run.
        with lithops.FunctionExecutor(**self.options) as executor:
            futures = executor.map(_call, calls, **kwargs)
            # Those that did not fail end first, before anybody removes what they write.
            executor.wait(futures, throw_except=False)
            return summed(future.result() for future in futures)


def _calls(stage: Stage, retries: int) -> list[Call]:
    return [(stage.callee, arguments, retries) for arguments in stage.calls()]


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], retries: int) -> Counts:
    return summed([_retry.call(function, arguments, retries)])
