"""What the Python tests share: the programs as processes, a real S3 server, and other stores."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = pathlib.Path(os.environ.get("RECHUNK_TEST_BIN", ROOT / "target" / "release"))
OURS = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "RECHUNK_", "STORAGE_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


class Ended:
    """A command that ended: its exit code and what it said."""

    def __init__(self, process):
        self.code = process.returncode
        self.stdout = process.stdout
        self.stderr = process.stderr

    @property
    def json(self):
        return json.loads(self.stdout)


def run_rechunk(*arguments, env=None, timeout=300, prefix=()):
    """Runs the command line to its end; `prefix` is a command that runs it somewhere else."""
    command = [*prefix, PROGRAMS / "rechunk", *map(str, arguments)]
    process = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env={**ENVIRONMENT, **(env or {})}, check=False
    )
    assert "panicked" not in process.stderr, process.stderr
    return Ended(process)


@pytest.fixture(scope="session")
def rechunk():
    """`rechunk(...)` runs a command and returns how it ended."""
    return run_rechunk


@pytest.fixture(scope="session")
def rechunk_run(rechunk):
    """`rechunk_run(source, target, chunks, ...)` must succeed; returns the JSON report."""

    def run(source, target, chunks, *options, env=None):
        specs = [chunks] if isinstance(chunks, str) else chunks
        flags = [flag for spec in specs for flag in ("--chunks", spec)]
        ended = rechunk("run", source, target, *flags, "--output", "json", *options, env=env)
        assert ended.code == 0, ended.stderr + ended.stdout
        return ended.json

    return run


def free_ports(count, below=50000):
    """Ports nobody listens on; SeaweedFS also opens each + 10000."""
    ports = []
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] % 30000 + 20000
        for candidate in (port, port + 10000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", candidate)) == 0:
                    break
        else:
            if port < below and port not in ports:
                ports.append(port)
    return ports


def wait_until(condition, what, seconds=60):
    """Asks again until `condition()` is true: for things outside this process that cannot tell."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about in {seconds} s")
        time.sleep(0.05)


class S3:
    """A SeaweedFS server with one bucket."""

    bucket = "test"
    key, secret = "rechunk-key", "rechunk-secret"
    address = "127.0.0.1"
    # A command that runs the server somewhere else.
    prefix = ()

    def __init__(self, directory):
        self.directory = directory
        master, volume, filer, s3 = free_ports(4)
        self.endpoint = f"http://{self.address}:{s3}"
        self.filer = f"http://{self.address}:{filer}"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": self.key, "secretKey": self.secret}]
        config = directory / "s3.json"
        config.write_text(json.dumps({"identities": [{"name": "n", "credentials": credentials, "actions": actions}]}))
        data = directory / "data"
        data.mkdir()
        weed = os.environ.get("RECHUNK_TEST_WEED", pathlib.Path(sys.executable).parent / "weed")
        self.log = open(directory / "weed.log", "wb")
        self.process = subprocess.Popen(
            [*self.prefix, weed, "server", f"-dir={data}", f"-ip={self.address}", f"-ip.bind={self.address}",
             f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}", "-s3",
             f"-s3.port={s3}",
             f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024",
             # On a disk that is almost full it would take nothing more long before the disk is.
             "-volume.max=30", "-volume.minFreeSpace=200MiB", "-master.telemetry=false"],
            stdout=self.log, stderr=self.log)
        wait_until(self._is_ready, "the S3 server")

    def _is_ready(self):
        assert self.process.poll() is None, (self.directory / "weed.log").read_text()[-2000:]
        try:
            self.make_bucket()
            return True
        except Exception:  # noqa: BLE001 - not ready, whatever it says
            return False

    def make_bucket(self):
        """Makes it, or finds it there; tries whether it can be written to."""
        # A POST to a directory makes it, 409 says that it is there; a directory under /buckets is a bucket.
        request = urllib.request.Request(f"{self.filer}/buckets/{self.bucket}/", method="POST")
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
        self.store().put("ready", b"1")
        self.store().delete("ready")

    @property
    def env(self):
        """What the AWS command line would read."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": self.endpoint}

    def url(self, path):
        return f"s3://{self.bucket}/{path}"

    def store(self, prefix=None):
        """An object store for zarr-python's ObjectStore."""
        import obstore.store

        return obstore.store.S3Store(
            self.bucket, prefix=prefix, endpoint=self.endpoint, access_key_id=self.key, secret_access_key=self.secret,
            region="us-east-1", client_options={"allow_http": True}, virtual_hosted_style_request=False)

    def zarr(self, path):
        import zarr.storage

        return zarr.storage.ObjectStore(self.store(path))

    def keys(self, prefix):
        import obstore

        return sorted(item["path"] for batch in obstore.list(self.store(), prefix=prefix) for item in batch)

    def stop(self):
        # Its data goes with it, and it takes ten seconds to stop when asked.
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    directory = tmp_path_factory.mktemp("s3")
    server = S3(directory)
    yield server
    server.stop()
    shutil.rmtree(directory / "data", ignore_errors=True)


class Server:
    """One of the servers of tests/src/servers: its first line is its URL, and it ends with its input."""

    def __init__(self, name, *arguments):
        script = pathlib.Path(__file__).parent / "src" / "servers" / name
        self.process = subprocess.Popen([sys.executable, script, *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        assert self.endpoint, f"{name} ended before it was ready: {self.process.wait()}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Gcs(Server):
    """A double of Google Cloud Storage with one bucket."""

    bucket, token = "test", "rechunk-token"

    def __init__(self):
        super().__init__("gcs.py", self.bucket, self.token)

    @property
    def env(self):
        """What gcloud would read."""
        return {"CLOUDSDK_AUTH_ACCESS_TOKEN": self.token, "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": self.endpoint}

    def url(self, path):
        return f"gs://{self.bucket}/{path}"

    def store(self, prefix=None):
        import obstore.store

        return obstore.store.GCSStore(
            self.bucket, prefix=prefix, config={"base_url": self.endpoint, "bearer_token": self.token},
            client_options={"allow_http": True})


class Azure(Server):
    """Azurite with one container."""

    container, account, key = "test", "lab", "cmVjaHVuay1rZXk="

    def __init__(self, program):
        super().__init__("azurite.py", program, self.account, self.key, self.container)

    @property
    def env(self):
        """What the Azure command line would read."""
        text = f"AccountName={self.account};AccountKey={self.key};BlobEndpoint={self.endpoint}"
        return {"AZURE_STORAGE_CONNECTION_STRING": text}

    def url(self, path):
        return f"az://{self.container}/{path}"

    def store(self, prefix=None):
        import obstore.store

        return obstore.store.AzureStore(
            self.container, prefix=prefix, account_name=self.account, account_key=self.key, endpoint=self.endpoint,
            client_options={"allow_http": True})


@pytest.fixture(scope="session")
def gcs():
    server = Gcs()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azure():
    program = os.environ.get("RECHUNK_TEST_AZURITE")
    if not program:
        pytest.skip("RECHUNK_TEST_AZURITE is not set: Azurite needs Node.js, and tests/run installs it")
    server = Azure(program)
    yield server
    server.stop()


@pytest.fixture
def web(tmp_path):
    """A web server for the files of the test's directory."""
    server = Server("web.py", tmp_path)
    yield server
    server.stop()
