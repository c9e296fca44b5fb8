"""What was measured beside what was planned: text in a terminal, a table in a notebook."""

from __future__ import annotations

import html
from typing import Any

_ROWS = ("get_requests", "put_requests", "delete_requests", "bytes_decoded", "bytes_encoded", "skipped_fill_chunks")


def as_text(report: dict[str, Any]) -> str:
    """A line for each figure."""
    lines = [f"{name:<20} {planned:>20,} {measured:>20,}" for name, planned, measured in _figures(report)]
    head = f"{'':<20} {'planned':>20} {'measured':>20}"
    return "\n".join([f"done in {report['wall_seconds']:.3g} s", head, *lines])


def as_html(report: dict[str, Any]) -> str:
    """A row for each figure."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{planned:,}</td><td>{measured:,}</td></tr>"
        for name, planned, measured in _figures(report)
    )
    return (
        f"<p>done in {report['wall_seconds']:.3g} s</p>"
        f"<table><tr><th></th><th>planned</th><th>measured</th></tr>{rows}</table>"
    )


def _figures(report: dict[str, Any]) -> list[tuple[str, int, int]]:
    planned, measured = report["plan"]["totals"], report["totals"]
    return [(name, planned[name], measured[name]) for name in _ROWS if planned[name] or measured[name]]
