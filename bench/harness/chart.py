"""The chart of a run: for each work a bar per contender, as long as its wall time over the floor's, on a logarithmic
axis. Plain SVG, made of strings.
"""

from __future__ import annotations

import math
from html import escape

from statistics_of import Row
from works import Work

WIDTH, LABELS, VALUES, BAR, GAP, HEAD = 900, 220, 120, 15, 4, 74
COLOURS = {"us": "#0b6e4f", "peer": "#9aa5b1", "failed": "#c0392b"}
MIB = 1 << 20


def svg(title: str, works: list[Work], rows: list[Row]) -> str:
    groups = [(work, [row for row in rows if row.work == work.name and row.contender != "floor"]) for work in works]
    groups = [(work, group) for work, group in groups if group]
    most = max((row.over_floor for row in rows if row.over_floor), default=2)
    doublings = max(1, math.ceil(math.log2(max(most, 1.01))))
    room = WIDTH - LABELS - VALUES

    def place(ratio: float) -> float:
        return LABELS + room * max(0.0, math.log2(ratio)) / doublings

    body, y = [], HEAD
    for work, group in groups:
        y += 20
        body.append(label(8, y, f"{work.name}  {work.title}", weight="bold"))
        y += 8
        for row in sorted(group, key=lambda row: (row.over_floor is None, row.over_floor or 0)):
            body += bar(row, y, place)
            y += BAR + GAP
    height = y + 24
    lines = []
    for step in range(doublings + 1):
        x = place(2**step)
        lines.append(f'<line x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{height - 18}" stroke="#d5dae0"/>')
        lines.append(label(x, HEAD - 6, "floor" if step == 0 else f"{2**step} ×", anchor="middle", fill="#52606d"))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        label(8, 24, title, size=16, weight="bold"),
        label(8, 44, "Wall time over the floor's, median of the turns, logarithmic; shorter is better.", fill="#52606d"),
    ]
    return "\n".join([*head, *lines, *body, "</svg>"]) + "\n"


def bar(row: Row, y: float, place) -> list[str]:
    memory = f", {row.max_mem // MIB} MiB" if row.max_mem else ""
    name = {"us": "rechunk", "us_on_dask": "rechunk on dask"}.get(row.contender, row.contender) + memory
    baseline = y + BAR - 3
    parts = [label(LABELS - 8, baseline, name, anchor="end", weight="bold" if row.contender == "us" else "normal")]
    if row.over_floor is None:
        parts.append(label(LABELS + 4, baseline, short(row.verdict), fill=COLOURS["failed"]))
        return parts
    end = max(place(row.over_floor), LABELS + 2)
    colour = COLOURS["us" if row.contender in ("us", "us_on_dask") else "peer"]
    parts.append(f'<rect x="{LABELS}" y="{y}" width="{end - LABELS:.1f}" height="{BAR}" rx="2" fill="{colour}"/>')
    parts.append(label(end + 6, baseline, f"{row.over_floor:.2f} ×, {row.rss / MIB:.0f} MiB"))
    return parts


def short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "…"


def label(x: float, y: float, text: str, *, anchor="start", fill="#1f2933", size=12, weight="normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" '
            f'font-weight="{weight}">{escape(text)}</text>')
