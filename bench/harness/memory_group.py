"""A control group with a hard memory limit, of either version, where the machine lets one be made."""

from __future__ import annotations

import os
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")


def candidates() -> list[tuple[Path, str]]:
    """Directories that groups can be made in, with the name of the limit's file."""
    found = []
    for line in MOUNTS.read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            found.append((Path(place), "memory.limit_in_bytes"))
        if kind == "cgroup2" and "memory" in (Path(place) / "cgroup.subtree_control").read_text().split():
            found.append((Path(place), "memory.max"))
    return found


class MemoryGroup:
    """A group of processes that together may hold so many bytes: page cache and files on a tmpfs included."""

    def __init__(self, limit: int):
        reasons = []
        for parent, name in candidates():
            self.home = parent / f"rechunk-bench-{os.getpid()}"
            try:
                self.home.mkdir(exist_ok=True)
                (self.home / name).write_text(str(limit))
                return
            except OSError as error:
                reasons.append(str(error))
        raise OSError("no control group with a memory limit can be made here: " + ("; ".join(reasons) or "none is mounted"))

    @property
    def members(self) -> Path:
        return self.home / "cgroup.procs"

    def remove(self) -> None:
        try:
            self.home.rmdir()
        except OSError:
            pass  # a process is still ending in it; an empty group costs nothing
