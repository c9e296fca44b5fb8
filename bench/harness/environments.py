"""What the contenders are installed into: an environment each, below bench/.env, and the programs of this repository."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
ENVIRONMENTS = BENCH / ".env"
REQUIREMENTS = BENCH / "peers"


def is_stamped(home: Path, wanted: Path) -> bool:
    stamp = home / wanted.name
    return stamp.exists() and stamp.read_text() == wanted.read_text()


def python(name: str) -> Path:
    """The Python of an environment, made where it is missing or its requirements have changed; RECHUNK_BENCH_PYTHON
    names one that stands for all."""
    if "RECHUNK_BENCH_PYTHON" in os.environ:
        return Path(os.environ["RECHUNK_BENCH_PYTHON"])
    home, wanted = ENVIRONMENTS / name, REQUIREMENTS / f"{name}.txt"
    program = home / "bin" / "python"
    if not is_stamped(home, wanted):
        print(f"installing {name} into bench/.env/{name}", file=sys.stderr, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        pip = [program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", wanted], check=True)
        (home / wanted.name).write_text(wanted.read_text())
    return program


@functools.cache
def own_package() -> Path:
    """A directory from which Python imports our package: its files and the library of the one build."""
    home = Path(tempfile.mkdtemp(prefix="rechunk-package-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    shutil.copytree(ROOT / "python" / "rechunk", home / "rechunk")
    shutil.copy(own_programs() / "lib_rechunk.so", home / "rechunk" / "_rechunk.abi3.so")
    return home


def crate_program(name: str) -> Path:
    """A program from crates.io, built once; `peers/<name>.crate` holds the crate with its version."""
    home, wanted = ENVIRONMENTS / name, REQUIREMENTS / f"{name}.crate"
    program = home / "bin" / name
    if not is_stamped(home, wanted) or not program.exists():
        print(f"building {name} into bench/.env/{name}; this takes long", file=sys.stderr, flush=True)
        build = home / "target"
        install = ["nice", "cargo", "install", "--quiet", "--locked", "--force", "--root", home, "--bin", name]
        subprocess.run(
            [*install, wanted.read_text().strip()], check=True, cwd=BENCH.anchor,
            env={**os.environ, "CARGO_TARGET_DIR": str(build)})
        shutil.rmtree(build, ignore_errors=True)
        (home / wanted.name).write_text(wanted.read_text())
    return program


@functools.cache
def own_programs() -> Path:
    """The directory of this repository's programs, built if anything has changed; RECHUNK_BENCH_BIN names another."""
    if "RECHUNK_BENCH_BIN" in os.environ:
        return Path(os.environ["RECHUNK_BENCH_BIN"])
    directory = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
    # As tests/run builds: another choice of packages has other features of their dependencies, and builds those again.
    build = ["cargo", "build", "--release", "--workspace", "--all-targets", "--locked", "--quiet"]
    subprocess.run(build, cwd=ROOT, check=True)
    return directory
