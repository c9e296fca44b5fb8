"""Who runs: rechunk, alone and on Dask, the floor, and the peers. Each turns a job into a command and reads what the command said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import environments
from measure import Measured
from works import Work

THREADS = 2
CACHE_BYTES = 8 << 30
MEASURED_AND_PLANNED = ("get_requests", "delete_requests", "bytes_decoded", "bytes_encoded")


@dataclass
class Job:
    """One run: what is read and written, and within what."""

    work: Work
    source: str
    #: The same chunks as a Zarr v2 array, for those who read no v3.
    source_v2: str
    target: str
    temp: str
    max_mem: int
    store: str


@dataclass
class Outcome:
    """What a run has shown besides its cost."""

    #: By the contender's own clock, where the start of its interpreter is not its work.
    own_seconds: float | None = None
    own_cpu_seconds: float | None = None
    failure: str | None = None
    #: Where what was counted is not what the plan had said.
    unplanned: str | None = None
    requests: dict[str, int] = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


class Contender:
    """What all have in common."""

    name = ""
    #: Whether it takes a limit of memory; if not, one run stands for all limits.
    takes_memory = False
    #: Whether its wall time is its process's, or what it says itself.
    target_format = 3

    def refuses(self, work: Work, store: str) -> str | None:
        """Why it cannot do a work, or None."""

    def prepare(self) -> None:
        """Installs what it needs."""

    def command(self, job: Job) -> list:
        raise NotImplementedError

    def env(self, job: Job) -> dict[str, str]:
        return {}

    def text(self, job: Job) -> str:
        """What its standard input gets."""
        return ""

    def outcome(self, measured: Measured) -> Outcome:
        raise NotImplementedError


def flags(work: Work) -> list[str]:
    """Chunks, shards and format, as both of our programs take them."""
    words = ["--chunks", joined(work.target_chunks()), "--zarr-format", "3"]
    shards = work.target_shards()
    return words + (["--shards", joined(shards)] if shards else [])


def joined(lengths: list[int]) -> str:
    return ",".join(map(str, lengths))


def last_line(measured: Measured) -> dict:
    """The JSON object that ends a program's output; what is printed before it is its library's."""
    lines = measured.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        return {}


def complaint(measured: Measured) -> str:
    """Why a command failed, in a line."""
    if measured.timed_out:
        return f"not done after {measured.wall_seconds:.0f} s"
    lines = [line.strip() for line in (measured.stderr or measured.stdout).strip().splitlines() if line.strip()]
    said = lines[-1] if lines else "nothing said"
    return f"exit code {measured.code}: {said}"[:300]


def unplanned(totals: dict[str, int], planned: dict[str, int]) -> str | None:
    """Where what we counted is not what our plan had said."""
    differs = [name for name in MEASURED_AND_PLANNED if totals[name] != planned[name]]
    if totals["put_requests"] + totals["skipped_fill_chunks"] != planned["put_requests"]:
        differs.append("put_requests")
    return ", ".join(f"{name} {totals[name]} for {planned[name]}" for name in differs) or None


class Rechunk(Contender):
    """`rechunk run`, everything in one process. Its wall time is the whole process's, start and plan included."""

    name = "us"
    takes_memory = True

    def prepare(self) -> None:
        self.program = environments.own_programs() / "rechunk"

    def command(self, job: Job) -> list:
        limits = ["--threads", THREADS, "--workers", 1, "--max-mem", job.max_mem]
        return [self.program, "run", job.source, job.target, *flags(job.work), *limits, "--temp", job.temp,
                "--output", "json", "--quiet"]

    def outcome(self, measured: Measured) -> Outcome:
        try:
            report = json.loads(measured.stdout)
        except json.JSONDecodeError:
            report = {}
        if measured.code or "totals" not in report:
            said = report.get("error", {}).get("message")
            return Outcome(failure=said or complaint(measured))
        totals, plan = report["totals"], report["plan"]
        planned = plan["totals"]
        found = {name: totals[name] for name in ("get_requests", "put_requests", "delete_requests")}
        notes = {
            "shape_of_plan": [array["shape_of_plan"] for array in report["arrays"]],
            "own_peak_rss_bytes": report.get("peak_rss_bytes"),
            "planned_peak_bytes": plan.get("peak_memory_bytes"),
            "repeated_requests": report.get("repeated_requests"),
            "alpha": planned["bytes_decoded"] / max(1, planned["bytes_encoded"]),
            "stages": report["stages"],
        }
        return Outcome(requests=found, notes=notes, unplanned=unplanned(totals, planned))


class Floor(Contender):
    """The floor. Its clock starts when memory is there, so its own time counts."""

    name = "floor"

    def prepare(self) -> None:
        self.program = environments.own_programs() / "floor"

    def command(self, job: Job) -> list:
        encoded = ["--encoded"] if job.work.passes_through else []
        return [self.program, job.source, job.target, *flags(job.work), "--threads", THREADS, *encoded]

    def env(self, job: Job) -> dict[str, str]:
        # The allocator keeps what it has: memory that is used again is not new memory.
        return {"MIMALLOC_PURGE_DELAY": "-1"}

    def outcome(self, measured: Measured) -> Outcome:
        report = last_line(measured)
        if measured.code or "wall_seconds" not in report:
            return Outcome(failure=complaint(measured))
        requests = {name: report[name] for name in ("get_requests", "put_requests")}
        return Outcome(
            own_seconds=report["wall_seconds"], own_cpu_seconds=report["cpu_seconds"], requests=requests,
            notes={"phases": report["phases"], "thread_seconds": report["thread_seconds"]})


