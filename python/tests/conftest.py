"""The package as the workspace's build left it, or as it is installed (RECHUNK_TEST_INSTALLED=1), and what the tests
share."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import zarr

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE.parent / "rechunk"
PROGRAMS = pathlib.Path(os.environ.get("RECHUNK_TEST_BIN", HERE.parent.parent / "target" / "release"))

if not os.environ.get("RECHUNK_TEST_INSTALLED"):
    # The library of the one build is the module; processes that tests start find it by the path, too.
    place = pathlib.Path(tempfile.mkdtemp(prefix="rechunk-package-"))
    shutil.copytree(PACKAGE, place / "rechunk")
    shutil.copy(PROGRAMS / "lib_rechunk.so", place / "rechunk" / "_rechunk.abi3.so")
    sys.path.insert(0, str(place))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
# Functions that tests send to other processes are found there, too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(HERE)]))


def pytest_sessionfinish():
    if not os.environ.get("RECHUNK_TEST_INSTALLED"):
        shutil.rmtree(place, ignore_errors=True)


SHAPE, CHUNKS, TARGET_CHUNKS = (24, 20, 30), (1, 20, 30), (24, 5, 7)


def elements(shape=SHAPE, dtype="f4", seed=5):
    """Elements that all differ in their bits."""
    return np.random.default_rng(seed).normal(280, 10, shape).astype(dtype)


def make_array(place, shape=SHAPE, chunks=CHUNKS, dtype="f4", attributes=None, zarr_format=3, **options):
    """An array at `place`, and its elements."""
    values = elements(shape, dtype)
    if zarr_format == 3:
        options.setdefault("dimension_names", ("time", "lat", "lon")[: len(shape)])
    array = zarr.create_array(
        place, shape=shape, chunks=chunks, dtype=dtype, attributes=attributes or {}, zarr_format=zarr_format, **options)
    array[...] = values
    return values


def objects(place):
    """Every file below `place` and its bytes."""
    place = pathlib.Path(place)
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


@pytest.fixture
def source(tmp_path):
    """The path of an array of maps."""
    make_array(tmp_path / "maps.zarr", attributes={"units": "K", "missing": float("nan")})
    return tmp_path / "maps.zarr"


class Coordinator:
    """A coordinator and one worker, as processes, with the local files below a directory."""

    def __init__(self, directory, *options, scheme="http"):
        config = directory / "stores.toml"
        config.write_text(f'[[stores]]\nprefix = "file://{directory}"\naccess = "read-write"\n')
        self.log = directory / "coordinator.log"
        self.processes = []
        self.start(self.log, "rechunk-coordinator", "--listen", "127.0.0.1:0", "--journal", directory / "journal",
                   "--config", config, *options)
        deadline = time.monotonic() + 60
        found = []
        while not found or found[0] == "0":
            assert time.monotonic() < deadline and self.processes[0].poll() is None, self.log.read_text()
            found = re.findall(r"listen=127\.0\.0\.1:(\d+)", self.log.read_text())
            time.sleep(0.05)
        self.url = f"{scheme}://127.0.0.1:{found[0]}"
        self.config, self.directory = config, directory

    def start(self, log, program, *arguments):
        with open(log, "wb") as out:
            self.processes.append(subprocess.Popen([PROGRAMS / program, *map(str, arguments)], stdout=out, stderr=out))

    def start_worker(self):
        self.start(self.directory / "worker.log", "rechunk-worker", "--coordinator", self.url, "--memory", "512MiB",
                   "--cpus", 1, "--config", self.config)

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def coordinator(tmp_path):
    """A coordinator without workers yet."""
    running = Coordinator(tmp_path)
    yield running
    running.stop()
