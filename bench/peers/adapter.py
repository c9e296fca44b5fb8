"""What the adapters of Python peers share: the job comes as JSON on stdin, the time that the call took goes as JSON to
stdout. `<peer>_run.py` imports its package and says how it is used, as its own documentation shows it.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib.metadata import version


def main(rechunk, *packages: str) -> None:
    """Runs `rechunk(job)` and reports, with what it returns."""
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    begun = time.monotonic()
    said = rechunk(job) or {}
    wall = time.monotonic() - begun
    print(json.dumps({**said, "wall_seconds": wall, "versions": {name: version(name) for name in packages}}), flush=True)
