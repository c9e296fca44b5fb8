"""Everything that a run consists of: the store, the disks, the coordinators, the workers, the customers."""

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request

from chaos.checks import FilesPlace, S3Place
from chaos.disks import Disks
from chaos.fleet import Fleet
from chaos.jobs import Customers, Desk
from chaos.plan import Fault
from chaos.reign import Reign
from chaos.report import Report
from chaos.shapes import SHAPES, make_source

WORKERS, JOBS_AT_A_TIME = 6, 4

# A disk that was full may have brought a coordinator down a moment later.
AFTER_A_FULL_DISK = 6.0

NO_MOUNTS = "SKIPPED: this process may not mount a small disk"


class World:
    """One run."""

    def __init__(self, directory, s3, seed, journal, enough):
        self.directory, self.s3, self.seed, self.enough = directory, s3, seed, enough
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.report = Report(seed, self.logs)
        self.disks = Disks(directory)
        if not self.disks.can_fill:
            self.report.skipped[Fault.FULL_DISK] = NO_MOUNTS
        self.journal = s3.url("journal") if journal == "s3" else self.disks["journal"] / "journal"
        address = urllib.parse.urlsplit(s3.endpoint)
        self.store_address = (address.hostname, address.port)
        self.credentials = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret}
        self.places = {"s3": S3Place(s3), "files": FilesPlace(self.disks["files"])}
        self.fleet = Fleet(self, WORKERS)
        self.reign = Reign(self)
        self.desk = Desk(self)
        self.customers = Customers(self, JOBS_AT_A_TIME)
        self.values = {}

    def store_tables(self, port):
        """The configuration of a process whose way to the store leads through that port."""
        return (f'[[stores]]\nprefix = "s3://{self.s3.bucket}"\naccess = "read-write"\nregion = "us-east-1"\n'
                f'endpoint = "http://127.0.0.1:{port}"\ncredentials = "environment"\n'
                f'[[stores]]\nprefix = "file://{self.disks["files"]}"\naccess = "read-write"\n')

    def make_sources(self):
        for name in sorted({shape.source for shape in SHAPES}):
            for where in sorted({shape.where for shape in SHAPES if shape.source == name}):
                self.values[name] = make_source(self.places[where].store(f"sources/{name}"), name, self.seed)

    async def open(self):
        await asyncio.to_thread(self.make_sources)
        await self.fleet.open()
        await self.reign.open()
        self.fleet.start()

    def store_links(self):
        return [seat.store for seat in self.fleet.seats] + [self.reign.store]

    def has_seen_enough(self):
        """Whether the kills that were asked for have happened."""
        faults = self.report.faults
        coordinators = faults[Fault.KILL_COORDINATOR] + faults[Fault.KILL_AT_START]
        return self.enough is not None and faults[Fault.KILL_WORKER] >= self.enough[0] and coordinators >= self.enough[1]

    def journal_is_in_trouble(self):
        return self.disks.last_full("journal") + AFTER_A_FULL_DISK > asyncio.get_running_loop().time()

    def calm(self):
        """No fault goes on."""
        self.fleet.heal()
        for link in self.store_links():
            link.shares = type(link.shares)()

    async def close(self):
        """Everybody ends in good order; whatever is there then is left over."""
        await self.fleet.end()
        await self.reign.close()
        self.report.take_links([*self.store_links(), *(seat.coordinator for seat in self.fleet.seats)])
        await asyncio.to_thread(self.sweep)

    def sweep(self):
        """What is left over after the end, and what the logs say that they must not."""
        for where, place in self.places.items():
            if late := sorted(place.keys("jobs")):
                self.report.left_over += len(late)
                self.report.violation(f"{len(late)} objects on {where} are left over at the end: {late[:5]}", None)
        if scratch := sorted(map(str, self.disks["scratch"].iterdir())):
            self.report.left_over += len(scratch)
            self.report.violation(f"left over on the workers' local disk: {scratch[:5]}", None)
        if uploads := self.uploads():
            self.report.uploads_left_over = len(uploads)
            self.report.violation(f"{len(uploads)} uploads in parts are left over: {uploads[:5]}", None)
        for log in sorted(self.logs.glob("*.log")):
            text = log.read_text(errors="replace")
            self.report.no_space += text.count("no space is left")
            for line in text.splitlines():
                if "panicked" in line or " ERROR " in line:
                    self.report.violation(f"a log says: {line[:300]}", log)
                    break

    def uploads(self):
        """Uploads in parts that were begun and neither ended nor aborted, as the server keeps them."""
        request = urllib.request.Request(
            f"{self.s3.filer}/buckets/{self.s3.bucket}/.uploads/?limit=1000", headers={"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [entry["FullPath"] for entry in json.load(answer).get("Entries") or []]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
