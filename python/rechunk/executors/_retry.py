"""Another try, for engines that have none of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rechunk._errors import TaskFailedError

RETRIES = 2
"""Tries after the first. Requests to stores are tried again by themselves; this is for what lasts longer."""


def call(function: Callable[..., Any], arguments: tuple[Any, ...], retries: int = RETRIES) -> Any:
    """Calls a function; again where its failure says that this may help."""
    for _ in range(retries):
        try:
            return function(*arguments)
        except TaskFailedError as error:
            if not error.can_be_tried_again:
                raise
    return function(*arguments)
