"""Work as rechunker's executors know it: pipelines side by side, each a list of stages, each stage one function mapped
over many inputs, a barrier between stages.

An executor of these knows nothing of rechunking. Functions of one's own run on every executor as ours do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rechunk._errors import refused


@dataclasses.dataclass(frozen=True)
class Stage:
    """One function mapped over `mappable`, in any order and at the same time; without one it is called once, with no
    argument. It may be called more than once for the same input, and must then do the same. What it returns is summed
    where it is a `Counts`, and dropped otherwise.

    For a coordinator the function may also be the name under which workers registered it: "download", "download@2"."""

    function: Callable[..., Any] | str
    name: str
    mappable: Iterable[Any] | None = None

    @property
    def callee(self) -> Callable[..., Any]:
        """The function itself, which engines need."""
        if isinstance(self.function, str):
            message = f"stage {self.name!r} has the name of a function, {self.function!r}; an engine needs the function"
            raise refused("pipelines", message)
        return self.function

    def calls(self) -> list[tuple[Any, ...]]:
        """The arguments of every call."""
        return [()] if self.mappable is None else [(one,) for one in self.mappable]


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """Stages that run one after another: one begins when every call of the one before has ended."""

    stages: Sequence[Stage]
    name: str = ""


@dataclasses.dataclass(frozen=True)
class ParallelPipelines:
    """Pipelines that may run side by side."""

    pipelines: Sequence[Pipeline]

    def __iter__(self) -> Iterator[Pipeline]:
        return iter(self.pipelines)

    def __len__(self) -> int:
        return len(self.pipelines)
