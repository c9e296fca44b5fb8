"""Apache Beam: a transform for any runner. What functions count comes back as the metrics of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam

from rechunk._counts import Counts, summed
from rechunk.executors.base import PipelineExecutor
from rechunk.pipelines import ParallelPipelines, Pipeline

NAMESPACE = "rechunk"


class BeamExecutor(PipelineExecutor[beam.PTransform]):
    """Its plan is a PTransform, which can also be applied in a pipeline of one's own. `execute_plan(plan, **kwargs)`
    hands `kwargs` to `beam.Pipeline`: `runner=`, `options=`."""

    def __init__(self, parallel: int = 8) -> None:
        self.parallel = parallel

    def pipelines_to_plan(self, pipelines: ParallelPipelines) -> beam.PTransform:
        return _Pipelines(pipelines)

    def execute_plan(self, plan: beam.PTransform, **kwargs: Any) -> Counts:
        pipeline = beam.Pipeline(**kwargs)
        pipeline | plan
        result = pipeline.run()
        result.wait_until_finish()
        counters = result.metrics().query(beam.metrics.MetricsFilter().with_namespace(NAMESPACE))
        # Metrics are by step, and every stage of every pipeline is one.
        total = Counts()
        for found in counters["counters"]:
            total = total + Counts({found.key.metric.name: found.committed or 0})
        for found in counters["distributions"]:
            total = total + Counts({found.key.metric.name: (found.committed or found.attempted).max})
        return total


class _Pipelines(beam.PTransform):  # type: ignore[misc]
    def __init__(self, pipelines: ParallelPipelines) -> None:
        super().__init__()
        self.pipelines = pipelines

    def expand(self, pcoll: Any) -> Any:
        ends = [
            pcoll | f"{number} {pipeline.name}" >> _Pipeline(pipeline) for number, pipeline in enumerate(self.pipelines)
        ]
        return ends or pcoll | beam.Create([])


class _Pipeline(beam.PTransform):  # type: ignore[misc]
    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self.pipeline = pipeline

    def expand(self, pcoll: Any) -> Any:
        # One element, which exists when all before it is done: the barrier.
        before = pcoll | "begin" >> beam.Create([None])
        for number, stage in enumerate(self.pipeline.stages):
            name = f"{number} {stage.name}"
            before = (
                before
                | f"{name}: calls" >> beam.FlatMap(_calls, stage.calls())
                | f"{name}: spread" >> beam.Reshuffle()
                | f"{name}" >> beam.ParDo(_Call(stage.callee))
                | f"{name}: barrier" >> beam.CombineGlobally(_nothing)
            )
        return before


def _calls(_before: None, calls: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return calls


def _nothing(_results: Iterable[Any]) -> None:
    return None


class _Call(beam.DoFn):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def process(self, arguments: tuple[Any, ...]) -> Iterable[None]:
        for name, value in summed([self.function(*arguments)]).items():
            if name == "peak_task_memory":
                beam.metrics.Metrics.distribution(NAMESPACE, name).update(value)
            else:
                beam.metrics.Metrics.counter(NAMESPACE, name).inc(value)
        yield None
