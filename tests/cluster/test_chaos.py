"""A small sample of chaos with a fixed seed; `tests/chaos` runs larger ones."""

import json
import os
import subprocess
import sys

from conftest import PROGRAMS, ROOT


def test_jobs_survive_a_minute_of_chaos(tmp_path):
    output = tmp_path / "report.json"
    command = [sys.executable, ROOT / "tests" / "chaos", "--minutes", "1", "--seed", "7", "--output", output, "--directory",
               tmp_path]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=420, check=False, env={**os.environ, "RECHUNK_TEST_BIN": PROGRAMS})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    report = json.loads(output.read_text())
    assert report["violations"] == [] and report["objects_left_over"] == 0
    assert report["jobs_total"] > 0 and report["bytes_compared"] > 0 and report["leases_expired"] > 0
    for fault in ["worker killed", "coordinator killed"]:
        assert report["faults"][fault] > 0, f"{fault}: did not fire"
