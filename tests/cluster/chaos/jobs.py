"""The customers: they submit jobs one after another, follow them to their end, and check what came of them."""

import asyncio
import json
import random
import re
import subprocess

from chaos import checks
from chaos.shapes import SHAPES
from conftest import run_rechunk

# Seconds without an end after which a job counts as hanging; retries of a job that failed under faults.
PATIENCE, MOST_RETRIES = 300, 3

# The bitmap of a sparse source is written before its job is accepted. Where the coordinator dies in between, the
# customer's next call makes another job, and nothing removes the first one's bitmap: counted, and known.
ORPHAN = re.compile(r"/\.rechunk-(job-[0-9a-f]+)/.*/?presence/[^/]+$")

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


class Desk:
    """Speaks to whoever reigns, through the command line."""

    def __init__(self, world):
        self.world = world
        self.views = {}

    async def command(self, *arguments):
        """A command's end; `None` where it could not be had in time."""
        try:
            return await asyncio.to_thread(
                run_rechunk, *arguments, "--coordinator", self.world.reign.url, "--output", "json", timeout=120)
        except subprocess.TimeoutExpired:
            self.world.report.violation(f"rechunk {arguments[0]} did not come back", None)
            return None

    async def look(self):
        """Keeps an eye on all jobs until it is cancelled."""
        while True:
            ended = await self.command("jobs")
            if ended and ended.code == 0:
                for view in ended.json:
                    self.views[view["job"]] = view
                    self.world.report.saw(view)
            await asyncio.sleep(0.7)

    async def show(self, job):
        """The whole view of a job, whatever it takes."""
        while True:
            ended = await self.command("show", job, "--reconnect", "20s")
            if ended and ended.code == 0:
                return ended.json
            await asyncio.sleep(0.3)


class Job:
    """One job of a shape."""

    def __init__(self, world, shape, number):
        self.world, self.shape = world, shape
        self.home = f"jobs/{number:04}"
        self.place = world.places[shape.where]
        self.id = None
        self.problems = []

    async def run(self):
        """To its end and through its checks."""
        reigns = self.world.reign.count
        self.id = await self._submit()
        if self.id is None:
            return
        canceller = asyncio.create_task(self._cancel()) if self.shape.is_cancelled else None
        view = await self._end()
        if canceller:
            canceller.cancel()
        if view is None:
            return
        was_disturbed = view["retries"] or view["leases_expired"] or view["run"] > 1 or self.world.reign.count != reigns
        compared = 0
        if view["state"] == "SUCCEEDED":
            self.problems += checks.differences(view, was_disturbed)
            compared = await asyncio.to_thread(self._check_target)
        elif view["state"] == "CANCELLED" and self.shape.is_cancelled:
            await asyncio.to_thread(self._check_keys, set())
        elif not self.problems:
            self.problems.append(f"is {view['state']}")
        self.world.report.job_done(self.shape, view, compared, was_disturbed)
        self._report()

    def _report(self):
        for problem in self.problems:
            self.world.report.violation(f"{self.id} ({self.shape.name}, {self.home}) {problem}", None)

    async def _submit(self):
        """The job's id; an answer that was lost is asked for again by the same name."""
        shape = self.shape
        source, target = self.place.url(f"sources/{shape.source}"), self.place.url(f"{self.home}/target")
        command = ["submit", source, target, "--chunks", shape.chunks, *shape.options, "--request-id", self.home,
                   "--reconnect", "20s"]
        while True:
            ended = await self.command(*command)
            if ended and ended.code == 0:
                return ended.json["job"]
            if ended and ended.code != 3 and error_of(ended).get("code") != "UNAVAILABLE":
                self.problems.append(f"was refused: {ended.stderr.strip()}")
                self._report()
                return None
            await asyncio.sleep(0.5)

    async def command(self, *arguments):
        return await self.world.desk.command(*arguments)

    async def _cancel(self):
        """Asks for the end until that is agreed to; the job may be faster."""
        await asyncio.sleep(self.world.customers.dice.uniform(0.0, 4.0))
        while True:
            ended = await self.command("cancel", self.id, "--reconnect", "20s")
            if ended and ended.code != 3:
                return
            await asyncio.sleep(0.5)

    async def _end(self):
        """The view of the job that has ended; it is retried where faults of the store or of chance made it fail."""
        run, loop = 1, asyncio.get_running_loop()
        begun = loop.time()
        while True:
            seen = self.world.desk.views.get(self.id, {})
            if seen.get("state") in ENDED and seen["run"] >= run:
                view = await self.world.desk.show(self.id)
                if view["state"] != "FAILED" or not await self._retry(view):
                    return view
                run = view["run"] + 1
            if loop.time() - begun > PATIENCE:
                view = await self.world.desk.show(self.id)
                self.problems.append(f"has not ended in {PATIENCE} s: {json.dumps({**view, 'plan': None})}")
                self._report()
                return None
            await asyncio.sleep(0.2)

    async def _retry(self, view):
        """Lets a failed job go on; says whether it may."""
        if not may_fail(view["failure"]) or view["run"] > MOST_RETRIES:
            self.problems.append(f"failed: {view['failure']}")
            return False
        self.world.report.job_failed(self.shape, view["failure"])
        while True:
            ended = await self.command("retry", self.id, "--reconnect", "20s")
            # An answer may be lost: then the second call finds the job running.
            if ended and (ended.code == 0 or error_of(ended).get("reason") == "JOB_NOT_FAILED"):
                return True
            await asyncio.sleep(0.5)

    def _check_target(self):
        """Bytes that were compared."""
        target, values = self.place.store(f"{self.home}/target"), self.world.values[self.shape.source]
        compared, problems = checks.compare(target, values)
        self.problems += problems
        self._check_keys({f"{self.home}/target/{key}" for key in checks.expected_keys(target, values)})
        return compared

    def _check_keys(self, expected):
        """Compares what there is with what must be. It is all removed: what comes after that comes too late."""
        found = self.place.keys(self.home)
        orphans = {key for key in found if (space := ORPHAN.search(key)) and space[1] != self.id}
        self.world.report.orphans += len(orphans)
        found -= orphans
        for what, keys in [("left over", found - expected), ("missing", expected - found)]:
            if keys:
                self.problems.append(f"has {len(keys)} objects {what}: {sorted(keys)[:5]}")
        self.world.report.left_over += len(found - expected)
        self.place.remove(self.home)


def may_fail(failure):
    """Whether a job may fail so while faults go on: three kills met the same task, or its attempts are used up."""
    return failure["reason"] == "TASK_POISONOUS" or (
        failure["reason"] == "TASK_FAILED" and failure["message"].endswith("attempts)"))


def error_of(ended):
    try:
        return ended.json.get("error", {})
    except ValueError:
        return {}


class Customers:
    """So many jobs side by side, of all shapes in turn."""

    def __init__(self, world, count):
        self.world, self.count = world, count
        self.dice = random.Random(f"{world.seed} jobs")
        self.deck, self.number = [], 0
        self.is_open = True

    async def one(self):
        while self.is_open:
            if not self.deck:
                self.deck = list(SHAPES)
                self.dice.shuffle(self.deck)
            self.number += 1
            await Job(self.world, self.deck.pop(), self.number).run()

    def start(self):
        return [asyncio.create_task(self.one()) for _ in range(self.count)]
