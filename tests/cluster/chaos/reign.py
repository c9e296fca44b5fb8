"""The coordinators: one reigns, and when it ends another does. Workers and clients reach who reigns through links."""

import asyncio
import re

from chaos.link import Link
from chaos.plan import Fault
from chaos.store_link import StoreLink
from cluster import Process

# Seconds. The longest that a worker's death may cost is their sum; a successor settles nothing for lease + that.
LEASE, MARGIN = 2, 2

# A coordinator that was fenced ends so soon, on a machine that is busy.
FENCED_WITHIN = 30

# What it then says, and its exit code.
FENCED, FENCED_CODE = "has taken over the journal", 4


class Reign:
    """Whoever reigns, and what may be done to them."""

    def __init__(self, world):
        self.world = world
        self.store = StoreLink("coordinator store", world.seed)
        self.clients = Link("clients")
        self.current = None
        self.standby = None
        self.count = 0
        # One change of reign at a time.
        self.changing = asyncio.Lock()

    async def open(self):
        self.store.upstream = self.world.store_address
        await self.store.open()
        await self.clients.open()
        self.config = self.world.directory / "coordinator.toml"
        self.config.write_text(self.world.store_tables(self.store.port))
        async with self.changing:
            await self._succeed()

    @property
    def url(self):
        """Where clients ask."""
        return f"http://127.0.0.1:{self.clients.port}"

    def _start(self, *options):
        self.count += 1
        return Process(
            self.world.logs, f"coordinator-{self.count}", "rechunk-coordinator", "--verbose", "--listen", "127.0.0.1:0",
            "--config", self.config, "--lease", LEASE, "--margin", MARGIN, "--journal", self.world.journal, *options,
            env=self.world.credentials)

    async def _address(self, process, seconds=60):
        """Where a coordinator listens, once it is ready; `None` where it has ended first."""
        for _ in range(seconds * 20):
            if found := re.search(r"coordinator ready listen=127\.0\.0\.1:(\d+)", process.text()):
                return "127.0.0.1", int(found[1])
            if process.process.poll() is not None:
                return None
            await asyncio.sleep(0.05)
        self.world.report.violation(f"{process.name} was not ready in {seconds} s", process.log)
        process.kill()
        return None

    def _links(self):
        return [seat.coordinator for seat in self.world.fleet.seats] + [self.clients]

    def _follow(self, process, address, links=None):
        """From here on these links, or all, lead to that coordinator."""
        for link in self._links() if links is None else links:
            if link.upstream != address:
                link.upstream = address
                link.reset()
        self.current = process

    async def _succeed(self):
        """Somebody reigns again: the one that stands by, else a new one."""
        while True:
            was_standby = self.standby is not None and self.standby.process.poll() is None
            process = self.standby if was_standby else self._start()
            self.standby = None
            address = await self._address(process)
            if address:
                if was_standby:
                    self.world.report.fired(Fault.STANDBY)
                self._follow(process, address)
                return
            self._excuse(process)
            await asyncio.sleep(0.3)

    def _excuse(self, process):
        """A coordinator that ended of itself is a violation, unless its journal's disk is full."""
        if not self.world.journal_is_in_trouble():
            code = process.process.returncode
            self.world.report.violation(f"{process.name} ended of itself with {code}", process.log)

    async def look_after(self):
        """Replaces a coordinator that ended of itself, until it is cancelled."""
        while True:
            if not self.changing.locked() and self.current.process.poll() is not None:
                async with self.changing:
                    self._excuse(self.current)
                    await self._succeed()
            await asyncio.sleep(0.1)

    async def kill(self, seconds):
        async with self.changing:
            self.current.kill()
            self.world.report.fired(Fault.KILL_COORDINATOR)
            await asyncio.sleep(seconds)
            await self._succeed()

    async def kill_at_start(self, seconds):
        """Kills the one that reigns, and its successor before that is ready."""
        async with self.changing:
            self.current.kill()
            self.world.report.fired(Fault.KILL_COORDINATOR)
            successor = self._start()
            await asyncio.sleep(seconds)
            is_early = "coordinator ready" not in successor.text()
            successor.kill()
            self.world.report.fired(Fault.KILL_AT_START if is_early else Fault.KILL_COORDINATOR)
            await self._succeed()

    async def stutter(self, seconds):
        async with self.changing:
            # One that stands by takes over after lease and margin.
            if self.standby is not None:
                seconds = min(seconds, LEASE / 2)
            self.current.pause()
            await asyncio.sleep(seconds)
            self.current.resume()
            self.world.report.fired(Fault.STUTTER_COORDINATOR)

    async def end(self):
        """Tells the one that reigns to end; it does so in good order."""
        async with self.changing:
            await self._end_well()
            self.world.report.fired(Fault.END_COORDINATOR)
            await self._succeed()

    async def _end_well(self):
        process = self.current
        process.terminate()
        code = await self._exit_code(process, FENCED_WITHIN)
        if code != 0 and not self.world.journal_is_in_trouble():
            self.world.report.violation(f"{process.name} was told to end, and ended with {code}", process.log)

    async def stand_by(self):
        """Another one waits until nobody reigns; it fires when it does."""
        async with self.changing:
            if self.standby is None:
                self.standby = self._start("--standby")

    async def two_at_once(self, seconds):
        """A new one takes over while the old one runs; some workers hear of it late."""
        async with self.changing:
            older, successor = self.current, self._start()
            if address := await self._address(successor):
                self._follow(successor, address, self._links()[::2])
                await asyncio.sleep(seconds)
                await self._must_be_fenced(older)
                self._follow(successor, address)
                self.world.report.fired(Fault.TWO_COORDINATORS)
            else:
                self._excuse(successor)

    async def pause(self, seconds):
        """The one that reigns sleeps, another takes over, and the first wakes up where some workers still find it."""
        async with self.changing:
            older = self.current
            older.pause()
            woken = asyncio.get_running_loop().time() + seconds
            successor = self._start()
            if address := await self._address(successor):
                self._follow(successor, address, [self.clients, *self._links()[::2]])
                await asyncio.sleep(woken - asyncio.get_running_loop().time())
                older.resume()
                await self._must_be_fenced(older)
                self._follow(successor, address)
                self.world.report.fired(Fault.PAUSE_COORDINATOR)
            else:
                older.resume()
                self._excuse(successor)

    async def _must_be_fenced(self, older):
        code = await self._exit_code(older, FENCED_WITHIN)
        if (code != FENCED_CODE or FENCED not in older.text()) and not self.world.journal_is_in_trouble():
            self.world.report.violation(f"{older.name} was fenced, and ended with {code}", older.log)

    async def _exit_code(self, process, seconds):
        """How a process ends; one that does not is killed."""
        for _ in range(seconds * 20):
            if process.process.poll() is not None:
                return process.process.returncode
            await asyncio.sleep(0.05)
        process.kill()
        return "no end"

    async def close(self):
        """The end of the run."""
        async with self.changing:
            if self.standby is not None:
                self.standby.kill()
            await self._end_well()
