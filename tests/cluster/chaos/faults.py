"""Brings about the events of a plan."""

import asyncio
import itertools

from chaos.plan import Fault
from chaos.reign import LEASE, MARGIN

# Seconds that a link takes longer for each block or message.
SLOW = {"store": 0.004, "coordinator": 0.15}

# The share of the store's requests that meets a fault of its own.
SHARES = {Fault.REFUSE: ("refuse", 0.5), Fault.RESET_REQUEST: ("reset_request", 0.2),
          Fault.RESET_ANSWER: ("reset_answer", 0.2), Fault.LOSE_ANSWER: ("lose_answer", 0.2)}


class Storm:
    """Strikes as the events say, side by side."""

    def __init__(self, world):
        self.world = world
        self.under_way = set()
        self.disks_in_turn = itertools.cycle(["journal", "files", "scratch"])

    async def rage(self, events):
        """All events at their times; ends when the last has passed."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for event in events:
            await asyncio.sleep(max(0.0, begun + event.at - loop.time()))
            if self.world.has_seen_enough():
                break
            task = asyncio.create_task(self.strike(event))
            self.under_way.add(task)
            task.add_done_callback(self._ended)
        if self.under_way:
            await asyncio.wait(self.under_way)

    def _ended(self, task):
        self.under_way.discard(task)
        if not task.cancelled() and task.exception():
            self.world.report.violation(f"the storm itself broke off: {task.exception()!r}", None)

    async def strike(self, event):
        reign, seconds = self.world.reign, event.seconds
        match event.fault:
            case Fault.KILL_WORKER:
                await self.kill_worker(event)
            case Fault.KILL_COORDINATOR:
                await reign.kill(seconds)
            case Fault.KILL_AT_START:
                await reign.kill_at_start(seconds)
            case Fault.PAUSE_WORKER | Fault.STUTTER_WORKER:
                await self.pause_worker(event)
            case Fault.DRAIN_WORKER:
                await self.drain_worker(event)
            case Fault.TWO_COORDINATORS:
                await reign.two_at_once(seconds)
            case Fault.PAUSE_COORDINATOR:
                await reign.pause(seconds)
            case Fault.STUTTER_COORDINATOR:
                await reign.stutter(seconds)
            case Fault.END_COORDINATOR:
                await reign.end()
            case Fault.STANDBY:
                await reign.stand_by()
            case Fault.CUT_COORDINATOR | Fault.CUT_STORE:
                await self.cut(event)
            case Fault.SLOW_COORDINATOR | Fault.SLOW_STORE:
                await self.slow_down(event)
            case Fault.REFUSE | Fault.RESET_REQUEST | Fault.RESET_ANSWER | Fault.LOSE_ANSWER:
                await self.spoil_requests(event)
            case Fault.FULL_DISK:
                await self.fill_disk(event)

    async def kill_worker(self, event):
        fleet = self.world.fleet
        if seat := fleet.choose(event.pick):
            fleet.keep_down(seat, event.seconds)
            seat.kill()
            self.world.report.fired(Fault.KILL_WORKER)

    async def pause_worker(self, event):
        # What a slow link holds of a write would go on when the worker wakes up, after its lease: the one thing that no
        # worker can promise.
        seat = self.world.fleet.choose(event.pick, lambda seat: seat.is_awake and not seat.store.delay)
        if seat is None:
            return
        process = seat.process
        seat.pause()
        await asyncio.sleep(event.seconds)
        if seat.process is process and seat.is_up:
            seat.resume()
            is_zombie = event.seconds > LEASE + MARGIN
            self.world.report.fired(Fault.PAUSE_WORKER if is_zombie else Fault.STUTTER_WORKER)

    async def drain_worker(self, event):
        seat = self.world.fleet.choose(event.pick, lambda seat: seat.is_awake and not seat.may_end)
        if seat is None:
            return
        process = seat.process
        well = await seat.drain()
        if well:
            self.world.report.fired(Fault.DRAIN_WORKER)
        elif well is False:
            self.world.report.violation(f"worker {process.name} did not drain in good order", process.log)

    def link_of(self, event):
        seat = self.world.fleet.choose(event.pick, lambda seat: True)
        return seat.store if event.fault in (Fault.CUT_STORE, Fault.SLOW_STORE) else seat.coordinator

    async def cut(self, event):
        link = self.link_of(event)
        link.cut()
        await asyncio.sleep(event.seconds)
        link.heal()

    async def slow_down(self, event):
        link = self.link_of(event)
        link.delay = SLOW["store" if event.fault is Fault.SLOW_STORE else "coordinator"]
        await asyncio.sleep(event.seconds)
        link.delay = 0.0

    async def spoil_requests(self, event):
        name, share = SHARES[event.fault]
        links = self.world.store_links()
        for link in links:
            setattr(link.shares, name, share)
        await asyncio.sleep(event.seconds)
        for link in links:
            setattr(link.shares, name, 0.0)

    async def fill_disk(self, event):
        disks = self.world.disks
        if not disks.can_fill:
            return
        # In turn: that of the journal is written all the time, the others when a job happens to need them.
        if await disks.fill(next(self.disks_in_turn), event.seconds):
            self.world.report.fired(Fault.FULL_DISK)
