"""One run of the benchmark: work after work, in rounds in which everybody has one turn, until the rounds or the time
are used up. Writes down what happened; a contender that fails is a record, never the end of the run.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field

import data
import measure
from contenders import Contender, Job, Outcome
from works import Work

#: Who has a turn also when the time of a work is used up: what everything else is compared with.
ALWAYS = ("floor", "us")


@dataclass
class Settings:
    """How much to run."""

    repeat: int
    memories: list[int]
    minutes: float | None
    turn_seconds: float
    cpus: set[int]
    group: object | None = None
    begun: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float:
        return float("inf") if self.minutes is None else self.minutes * 60 - (time.monotonic() - self.begun)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def turns(contenders: list[Contender], memories: list[int]) -> list[tuple[Contender, int | None]]:
    """Everybody once, at the first limit of memory where that means something; then the others at the other limits, so
    that where time is short everybody has been seen once."""
    found = [(contender, memories[0] if contender.takes_memory else None) for contender in contenders]
    for memory in memories[1:]:
        found += [(contender, memory) for contender in contenders if contender.takes_memory]
    return found


class Session:
    """The records of a run grow in `records`, one per turn."""

    def __init__(self, settings: Settings, place, contenders: list[Contender]):
        self.settings, self.place, self.contenders = settings, place, contenders
        self.records: list[dict] = []
        self.versions: dict[str, dict] = {}
        self.unusable: dict[str, str] = {}

    def run(self, works: list[Work], after_each) -> None:
        self.prepare()
        for number, work in enumerate(works):
            if self.settings.seconds_left() <= 0:
                say(f"{work.name}: no time is left")
                continue
            share = self.settings.seconds_left() / (len(works) - number)
            try:
                self.run_work(work, time.monotonic() + share)
            finally:
                for name in ("source", "source_v2", "target", "temp"):
                    self.place.remove(name)
            after_each()

    def prepare(self) -> None:
        for contender in self.contenders:
            try:
                contender.prepare()
            except Exception as error:  # noqa: BLE001 - a peer that can't be installed is a row of the table
                self.unusable[contender.name] = f"cannot be installed: {error}"
                say(f"{contender.name}: {self.unusable[contender.name]}")

    def run_work(self, work: Work, deadline: float) -> None:
        say(f"{work.name}, {work.title}: {work.shape} {work.dtype}, {self.place.medium}")
        with_twin = any(contender.target_format == 2 for contender in self.contenders)
        source, twin, said = data.make(work, self.place, with_twin)
        self.versions.setdefault("zarr-python that writes and checks", said["versions"])
        # The longest turn of each, checking included: what would not end in time does not begin.
        known: dict[tuple, float] = {}
        given_up: set[tuple] = set()
        for round_number in range(self.settings.repeat):
            for contender, memory in turns(self.contenders, self.settings.memories):
                turn = (contender.name, memory)
                if turn in given_up:
                    continue
                refusal = self.unusable.get(contender.name) or contender.refuses(work, self.place.name)
                if refusal:
                    given_up.add(turn)
                    self.note(work, contender, memory, None, Outcome(failure=refusal), None)
                    continue
                in_time = time.monotonic() + known.get(turn, 0) < deadline or contender.name in ALWAYS
                if not in_time or self.settings.seconds_left() <= 0:
                    continue
                begun = time.monotonic()
                job = Job(work, source, twin, self.place.address("target"), self.place.address("temp"),
                          memory or max(self.settings.memories), self.place.name)
                is_good = self.turn(contender, memory, job)
                known[turn] = time.monotonic() - begun
                if not is_good and contender.name not in ALWAYS:
                    given_up.add(turn)
        for contender, memory in turns(self.contenders, self.settings.memories):
            if (contender.name, memory) not in given_up | known.keys():
                self.note(work, contender, memory, None, Outcome(failure="not run: no time was left"), None)

    def turn(self, contender: Contender, memory: int | None, job: Job) -> bool:
        """One run and its check; whether it was right."""
        limits = {"cpus": self.settings.cpus, "limit": min(self.settings.turn_seconds, self.settings.seconds_left())}
        if self.settings.group and contender.name == "us":
            limits["into"] = self.settings.group(memory)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RECHUNK_"))}
        environment |= {**self.place.env, **contender.env(job)}
        measured = measure.run(contender.command(job), env=environment, text=contender.text(job), **limits)
        try:
            outcome = contender.outcome(measured)
        except (KeyError, TypeError, ValueError) as error:
            outcome = Outcome(failure=f"its report cannot be read: {type(error).__name__}: {error}")
        wrong = None
        if outcome.failure is None:
            wrong = data.wrong(job.work, job.target, self.place)
        for name in ("target", "temp"):
            self.place.remove(name)
        self.note(job.work, contender, memory, measured, outcome, wrong)
        return outcome.failure is None and wrong is None

    def note(self, work: Work, contender: Contender, memory, measured, outcome: Outcome, wrong: str | None) -> None:
        if outcome.versions:
            self.versions[contender.name] = outcome.versions
        record = {
            "work": work.name, "contender": contender.name, "max_mem": memory, "store": self.place.name,
            "failure": outcome.failure, "wrong": wrong, "requests": outcome.requests, "notes": outcome.notes,
            "unplanned": outcome.unplanned,
        }
        if measured:
            own, cpu = outcome.own_seconds, outcome.own_cpu_seconds
            record |= {
                "wall_seconds": measured.wall_seconds if own is None else own,
                "process_wall_seconds": measured.wall_seconds,
                "cpu_seconds": measured.cpu_seconds if cpu is None else cpu,
                "process_cpu_seconds": measured.cpu_seconds,
                "peak_rss_bytes": measured.peak_rss_bytes,
            }
        self.records.append(record)
        say("  " + summary(record))


def summary(record: dict) -> str:
    """A record in a line."""
    memory = f" {record['max_mem'] >> 20} MiB" if record["max_mem"] else ""
    who = f"{record['contender']}{memory}:"
    verdict = record["failure"] or (f"WRONG: {record['wrong']}" if record["wrong"] else "right")
    if record["unplanned"]:
        verdict += f", NOT AS PLANNED: {record['unplanned']}"
    if "wall_seconds" not in record:
        return f"{who} {verdict}"
    over = record["max_mem"] and record["contender"] == "us" and record["peak_rss_bytes"] > record["max_mem"]
    cost = f"{record['wall_seconds']:.2f} s, {record['cpu_seconds']:.2f} CPU s, {record['peak_rss_bytes'] >> 20} MiB"
    return f"{who} {cost}{' OVER ITS MEMORY' if over else ''}; {verdict}"
