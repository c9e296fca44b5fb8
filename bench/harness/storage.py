"""Where the data of a run lies: a directory, or an S3 server of the run's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from seaweedfs import SeaweedFs


class Local:
    """A temporary directory."""

    name = "local"

    def __init__(self, parent: str | None, needed: int):
        self.root = Path(tempfile.mkdtemp(prefix="rechunk-bench-", dir=parent or roomy_parent(needed)))
        self.medium = medium(self.root)
        self.env: dict[str, str] = {}

    def address(self, name: str) -> str:
        return str(self.root / name)

    def remove(self, name: str) -> None:
        shutil.rmtree(self.root / name, ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


class S3:
    """A bucket of a SeaweedFS that is started for the run and ended with it."""

    name = "s3"

    def __init__(self, parent: str | None, needed: int, weed: Path):
        self.root = Path(tempfile.mkdtemp(prefix="rechunk-bench-", dir=parent or roomy_parent(needed)))
        self.medium = f"SeaweedFS on loopback, {medium(self.root)}"
        self.server = SeaweedFs(self.root, weed)
        self.env = self.server.env

    def address(self, name: str) -> str:
        return f"s3://{self.server.bucket}/{name}"

    def remove(self, name: str) -> None:
        self.server.remove(name)

    def close(self) -> None:
        self.server.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def roomy_parent(needed: int) -> str:
    """Memory where it has room for this and as much again, else the system's temporary directory."""
    shared = Path("/dev/shm")
    if shared.is_dir() and os.access(shared, os.W_OK):
        room = min(shutil.disk_usage(shared).free, available_memory())
        if room > needed * 2:
            return str(shared)
    return tempfile.gettempdir()


def available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def medium(place: Path) -> str:
    """The kind of file system that holds a place."""
    best, kind = "", "files"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if str(place).startswith(mount) and len(mount) >= len(best):
            best, kind = mount, found
    return kind