class ZarrsReencode(Contender):
    """zarrs_reencode of zarrs_tools. It knows no limit of memory, only a cache of chunks, which holds the whole source:
    with less it reads chunks many times over."""

    name = "zarrs_reencode"

    def refuses(self, work: Work, store: str) -> str | None:
        return "local files only" if store != "local" else None

    def prepare(self) -> None:
        self.program = environments.crate_program("zarrs_reencode")

    def command(self, job: Job) -> list:
        # It changes chunks only within shards: where none are asked for, a shard of one chunk is nearest.
        chunks = job.work.target_chunks()
        shape = ["--chunk-shape", joined(chunks), "--shard-shape", joined(job.work.target_shards() or chunks)]
        if job.work.name == "W7a":
            shape = []
        limits = ["--cache-size", CACHE_BYTES, "--concurrent-chunks", THREADS]
        return [self.program, *shape, *limits, job.source, job.target]

    def env(self, job: Job) -> dict[str, str]:
        return {"RAYON_NUM_THREADS": str(THREADS)}

    def outcome(self, measured: Measured) -> Outcome:
        return Outcome(failure=complaint(measured) if measured.code else None)


class PythonPeer(Contender):
    """A peer that is a Python package: `peers/<name>_run.py` in its own environment, the job as JSON on stdin. Its time
    is from the call to its return: starting Python and importing is not counted, in its favour."""

    def __init__(self, name: str, environment: str | None = None, *, takes_memory: bool = False, reads: int = 3,
                 on_s3: bool = True, shards: bool = False, adapter: str | None = None, options: dict | None = None):
        self.name, self.environment = name, environment or name
        self.takes_memory, self.reads, self.on_s3, self.shards = takes_memory, reads, on_s3, shards
        self.adapter, self.options = adapter or f"{name}_run.py", options or {}
        self.target_format = reads

    def refuses(self, work: Work, store: str) -> str | None:
        if store == "s3" and not self.on_s3:
            return "local files only here"
        if work.shards and not self.shards:
            return "writes no shards"
        if work.name == "W7a" and self.reads == 2:
            return "writes no v3"

    def prepare(self) -> None:
        self.python = environments.python(self.environment)

    def command(self, job: Job) -> list:
        return [self.python, environments.REQUIREMENTS / self.adapter]

    def env(self, job: Job) -> dict[str, str]:
        one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLOSC_NTHREADS")}
        return {**one, "RAYON_NUM_THREADS": str(THREADS), "PYTHONDONTWRITEBYTECODE": "1"}

    def text(self, job: Job) -> str:
        work = job.work
        return json.dumps({
            "source": job.source_v2 if self.reads == 2 else job.source,
            "source_format": 2 if self.reads == 2 else work.source_format,
            "target": job.target, "temp": job.temp, "shape": work.shape, "dtype": work.dtype,
            "source_chunks": work.source_chunks(), "target_chunks": work.target_chunks(),
            "target_shards": work.target_shards(), "compressed": work.compressed, "max_mem": job.max_mem,
            "threads": THREADS, "options": self.options})

    def outcome(self, measured: Measured) -> Outcome:
        said = last_line(measured)
        if measured.code or "wall_seconds" not in said:
            return Outcome(failure=complaint(measured), versions=said.get("versions", {}))
        return Outcome(own_seconds=said["wall_seconds"], versions=said["versions"])


class RechunkOnDask(PythonPeer):
    """Our package with its Dask executor, in Dask's environment: what rechunker's Dask executor is compared with."""

    def __init__(self):
        super().__init__("us_on_dask", "dask", takes_memory=True, shards=True)

    def prepare(self) -> None:
        super().prepare()
        self.package = environments.own_package()

    def env(self, job: Job) -> dict[str, str]:
        return {**super().env(job), "PYTHONPATH": str(self.package)}

    def outcome(self, measured: Measured) -> Outcome:
        outcome = super().outcome(measured)
        if outcome.failure is None:
            said = last_line(measured)
            totals, planned = said["totals"], said["planned"]
            outcome.requests = {name: totals[name] for name in ("get_requests", "put_requests", "delete_requests")}
            outcome.unplanned = unplanned(totals, planned)
        return outcome


def all_contenders() -> list[Contender]:
    """In the order of a round: where time is short, the slowest are left out."""
    return [
        Floor(),
        Rechunk(),
        ZarrsReencode(),
        PythonPeer("tensorstore", takes_memory=True, shards=True),
        PythonPeer("zarr_python", shards=True),
        PythonPeer("zarr_python_zarrs", "zarr_python", adapter="zarr_python_run.py", shards=True,
                   options={"codec_pipeline": "zarrs.ZarrsCodecPipeline"}),
        RechunkOnDask(),
        PythonPeer("rechunker", takes_memory=True, reads=2),
        PythonPeer("dask_tasks", "dask", adapter="dask_run.py", options={"method": "tasks"}),
        PythonPeer("cubed", takes_memory=True),
        PythonPeer("rechunkit", takes_memory=True),
        PythonPeer("dask_p2p", "dask", takes_memory=True, adapter="dask_run.py", options={"method": "p2p"}),
    ]


def chosen(names: list[str] | None) -> list[Contender]:
    known = all_contenders()
    if not names:
        return known
    unknown = set(names) - {contender.name for contender in known}
    if unknown:
        raise SystemExit(f"there is no {', '.join(sorted(unknown))}; known: {', '.join(each.name for each in known)}")
    return [contender for contender in known if contender.name in names]
