"""A real S3 server for one run: SeaweedFS with one bucket, ended by its process number."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS = 90


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on. The server also opens each + 10000."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] % 30000 + 20000
        if all(is_free(each) for each in (port, port + 10000)) and all(abs(port - other) % 10000 for other in ports):
            ports.append(port)
    return ports


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class SeaweedFs:
    """A running server with everything allowed to one key."""

    bucket = "bench"
    key, secret, region = "bench-key", "bench-secret", "us-east-1"

    def __init__(self, directory: Path, weed: Path):
        self.master, volume, self.filer, s3 = free_ports(4)
        self.endpoint = f"http://127.0.0.1:{s3}"
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        who = {"name": "bench", "credentials": [{"accessKey": self.key, "secretKey": self.secret}], "actions": actions}
        (directory / "s3.json").write_text(json.dumps({"identities": [who]}))
        (directory / "data").mkdir()
        self.log = directory / "weed.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [weed, "server", f"-dir={directory / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                 f"-master.port={self.master}", f"-volume.port={volume}", "-filer", f"-filer.port={self.filer}", "-s3",
                 f"-s3.port={s3}", f"-s3.config={directory / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
                 "-master.volumeSizeLimitMB=1024", "-volume.max=30", "-master.telemetry=false"],
                stdout=log, stderr=log, cwd=directory)
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def env(self) -> dict[str, str]:
        """What the AWS command line would read."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret, "AWS_REGION": self.region,
                "AWS_DEFAULT_REGION": self.region, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true"}

    def wait_until_ready(self) -> None:
        deadline, said = time.monotonic() + START_SECONDS, ""
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.make_bucket()
                # The S3 door answers an unsigned request with a refusal, which is an answer.
                ask(self.endpoint, accepted=(200, 403))
                self.write_probe()
                return
            except OSError as error:
                said = str(error)
                time.sleep(0.1)
        raise SystemExit(f"the S3 server did not start: {said}\n{self.log.read_text()[-2000:]}")

    def make_bucket(self) -> None:
        # A POST to a directory makes it, 409 says that it is there; a directory under /buckets is a bucket.
        ask(f"http://127.0.0.1:{self.filer}/buckets/{self.bucket}/", method="POST", accepted=(200, 201, 409))

    def write_probe(self) -> None:
        # Until a volume is there, objects cannot be written.
        place = f"http://127.0.0.1:{self.filer}/buckets/{self.bucket}/ready"
        ask(place, method="PUT", body=b"1" * 4096, accepted=(200, 201))
        ask(place, method="DELETE", accepted=(204, 200, 202))

    def remove(self, prefix: str) -> None:
        """Deletes all objects below a prefix, and gives their space back."""
        place = f"http://127.0.0.1:{self.filer}/buckets/{self.bucket}/{prefix}?recursive=true&ignoreRecursiveError=true"
        ask(place, method="DELETE", accepted=(200, 202, 204, 404), timeout=120)
        ask(f"http://127.0.0.1:{self.master}/vol/vacuum?garbageThreshold=0.01", accepted=(200, 404), timeout=120)

    def stop(self) -> None:
        # Its data goes with it, and it takes ten seconds to stop when asked.
        self.process.kill()
        self.process.wait()


def ask(url: str, method: str = "GET", body: bytes | None = None, accepted: tuple = (200,), timeout: float = 10) -> None:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            answer.read()
            status = answer.status
    except urllib.error.HTTPError as error:
        error.read()
        status = error.code
    if status not in accepted:
        raise OSError(f"{method} {url} answered {status}")
