"""Runs one command and measures its whole process tree: wall, user and system time, peak resident memory."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Measured:
    """How a command ended and what it took."""

    code: int
    stdout: str
    stderr: str
    wall_seconds: float
    #: User and system time of the process and of all descendants that were waited for.
    cpu_seconds: float
    #: The largest sum of resident sets seen in samples, or the largest of one process by the kernel's own count.
    peak_rss_bytes: int
    timed_out: bool


def children(pid: int) -> list[int]:
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    except OSError:
        pass  # it has ended
    return found


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += children(found[-1])
    return found


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


class Sampler(threading.Thread):
    """Adds up the resident sets of a process tree, again and again. Shared pages count once per process."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.peak, self.seen, self.ended = pid, 0, set(), threading.Event()

    def run(self):
        while not self.ended.wait(SAMPLE_SECONDS):
            pids = tree(self.pid)
            self.seen.update(pids)
            self.peak = max(self.peak, sum(map(resident, pids)))


def run(command: list, *, env: dict[str, str], text: str = "", cpus: set[int] | None = None, limit: float = 600,
        directory: str | Path = "/", into: Path | None = None) -> Measured:
    """Runs a command to its end, `text` on its standard input, on the processors `cpus`, for at most `limit` seconds.
    `into` is a file that takes its pid before it begins: a control group's."""

    def prepare():
        if cpus:
            os.sched_setaffinity(0, cpus)
        if into:
            into.write_text(str(os.getpid()))

    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(text.encode())
        source.seek(0)
        begun = time.monotonic()
        process = subprocess.Popen(
            [str(word) for word in command], stdin=source, stdout=out, stderr=err, env=env, cwd=directory,
            start_new_session=True, preexec_fn=prepare)
        sampler = Sampler(process.pid)
        sampler.start()
        timer = threading.Timer(limit, stop, [process.pid])
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            stop(process.pid)
            process.wait()
            raise
        finally:
            timer.cancel()
            sampler.ended.set()
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        sampler.join()
        end_strays(sampler.seen, process.pid)
        out.seek(0)
        err.seek(0)
        return Measured(
            code=process.returncode,
            stdout=out.read().decode(errors="replace"),
            stderr=err.read().decode(errors="replace"),
            wall_seconds=wall,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_rss_bytes=max(sampler.peak, usage.ru_maxrss * 1024),
            timed_out=wall >= limit,
        )


def stop(pid: int) -> None:
    """Ends a process that was started here, and its descendants."""
    for each in reversed(tree(pid)):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            pass


def end_strays(seen: set[int], session: int) -> None:
    """Ends what a command left behind: processes of its own session only, so that no reused number is hit."""
    for pid in seen - {session}:
        try:
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
