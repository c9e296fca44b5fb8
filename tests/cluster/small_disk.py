"""A small disk that can be filled: a tmpfs in a mount namespace of its own, which ends with its holder."""

import pathlib
import subprocess

from chaos.disks import use_up


class NotPermitted(Exception):
    """The machine lets nobody mount."""


class SmallDisk:
    """A directory that is a disk of its own for processes that are started with `prefix`."""

    def __init__(self, directory, mebibytes):
        directory.mkdir()
        self.directory = directory
        mount = f"mount -t tmpfs -o size={mebibytes}m tmpfs {directory} && echo mounted && exec sleep infinity"
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", mount], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "mounted\n":
            raise NotPermitted(self.holder.communicate()[1].strip())
        self.prefix = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        # The same directory, as it is seen from outside.
        self.path = pathlib.Path(f"/proc/{self.holder.pid}/root{directory}")
        self.filler = self.path / "filler"

    def fill(self):
        """Leaves no space; says whether none is left."""
        return use_up(self.filler)

    def clear(self):
        """Gives the space back."""
        self.filler.unlink()

    def close(self):
        self.holder.kill()
        self.holder.wait()
