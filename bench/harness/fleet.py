"""A coordinator and workers as processes, each worker with its own way to the store."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

START_SECONDS = 60


class Fleet:
    """One coordinator with a direct way to the store, and as many workers as there are endpoints."""

    def __init__(self, programs: Path, directory: Path, server, endpoints: list[str], memory: str, rate: float):
        self.programs, self.directory, self.server, self.rate = programs, directory, server, rate
        directory.mkdir(exist_ok=True)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RECHUNK_"))}
        self.env |= {"AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
        self.processes: list[subprocess.Popen] = []
        try:
            log = self.start("coordinator", "rechunk-coordinator", server.endpoint, "--listen", "127.0.0.1:0")
            self.url = "http://" + self.wait_for(lambda: address(log), "the coordinator's address")
            for number, endpoint in enumerate(endpoints):
                self.start(f"worker-{number}", "rechunk-worker", endpoint, "--coordinator", self.url, "--memory", memory,
                           "--cpus", "2", "--name", f"worker-{number}")
            self.wait_for(lambda: len(self.ask("workers")) == len(endpoints), f"{len(endpoints)} workers")
        except BaseException:
            self.stop()
            raise

    def start(self, name: str, program: str, endpoint: str, *flags: str) -> Path:
        config = self.directory / f"{name}.toml"
        config.write_text(
            f'[[stores]]\nprefix = "s3://{self.server.bucket}"\naccess = "read-write"\nendpoint = "{endpoint}"\n'
            f'region = "{self.server.region}"\ncredentials = "environment"\n'
            # What a worker can move is what plans are made for.
            f'speed = {{ bytes_per_second = "{round(self.rate)}", latency_ms = 5 }}\n')
        log = self.directory / f"{name}.log"
        with open(log, "wb") as out:
            self.processes.append(subprocess.Popen(
                [self.programs / program, *flags, "--config", config], stdout=out, stderr=out, env=self.env))
        return log

    def ask(self, *arguments):
        """What the command line answers, as JSON."""
        command = [self.programs / "rechunk", *arguments, "--coordinator", self.url, "--output", "json", "--quiet"]
        run = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=self.env)
        if run.returncode:
            raise RuntimeError(f"rechunk {arguments[0]} failed: {(run.stderr or run.stdout).strip()}\n{self.logs()}")
        return json.loads(run.stdout)

    def wait_for(self, condition, what: str):
        deadline = time.monotonic() + START_SECONDS
        while not (found := condition()):
            ended = [process.args[0] for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come about; ended: {ended}\n{self.logs()}")
            time.sleep(0.1)
        return found

    def logs(self) -> str:
        return "\n".join(f"{log.name}: {log.read_text()[-600:]}" for log in sorted(self.directory.glob("*.log"))[:3])

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


def address(log: Path) -> str | None:
    """The address that a coordinator says it listens on."""
    found = re.findall(r"127\.0\.0\.1:[1-9]\d*", log.read_text(errors="replace"))
    return found[0] if found else None
