"""What crosses to Rust: a request in the grammar of the command line, and what a process may use."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import uuid
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """Which stores may be used, and how. Credentials are never part of it."""

    config: str | None = None
    """The text of a TOML file with [[stores]] tables; None: the environment, as the AWS command line sees it."""
    anonymous: bool = False
    requester_pays: bool = False

    @classmethod
    def of(
        cls, config: str | os.PathLike[str] | None, anonymous: bool = False, requester_pays: bool = False
    ) -> StoreOptions:
        """With the tables of the file `config`."""
        text = None if config is None else pathlib.Path(config).read_text()
        return cls(text, anonymous, requester_pays)


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a process may use."""

    stores: StoreOptions = StoreOptions()
    max_mem: str | None = None
    threads: int | None = None
    workers: int | None = None
    scratch: str | None = None
    resident: int | None = None
    """What the process held when the rechunk was planned, so that what is run is what was shown; None: measured anew."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is rechunked into what, and how."""

    source: str
    target: str
    chunks: list[str] = dataclasses.field(default_factory=list)
    shards: list[str] = dataclasses.field(default_factory=list)
    codecs: list[str] = dataclasses.field(default_factory=list)
    include: list[str] = dataclasses.field(default_factory=list)
    exclude: list[str] = dataclasses.field(default_factory=list)
    region: list[str] = dataclasses.field(default_factory=list)
    append: str | None = None
    zarr_format: int | None = None
    overwrite: bool = False
    consolidate: bool | None = None
    max_mem: str | None = None
    temp: str | None = None
    keep_temp: bool = False
    temp_limit: str | None = None
    exchange_codec: str = "auto"
    write_empty_chunks: bool = False
    strict: bool = False
    verify: bool = False
    prefer: str = "time"
    listing: bool | None = None
    request_id: str | None = None


def fresh_id() -> str:
    """The `request_id` of a submission that was given none: a call whose answer is lost is made again, and must not be a
    second job."""
    return uuid.uuid4().hex


@dataclasses.dataclass(frozen=True)
class NamedStage:
    """A function by the name under which workers registered it, and the inputs of its tasks as JSON."""

    name: str
    function: str
    version: int
    parameters: bytes
    tasks: int


@dataclasses.dataclass(frozen=True)
class NamedPipeline:
    """Stages one after another."""

    name: str
    stages: list[NamedStage]


@dataclasses.dataclass(frozen=True)
class NamedPipelines:
    """A job of functions that are not ours."""

    name: str
    phases: list[list[NamedPipeline]]
    cleanup: list[NamedPipeline]
    task_memory: str
    retries: int
    max_parallel_tasks: int | None
    weight: int | None
    request_id: str


@dataclasses.dataclass(frozen=True)
class Offer:
    """A function that a worker offers: called with its parameters and the number of a task, it returns what it counted as
    JSON, or its failure: a class and a sentence."""

    name: str
    version: int
    call: Callable[[bytes, int], tuple[str | None, tuple[str, str] | None]]


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """What a worker is, and what it offers."""

    url: str
    name: str | None
    machine: Machine
    slots: int
    grace_seconds: float
    offers_rechunks: bool
    functions: list[Offer]
