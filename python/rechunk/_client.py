"""Jobs on a coordinator: submitted, followed, cancelled, tried again."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rechunk import _rechunk
from rechunk._arguments import request_of
from rechunk._errors import CancelledError, RechunkError, UnreachableError, of_failure
from rechunk._plan import Plan
from rechunk._progress import Progress


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
        prefer: str = "time",
        listing: bool | None = None,
    ) -> Job:
        """Submits a rechunk; the arguments are those of `rechunk.rechunk`. `max_mem` is that of one worker; None: what
        the smallest has. The same `request_id` gives the same job."""
        request = request_of(
            self._service, source, target_chunks, max_mem, target_store, target_options, temp_store, temp_options,
            array_name, request_id=request_id, strict=strict, verify=verify, include=include, exclude=exclude,
            region=region, prefer=prefer, listing=listing,
        )  # fmt: skip
        return Job(self._service, self._service.submit(request))

    def job(self, id: str) -> Job:
        """A job by its id."""
        job = Job(self._service, id)
        job.refresh()
        return job

    def jobs(self) -> list[Job]:
        """All jobs, the newest first."""
        views = map(json.loads, self._service.jobs())
        return [Job(self._service, view["job"], view) for view in views]


class Job:
    """A job of a coordinator. What it says of itself is as of the last `refresh()` or `wait()`."""

    def __init__(self, service: _rechunk.Service, id: str, view: dict[str, Any] | None = None) -> None:
        self._service = service
        self.id = id
        self._view = view

    @property
    def view(self) -> dict[str, Any]:
        """As `rechunk show --output json` has it."""
        return self.refresh()._view or {} if self._view is None else self._view

    @property
    def state(self) -> str:
        """ACCEPTED, RUNNING, …, SUCCEEDED, FAILED or CANCELLED."""
        return str(self.view["state"])

    @property
    def report(self) -> dict[str, Any] | None:
        """What was measured, beside what was planned, of a job that has ended."""
        if self.view.get("plan") is None:
            self.refresh()
        return self.view.get("report")

    def refresh(self) -> Job:
        """Asks how the job stands."""
        self._view = json.loads(self._service.job(self.id))
        return self

    def wait(self, progress: bool | None = None) -> Job:
        """Follows the job until it has ended, with bars where tqdm is installed; raises if it did not succeed. Ctrl-C
        ends the following, not the job."""
        with Progress(progress) as bars:
            self._view = json.loads(self._service.follow(self.id, bars.show))
        failure = _failure(self.view)
        if failure is not None:
            raise failure
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

    def __repr__(self) -> str:
        view = self.view
        return f"<rechunk.Job {self.id} {view['state']} {view['source']} → {view['target']}>"

    def _repr_html_(self) -> str:
        view = self.view
        rows = "".join(
            f"<tr><td>{html.escape(stage['array'])}</td><td>{html.escape(stage['name'])}</td>"
            f"<td>{stage['done']:,} of {stage['tasks']:,}</td></tr>"
            for stage in view["stages"]
        )
        return (
            f"<p><b>{html.escape(self.id)}</b> {html.escape(view['state'])}<br>{html.escape(view['source'])} → "
            f"{html.escape(view['target'])}</p><table><tr><th>array</th><th>stage</th><th>tasks</th></tr>{rows}</table>"
        )


def _failure(view: dict[str, Any]) -> RechunkError | None:
    if view["state"] == "SUCCEEDED":
        return None
    if view["state"] == "CANCELLED":
        return CancelledError("cancelled; what the job had written is removed", reason="CANCELLED")
    failure = view["failure"]
    if failure is None:
        message = f"the coordinator stopped reporting on {view['job']} while it was {view['state']}"
        return UnreachableError(message, code="UNAVAILABLE", reason="WATCH_ENDED")
    return of_failure("failed", failure["code"], failure["reason"], failure["field"], failure["message"])
