"""Who may call a coordinator: certificates and tokens, with real processes on encrypted connections."""

import re

import numpy as np
import pytest
import trustme
import zarr
from cluster import Process
from conftest import run_rechunk, wait_until

ANNA, WORKERS = "annas-token-0123456789", "workers-token-9876543210"
SHAPE, TARGET_CHUNKS = (64, 48, 32), "64,8,8"


class Secured:
    """A coordinator that asks everybody who they are, and the files with which they say it."""

    def __init__(self, directory):
        self.directory, self.processes = directory, []
        self.authority, self.another = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = directory / "ca.pem", directory / "other-ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.another.cert_pem.write_to_path(self.other_ca)
        self.server = self.identity("server", self.authority, "127.0.0.1")
        self.config = directory / "config.toml"
        self.config.write_text(f'[[stores]]\nprefix = "file://{directory}"\naccess = "read-write"\n')
        self.user_tokens = self.text("users.txt", f"# people\nanna {ANNA}\n")
        self.worker_tokens = self.text("workers.txt", f"worker {WORKERS}\n")

    def text(self, name, text):
        file = self.directory / name
        file.write_text(text)
        return file

    def identity(self, name, authority, *names):
        """Files with a certificate and its key."""
        issued = authority.issue_cert(*names)
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        issued.private_key_pem.write_to_path(key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(certificate, append=True)
        return certificate, key

    def start(self, name, *command, env=None):
        process = Process(self.directory, name, *command, env=env)
        self.processes.append(process)
        return process

    def start_coordinator(self, name="coordinator", identity=None):
        certificate, key = identity or self.server
        return self.start(
            name, "rechunk-coordinator", "--listen", "127.0.0.1:0", "--listen-workers", "127.0.0.1:0", "--config",
            self.config, "--journal", self.directory / f"{name}-journal", "--tls-cert", certificate, "--tls-key", key,
            "--tls-worker-ca", self.ca, "--user-tokens", self.user_tokens, "--worker-tokens", self.worker_tokens)

    def follow(self, coordinator):
        wait_until(lambda: "coordinator ready" in coordinator.text(), "the coordinator")
        users, workers = re.search(r"listen=(\S+) listen_workers=(\S+)", coordinator.text()).groups()
        self.users, self.workers = f"https://{users}", f"https://{workers}"

    def start_worker(self, name, identity=None, token=WORKERS, ca=None):
        flags = ["--tls-cert", identity[0], "--tls-key", identity[1]] if identity else []
        return self.start(
            name, "rechunk-worker", "--coordinator", self.workers, "--memory", "256MiB", "--cpus", 1, "--name", name,
            "--config", self.config, "--tls-ca", ca or self.ca, *flags, env={"RECHUNK_TOKEN": token})

    def command(self, *arguments, token=ANNA, ca=None, coordinator=None):
        """The command line, with a token in a file where it has one."""
        flags = ["--token-file", self.text("token.txt", token + "\n")] if token else []
        return run_rechunk(*arguments, "--coordinator", coordinator or self.users, "--tls-ca", ca or self.ca, *flags,
                           "--output", "json")

    def error(self, *arguments, **others):
        ended = self.command(*arguments, **others)
        return ended.code, ended.json["error"]


@pytest.fixture
def secured(tmp_path):
    secured = Secured(tmp_path)
    secured.follow(secured.start_coordinator())
    yield secured
    for process in reversed(secured.processes):
        process.stop()
        assert ANNA not in process.text() and WORKERS not in process.text(), "a token is in a log"


@pytest.fixture
def source(secured):
    values = np.random.default_rng(7).integers(0, 1000, SHAPE, dtype="u4")
    path = secured.directory / "source.zarr"
    zarr.create_array(path, shape=SHAPE, chunks=(1, 48, 32), dtype="u4")[...] = values
    return path, values


def test_a_job_runs_where_everybody_says_who_they_are(secured, source):
    path, values = source
    secured.start_worker("w", identity=secured.identity("w", secured.authority, "worker.test"))
    wait_until(lambda: len(secured.command("workers").json) == 1, "the worker")
    target = secured.directory / "target.zarr"
    ended = secured.command("submit", path, target, "--chunks", TARGET_CHUNKS, "--wait", "--quiet")
    assert ended.code == 0, ended.stderr
    assert np.array_equal(zarr.open_array(target, mode="r")[...], values)
    job = ended.json["job"]
    assert secured.command("delete", job).code == 0
    log = secured.processes[0].text()
    for deed in ("submitted", "deleted"):
        assert any(deed in line and job in line and "anna" in line for line in log.splitlines()), log


@pytest.mark.parametrize(("token", "reason"), [(None, "TOKEN_MISSING"), ("not-a-token-of-anybody", "TOKEN_UNKNOWN"),
                                               (WORKERS, "TOKEN_UNKNOWN")])
def test_a_user_without_a_known_token_is_turned_away(secured, token, reason):
    code, error = secured.error("jobs", token=token)
    assert (code, error["code"], error["reason"]) == (2, "PERMISSION_DENIED", reason), error


def test_a_coordinator_whose_certificate_is_of_no_known_authority_gets_no_token(secured):
    code, error = secured.error("jobs", ca=secured.other_ca)
    assert (code, error["code"]) == (3, "UNAVAILABLE"), error
    assert "certificate" in error["message"], error


def test_nobody_gets_in_without_encryption(secured):
    code, error = secured.error("jobs", token=None, coordinator=secured.users.replace("https", "http"))
    assert (code, error["code"]) == (3, "UNAVAILABLE"), error


def test_a_token_is_not_sent_where_it_could_be_read(secured):
    code, error = secured.error("jobs", coordinator="http://coordinator.invalid:7380")
    assert (code, error["reason"]) == (2, "TOKEN_IN_THE_CLEAR"), error


@pytest.mark.parametrize(("kind", "said"), [
    # A handshake that the coordinator breaks off may look like a broken connection, as it does in TLS 1.3.
    ("without a certificate", "cannot be reached"), ("with a certificate of somebody else", "cannot be reached"),
    ("without a token of workers", "does not know the token"), ("that believes somebody else", "certificate")])
def test_a_worker_that_does_not_say_who_it_is_gets_no_work(secured, kind, said):
    own = secured.identity("own", secured.authority, "worker.test")
    worker = {
        "without a certificate": lambda: secured.start_worker("w"),
        "with a certificate of somebody else": lambda: secured.start_worker(
            "w", identity=secured.identity("foreign", secured.another, "worker.test")),
        "without a token of workers": lambda: secured.start_worker("w", identity=own, token=ANNA),
        "that believes somebody else": lambda: secured.start_worker("w", identity=own, ca=secured.other_ca),
    }[kind]()
    wait_until(lambda: "WARN" in worker.text() or worker.process.poll() is not None, "what the worker says")
    assert said in worker.text(), worker.text()
    assert secured.command("workers").json == []


@pytest.mark.parametrize(("file", "text", "said"), [
    ("server.key", "no key", "certificates or the key cannot be used"), ("server.pem", "", "cannot be used"),
    ("users.txt", "anna", "users.txt: line 1 is not a name, a space and a token"),
    ("workers.txt", "worker short", "workers.txt: line 1: a token has at least 16 characters")])
def test_a_file_that_cannot_be_used_ends_the_start_with_a_sentence(secured, file, text, said):
    secured.text(file, text)
    coordinator = secured.start_coordinator("other")
    assert coordinator.process.wait() == 2, coordinator.text()
    assert "error: " in coordinator.text() and said in coordinator.text(), coordinator.text()
