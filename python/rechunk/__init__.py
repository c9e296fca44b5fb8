"""rechunk: changes the chunk grid of Zarr arrays, at any size, within a stated memory.

```python
import rechunk

plan = rechunk.rechunk("maps.zarr", {"time": -1, "lat": 16, "lon": 32}, "2GiB", "series.zarr")
plan.execute()
```
"""

from rechunk import _logs, aio
from rechunk._api import Rechunked, rechunk
from rechunk._client import Client, Job, connect
from rechunk._counts import Counts
from rechunk._errors import (
    AccessError,
    CancelledError,
    ExistsError,
    JobFailedError,
    NotFoundError,
    RechunkError,
    RequestError,
    TaskFailedError,
    UnreachableError,
)
from rechunk._plan import Plan
from rechunk._rechunk import VERSION as __version__
from rechunk._tasks import run_task
from rechunk._worker import Worker
from rechunk.executors import PipelineExecutor, get_executor
from rechunk.pipelines import ParallelPipelines, Pipeline, Stage

__all__ = [
    "AccessError",
    "CancelledError",
    "Client",
    "Counts",
    "ExistsError",
    "Job",
    "JobFailedError",
    "NotFoundError",
    "ParallelPipelines",
    "Pipeline",
    "PipelineExecutor",
    "Plan",
    "RechunkError",
    "Rechunked",
    "RequestError",
    "Stage",
    "TaskFailedError",
    "UnreachableError",
    "Worker",
    "__version__",
    "aio",
    "connect",
    "get_executor",
    "rechunk",
    "run_task",
]
