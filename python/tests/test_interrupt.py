"""Ctrl-C, sent by another process, while Rust works."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import make_array

PROGRAM = """
import sys, rechunk
source, target, executor = sys.argv[1:]
rechunked = rechunk.rechunk(source, (16, 1, 1), "256MiB", target, executor=executor, threads=1)
print("begun", flush=True)
try:
    rechunked.execute()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("executor", ["local", "python"])
def test_ctrl_c_cancels_and_leaves_nothing(tmp_path, executor):
    # 16,384 files to write: on any machine there is something left to cancel when the first is seen.
    make_array(tmp_path / "in.zarr", (16, 128, 128), (1, 128, 128))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, tmp_path / "in.zarr", tmp_path / "out.zarr", executor],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    deadline = time.monotonic() + 60
    while not (tmp_path / "out.zarr").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert out == "interrupted\n" and process.returncode == 0, errors
    assert not (tmp_path / "out.zarr").exists() and not list(tmp_path.glob(".rechunk*"))


def test_other_threads_go_on_while_rust_works(source, tmp_path):
    import threading

    import rechunk

    begun, ended = threading.Event(), threading.Event()
    turns = []

    def count():
        begun.set()
        while not ended.is_set():
            turns.append(None)

    thread = threading.Thread(target=count)
    thread.start()
    begun.wait()
    before = len(turns)
    rechunk.rechunk(source, (24, 5, 7), "512MiB", tmp_path / "out.zarr").execute()
    during = len(turns) - before
    ended.set()
    thread.join()
    assert during > 1000
