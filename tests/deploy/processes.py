"""The programs, started with the arguments of rendered containers: only addresses and paths are other ones."""

import contextlib
import functools
import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import grpc
import trustme
from chart import flags
from conftest import ENVIRONMENT, PROGRAMS, run_rechunk, wait_until


USERS_TOKEN, WORKERS_TOKEN = "a-token-of-users-0123", "a-token-of-workers-0123"


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
        changed = {"--listen": "127.0.0.1:0", "--listen-workers": "127.0.0.1:0", "--http": "127.0.0.1:0",
                   "--config": self.config, **self._secrets("coordinator", own)}
        self.is_encrypted = "--tls-cert" in own
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
        scheme = own["--coordinator"].partition("://")[0]
        changed = {"--coordinator": f"{scheme}://{address}", "--http": "127.0.0.1:0", "--config": self.config,
                   **self._secrets("worker", own)}
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

    def _secrets(self, program, own):
        """The files that a program's Secrets would hold, by those of its flags that name one."""
        certificate, key = self._identity(program)
        tokens = {"--token-file": WORKERS_TOKEN, "--user-tokens": f"anna {USERS_TOKEN}",
                  "--worker-tokens": f"worker {WORKERS_TOKEN}"}
        files = {"--tls-cert": certificate, "--tls-key": key, "--tls-ca": self.directory / "ca.pem",
                 "--tls-worker-ca": self.directory / "ca.pem"}
        files |= {flag: self._file(flag.strip("-"), text) for flag, text in tokens.items()}
        return {flag: file for flag, file in files.items() if flag in own}

    def _file(self, name, text):
        (self.directory / name).write_text(text)
        return self.directory / name

    @functools.cached_property
    def _authority(self):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.directory / "ca.pem")
        return authority

    @functools.cache
    def _identity(self, name):
        """Files with a certificate and its key."""
        issued = self._authority.issue_cert("127.0.0.1")
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def answers(self, name, path, status=200):
        """Waits until a program answers a probe like that."""
        log = (self.directory / f"{name}.log").read_text()
        (address,) = set(re.findall(r"probes and metrics http=(\S+)", log))

        def answered():
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                    return answer.status == status
            except urllib.error.HTTPError as error:
                return error.code == status

        wait_until(answered, f"{status} of {path} of {name}")

    def _channel(self, address):
        if not self.is_encrypted:
            return grpc.insecure_channel(address)
        # Whoever asks shows a certificate as a worker does.
        certificate, key = self._identity("worker")
        own = [file.read_bytes() for file in (self.directory / "ca.pem", key, certificate)]
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(*own))

    def is_serving(self, address, service):
        """grpc.health.v1.Health/Check, and whether the answer is SERVING."""
        with self._channel(address) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            name = service.encode()
            request = bytes([0x0A, len(name)]) + name if name else b""
            try:
                return check(request, timeout=10) == b"\x08\x01"
            except grpc.RpcError as error:
                assert error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNIMPLEMENTED), error
                return False

    def workers_are(self, address, names):
        """Waits until exactly these have called."""
        coordinator = ["--coordinator", f"http://{address}"]
        if self.is_encrypted:
            token = self._file("own-token", USERS_TOKEN)
            coordinator = ["--coordinator", f"https://{address}", "--tls-ca", self.directory / "ca.pem", "--token-file", token]

        def called():
            ended = run_rechunk("workers", *coordinator, "--output", "json")
            assert ended.code == 0, ended.stderr
            return {worker["id"] for worker in json.loads(ended.stdout)} == names

        wait_until(called, f"the workers {names}")
