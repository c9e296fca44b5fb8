"""The image of deploy/Dockerfile: its last stage built and run as a cluster would run it."""

import http.server
import pathlib
import socket
import ssl
import subprocess
import sys
import threading

import numpy as np
import pytest
import zarr
from conftest import ROOT
from image import DOCKERFILE, Image, NotPermitted, why_not

USER = 65532


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    missing = why_not()
    if missing:
        pytest.skip(f"the image is not tested: {missing}")
    image = Image(tmp_path_factory.mktemp("image"))
    try:
        image.check_permitted()
    except NotPermitted as forbidden:
        pytest.skip(f"the image is built but not run: {forbidden}")
    return image


@pytest.fixture
def place(tmp_path):
    """A directory that the image's user may write to."""
    tmp_path.chmod(0o777)
    return tmp_path


def test_the_dockerfile_passes_its_linter():
    hadolint = pathlib.Path(sys.executable).parent / "hadolint"
    ended = subprocess.run([hadolint, "--failure-threshold", "style", DOCKERFILE], capture_output=True, text=True,
                           check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_dockerfile_compiles_with_a_toolchain_that_the_workspace_takes():
    manifest = (ROOT / "Cargo.toml").read_text()
    wanted = manifest.split('rust-version = "')[1].split('"')[0]
    used = DOCKERFILE.read_text().split("rust:")[1].split("-")[0]
    assert tuple(map(int, used.split("."))) >= tuple(map(int, wanted.split(".")))


def test_it_holds_three_programs_and_little_else(image):
    rootfs = image.bundle / "rootfs"
    assert sorted(path.name for path in (rootfs / "usr/bin").iterdir()) == [
        "rechunk", "rechunk-coordinator", "rechunk-worker"]
    files = [path for path in rootfs.rglob("*") if path.is_file() and not path.is_symlink()]
    libraries = {path.name for path in files if ".so" in path.name}
    assert libraries <= {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6",
                         "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    assert len(files) - len(libraries) == 3 + 4, "programs, authorities, passwd, group, nsswitch"
    assert image.size < 160 << 20
    assert image.config["process"]["user"] == {"uid": USER, "gid": USER}


@pytest.mark.parametrize("program", ["rechunk", "rechunk-coordinator", "rechunk-worker"])
def test_every_program_starts_in_it(image, program):
    ended = image.run(program, "--version")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(program)


def test_the_demo_runs_in_it(image, place):
    ended = image.run("rechunk", "demo", "--keep", "/data/demo", "--quiet", mounts=[(place, "/data", "rw")])
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "verified" in ended.stdout or (place / "demo/series.zarr/zarr.json").exists()
    series = zarr.open_array(place / "demo/series.zarr", mode="r")
    maps = zarr.open_array(place / "demo/maps.zarr", mode="r")
    assert series.chunks == (365, 30, 24) and np.array_equal(series[...], maps[...])
    assert (place / "demo/series.zarr/zarr.json").stat().st_uid == USER


def test_the_root_is_read_only_and_that_is_said(image):
    ended = image.run("rechunk", "demo", "--keep", "/var/demo")
    assert ended.returncode != 0
    assert "cannot make /var/demo" in ended.stderr and "panicked" not in ended.stderr


def test_the_main_job_runs_in_it_on_s3_found_by_name(image, s3):
    values = np.random.default_rng(3).normal(280, 10, (64, 64, 128)).astype("float32")
    array = zarr.create_array(s3.zarr("image/maps.zarr"), shape=values.shape, chunks=(1, 64, 128), dtype="f4")
    array[...] = values
    # The name goes through /etc/hosts, as a service's would through DNS.
    env = s3.env | {"AWS_ENDPOINT_URL": s3.endpoint.replace("127.0.0.1", "localhost")}
    ended = image.run(
        "rechunk", "run", s3.url("image/maps.zarr"), s3.url("image/series.zarr"), "--chunks", "64,16,16", "--quiet",
        env=env, mounts=[("/etc/hosts", "/etc/hosts", "ro")])
    assert ended.returncode == 0, ended.stderr
    assert np.array_equal(zarr.open_array(s3.zarr("image/series.zarr"), mode="r")[...], values)


@pytest.fixture
def secure_server(tmp_path):
    """A server with a certificate of an authority that nobody knows: its port and the authority's file."""
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    authority = [*new, "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.pem"]
    certificate = [*new, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
                   "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem",
                   "-out", "localhost.pem"]
    for command in (authority, certificate):
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            pytest.skip(f"TLS of the image is not tested: openssl makes no certificate: {ended.stderr}")
    (tmp_path / "ca.pem").chmod(0o644)
    tmp_path.chmod(0o755)
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "localhost.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, tmp_path / "ca.pem", requests
    server.shutdown()
    thread.join()
    server.server_close()


def test_tls_works_in_it_and_believes_only_known_authorities(image, secure_server):
    port, authority, requests = secure_server
    env = {"AWS_ENDPOINT_URL": f"https://localhost:{port}", "AWS_REGION": "us-east-1"}
    mounts = [("/etc/hosts", "/etc/hosts", "ro"), (authority, "/etc/lab.pem", "ro")]
    plan = ["rechunk", "plan", "s3://bucket/no.zarr", "s3://bucket/out.zarr", "--chunks", "1", "--anonymous"]
    unknown = image.run(*plan, env=env, mounts=mounts)
    assert unknown.returncode != 0 and not requests, "an unknown authority was believed"
    known = image.run(*plan, env=env | {"SSL_CERT_FILE": "/etc/lab.pem"}, mounts=mounts)
    assert known.returncode == 2 and requests, known.stderr
    assert "s3://bucket/no.zarr" in known.stderr


def test_a_host_that_nobody_knows_is_an_error_with_a_sentence(image):
    env = {"AWS_ENDPOINT_URL": "http://no-such-host.invalid", "AWS_REGION": "us-east-1"}
    with pytest.raises(OSError):
        socket.getaddrinfo("no-such-host.invalid", 80)
    plan = ["rechunk", "plan", "s3://bucket/a.zarr", "s3://bucket/b.zarr", "--chunks", "1", "--anonymous"]
    ended = image.run(*plan, env=env)
    assert ended.returncode != 0 and "s3://bucket/a.zarr" in ended.stderr, ended.stderr
