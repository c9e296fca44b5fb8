"""Pipelines for a coordinator, whose workers know functions by name: a stage travels as a name, and its inputs as JSON.
Code does not travel."""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rechunk._errors import RequestError, refused
from rechunk._request import NamedPipeline, NamedPipelines, NamedStage, fresh_id
from rechunk.pipelines import ParallelPipelines, Pipeline, Stage

FIELD = "pipelines"

Functions = Mapping[str, Callable[..., Any]]


def split_name(name: str) -> tuple[str, int]:
    """A function's name and version: `download` is `download@1`."""
    text, at, version = name.partition("@")
    if not text or (at and not (version.isascii() and version.isdigit() and int(version) > 0)):
        raise refused("name", f"{name!r} is no name of a function; write it as 'download' or, with its version, 'download@2'")
    return text, int(version) if at else 1


def pipelines_request(
    pipelines: ParallelPipelines | Sequence[ParallelPipelines],
    functions: Functions | None,
    *,
    name: str,
    cleanup: ParallelPipelines | None,
    task_memory: int | str,
    retries: int,
    max_parallel_tasks: int | None,
    weight: int | None,
    request_id: str | None,
) -> NamedPipelines:
    """The arguments of `submit_pipelines` as a request."""
    phases = [pipelines] if isinstance(pipelines, ParallelPipelines) else list(pipelines)
    known = functions or {}
    if retries < 0:
        raise refused("retries", f"{retries} tries after the first are fewer than none")
    return NamedPipelines(
        name=name,
        phases=[_named_pipelines(phase, known) for phase in phases],
        cleanup=_named_pipelines(cleanup or ParallelPipelines([]), known),
        task_memory=str(task_memory),
        retries=retries,
        max_parallel_tasks=max_parallel_tasks,
        weight=weight,
        request_id=request_id or fresh_id(),
    )


def _named_pipelines(pipelines: ParallelPipelines, functions: Functions) -> list[NamedPipeline]:
    return [_named_pipeline(number, pipeline, functions) for number, pipeline in enumerate(pipelines)]


def _named_pipeline(number: int, pipeline: Pipeline, functions: Functions) -> NamedPipeline:
    stages = [_named_stage(stage, functions) for stage in pipeline.stages]
    return NamedPipeline(pipeline.name or f"pipeline {number + 1}", stages)


def _named_stage(stage: Stage, functions: Functions) -> NamedStage:
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    function: Any = stage.function
    while isinstance(function, functools.partial):
        arguments, keywords = (*function.args, *arguments), {**function.keywords, **keywords}
        function = function.func
    name, version = split_name(_name_of(function, stage, functions))
    inputs, tasks = _inputs(stage)
    bound = {"arguments": _plain(arguments, stage), "keywords": _plain(keywords, stage), "inputs": inputs}
    return NamedStage(stage.name, name, version, json.dumps(bound, separators=(",", ":")).encode(), tasks)


def _name_of(function: Any, stage: Stage, functions: Functions) -> str:
    if isinstance(function, str):
        return function
    for name, known in functions.items():
        if known is function or known == function:
            return name
    called = getattr(function, "__name__", repr(function))
    raise refused(
        FIELD,
        f"stage {stage.name!r} has the function {called}, and workers of a coordinator know functions by name only: say "
        f"functions={{{called!r}: {called}}}, and have workers register it under that name",
    )


def _inputs(stage: Stage) -> tuple[Any, int]:
    """The inputs as JSON, a range by its ends, and how many tasks they are."""
    mappable = stage.mappable
    if mappable is None:
        return None, 1
    if isinstance(mappable, range):
        return {"range": [mappable.start, mappable.stop, mappable.step]}, len(mappable)
    listed = list(mappable)
    return {"list": [_plain(one, stage) for one in listed]}, len(listed)


def _plain(value: Any, stage: Stage) -> Any:
    """A value as JSON that comes back as it was: dicts and tuples say what they are."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, float):
        return float(value)
    if hasattr(value, "__index__") and getattr(value, "ndim", 0) == 0:
        return operator.index(value)
    if isinstance(value, list):
        return [_plain(one, stage) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(one, stage) for one in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _plain(one, stage) for key, one in value.items()}}
    raise refused(
        FIELD,
        f"stage {stage.name!r} has an argument of type {type(value).__name__}, which does not travel to workers; give "
        "None, numbers, strings, and lists, tuples and dicts of them",
    )


@functools.lru_cache(maxsize=16)
def _bound(parameters: bytes) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    try:
        bound = json.loads(parameters)
        inputs = bound["inputs"]
        if inputs is not None:
            inputs = range(*inputs["range"]) if "range" in inputs else inputs["list"]
        return _back(bound["arguments"]), _back(bound["keywords"]), inputs
    except (ValueError, KeyError, TypeError) as error:
        message = f"these parameters are not those of submit_pipelines: {error!r}"
        raise RequestError(message, code="INVALID_ARGUMENT", reason="BAD_PARAMETERS") from error


def call(function: Callable[..., Any], parameters: bytes, task: int) -> Any:
    """Calls a function for the input with the number `task` of the stage that `parameters` came with."""
    arguments, keywords, inputs = _bound(parameters)
    its = () if inputs is None else (_back(inputs[task]),)
    return function(*arguments, *its, **keywords)


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return [_back(one) for one in value]
    if isinstance(value, dict):
        if "tuple" in value:
            return tuple(_back(one) for one in value["tuple"])
        return {key: _back(one) for key, one in value["dict"].items()}
    return value
