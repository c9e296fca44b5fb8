"""Jobs on a coordinator: submitted, followed, cancelled, tried again. `rechunk.aio` has the same for asyncio."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rechunk import _rechunk
from rechunk._arguments import request_of
from rechunk._jobs import AnyJob
from rechunk._named import pipelines_request
from rechunk._plan import Plan
from rechunk._progress import Progress
from rechunk._request import fresh_id
from rechunk.pipelines import ParallelPipelines


def connect(url: str = "http://127.0.0.1:7380") -> Client:
    """A client of the coordinator at `url`, which must answer at once; later calls are made again for five minutes while
    it is away."""
    return Client(_rechunk.Service.remote(url), url)


class Client:
    """A connection to a coordinator."""

    def __init__(self, service: _rechunk.Service, url: str) -> None:
        self._service = service
        self.url = url

    def __repr__(self) -> str:
        return f"<rechunk.Client {self.url}>"

    def plan(self, source: Any, target_chunks: Any, max_mem: int | str | None, target_store: Any, **options: Any) -> Plan:
        """What the coordinator would do: the arguments of `submit`. Writes nothing."""
        request = request_of(self._service, source, target_chunks, max_mem, target_store, **options)
        figures, text, page = self._service.plan(request)
        return Plan(json.loads(figures), text, page)

    def submit(
        self,
        source: Any,
        target_chunks: Any,
        max_mem: int | str | None,
        target_store: Any,
        target_options: Mapping[str, Any] | None = None,
        temp_store: Any = None,
        temp_options: Mapping[str, Any] | None = None,
        array_name: str | None = None,
        *,
        request_id: str | None = None,
        strict: bool = False,
        verify: bool = False,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        region: Mapping[str, slice] | Sequence[slice] | None = None,
        append: str | int | None = None,
        prefer: str = "time",
        listing: bool | None = None,
    ) -> Job:
        """Submits a rechunk; the arguments are those of `rechunk.rechunk`. `max_mem` is that of one worker; None: what
        the smallest has. The same `request_id` gives the same job."""
        request = request_of(
            self._service, source, target_chunks, max_mem, target_store, target_options, temp_store, temp_options,
            array_name, request_id=request_id or fresh_id(), strict=strict, verify=verify, include=include, exclude=exclude,
            region=region, append=append, prefer=prefer, listing=listing,
        )  # fmt: skip
        return Job(self._service, self._service.submit(request))

    def submit_pipelines(
        self,
        pipelines: ParallelPipelines | Sequence[ParallelPipelines],
        functions: Mapping[str, Callable[..., Any]] | None = None,
        *,
        name: str = "pipelines",
        cleanup: ParallelPipelines | None = None,
        task_memory: int | str = "64MiB",
        retries: int = 2,
        max_parallel_tasks: int | None = None,
        weight: int | None = None,
        request_id: str | None = None,
    ) -> Job:
        """Submits pipelines of functions that workers have registered (`rechunk.Worker`); several ParallelPipelines are
        phases, one after another. Code does not travel: a stage has the name of a function ("download", "download@2"), or a
        function, or a `functools.partial` of one, that stands under its name in `functions`. Inputs and arguments that are
        bound travel as JSON, at most 1 MiB for a stage; a range travels by its ends.

        name: shown to people.
        cleanup: what runs when the job is cancelled or deleted.
        task_memory: what one call takes at its peak; workers admit by it.
        retries: tries of a call after the first.
        max_parallel_tasks: calls of the job at a time. weight: the job's share beside others.
        request_id: the same gives the same job.
        """
        request = pipelines_request(
            pipelines, functions, name=name, cleanup=cleanup, task_memory=task_memory, retries=retries,
            max_parallel_tasks=max_parallel_tasks, weight=weight, request_id=request_id,
        )  # fmt: skip
        return Job(self._service, self._service.submit_pipelines(request))

    def job(self, id: str) -> Job:
        """A job by its id."""
        job = Job(self._service, id)
        job.refresh()
        return job

    def jobs(self) -> list[Job]:
        """All jobs, the newest first."""
        views = map(json.loads, self._service.jobs())
        return [Job(self._service, view["job"], view) for view in views]


class Job(AnyJob):
    """A job of a coordinator. What it says of itself is as of the last `refresh()` or `wait()`."""

    def __init__(self, service: _rechunk.Service, id: str, view: dict[str, Any] | None = None) -> None:
        super().__init__(id, view)
        self._service = service

    @property
    def view(self) -> dict[str, Any]:
        """As `rechunk show --output json` has it."""
        if self._view is None:
            self.refresh()
        return super().view

    @property
    def report(self) -> dict[str, Any] | None:
        """What was measured, beside what was planned, of a job that has ended."""
        if self._lacks_its_report:
            self.refresh()
        return super().report

    def refresh(self) -> Job:
        """Asks how the job stands."""
        self._view = json.loads(self._service.job(self.id))
        return self

    def wait(self, progress: bool | None = None) -> Job:
        """Follows the job until it has ended, with bars where tqdm is installed; raises if it did not succeed. Ctrl-C
        ends the following, not the job."""
        with Progress(progress) as bars:
            self._view = json.loads(self._service.follow(self.id, bars.show))
        self._raise_failure()
        return self

    def cancel(self) -> Job:
        """Ends the job; returns when what it wrote is removed."""
        self._service.cancel(self.id)
        self._view = json.loads(self._service.follow(self.id, None))
        return self

    def retry(self) -> Job:
        """Lets a failed job go on, with what is done."""
        self._service.retry(self.id)
        return self.refresh()

    def delete(self) -> None:
        """Forgets a job that has ended, and removes what it left if it failed."""
        self._service.delete(self.id)
