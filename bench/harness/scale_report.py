"""The table and the chart of the scale-out benchmark."""

from __future__ import annotations

import math
from html import escape

GOAL = 15

TEXT = """# Scale-out

Written by `{command}`. {when}; rechunk {version}, commit {commit}.

Machine: {machine}.

One coordinator, one S3 server (SeaweedFS on loopback), and workers, each behind a slow link of its own: a proxy that
passes {rate:g} MB/s in each direction. The links are the bottleneck, as a network interface is for a worker in a cloud; so
the processors here are enough for all of them. The same job each time: {job}. A result is checked bit for bit
with zarr-python. Seconds are from submission to success as `rechunk submit --wait` sees them, plan and metadata
included. Efficiency is the throughput over that of as many single workers.

| workers | seconds | MB/s moved | × one worker | efficiency | busy processors | |
|--:|--:|--:|--:|--:|--:|---|
{rows}

Goal: at least {goal} × at 16 workers.{verdict}
"""


def text(head: dict, rows: list[dict]) -> str:
    lines = [
        f"| {row['workers']} | {row['seconds']:.1f} | {row['rate'] / 1e6:.1f} | {row['speedup']:.2f} "
        f"| {row['efficiency'] * 100:.0f} % | {row['busy']:.2f} | {row['wrong'] or ''} |"
        for row in rows
    ]
    most = next((row for row in rows if row["workers"] == 16), None)
    verdict = "" if most is None else f" Seen: {most['speedup']:.2f} ×."
    return TEXT.format(rows="\n".join(lines), goal=GOAL, verdict=verdict, **head)


def svg(title: str, rows: list[dict]) -> str:
    """Speed-up over workers, both axes in doublings, beside the ideal."""
    width, height, left, top, right, bottom = 560, 420, 60, 60, 30, 50
    doublings = max(1.0, math.log2(max(row["workers"] for row in rows)))

    def place(workers: float, speedup: float) -> tuple[float, float]:
        x = left + (width - left - right) * math.log2(workers) / doublings
        y = height - bottom - (height - top - bottom) * math.log2(max(speedup, 1)) / doublings
        return x, y

    def label(x, y, text, anchor="middle", fill="#1f2933", size=12, weight="normal"):
        return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" '
                f'font-weight="{weight}">{escape(text)}</text>')

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        label(left, 28, title, anchor="start", size=15, weight="bold"),
        label(left, 46, "Throughput over one worker's; dashed: as many workers as one each", anchor="start", fill="#52606d"),
    ]
    for row in rows:
        (x, y0), (_, y1) = place(row["workers"], 1), place(1, row["workers"])
        parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{height - bottom}" stroke="#e4e7eb"/>')
        parts.append(f'<line x1="{left}" y1="{y1:.1f}" x2="{width - right}" y2="{y1:.1f}" stroke="#e4e7eb"/>')
        parts.append(label(x, height - bottom + 18, str(row["workers"])))
        parts.append(label(left - 8, y1 + 4, f"{row['workers']} ×", anchor="end"))
    parts.append(label((left + width - right) / 2, height - 12, "workers", fill="#52606d"))
    ideal = " ".join("{:.1f},{:.1f}".format(*place(row["workers"], row["workers"])) for row in rows)
    seen = " ".join("{:.1f},{:.1f}".format(*place(row["workers"], row["speedup"])) for row in rows)
    parts.append(f'<polyline points="{ideal}" fill="none" stroke="#9aa5b1" stroke-dasharray="5 4"/>')
    parts.append(f'<polyline points="{seen}" fill="none" stroke="#0b6e4f" stroke-width="2.5"/>')
    for row in rows:
        x, y = place(row["workers"], row["speedup"])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#0b6e4f"/>')
        parts.append(label(x + 8, y + 16, f"{row['speedup']:.1f}", anchor="start" if row is not rows[-1] else "end"))
    return "\n".join([*parts, "</svg>"]) + "\n"
