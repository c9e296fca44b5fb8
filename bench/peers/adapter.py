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
    """Runs `rechunk(job)` and reports."""
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    begun = time.monotonic()
    rechunk(job)
    wall = time.monotonic() - begun
    print(json.dumps({"wall_seconds": wall, "versions": {name: version(name) for name in packages}}), flush=True)
