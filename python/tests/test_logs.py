"""What Rust logs, in `logging`."""

import logging
import subprocess
import sys

import rechunk
from conftest import TARGET_CHUNKS


def test_events_arrive_under_the_names_of_their_modules_with_their_fields(source, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="rechunk")
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr").execute()
    starts = [record for record in caplog.records if record.getMessage().startswith("a worker starts")]
    assert starts and starts[0].name.startswith("rechunk.worker") and starts[0].levelno == logging.INFO
    assert starts[0].fields["worker"] == "local-0" and "worker=local-0" in starts[0].getMessage()
    assert any(record.levelno == logging.DEBUG for record in caplog.records)


def test_only_what_is_asked_for_is_logged(source, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="rechunk")
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "a.zarr").execute()
    assert not caplog.records
    caplog.set_level(logging.INFO, logger="rechunk.worker")
    rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "b.zarr").execute()
    assert {record.name.split(".")[1] for record in caplog.records} == {"worker"}


def test_failures_of_tasks_are_warnings(source, tmp_path, caplog):
    (source / "c" / "3" / "0" / "0").write_bytes(b"this is no chunk")
    try:
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr").execute()
    except rechunk.JobFailedError:
        pass
    assert any("c/3/0/0" in record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


def test_nothing_is_printed_where_nobody_asked(source, tmp_path):
    program = "import sys, rechunk; rechunk.rechunk(sys.argv[1], (24, 5, 7), '256MiB', sys.argv[2]).execute()"
    done = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "out.zarr"], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
