"""What cannot be done is said before anything is written: which argument, what, and what to do instead."""

import json
import pickle
import subprocess

import numpy as np
import pytest
import rechunk
import zarr
from conftest import PROGRAMS, TARGET_CHUNKS


@pytest.mark.parametrize(
    ("arguments", "error", "field"),
    [
        ({"source": "nowhere.zarr"}, FileNotFoundError, "source"),
        ({"source": "ftp://host/a.zarr"}, ValueError, "source"),
        ({"target_chunks": (24, 5)}, ValueError, "target_chunks"),
        ({"target_chunks": (24, 0, 7)}, ValueError, "target_chunks"),
        ({"target_chunks": {"tyme": 5}}, ValueError, "target_chunks"),
        ({"target_chunks": (24, 2.5, 7)}, ValueError, "target_chunks"),
        ({"target_chunks": ((1, 22), 5, 7)}, ValueError, "target_chunks"),
        ({"target_chunks": 7}, ValueError, "target_chunks"),
        ({"max_mem": "much"}, ValueError, "max_mem"),
        ({"max_mem": 1000}, ValueError, None),
        ({"executor": "slurm"}, ValueError, "executor"),
        ({"executor": 7}, ValueError, "executor"),
        ({"temp_options": {"compressor": None}}, ValueError, "temp_options"),
        ({"temp_options": {"codec": "brotli"}}, ValueError, "temp_options"),
        ({"threads": 0}, ValueError, "threads"),
        ({"prefer": "luck"}, ValueError, "prefer"),
        ({"verify": True, "executor": "python"}, ValueError, "verify"),
        ({"include": [3]}, ValueError, "include"),
        ({"include": "tas"}, ValueError, "include[0]"),
    ],
)
def test_a_wrong_argument_is_named(source, tmp_path, arguments, error, field):
    right = {
        "source": source, "target_chunks": TARGET_CHUNKS, "max_mem": "512MiB", "target_store": tmp_path / "out.zarr"}
    with pytest.raises(error) as refused:
        rechunk.rechunk(**{**right, **arguments})
    assert isinstance(refused.value, rechunk.RechunkError)
    assert refused.value.field == field or field is None
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(
    ("chunks", "target"), [("24,5", "out.zarr"), ("tyme=5", "out.zarr"), ("24,5,7", "maps.zarr"), ("24,5,7", "maps.zarr/in")])
def test_an_error_is_the_sentence_of_the_command_line(source, tmp_path, chunks, target):
    command = [PROGRAMS / "rechunk", "plan", source, tmp_path / target, "--chunks", chunks, "--output", "json"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 2
    error = json.loads(said.stdout)["error"]
    with pytest.raises(rechunk.RechunkError) as refused:
        rechunk.rechunk(source, chunks, None, tmp_path / target)
    assert (refused.value.message, refused.value.code) == (error["message"], error["code"])


def test_what_a_store_denies_is_a_permission_error(source, tmp_path):
    config = tmp_path / "stores.toml"
    config.write_text(f'[[stores]]\nprefix = "file://{tmp_path}"\naccess = "read"\n')
    with pytest.raises(PermissionError, match="out.zarr") as refused:
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr", config=config)
    assert isinstance(refused.value, rechunk.AccessError)


def test_the_target_may_not_lie_in_the_source(source):
    with pytest.raises(rechunk.RequestError):
        rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", source / "inside.zarr")


@pytest.mark.parametrize(
    "make", [
        lambda: np.zeros(3),
        lambda: zarr.create_array(zarr.storage.MemoryStore(), shape=(3,), chunks=(3,), dtype="f4"),
        lambda: pytest.importorskip("dask.array").zeros(3),
        lambda: pytest.importorskip("xarray").DataArray([1]),
        lambda: pytest.importorskip("xarray").Dataset({"a": ("x", [1])}),
        lambda: {},
    ])
def test_what_has_no_place_is_refused_with_what_to_give_instead(tmp_path, make):
    with pytest.raises(rechunk.RequestError, match="give") as refused:
        rechunk.rechunk(make(), None, "512MiB", tmp_path / "out.zarr")
    assert refused.value.field == "source"


def test_a_coordinator_that_is_not_there_is_said_so(source, tmp_path):
    with pytest.raises(rechunk.UnreachableError, match="127.0.0.1:9"):
        rechunk.rechunk(source, TARGET_CHUNKS, None, tmp_path / "out.zarr", executor="http://127.0.0.1:9")
    assert issubclass(rechunk.UnreachableError, ConnectionError)


def test_a_source_that_is_corrupt_fails_the_job_and_leaves_nothing(source, tmp_path):
    chunk = source / "c" / "3" / "0" / "0"
    chunk.write_bytes(b"this is no chunk")
    rechunked = rechunk.rechunk(source, TARGET_CHUNKS, "512MiB", tmp_path / "out.zarr")
    with pytest.raises(rechunk.JobFailedError, match="c/3/0/0"):
        rechunked.execute()
    assert not (tmp_path / "out.zarr").exists() and not list(tmp_path.glob(".rechunk*"))


@pytest.mark.parametrize("name", ["RequestError", "NotFoundError", "ExistsError", "AccessError", "TaskFailedError"])
def test_an_error_is_the_same_after_it_went_to_another_process(name):
    error = getattr(rechunk, name)("a sentence", code="A_CODE", reason="TRY_AGAIN", field="chunks[0]")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and str(copy) == str(error) == "chunks[0]: a sentence"
    assert (copy.code, copy.reason, copy.field) == ("A_CODE", "TRY_AGAIN", "chunks[0]")
