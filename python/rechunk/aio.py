"""Jobs on a coordinator for asyncio: `rechunk.connect` and what it gives, with the same names and arguments.

```python
client = await rechunk.aio.connect("http://127.0.0.1:7380")
job = await client.submit(source, {"time": -1}, None, target)
await job.wait()
```

Nothing here blocks the loop. A call that is cancelled is no longer waited for; what it had asked for may be done all the
same.
"""

from __future__ import annotations

import asyncio
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

__all__ = ["Client", "Job", "connect"]


async def connect(url: str = "http://127.0.0.1:7380") -> Client:
    """A client of the coordinator at `url`, which must answer at once; later calls are made again for five minutes while
    it is away."""
    return Client(await asyncio.to_thread(_rechunk.Service.remote, url), url)


class Client:
    """A connection to a coordinator. It may be used from any loop."""

    def __init__(self, service: _rechunk.Service, url: str) -> None:
        self._service = service
        self.url = url

    def __repr__(self) -> str:
        return f"<rechunk.aio.Client {self.url}>"

    async def plan(
        self, source: Any, target_chunks: Any, max_mem: int | str | None, target_store: Any, **options: Any
    ) -> Plan:
        """What the coordinator would do: the arguments of `submit`. Writes nothing."""
        service = self._service
        request = await asyncio.to_thread(request_of, service, source, target_chunks, max_mem, target_store, **options)
        figures, text, page = await _answer(lambda done: service.plan(request, done))
        return Plan(json.loads(figures), text, page)

    async def submit(
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
        """As `rechunk.Client.submit`."""
        service = self._service
        # Looks into the source, where the meaning of an argument depends on it.
        request = await asyncio.to_thread(
            request_of, service, source, target_chunks, max_mem, target_store, target_options, temp_store, temp_options,
            array_name, request_id=request_id or fresh_id(), strict=strict, verify=verify, include=include, exclude=exclude,
            region=region, append=append, prefer=prefer, listing=listing,
        )  # fmt: skip
        return await self.job(await _answer(lambda done: service.submit(request, done)))

    async def submit_pipelines(
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
        """As `rechunk.Client.submit_pipelines`."""
        request = pipelines_request(
            pipelines, functions, name=name, cleanup=cleanup, task_memory=task_memory, retries=retries,
            max_parallel_tasks=max_parallel_tasks, weight=weight, request_id=request_id,
        )  # fmt: skip
        return await self.job(await _answer(lambda done: self._service.submit_pipelines(request, done)))

    async def job(self, id: str) -> Job:
        """A job by its id."""
        return await Job(self._service, id).refresh()

    async def jobs(self) -> list[Job]:
        """All jobs, the newest first; their reports come with `refresh()`."""
        views = map(json.loads, await _answer(self._service.jobs))
        return [Job(self._service, view["job"], view) for view in views]


class Job(AnyJob):
    """A job of a coordinator. What it says of itself is as of the last `refresh()` or `wait()`."""

    def __init__(self, service: _rechunk.Service, id: str, view: dict[str, Any] | None = None) -> None:
        super().__init__(id, view)
        self._service = service

    async def refresh(self) -> Job:
        """Asks how the job stands."""
        self._view = json.loads(await _answer(lambda done: self._service.job(self.id, done)))
        return self

    async def wait(self, progress: bool | None = None) -> Job:
        """Follows the job until it has ended, with bars where tqdm is installed; raises if it did not succeed. Cancelling
        ends the following, not the job."""
        with Progress(progress) as bars:
            show = _in_this_loop(bars.show)
            self._view = json.loads(await _answer(lambda done: self._service.follow(self.id, show, done)))
        self._raise_failure()
        return self

    async def cancel(self) -> Job:
        """Ends the job; returns when what it wrote is removed."""
        await _answer(lambda done: self._service.cancel(self.id, done))
        self._view = json.loads(await _answer(lambda done: self._service.follow(self.id, None, done)))
        return self

    async def retry(self) -> Job:
        """Lets a failed job go on, with what is done."""
        await _answer(lambda done: self._service.retry(self.id, done))
        return await self.refresh()

    async def delete(self) -> None:
        """Forgets a job that has ended, and removes what it left if it failed."""
        await _answer(lambda done: self._service.delete(self.id, done))


async def _answer(begin: Callable[[_rechunk.Done], _rechunk.Call]) -> Any:
    """The answer of a call that `begin` begins."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if answered.done():
            return
        if error is None:
            answered.set_result(answer)
        else:
            answered.set_exception(error)

    call = begin(_in_loop(loop, settle))
    try:
        return await answered
    finally:
        call.cancel()


def _in_this_loop(function: Callable[[str], None] | None) -> Callable[[str], None] | None:
    return None if function is None else _in_loop(asyncio.get_running_loop(), function)


def _in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., None]) -> Callable[..., None]:
    """Calls a function in the loop, from any thread."""

    def call(*arguments: Any) -> None:
        # Where the loop has ended, nobody waits.
        if not loop.is_closed():
            loop.call_soon_threadsafe(function, *arguments)

    return call
