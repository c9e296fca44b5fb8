"""Engines that run ParallelPipelines. Each is thin; none knows what the functions do."""

from __future__ import annotations

from typing import Any

from rechunk._errors import refused
from rechunk.executors.base import PipelineExecutor

__all__ = ["NAMES", "PipelineExecutor", "get_executor"]

NAMES = ("python", "concurrent.futures", "dask", "beam", "prefect", "lithops")
"""What `get_executor` knows."""


def get_executor(name: str) -> PipelineExecutor[Any]:
    """The executor of this name with its defaults; make one yourself to choose otherwise."""
    if name == "python":
        from rechunk.executors.python import PythonExecutor

        return PythonExecutor()
    if name == "concurrent.futures":
        from rechunk.executors.futures import ConcurrentFuturesExecutor

        return ConcurrentFuturesExecutor()
    try:
        if name == "dask":
            from rechunk.executors.dask import DaskExecutor

            return DaskExecutor()
        if name == "beam":
            from rechunk.executors.beam import BeamExecutor

            return BeamExecutor()
        if name == "prefect":
            from rechunk.executors.prefect import PrefectExecutor

            return PrefectExecutor()
        if name == "lithops":
            from rechunk.executors.lithops import LithopsExecutor

            return LithopsExecutor()
    except ImportError as error:
        raise ImportError(f"the executor {name!r} needs more: pip install 'rechunk[{name}]' ({error})") from error
    raise refused(
        "executor",
        f"there is no executor {name!r}; give 'local', the URL of a coordinator (http://…), one of {', '.join(NAMES)}, "
        "or a PipelineExecutor",
    )
