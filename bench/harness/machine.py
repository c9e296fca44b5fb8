"""What a run ran on, for the head of a table."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def describe(cpus: set[int]) -> dict[str, str]:
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processor": processor(),
        "processors used": f"{len(cpus)} of {os.cpu_count()}",
        "memory": f"{int(memory.split()[1]) / (1 << 20):.1f} GiB",
        "kernel": platform.release(),
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def processors(count: int) -> set[int]:
    """The first processors that this process may use."""
    return set(sorted(os.sched_getaffinity(0))[:count])


def version_of(program: Path) -> str:
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.split()[-1]


def commit(root: Path) -> str:
    """The commit of the checkout, with a mark where files differ from it."""
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
        dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.strip() + (" with changes" if dirty.strip() else "")
