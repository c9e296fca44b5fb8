"""Small disks that can be filled: each a tmpfs in a mount namespace of this run, where one is permitted."""

import asyncio
import contextlib
import os
import subprocess
import sys

# MiB. Sources, targets and temporary objects of the jobs on files; scratch of all workers; the journal.
SIZES = {"files": 512, "scratch": 160, "journal": 24}

# Set in the process that runs inside the namespace.
INSIDE = "RECHUNK_CHAOS_INSIDE"

NAMESPACES = [["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]]


def enter_namespace():
    """Starts this program again where it may mount; comes back where it is there already, or where that is refused."""
    if os.environ.get(INSIDE):
        return
    for command in NAMESPACES:
        trial = "d=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs $d && umount $d; e=$?; rmdir $d; exit $e"
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "sh", "-c", trial], capture_output=True, check=False).returncode == 0:
                os.execvpe(command[0], [*command, sys.executable, *sys.argv], {**os.environ, INSIDE: "mounts"})
    os.environ[INSIDE] = "no mounts"


class Disks:
    """The directories by name, each on a disk of its own where that is permitted."""

    def __init__(self, directory):
        self.can_fill = os.environ.get(INSIDE) == "mounts"
        self.paths = {name: directory / name for name in SIZES}
        self.full = {}
        for name, path in self.paths.items():
            path.mkdir()
            if self.can_fill:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZES[name]}m", "tmpfs", path], check=True)

    def __getitem__(self, name):
        return self.paths[name]

    def last_full(self, name):
        """When that disk was last full, on the loop's clock; now, if it is."""
        return self.full.get(name, float("-inf"))

    async def fill(self, name, seconds):
        """Leaves no space for so long; says whether there was a moment without any."""
        filler = self.paths[name] / "filler"
        loop = asyncio.get_running_loop()
        self.full[name] = float("inf")
        was_full, until = False, loop.time() + seconds
        try:
            while loop.time() < until:
                was_full |= use_up(filler)
                await asyncio.sleep(0.05)
        finally:
            filler.unlink(missing_ok=True)
            self.full[name] = loop.time()
        return was_full


def use_up(filler):
    """Makes a file larger until nothing is free."""
    with open(filler, "ab", buffering=0) as file:
        for block in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(block)) == block:
                    pass
            except OSError:
                pass
    disk = os.statvfs(filler)
    return disk.f_bavail == 0
