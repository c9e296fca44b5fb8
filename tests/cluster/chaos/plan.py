"""What goes wrong and when: a list of events that follows from a seed alone.

Knows nothing of processes. The same seed gives the same list; how the processes are caught by it differs a little each
time.
"""

import enum
import itertools
import random
from dataclasses import dataclass


class Fault(enum.Enum):
    """One kind of misfortune, as the report names it."""

    KILL_WORKER = "worker killed"
    KILL_COORDINATOR = "coordinator killed"
    KILL_AT_START = "coordinator killed while it starts"
    PAUSE_WORKER = "worker paused beyond its lease"
    STUTTER_WORKER = "worker paused within its lease"
    DRAIN_WORKER = "worker drained"
    TWO_COORDINATORS = "two coordinators at once"
    PAUSE_COORDINATOR = "coordinator paused, replaced, woken"
    STUTTER_COORDINATOR = "coordinator paused"
    END_COORDINATOR = "coordinator told to end"
    STANDBY = "standby took over"
    CUT_COORDINATOR = "worker cut off from the coordinator"
    SLOW_COORDINATOR = "slow link to the coordinator"
    CUT_STORE = "worker cut off from the store"
    SLOW_STORE = "slow link to the store"
    REFUSE = "store answers 503"
    RESET_REQUEST = "connection reset in mid-request"
    RESET_ANSWER = "connection reset in mid-answer"
    LOSE_ANSWER = "answer of the store lost"
    FULL_DISK = "disk full"


@dataclass(frozen=True)
class Event:
    """At `at` seconds the fault begins; `pick` (0 to 1) says whom it meets, `seconds` how long it lasts."""

    at: float
    fault: Fault
    pick: float
    seconds: float


@dataclass(frozen=True)
class Pace:
    """Mean seconds between events of three kinds that run side by side."""

    worker_kills: float = 2.8
    coordinator_kills: float = 13.0
    others: float = 3.0


# How often each of the others comes, and how long it lasts at least and at most. Leases end after 2 + 2 seconds.
OTHERS = {
    Fault.PAUSE_WORKER: (3, 5.0, 9.0),
    Fault.STUTTER_WORKER: (2, 0.2, 1.5),
    Fault.DRAIN_WORKER: (2, 0.0, 0.0),
    Fault.TWO_COORDINATORS: (1, 1.0, 3.0),
    Fault.PAUSE_COORDINATOR: (1, 4.5, 7.0),
    Fault.STUTTER_COORDINATOR: (1, 0.3, 5.0),
    Fault.END_COORDINATOR: (1, 0.0, 0.0),
    Fault.STANDBY: (2, 0.0, 0.0),
    Fault.CUT_COORDINATOR: (2, 1.0, 8.0),
    Fault.SLOW_COORDINATOR: (1, 3.0, 6.0),
    Fault.CUT_STORE: (2, 1.0, 5.0),
    Fault.SLOW_STORE: (2, 3.0, 6.0),
    Fault.REFUSE: (2, 2.0, 5.0),
    Fault.RESET_REQUEST: (2, 3.0, 6.0),
    Fault.RESET_ANSWER: (2, 3.0, 6.0),
    Fault.LOSE_ANSWER: (2, 3.0, 6.0),
    Fault.FULL_DISK: (2, 1.0, 3.0),
}

# Every so many kills of the coordinator its successor is killed too, before it is ready.
AT_START_EVERY = 5


def events(seed, seconds, pace=Pace()):
    """The events of a run, in order."""
    found = []
    for name, mean, draw in [
        ("workers", pace.worker_kills, _worker_kill),
        ("coordinators", pace.coordinator_kills, _coordinator_kill(itertools.count(AT_START_EVERY - 2))),
        ("others", pace.others, _other(random.Random(f"{seed} order"))),
    ]:
        dice = random.Random(f"{seed} {name}")
        at = mean * dice.uniform(0.3, 1.0)
        while at < seconds:
            found.append(draw(dice, at))
            at += mean * dice.uniform(0.6, 1.4)
    return sorted(found, key=lambda event: event.at)


def _worker_kill(dice, at):
    return Event(at, Fault.KILL_WORKER, dice.random(), dice.uniform(0.0, 1.0))


def _coordinator_kill(numbers):
    def draw(dice, at):
        if next(numbers) % AT_START_EVERY == 0:
            return Event(at, Fault.KILL_AT_START, dice.random(), dice.uniform(0.0, 0.05))
        return Event(at, Fault.KILL_COORDINATOR, dice.random(), dice.uniform(0.0, 0.5))

    return draw


def _other(dice_of_order):
    """Deals the others from a shuffled deck, each kind once before any comes again."""
    deck = []

    def draw(dice, at):
        if not deck:
            again = [fault for fault, (often, _, _) in OTHERS.items() for _ in range(often - 1)]
            once = list(OTHERS)
            dice_of_order.shuffle(again)
            dice_of_order.shuffle(once)
            deck.extend([*again, *once])
        fault = deck.pop()
        _, least, most = OTHERS[fault]
        return Event(at, fault, dice.random(), dice.uniform(least, most))

    return draw
