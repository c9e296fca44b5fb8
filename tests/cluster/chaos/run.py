"""One run of chaos: jobs go on and on while everything around them breaks; then it is quiet, and all must be well."""

import argparse
import asyncio
import concurrent.futures
import pathlib
import shutil
import sys
import tempfile
import time

from chaos.disks import enter_namespace
from chaos.faults import Storm
from chaos.plan import Fault, events
from chaos.world import World
from conftest import PROGRAMS, S3

# Seconds for the jobs that are under way when the storm is over.
CALM = 180

# Calls and checks at a time: more than there are ever.
THREADS = 32

# From so many minutes on every kind of fault must have fired.
FULL = 5

# And every kind of plan must have been carried out.
PLANS = {"direct_sweep", "exchange", "exchange (packed)", "group_local", "copy_encoded"}


def arguments():
    parser = argparse.ArgumentParser(prog="tests/chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="how long faults go on [default: 3]")
    parser.add_argument("--seed", type=int, default=None, help="the same seed brings the same faults [default: the time]")
    parser.add_argument("--kills", metavar="W,C", help="end the storm when so many workers and coordinators are killed; a "
                        "violation where the minutes are too short for it")
    parser.add_argument("--journal", choices=["files", "s3"], default="files", help="where the journal is [default: files]")
    parser.add_argument("--output", type=pathlib.Path, help="write the report there, as JSON")
    parser.add_argument("--directory", type=pathlib.Path, help="for the logs, which stay [default: a temporary one, "
                        "which stays only if something is wrong]")
    return parser.parse_args()


async def storm_and_calm(world, seconds):
    """Faults for so long, then none until every job has ended."""
    # A call may hang for as long as its coordinator sleeps, and must not hold up the others.
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(THREADS))
    await world.open()
    watchers = [asyncio.create_task(watch) for watch in
                [world.fleet.look_after(), world.reign.look_after(), world.desk.look(), say_how_it_goes(world)]]
    customers = world.customers.start()
    await Storm(world).rage(events(world.seed, seconds))
    world.calm()
    world.customers.is_open = False
    ended, hanging = await asyncio.wait(customers, timeout=CALM)
    for customer in ended:
        if customer.exception():
            world.report.violation(f"a customer broke off: {customer.exception()!r}", None)
    for customer in hanging:
        world.report.violation(f"a job had not ended {CALM} s after the last fault", None)
        customer.cancel()
    for watch in watchers:
        watch.cancel()
    for watch, ended in zip(watchers, await asyncio.gather(*watchers, return_exceptions=True)):
        if not isinstance(ended, asyncio.CancelledError):
            world.report.violation(f"a watcher broke off: {ended!r}", None)
    await world.close()


async def say_how_it_goes(world):
    while True:
        await asyncio.sleep(15)
        print(world.report.line(), file=sys.stderr, flush=True)


def judge(world, options):
    """What the run as a whole must have brought."""
    report = world.report
    if options.minutes >= FULL:
        for name in report.silent():
            report.violation(f"a kind of fault did not fire: {name}", None)
        for name in sorted(PLANS - set(report.shapes_of_plans)):
            report.violation(f"no job was planned as {name}", None)
        if world.disks.can_fill and not report.no_space:
            report.violation("no write was refused for want of space", None)
    if world.enough and not world.has_seen_enough():
        report.violation(f"fewer kills than were asked for ({options.kills})", None)
    if not report.jobs:
        report.violation("no job has ended", None)


def main():
    options = arguments()
    enter_namespace()
    seed = int(time.time()) if options.seed is None else options.seed
    enough = tuple(map(int, options.kills.split(","))) if options.kills else None
    if not (PROGRAMS / "rechunk").exists():
        sys.exit(f"there are no programs in {PROGRAMS}: build them, or say where with RECHUNK_TEST_BIN")
    if options.directory:
        options.directory.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-", dir=options.directory))
    print(f"chaos: seed {seed}, {options.minutes:g} minutes, in {directory}", file=sys.stderr, flush=True)
    (directory / "s3").mkdir()
    s3 = S3(directory / "s3")
    try:
        world = World(directory, s3, seed, options.journal, enough)
        if Fault.FULL_DISK in world.report.skipped:
            print(f"{Fault.FULL_DISK.value}: {world.report.skipped[Fault.FULL_DISK]}", file=sys.stderr, flush=True)
        asyncio.run(storm_and_calm(world, options.minutes * 60))
    finally:
        s3.stop()
        shutil.rmtree(directory / "s3", ignore_errors=True)
    judge(world, options)
    report = world.report
    print(report.text())
    if options.output:
        report.write(options.output)
    if not report.violations and not options.directory:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if report.violations else 0
