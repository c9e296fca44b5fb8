"""What will be done, in figures: text in a terminal, a page in a notebook."""

from __future__ import annotations

import html
from typing import Any


class Plan:
    """A plan. `figures` has what `rechunk plan --output json` prints: arrays, stages, requests, bytes, estimates."""

    def __init__(self, figures: dict[str, Any], text: str, page: str | None) -> None:
        self.figures = figures
        self._text = text
        self._page = page

    def __getitem__(self, name: str) -> Any:
        return self.figures[name]

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        if self._page is None:
            return f"<pre>{html.escape(self._text)}</pre>"
        # A page of its own, with styles of its own.
        return (
            f'<iframe srcdoc="{html.escape(self._page)}" style="width: 100%; height: 42em; border: 0" '
            'title="The plan of a rechunk"></iframe>'
        )

    @property
    def page(self) -> str | None:
        """The plan as one HTML page that needs nothing else; None where a coordinator elsewhere planned."""
        return self._page
