"""concurrent.futures: threads or processes of this machine, or any pool with that interface."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from typing import Any

from rechunk._counts import Counts, summed
from rechunk.executors import _retry
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines, Pipeline, Stage


class ConcurrentFuturesExecutor(PipelineExecutor[ParallelPipelines]):
    """Runs calls on a pool: the one that is given, else one of its own for each execution, of threads or, with
    `processes`, of processes."""

    def __init__(
        self,
        pool: concurrent.futures.Executor | None = None,
        max_workers: int | None = None,
        processes: bool = False,
    ) -> None:
        self.pool = pool
        self.processes = processes
        self.parallel = max_workers or getattr(pool, "_max_workers", None) or os.cpu_count() or 1

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> ParallelPipelines:
        return pipelines

    def execute_plan(self, plan: ParallelPipelines, *, retries: int = _retry.RETRIES, **kwargs: Any) -> Counts:
        if kwargs:
            raise TypeError(f"ConcurrentFuturesExecutor takes retries only, and was given {', '.join(kwargs)}")
        with self._own_or_given() as pool:
            return _Execution(pool, retries).run(plan)

    @contextlib.contextmanager
    def _own_or_given(self) -> Iterator[concurrent.futures.Executor]:
        if self.pool is not None:
            yield self.pool
        elif self.processes:
            # Spawned, because the threads of Rust do not follow a fork.
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(self.parallel, mp_context=context) as pool:
                yield pool
        else:
            with concurrent.futures.ThreadPoolExecutor(self.parallel) as threads:
                yield threads


class _Progress:
    """Where a pipeline stands."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.stages: Iterator[Stage] = iter(pipeline.stages)
        self.open = 0


class _Execution:
    """One execution: the calls that are under way, and of which pipeline each is."""

    def __init__(self, pool: concurrent.futures.Executor, retries: int) -> None:
        self.pool = pool
        self.retries = retries
        self.running: dict[concurrent.futures.Future[Any], _Progress] = {}

    def run(self, pipelines: ParallelPipelines) -> Counts:
        total = Counts()
        try:
            for pipeline in pipelines:
                self._open_next_stage(_Progress(pipeline))
            while self.running:
                done, _ = concurrent.futures.wait(self.running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    progress = self.running.pop(future)
                    progress.open -= 1
                    total = total + summed([future.result()])
                    if progress.open == 0:
                        self._open_next_stage(progress)
        except BaseException:
            for future in self.running:
                future.cancel()
            # What had begun ends before anybody removes what it writes.
            concurrent.futures.wait(self.running)
            raise
        return total

    def _open_next_stage(self, progress: _Progress) -> None:
        for stage in progress.stages:
            for arguments in stage.calls():
                progress.open += 1
                self.running[self.pool.submit(_retry.call, stage.callee, arguments, self.retries)] = progress
            if progress.open:
                return
