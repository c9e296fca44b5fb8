"""Makes the source of a work, its Zarr v2 twin, and checks targets: by programs in the environment `check`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import environments
from works import Work

HARNESS = Path(__file__).resolve().parent


def ask(program: str, job: dict, env: dict[str, str]) -> dict:
    """Runs one of the programs beside this file on a job."""
    python = environments.python("check")
    run = subprocess.run(
        [python, HARNESS / program], input=json.dumps(job), capture_output=True, text=True,
        env={**os.environ, **env, "PYTHONDONTWRITEBYTECODE": "1"})
    if run.returncode:
        raise SystemExit(f"{program} failed: {run.stderr.strip()[-2000:]}")
    return json.loads(run.stdout)


def described(work: Work) -> dict:
    return {
        "shape": list(work.shape), "dtype": work.dtype, "stored": work.stored, "compressed": work.compressed,
        "source_chunks": work.source_chunks(), "target_chunks": work.target_chunks(),
    }


def make(work: Work, place, with_twin: bool) -> tuple[str, str, dict]:
    """The addresses of the source and of its v2 twin, and what the writer said. The twin holds the same chunks: links
    to the source's on files, objects of its own on S3."""
    source, twin = place.address("source"), place.address("source_v2")
    said = ask("generate.py", {**described(work), "source": source, "format": work.source_format}, place.env)
    if work.source_format == 2:
        return source, source, said
    if with_twin and place.name == "s3":
        ask("generate.py", {**described(work), "source": twin, "format": 2}, place.env)
    elif with_twin:
        link_twin(Path(source), Path(twin), work)
    return source, twin, said


def link_twin(source: Path, twin: Path, work: Work) -> None:
    blosc = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
    twin.mkdir()
    document = {
        "zarr_format": 2, "shape": work.shape, "chunks": work.source_chunks(), "dtype": "<" + work.dtype,
        "fill_value": 0, "order": "C", "filters": None, "dimension_separator": "/",
        "compressor": blosc if work.compressed else None,
    }
    (twin / ".zarray").write_text(json.dumps(document))
    for entry in (source / "c").iterdir():
        (twin / entry.name).symlink_to(entry)


def wrong(work: Work, target: str, place) -> str | None:
    """What is wrong with a target, bit for bit."""
    return ask("check.py", {**described(work), "target": target}, place.env)["wrong"]
