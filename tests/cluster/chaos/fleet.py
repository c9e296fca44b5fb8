"""The workers: seats that are always taken again, each with links of its own to the coordinator and to the store."""

import asyncio

from chaos.link import Link
from chaos.store_link import StoreLink
from cluster import Process

# What a worker may have. Leases of the plans below fit it.
MEMORY = "160MiB"

# Room for a group of the rows, not for the maps: those go over an exchange.
SCRATCH = "12MiB"

# Seconds that a worker has for what it holds when it is told to end, and that it may take in all: the last reports have
# five seconds of their own, and a coordinator may be away.
GRACE, DRAINED_WITHIN = 3, 30

# One attempt at a write ends before the margin of a lease does.
PUT_TIMEOUT = 1


class Seat:
    """One worker after another under one name."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.store = StoreLink(f"{name} store", world.seed)
        self.coordinator = Link(f"{name} coordinator")
        self.process = None
        self.is_paused = False
        # An end that somebody brought about: killed, drained, or the end of the run.
        self.may_end = False
        self.count = 0

    async def open(self):
        self.store.upstream = self.world.store_address
        await self.store.open()
        await self.coordinator.open()
        self.config = self.world.directory / f"{self.name}.toml"
        self.config.write_text(self.world.store_tables(self.store.port))

    @property
    def is_up(self):
        return self.process is not None and self.process.process.poll() is None

    @property
    def is_awake(self):
        return self.is_up and not self.is_paused

    def start(self):
        self.count += 1
        self.may_end = self.is_paused = False
        self.process = Process(
            self.world.logs, f"{self.name}-{self.count}", "rechunk-worker", "-vv", "--coordinator",
            f"http://127.0.0.1:{self.coordinator.port}", "--memory", MEMORY, "--cpus", 1, "--config", self.config,
            "--name", self.name, "--scratch", self.world.disks["scratch"], "--scratch-size", SCRATCH, "--grace", GRACE,
            "--put-timeout", PUT_TIMEOUT, env=self.world.credentials)

    def kill(self):
        self.may_end = True
        self.process.kill()

    def pause(self):
        self.is_paused = True
        self.process.pause()

    def resume(self):
        if self.is_paused and self.is_up:
            self.process.resume()
        self.is_paused = False

    async def drain(self):
        """Tells the worker to end; says whether it did so in good order, and `None` where it was killed meanwhile."""
        process, self.may_end = self.process, True
        process.terminate()
        for _ in range(DRAINED_WITHIN * 20):
            if process.process.poll() is not None:
                return {0: True, -9: None}.get(process.process.returncode, False)
            await asyncio.sleep(0.05)
        process.kill()
        return False

    def look(self):
        """Takes the seat again where it is empty; a worker that ended of itself is a violation."""
        if self.process is None or self.is_up:
            return
        if not self.may_end:
            code = self.process.process.returncode
            self.world.report.violation(f"worker {self.process.name} ended of itself with {code}", self.process.log)
        self.start()


class Fleet:
    """All seats."""

    def __init__(self, world, count):
        self.world = world
        self.seats = [Seat(world, f"w{n}") for n in range(count)]
        self.stays_down = {}

    async def open(self):
        for seat in self.seats:
            await seat.open()

    def start(self):
        for seat in self.seats:
            seat.start()

    async def look_after(self):
        """Starts workers again, each after its pause, until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            for seat in self.seats:
                if loop.time() >= self.stays_down.get(seat.name, 0.0):
                    seat.look()
            await asyncio.sleep(0.05)

    def keep_down(self, seat, seconds):
        self.stays_down[seat.name] = asyncio.get_running_loop().time() + seconds

    def choose(self, pick, wanted=lambda seat: seat.is_up):
        """One of the seats that are as `wanted`; none where there is none."""
        found = [seat for seat in self.seats if wanted(seat)]
        return found[int(pick * len(found))] if found else None

    def heal(self):
        for seat in self.seats:
            seat.resume()
            for link in (seat.store, seat.coordinator):
                link.delay = 0.0
                link.heal()

    async def end(self):
        """All workers drain; says who did not end in good order."""
        seats = [seat for seat in self.seats if seat.is_up]
        ended = await asyncio.gather(*(seat.drain() for seat in seats))
        for seat, well in zip(seats, ended):
            if not well:
                self.world.report.violation(f"worker {seat.process.name} did not drain in good order", seat.process.log)
