"""What every executor is: rechunker's structure, a plan in the engine's own form and its execution."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rechunk._counts import Counts
from rechunk.pipelines import ParallelPipelines

P = TypeVar("P")


class PipelineExecutor(abc.ABC, Generic[P]):
    """Runs ParallelPipelines on an engine: pipelines side by side, the stages of each one after another, the calls of a
    stage at the same time."""

    parallel: int = 8
    """About how many calls the engine runs at a time. It says how finely work is cut, and bounds nothing."""

    @abc.abstractmethod
    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> P:
        """The pipelines in the form that the engine runs. Runs nothing."""

    @abc.abstractmethod
    def execute_plan(self, plan: P, **kwargs: Any) -> Counts:
        """Runs such a plan to its end; what its functions counted. The first exception of a function is raised."""

    def everywhere(self, function: Callable[[], None]) -> None:
        """Calls a function in every process where calls of an execution that failed may still run; by default in this
        one. Engines whose `execute_plan` returns only when all calls have ended need no more."""
        function()

    def run(self, pipelines: ParallelPipelines, **kwargs: Any) -> Counts:
        """Both at once."""
        return self.execute_plan(self.pipelines_to_plan(pipelines), **kwargs)
