"""`rechunk.rechunk`, with rechunker's arguments in rechunker's order."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rechunk import _measured, _rechunk, _tasks
from rechunk._arguments import request_of
from rechunk._client import Job
from rechunk._counts import Counts
from rechunk._errors import refused
from rechunk._places import source_place, store_place
from rechunk._plan import Plan
from rechunk._request import Machine, Request, StoreOptions, fresh_id
from rechunk._stores import settings_of, tables
from rechunk.executors import PipelineExecutor, get_executor


def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str | None,
    target_store: Any,
    target_options: Mapping[str, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[str, Any] | None = None,
    executor: str | PipelineExecutor[Any] = "local",
    array_name: str | None = None,
    *,
    threads: int | None = None,
    scratch: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    config: str | os.PathLike[str] | None = None,
    anonymous: bool = False,
    requester_pays: bool = False,
    strict: bool = False,
    verify: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    region: Mapping[str, slice] | Sequence[slice] | None = None,
    append: str | int | None = None,
    prefer: str = "time",
    listing: bool | None = None,
) -> Rechunked:
    """Plans to write the arrays of `source` again, in other chunks. Nothing is written before `execute()`.

    source: a URL (`s3://…`) or path, a zarr.Array, a zarr.Group, or an xarray.Dataset as it was opened from Zarr.
    target_chunks: for an array a tuple by position or a dict by dimension; for a group a dict by dimension, or by array
        of either. None keeps the source's chunks, -1 is a whole axis, or whole arrays. Arrays of a group that are not
        named are copied unchanged.
    max_mem: what one process may take, as 2_000_000_000 or "2GiB"; None: 2 GiB, or half of the machine's memory.
    target_store: a URL, a path, or a zarr-python store of local files or S3.
    target_options: `overwrite`, `zarr_format`, `consolidated`, `write_empty_chunks`; for all arrays or, by name, for one:
        `compressor` or `compressors`, `filters`, `serializer`, `codecs` (objects of zarr.codecs or numcodecs), `shards`.
    temp_store: where temporary objects go; None: beside the target. They are removed at the end.
    temp_options: `codec` of temporary objects (auto, none, lz4, zstd), `limit` (a size), `keep`.
    executor: "local" (in this process), the URL of a coordinator, "python", "concurrent.futures", "dask", "beam",
        "prefect", "lithops", or a PipelineExecutor.
    array_name: the array's name in the group at `target_store`.
    threads: threads of a process for codecs and copies; None: one per core.
    scratch: a directory on local disk that tasks may use; only with "local".
    storage_options: how the stores of URLs are spoken to, in fsspec's names (`key`, `secret`, `endpoint_url`, `anon`, …);
        store objects bring their own. Secrets stay in this process, as environment variables; processes of an engine that
        do not inherit them need them, too.
    config: a TOML file with [[stores]] tables. Where neither says anything, credentials, region and endpoint come from the
        environment, as for the command lines of the stores. `anonymous` sends none; `requester_pays` pays for requests.
    strict: a missing source chunk is an error.
    prefer: "time" or "money".
    listing: whether the source's chunks are listed (None: where they are few).
    verify: the target is read back and compared with what was read of the source, before it is published; "local" and
        coordinators can.
    include, exclude: patterns over the paths of a group's arrays (`*`, `?`, `[a-z]`, `**` across groups); the coordinates
        of an included array come along.
    region: the part of the source that is copied, as {"time": slice(0, 1000)} by dimension, or a tuple of slices for an
        array; None: all of it.
    append: the dimension (of an array without dimension names: the axis) along which what is new in the source goes behind
        what the target has, in the target's chunks: `target_chunks` is then None. "local" and coordinators can.
    """
    is_remote = isinstance(executor, str) and "://" in executor
    if storage_options and (is_remote or config is not None):
        owner = "the workers of a coordinator have stores of their own" if is_remote else "config has the stores"
        raise refused("storage_options", f"{owner}; give one of them")
    stores = StoreOptions.of(config, anonymous, requester_pays)
    if config is None and not is_remote:
        stores = dataclasses.replace(stores, config=_tables(source, target_store, temp_store, storage_options))
    machine = Machine(
        stores=stores,
        max_mem=None if max_mem is None else str(max_mem),
        threads=threads,
        scratch=None if scratch is None else os.fspath(scratch),
        resident=_rechunk.resident(),
    )
    home = _Home.of(executor, machine)
    if verify and home.engine is not None:
        raise refused("verify", "an engine compares nothing; verify with executor='local' or a coordinator's URL")
    if append is not None and home.engine is not None:
        raise refused("append", "an engine compares nothing; append with executor='local' or a coordinator's URL")
    service = home.service()
    try:
        request = request_of(
            service, source, target_chunks, max_mem, target_store, target_options, temp_store, temp_options, array_name,
            strict=strict, verify=verify, include=include, exclude=exclude, region=region, append=append, prefer=prefer,
            listing=listing,
            storage_options=storage_options,
        )  # fmt: skip
        return Rechunked(request, home, home.plan(service, request))
    finally:
        service.close()


def _tables(source: Any, target: Any, temp: Any, options: Mapping[str, Any] | None) -> str | None:
    """What is set for the stores of these places, where anything is."""
    fields = {"target_store": target, "temp_store": temp, "source": source}
    found = {field: settings_of(field, store, options) for field, store in fields.items() if store is not None}
    if options and type(source).__module__.startswith("xarray"):
        found["source"] = settings_of("source", source.encoding.get("source"), options)
    if not any(found.values()):
        return None
    place = {"source": source_place(source, options)}
    place |= {field: store_place(field, fields[field]) for field in found if field != "source"}
    return tables((place[field], settings) for field, settings in found.items())


class _Home:
    """Where a rechunk is to run."""

    def __init__(self, machine: Machine, url: str | None, engine: PipelineExecutor[Any] | None) -> None:
        self.machine = machine
        self.url = url
        self.engine = engine

    @classmethod
    def of(cls, executor: str | PipelineExecutor[Any], machine: Machine) -> _Home:
        if isinstance(executor, PipelineExecutor):
            return cls(machine, None, executor)
        if not isinstance(executor, str):
            raise refused("executor", f"{executor!r} is neither a name, a URL nor a PipelineExecutor")
        if "://" in executor:
            return cls(machine, executor, None)
        return cls(machine, None, None if executor == "local" else get_executor(executor))

    def plan(self, service: _rechunk.Service, request: Request) -> Plan:
        """What would be done there."""
        if self.engine is None:
            figures, text, page = service.plan(request)
        else:
            figures, text, page = _rechunk.preview(request, self.machine, self.engine.parallel)
        return Plan(json.loads(figures), text, page)

    def service(self) -> _rechunk.Service:
        """What plans, and runs where no engine does."""
        return _rechunk.Service.local(self.machine) if self.url is None else _rechunk.Service.remote(self.url)


class Rechunked:
    """A rechunk that was planned. `plan` says what it will do, `execute()` does it, `report` says what was measured."""

    def __init__(self, request: Request, home: _Home, plan: Plan) -> None:
        self._request = request
        self._home = home
        self.plan = plan
        self.report: dict[str, Any] | None = None
        """After `execute()`: the counts that were measured, and the plan beside them."""

    @property
    def source(self) -> str:
        """The place of what is read."""
        return self._request.source

    @property
    def target(self) -> str:
        """The place of what is written."""
        return self._request.target

    def execute(self, *, progress: bool | None = None, **kwargs: Any) -> Any:
        """Writes the target and returns it: the zarr.Array or zarr.Group where zarr-python can open the place, else the
        place. `kwargs` go to the engine, as `scheduler="processes"` to Dask's `compute`. `progress` shows a bar for each
        stage of a job (None: on a terminal and in notebooks; engines show their own).

        Ctrl-C and a failure remove what was written.
        """
        if self._home.engine is not None:
            self.report = self._run_on(self._home.engine, kwargs)
        elif kwargs:
            raise TypeError(f"only engines take more arguments; {', '.join(kwargs)} cannot be used here")
        else:
            self.report = self._run_as_job(progress)
        return _opened(self._request.target)

    def _run_as_job(self, progress: bool | None) -> dict[str, Any] | None:
        service = self._home.service()
        try:
            request = dataclasses.replace(self._request, request_id=fresh_id())
            job = Job(service, service.submit(request))
            try:
                return job.wait(progress).report
            except KeyboardInterrupt:
                job.cancel()
                raise
            except Exception:
                # Nobody can retry a job of this process; a coordinator elsewhere keeps a failed one until it is retried.
                if self._home.url is None:
                    job.delete()
                raise
        finally:
            service.close()

    def _run_on(self, engine: PipelineExecutor[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        begun = time.monotonic()
        plan = _tasks.prepare(self._request, self._home.machine, engine.parallel)
        total = Counts()
        try:
            for phase in plan.phases:
                total = total + engine.run(phase, **kwargs)
        except BaseException:
            plan.remove(engine)
            raise
        measured = {**plan.figures["totals"], **{name: total.get(name, 0) for name in plan.figures["totals"] if name in total}}
        return {"totals": measured, "plan": plan.figures, "wall_seconds": time.monotonic() - begun}

    def __repr__(self) -> str:
        text = f"<rechunk.Rechunked\n  from {self.source}\n  to   {self.target}>\n\n{self.plan!r}"
        return text if self.report is None else f"{text}\n\n{_measured.as_text(self.report)}"

    def _repr_html_(self) -> str:
        page = self.plan._repr_html_()
        return page if self.report is None else page + _measured.as_html(self.report)


def _opened(place: str) -> Any:
    """The node at `place`, if zarr-python is here and can open it."""
    if "://" in place and not place.startswith("file://"):
        return place
    try:
        import zarr
    except ImportError:
        return place
    try:
        return zarr.open(place.removeprefix("file://"), mode="r")
    except ValueError as error:
        # Chunks that differ in length: zarr-python has them from 3.2 on, and only where it is told to.
        if "rectilinear" in str(error).lower():
            return place
        raise
