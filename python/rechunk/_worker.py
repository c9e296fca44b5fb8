"""A worker that offers Python functions to a coordinator."""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from rechunk import _named, _rechunk
from rechunk._counts import Counts
from rechunk._errors import RequestError, TaskFailedError, refused
from rechunk._request import Machine, Offer, StoreOptions, WorkerOptions

LOGGER = logging.getLogger("rechunk.worker")

# What coordinators sum, as in Rust.
_COUNTED = frozenset({
    "get_requests", "put_requests", "delete_requests", "bytes_decoded", "bytes_encoded", "skipped_fill_chunks",
    "missing_source_chunks", "metadata_requests", "repeated_requests", "upload_parts", "wire_bytes_read",
    "wire_bytes_written", "rate_wait_us",
})  # fmt: skip


class Worker:
    """A worker of the coordinator at `url` that runs Python functions, each under the name by which pipelines ask for it.

    ```python
    rechunk.Worker("http://coordinator:7383").register("download", download).run()
    ```

    name: shown to people; None: a random one.
    slots: calls at a time, each on a thread of its own; None: one per core.
    max_mem: what the process may take, as 2_000_000_000 or "2GiB"; None: 2 GiB, or half of the machine's memory. Calls are
        admitted by the `task_memory` of their job; what they really take is not held to it.
    config: a TOML file with [[stores]] tables. With it the worker runs the tasks of rechunks too, on these stores; without
        it only the functions that are registered.
    grace: seconds for calls under way once the worker is asked to end.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:7380",
        *,
        name: str | None = None,
        slots: int | None = None,
        max_mem: int | str | None = None,
        config: str | os.PathLike[str] | None = None,
        grace: float = 30,
    ) -> None:
        self.url = url
        self._slots = os.cpu_count() or 1 if slots is None else slots
        if self._slots < 1:
            raise refused("slots", f"{slots} calls at a time are none; give at least 1")
        self._name = name
        self._machine = Machine(StoreOptions.of(config), None if max_mem is None else str(max_mem))
        self._offers_rechunks = config is not None
        self._grace = float(grace)
        self._functions: dict[tuple[str, int], Callable[..., Any]] = {}
        self._worker = _rechunk.Worker()

    def register(self, name: str, function: Callable[..., Any]) -> Worker:
        """Offers a function as `name`, or `name@2` to tell versions apart: any change of what an input means needs another.

        It may be called more than once for the same input, also at the same time elsewhere, and must then do the same. A
        `Counts` that it returns is summed. What it raises fails the task, which is tried again as often as its job says;
        a `TaskFailedError` says by its reason whether that can help. A call cannot be interrupted: where its lease ends
        first, the lease is given back when it has returned.
        """
        key = _named.split_name(name)
        if key in self._functions:
            raise refused("name", f"there is a function {name} already; register it once, or under another version")
        if not callable(function):
            raise refused("function", f"{function!r} cannot be called")
        self._functions[key] = function
        return self

    def run(self) -> None:
        """Works until it is stopped, by `stop()`, SIGTERM or Ctrl-C: then calls under way end and are reported first."""
        if not self._functions and not self._offers_rechunks:
            raise refused("functions", "the worker offers nothing; register a function first")
        offers = [
            Offer(name, version, functools.partial(_reported, f"{name}@{version}", function))
            for (name, version), function in self._functions.items()
        ]
        options = WorkerOptions(
            self.url, self._name, self._machine, self._slots, self._grace, self._offers_rechunks, offers
        )
        before = self._listen()
        try:
            self._worker.run(options)
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)

    def stop(self) -> None:
        """Lets `run` return, from another thread or a signal handler. A worker that was stopped does not run again."""
        self._worker.stop()

    def _listen(self) -> Any:
        """Stops at SIGTERM, where nobody else listens."""
        if threading.current_thread() is not threading.main_thread():
            return None
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return None

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        return signal.signal(signal.SIGTERM, stop)

    def __repr__(self) -> str:
        names = ", ".join(f"{name}@{version}" for name, version in self._functions)
        return f"<rechunk.Worker of {self.url}: {names or 'no functions'}>"


def _reported(
    name: str, function: Callable[..., Any], parameters: bytes, task: int
) -> tuple[str | None, tuple[str, str] | None]:
    """Calls a function; what it counted, or why it failed, as Rust wants to hear it."""
    try:
        result = _named.call(function, parameters, task)
        return (_known(name, result) if isinstance(result, Counts) else None), None
    except RequestError as error:
        return None, ("INVALID_REQUEST", f"{name}, task {task}: {error}")
    except TaskFailedError as error:
        return None, (error.reason, f"{name}, task {task}: {error}")
    except BaseException as error:
        LOGGER.warning("%s failed for task %d", name, task, exc_info=error)
        return None, ("TRY_AGAIN", f"{name}, task {task}: {type(error).__name__}: {error}")


def _known(name: str, counts: Counts) -> str:
    unknown = sorted(counts.keys() - _COUNTED)
    if unknown:
        LOGGER.warning("%s counts %s, which a coordinator does not know and leaves out", name, ", ".join(unknown))
    return json.dumps({key: value for key, value in counts.items() if key in _COUNTED})
