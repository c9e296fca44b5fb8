"""From the records of a run to one row per work, contender and memory: medians and spread."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


@dataclass
class Row:
    """All turns of one contender at one work and memory."""

    work: str
    contender: str
    max_mem: int | None
    runs: int
    wall: float | None
    fastest: float | None
    slowest: float | None
    cpu: float | None
    rss: int | None
    gets: int | None
    puts: int | None
    shape: str
    #: Empty where every turn was right.
    verdict: str
    #: What was counted otherwise than planned.
    unplanned: str
    #: Median wall time over the floor's.
    over_floor: float | None = None

    @property
    def is_right(self) -> bool:
        return not self.verdict and self.wall is not None


def rows(records: list[dict]) -> list[Row]:
    """In the order of the records' first appearance."""
    groups: dict[tuple, list[dict]] = {}
    for record in records:
        groups.setdefault((record["work"], record["contender"], record["max_mem"]), []).append(record)
    found = [row(key, group) for key, group in groups.items()]
    floors = {row.work: row.wall for row in found if row.contender == "floor" and row.is_right}
    for each in found:
        floor = floors.get(each.work)
        each.over_floor = each.wall / floor if each.is_right and floor else None
    return found


def row(key: tuple, group: list[dict]) -> Row:
    work, contender, max_mem = key
    good = [record for record in group if not record["failure"] and not record["wrong"]]
    bad = [record for record in group if record["failure"] or record["wrong"]]
    timed = good or [record for record in bad if "wall_seconds" in record]
    walls = [record["wall_seconds"] for record in timed]
    rss = [record["peak_rss_bytes"] for record in timed]
    requests = next((record["requests"] for record in good), {})
    verdict = ""
    if bad:
        worst = next((record for record in bad if record["wrong"]), bad[0])
        verdict = f"wrong result: {worst['wrong']}" if worst["wrong"] else worst["failure"]
        if good:
            verdict = f"{len(bad)} of {len(group)} turns: {verdict}"
    shapes = next((record["notes"].get("shape_of_plan") for record in good if record["notes"]), None)
    return Row(
        work=work, contender=contender, max_mem=max_mem, runs=len(good),
        wall=median(walls) if walls else None, fastest=min(walls, default=None), slowest=max(walls, default=None),
        cpu=median(record["cpu_seconds"] for record in timed) if timed else None,
        rss=max(rss, default=None), gets=requests.get("get_requests"), puts=requests.get("put_requests"),
        shape=", ".join(shapes or []), verdict=verdict,
        unplanned=next((record["unplanned"] for record in group if record.get("unplanned")), ""))


def best_peer(found: list[Row], work: str) -> Row | None:
    """The fastest right contender that is not ours."""
    peers = [row for row in found if row.work == work and row.contender not in ("us", "us_on_dask", "floor") and row.is_right]
    return min(peers, key=lambda row: row.wall, default=None)
