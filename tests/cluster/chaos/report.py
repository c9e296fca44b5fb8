"""What happened, what must not have happened, and the words for it."""

import collections
import json
import sys
import time

from chaos.plan import Fault

# How the links count what they did, and as which fault the report shows it.
LINK_FAULTS = {
    ("coordinator", "cut"): Fault.CUT_COORDINATOR,
    ("coordinator", "slow"): Fault.SLOW_COORDINATOR,
    ("store", "cut"): Fault.CUT_STORE,
    ("store", "slow"): Fault.SLOW_STORE,
    ("store", "refuse"): Fault.REFUSE,
    ("store", "reset_request"): Fault.RESET_REQUEST,
    ("store", "reset_answer"): Fault.RESET_ANSWER,
    ("store", "lose_answer"): Fault.LOSE_ANSWER,
}

# A pass of a tenth of the store's requests and so on is counted by requests, all else by events.
UNITS = {fault: "connections and blocks" for (_, name), fault in LINK_FAULTS.items() if name in ("cut", "slow")} | {
    fault: "requests" for (_, name), fault in LINK_FAULTS.items() if name not in ("cut", "slow")}


class Growing:
    """A figure of a job that a new coordinator may begin at nought again: what was seen of it in all, at least."""

    def __init__(self):
        self.before, self.last = 0, 0

    def see(self, value):
        if value < self.last:
            self.before += self.last
        self.last = value

    @property
    def total(self):
        return self.before + self.last


class Report:
    """The figures of a run."""

    def __init__(self, seed, logs):
        self.seed, self.logs = seed, logs
        self.begun = time.monotonic()
        self.faults = collections.Counter()
        self.skipped = {}
        self.jobs = collections.Counter()
        self.states = collections.Counter()
        self.shapes_of_plans = collections.Counter()
        self.undisturbed = 0
        self.retried = collections.Counter()
        self.expired = collections.defaultdict(Growing)
        self.rerun = collections.defaultdict(Growing)
        self.bytes_compared = 0
        self.left_over = 0
        self.orphans = 0
        self.uploads_left_over = 0
        self.no_space = 0
        self.violations = []

    def fired(self, fault):
        self.faults[fault] += 1

    def violation(self, what, log):
        where = f" (see {log})" if log else ""
        self.violations.append(f"{what}{where}")
        print(f"VIOLATION at {self.seconds:.0f} s: {what}{where}", file=sys.stderr, flush=True)

    def saw(self, view):
        """A view of a job, on its way or at its end."""
        self.expired[view["job"]].see(view["leases_expired"])
        self.rerun[view["job"]].see(view["retries"])

    def job_done(self, shape, view, compared, was_disturbed):
        self.saw(view)
        self.jobs[shape.name] += 1
        self.states[view["state"]] += 1
        self.undisturbed += not was_disturbed
        names = {row["name"] for row in view["stages"]}
        for array in view["plan"]["arrays"]:
            packed = " (packed)" if "index_exchange" in names else ""
            self.shapes_of_plans[array["shape_of_plan"] + packed] += 1
        self.bytes_compared += compared

    def job_failed(self, shape, failure):
        self.retried[failure["reason"]] += 1
        print(f"  a job ({shape.name}) failed and is retried: {failure['message']}", file=sys.stderr, flush=True)

    def take_links(self, links):
        """Adds what the links did."""
        for link in links:
            for name, count in link.fired.items():
                kind = "store" if link.name.endswith("store") else "coordinator"
                self.faults[LINK_FAULTS[kind, name]] += count
            link.fired.clear()

    @property
    def seconds(self):
        return time.monotonic() - self.begun

    def silent(self):
        """Kinds of fault that were to fire and did not."""
        return [fault.value for fault in Fault if not self.faults[fault] and fault not in self.skipped]

    def line(self):
        return (f"{self.seconds:4.0f} s: {sum(self.jobs.values())} jobs, {self.faults[Fault.KILL_WORKER]} workers and "
                f"{self.faults[Fault.KILL_COORDINATOR] + self.faults[Fault.KILL_AT_START]} coordinators killed, "
                f"{len(self.violations)} violations")

    def as_json(self):
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "jobs": dict(sorted(self.jobs.items())),
            "jobs_total": sum(self.jobs.values()),
            "states": dict(self.states),
            "shapes_of_plans": dict(sorted(self.shapes_of_plans.items())),
            "jobs_undisturbed": self.undisturbed,
            "jobs_failed_and_retried": dict(self.retried),
            "faults": {fault.value: self.faults[fault] for fault in Fault},
            "faults_skipped": {fault.value: why for fault, why in self.skipped.items()},
            "faults_silent": self.silent(),
            "writes_refused_for_want_of_space": self.no_space,
            "leases_expired": sum(figure.total for figure in self.expired.values()),
            "tasks_re_run": sum(figure.total for figure in self.rerun.values()),
            "bytes_compared": self.bytes_compared,
            "objects_left_over": self.left_over,
            "bitmaps_of_unaccepted_jobs": self.orphans,
            "uploads_left_over": self.uploads_left_over,
            "violations": self.violations,
            "logs": str(self.logs),
        }

    def write(self, path):
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n")

    def text(self):
        """The report as people read it."""
        figures = self.as_json()
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        lines = [f"chaos: seed {self.seed}, {figures['seconds']} s", "", f"jobs  {figures['jobs_total']}: {states}"]
        lines += [f"  {count:6}  {name}" for name, count in figures["jobs"].items()]
        lines += ["plans"] + [f"  {count:6}  {name}" for name, count in figures["shapes_of_plans"].items()]
        lines += ["faults"]
        for fault in Fault:
            note = self.skipped.get(fault) or UNITS.get(fault, "")
            if not self.faults[fault] and fault not in self.skipped:
                note = "DID NOT FIRE"
            lines.append(f"  {self.faults[fault]:6}  {fault.value}{f' ({note})' if note else ''}")
        lines += [
            "", f"jobs that nothing disturbed              {self.undisturbed}",
            f"jobs failed by chance and retried        {dict(self.retried) or 0}",
            f"leases expired (seen, at least)          {figures['leases_expired']}",
            f"tasks run again (seen, at least)         {figures['tasks_re_run']}",
            f"writes refused for want of space (lines) {self.no_space}",
            f"bytes compared                           {self.bytes_compared:,}",
            f"objects left over                        {self.left_over}",
            f"bitmaps of jobs never accepted (known)   {self.orphans}",
            f"uploads in parts left over               {self.uploads_left_over}",
            f"violations                               {len(self.violations)}",
        ]
        lines += [f"  - {violation}" for violation in self.violations]
        if self.violations:
            lines += ["", f"run it again: tests/chaos --seed {self.seed} ...; logs: {self.logs}"]
        return "\n".join(lines)
