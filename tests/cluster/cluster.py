"""A coordinator and workers as real processes, against one S3 server."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conftest import ENVIRONMENT, PROGRAMS, run_rechunk, wait_until  # noqa: E402


class Process:
    """One program of ours, its log in a file."""

    def __init__(self, directory, name, *command, env=None, prefix=(), programs=PROGRAMS):
        self.name = name
        self.log = directory / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [*prefix, programs / command[0], *map(str, command[1:])], stdout=log, stderr=log,
                env={**ENVIRONMENT, **(env or {})})

    def text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
        assert "panicked" not in self.text(), self.text()


class Cluster:
    """A coordinator, workers, and the command line pointed at them."""

    # Where the coordinator listens.
    address = "127.0.0.1"
    # What is started from here on.
    programs = PROGRAMS

    def prefix(self, name):
        """A command that runs what has this name somewhere else."""
        return ()

    def __init__(
            self, directory, s3, lease=2, lease_work=15, puts_per_second=None, journal=None, coordinator_options=()):
        """`puts_per_second`: no more than so many, however fast the machine is: the job lasts as long as a fault needs."""
        table = f"max_puts_per_second = {puts_per_second}" if puts_per_second else ""
        self.directory, self.s3 = directory, s3
        self.config = directory / "config.toml"
        self.config.write_text(self.store_table(s3.endpoint) + table + "\n")
        self.credentials = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret}
        self.processes = []
        self.lease, self.lease_work = lease, lease_work
        self.journal = journal or directory / "journal"
        self.coordinator = self.start_coordinator("coordinator", *coordinator_options)
        self.port = self._port(self.coordinator)
        self.url = f"http://{self.address}:{self.port}"

    def store_table(self, endpoint):
        """The configuration of a process that reaches the store there."""
        return (f'[[stores]]\nprefix = "s3://{self.s3.bucket}"\naccess = "read-write"\nendpoint = "{endpoint}"\n'
                'region = "us-east-1"\ncredentials = "environment"\n')

    def _start(self, name, *command, env=None):
        env = {**self.credentials, **(env or {})}
        process = Process(self.directory, name, *command, env=env, prefix=self.prefix(name), programs=self.programs)
        self.processes.append(process)
        return process

    def start_coordinator(self, name, *options, port=0):
        """A coordinator on this cluster's journal; it may not be ready yet."""
        return self._start(
            name, "rechunk-coordinator", "--listen", f"{self.address}:{port}", "--config", self.config, "--lease",
            self.lease, "--lease-work", self.lease_work, "--margin", 1, "--journal", self.journal, *options)

    def restart_coordinator(self):
        """Kills the coordinator and starts another where it was."""
        self.coordinator.kill()
        self.coordinator = self.start_coordinator(f"coordinator-{len(self.processes)}", port=self.port)
        self._port(self.coordinator)

    def follow(self, coordinator):
        """Talks to another coordinator from here on."""
        self.coordinator, self.port = coordinator, self._port(coordinator)
        self.url = f"http://{self.address}:{self.port}"

    def journal_objects(self):
        """The names of the journal's numbered objects, and of its snapshots."""
        return [sorted(path.name for path in (self.journal / part).glob("*")) for part in ["journal", "snapshots"]]

    def _port(self, coordinator):
        found = []

        def listening():
            assert coordinator.process.poll() is None, coordinator.text()
            # In a log for people, or in one of JSON objects.
            found[:] = re.findall(rf"listen\"?[=:]\"?{re.escape(self.address)}:(\d+)", coordinator.text())
            return found and found[0] != "0"

        wait_until(listening, "the coordinator's address")
        return found[0]

    def worker(self, name, memory="256MiB", cpus=1, config=None, log=None, options=(), env=None):
        return self._start(
            log or name, "rechunk-worker", "--coordinator", self.url, "--memory", memory, "--cpus", cpus, "--config",
            config or self.config, "--name", name, *options, env=env)

    def workers_ready(self, count):
        wait_until(lambda: len(self.command("workers").json) == count, f"{count} workers")

    def command(self, *arguments):
        return run_rechunk(
            *arguments, "--coordinator", self.url, "--output", "json", prefix=self.prefix("client"))

    def submit(self, source, target, chunks, *options):
        specs = [] if chunks is None else ["--chunks", chunks]
        ended = self.command("submit", source, target, *specs, *options)
        assert ended.code == 0, ended.stderr
        return ended.json if "--wait" in options else ended.json["job"]

    def job(self, job):
        ended = self.command("show", job)
        assert ended.code == 0, ended.stderr
        return ended.json

    def wait_for_state(self, job, *states, seconds=180):
        seen = {}

        def reached():
            seen.update(self.job(job))
            assert seen["state"] not in {"SUCCEEDED", "FAILED", "CANCELLED"} - set(states), json.dumps(seen, indent=1)
            return seen["state"] in states

        wait_until(reached, f"{job} in {states}", seconds)
        return seen

    def wait_for_work(self, job, stage=None):
        """Until tasks of a stage are running, and not all of them are done."""

        def running():
            view = self.job(job)
            assert view["state"] in {"ACCEPTED", "RUNNING"}, json.dumps(view, indent=1)
            return any(row["leased"] > 0 and row["done"] < row["tasks"] for row in view["stages"]
                       if stage is None or row["name"] == stage)

        wait_until(running, f"work on {stage or 'any stage'}")

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


def peak_rss(process):
    """The largest resident set of a live process in bytes."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def kill(pid):
    os.kill(pid, signal.SIGKILL)
