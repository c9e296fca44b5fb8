"""The programs, started with the arguments of rendered containers: only addresses and paths are other ones."""

import contextlib
import json
import os
import re
import subprocess

import grpc
from chart import flags
from conftest import ENVIRONMENT, PROGRAMS, run_rechunk, wait_until


class Programs:
    """Processes in a directory; all are ended at the end."""

    def __init__(self, directory, config):
        self.directory = directory
        self.config = directory / "config.toml"
        self.config.write_text(config)
        self.running = contextlib.ExitStack()
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.close()

    def coordinator(self, container, name="coordinator"):
        """Starts it, and says where users and where workers connect."""
        return self.addresses(self.start_coordinator(container, name))

    def start_coordinator(self, container, name):
        """Starts one, and returns what tells its log."""
        own = flags(container)
        changed = {"--listen": "127.0.0.1:0", "--listen-workers": "127.0.0.1:0", "--config": self.config}
        if own["--journal"] != "memory:":
            changed["--journal"] = self.directory / "journal"
        return self._start(name, container, own, changed)

    @staticmethod
    def addresses(log):
        """Where users and where workers connect, once the coordinator with this log reigns."""
        ready = re.compile(r"listen=(\S+) listen_workers=(\S+)")
        wait_until(lambda: ready.search(log()), "the coordinator")
        return ready.search(log()).groups()

    def worker(self, name, container, address):
        """Starts one under a name, which a pod has from its own."""
        own = flags(container)
        changed = {"--coordinator": f"http://{address}", "--config": self.config}
        if "--scratch" in own:
            changed["--scratch"] = self.directory / f"{name}-scratch"
        assert container["env"][0]["name"] == "RECHUNK_NAME"
        self._start(name, container, own, changed, {"RECHUNK_NAME": name})

    def _start(self, name, container, own, changed, env=None):
        assert set(changed) <= set(own), "the container does not say what is to be changed"
        given = {**own, **changed}
        arguments = [f"{flag}={value}" if value != "" else flag for flag, value in given.items()]
        path = self.directory / f"{name}.log"
        with open(path, "wb") as log:
            process = subprocess.Popen(
                [PROGRAMS / container["command"][0], *map(str, arguments)], stdout=log, stderr=log,
                env={**ENVIRONMENT, **(env or {})}, cwd=os.fspath(self.directory))

        self.processes[name] = process
        self.running.callback(self.kill, name)

        def text():
            said = path.read_text(errors="replace")
            assert process.poll() is None, said
            return said

        return text

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    @staticmethod
    def is_serving(address, service):
        """What a probe of Kubernetes asks: grpc.health.v1.Health/Check, and whether the answer is SERVING."""
        with grpc.insecure_channel(address) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            name = service.encode()
            request = bytes([0x0A, len(name)]) + name if name else b""
            try:
                return check(request, timeout=10) == b"\x08\x01"
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED), error
                return False

    @staticmethod
    def workers_are(address, names):
        """Waits until exactly these have called."""

        def called():
            ended = run_rechunk("workers", "--coordinator", f"http://{address}", "--output", "json")
            assert ended.code == 0, ended.stderr
            return {worker["id"] for worker in json.loads(ended.stdout)} == names

        wait_until(called, f"the workers {names}")
