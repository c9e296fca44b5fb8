"""Progress of a job: a bar for each stage where tqdm is installed, also in notebooks; else nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any


class Progress:
    """Bars, one for each stage that has begun. Without tqdm, or where nobody looks, nothing is shown."""

    def __init__(self, wanted: bool | None) -> None:
        self._bars: dict[int, Any] = {}
        self._tqdm = _tqdm() if wanted or (wanted is None and _is_looked_at()) else None

    @property
    def show(self) -> Callable[[str], None] | None:
        """Called with a job as JSON whenever it has changed."""
        return None if self._tqdm is None else self._show

    def _show(self, text: str) -> None:
        for number, stage in enumerate(json.loads(text)["stages"]):
            if self._tqdm is None or not (stage["done"] or stage["leased"] or number in self._bars):
                continue
            if number not in self._bars:
                name = f"{stage['array']} {stage['name']}".strip()
                self._bars[number] = self._tqdm(total=stage["tasks"], desc=name, unit="task")
            bar = self._bars[number]
            bar.update(stage["done"] - bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for bar in self._bars.values():
            bar.close()


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def _is_looked_at() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
