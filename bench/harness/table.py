"""The table of a run, in Markdown."""

from __future__ import annotations

from statistics_of import Row, best_peer
from works import Work

MIB = 1 << 20

HEAD = """# {title}

Written by `{command}`. {when}; rechunk {version}, commit {commit}.

{machine}

- **wall**: median (least – most) of the turns that were right. For rechunk the whole process, start and plan included; for
  the floor its own clock, which starts when its memory has been touched; for Python peers from the call to its return,
  without the start of the interpreter and imports; for zarrs_reencode the whole process.
- **× floor**: median wall time over the floor's in the same run. All contenders have {cpus} processors and two threads.
- **CPU**: user and system seconds of the process tree (`wait4`), of the floor without its preparation.
- **RSS**: the most in any turn: resident sets summed over the process tree, sampled every 20 ms, or the kernel's own
  maximum of one process where that is larger. Pages that processes share count in each. The floor holds the whole array
  by design.
- **max_mem** is what a contender was told; those without such a notion run once. What each makes of it is in `bench/peers`.
- Every target was read by zarr-python and compared bit for bit with what its elements must be; then it was deleted.
- For rechunk, requests and bytes as counted were compared with the plan's; a difference is shown.
{notes}"""

COLUMNS = "| | max_mem | turns | wall s | × floor | CPU s | RSS MiB | GET | PUT | |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"


def text(head: dict, works: list[Work], rows: list[Row]) -> str:
    parts = [HEAD.format(**head)]
    for work in works:
        mine = [row for row in rows if row.work == work.name]
        if mine:
            parts.append(f"## {work.name}: {work.title}\n\n{array(work)}\n\n{COLUMNS}\n" + "\n".join(map(line, mine)))
            parts += [standing(rows, work), on_dask(rows, work)]
    parts.append("Versions: " + head["versions"] + ".")
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def array(work: Work) -> str:
    shape, source, target = (bounds(lengths) for lengths in (work.shape, work.source_chunks(), work.target_chunks()))
    shards = f", in shards of {bounds(work.target_shards())}" if work.shards else ""
    return f"{shape} {work.dtype}, {source} → {target}{shards}"


def bounds(lengths) -> str:
    return "(" + ", ".join(map(str, lengths)) + ")"


def line(row: Row) -> str:
    def number(value, form=".2f"):
        return "" if value is None else format(value, form)

    is_over = row.contender == "us" and row.max_mem and row.rss and row.rss > row.max_mem
    rss = "" if row.rss is None else f"**{row.rss / MIB:.0f} over max_mem**" if is_over else f"{row.rss / MIB:.0f}"
    wall = number(row.wall)
    if row.runs > 1:
        wall += f" ({row.fastest:.2f} – {row.slowest:.2f})"
    name = {"us": "**rechunk**", "us_on_dask": "**rechunk on dask**", "floor": "*floor*"}.get(row.contender, row.contender)
    memory = "" if row.max_mem is None else f"{row.max_mem // MIB} MiB"
    remark = row.verdict.replace("|", "/").replace("\n", " ") or row.shape.replace("_", " ")
    if row.unplanned:
        remark += f"; **not as planned**: {row.unplanned}"
    cells = [name, memory, str(row.runs), wall, number(row.over_floor), number(row.cpu), rss, number(row.gets, "d")]
    return "| " + " | ".join([*cells, number(row.puts, "d"), remark]) + " |"


def standing(rows: list[Row], work: Work) -> str:
    """How rechunk stands against the fastest peer that was right."""
    peer = best_peer(rows, work.name)
    ours = [row for row in rows if row.work == work.name and row.contender == "us" and row.is_right]
    if not peer or not ours:
        return ""
    said = [f"{peer.wall / row.wall:.2f} × at {(row.max_mem or 0) // MIB} MiB" for row in ours]
    return f"Faster than the fastest right peer ({peer.contender}, {peer.rss / MIB:.0f} MiB): {', '.join(said)}."


def on_dask(rows: list[Row], work: Work) -> str:
    """How our Dask executor stands against rechunker's, at the same memory."""
    right = {(row.contender, row.max_mem): row for row in rows if row.work == work.name and row.is_right}
    said = [
        f"{theirs.wall / row.wall:.2f} × at {(memory or 0) // MIB} MiB"
        for (who, memory), row in right.items()
        if who == "us_on_dask" and (theirs := right.get(("rechunker", memory)))
    ]
    return f"Faster than rechunker, both on Dask's threads: {', '.join(said)}." if said else ""
