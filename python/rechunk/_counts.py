"""What tasks asked of the stores, summed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

# Named as in Rust: the most memory of a task is a maximum, all else are sums.
_MAXIMA = ("peak_task_memory",)
# What a coordinator compares when it verifies: no count, and zero here.
_NOT_COUNTED = ("content",)


class Counts(dict[str, int]):
    """Requests and bytes by name, as `get_requests` or `bytes_decoded`. Adding two adds name by name."""

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """As Rust reports them."""
        return cls({name: value for name, value in json.loads(text).items() if name not in _NOT_COUNTED})

    def __add__(self, other: Counts) -> Counts:
        total = Counts(self)
        for name, value in other.items():
            known = total.get(name, 0)
            total[name] = max(known, value) if name in _MAXIMA else known + value
        return total


def summed(results: Iterable[Any]) -> Counts:
    """The sum of those results that are counts; a function of one's own need not return any."""
    total = Counts()
    for result in results:
        if isinstance(result, Counts):
            total = total + result
    return total
