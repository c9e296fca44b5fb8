"""What crosses to Rust: a request in the grammar of the command line, and what a process may use."""

from __future__ import annotations

import dataclasses
import os
import pathlib


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
