"""What a job of a coordinator says of itself, whoever asks."""

from __future__ import annotations

import html
from typing import Any

from rechunk._errors import CancelledError, RechunkError, UnreachableError, of_failure

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class AnyJob:
    """A job as it was last heard of."""

    def __init__(self, id: str, view: dict[str, Any] | None) -> None:
        self.id = id
        self._view = view

    @property
    def view(self) -> dict[str, Any]:
        """As `rechunk show --output json` has it."""
        return self._view or {}

    @property
    def state(self) -> str:
        """ACCEPTED, RUNNING, …, SUCCEEDED, FAILED or CANCELLED."""
        return str(self.view["state"])

    @property
    def report(self) -> dict[str, Any] | None:
        """What was measured, beside what was planned, of a job that has ended. Pipelines of one's own have no plan."""
        report: dict[str, Any] | None = self.view.get("report")
        return report if report is not None or self._is_rechunk else self._counted()

    @property
    def _is_rechunk(self) -> bool:
        return bool(self.view["source"])

    @property
    def _lacks_its_report(self) -> bool:
        """Lists of jobs come without plans, and while a job runs it has none."""
        return self._is_rechunk and self.view.get("report") is None

    def _counted(self) -> dict[str, Any] | None:
        view = self.view
        if view["state"] not in _ENDED:
            return None
        totals: dict[str, int] = {}
        for stage in view["stages"]:
            for name, value in stage["measured"].items():
                if name == "peak_task_memory":
                    totals[name] = max(totals.get(name, 0), value)
                elif name != "content":
                    totals[name] = totals.get(name, 0) + value
        wall = (view["ended_at_ms"] - view["accepted_at_ms"]) / 1000
        return {"totals": totals, "stages": view["stages"], "wall_seconds": wall}

    def _raise_failure(self) -> None:
        """Raises if the job did not succeed."""
        failure = _failure(self.view)
        if failure is not None:
            raise failure

    def __repr__(self) -> str:
        return f"<rechunk.Job {self.id} {self.state} {self._what}>"

    @property
    def _what(self) -> str:
        view = self.view
        return f"{view['source']} → {view['target']}" if self._is_rechunk else "pipelines"

    def _repr_html_(self) -> str:
        view = self.view
        rows = "".join(
            f"<tr><td>{html.escape(stage['array'])}</td><td>{html.escape(stage['name'])}</td>"
            f"<td>{stage['done']:,} of {stage['tasks']:,}</td></tr>"
            for stage in view["stages"]
        )
        return (
            f"<p><b>{html.escape(self.id)}</b> {html.escape(view['state'])}<br>{html.escape(self._what)}</p>"
            f"<table><tr><th>array</th><th>stage</th><th>tasks</th></tr>{rows}</table>"
        )


def _failure(view: dict[str, Any]) -> RechunkError | None:
    if view["state"] == "SUCCEEDED":
        return None
    if view["state"] == "CANCELLED":
        return CancelledError("cancelled; what the job had written is removed", reason="CANCELLED")
    failure = view["failure"]
    if failure is None:
        message = f"the coordinator stopped reporting on {view['job']} while it was {view['state']}"
        return UnreachableError(message, code="UNAVAILABLE", reason="WATCH_ENDED")
    return of_failure("failed", failure["code"], failure["reason"], failure["field"], failure["message"])
