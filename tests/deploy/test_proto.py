"""The .proto files: they read well, and a process of the version before understands them."""

import os
import shutil
import subprocess

import pytest
from conftest import ROOT

PROTO = ROOT / "proto"
BASELINE = PROTO / "baseline.binpb"

RENUMBERED = ("string job_id = 1;", "string job_id = 91;")
"""A change that a process of the version before would misread."""


def buf(*arguments):
    program = os.environ.get("RECHUNK_TEST_BUF")
    if not program:
        pytest.skip("RECHUNK_TEST_BUF is not set: tests/run installs buf where there is Node.js")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_messages_pass_their_linter():
    ended = buf("lint", PROTO)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_what_the_version_before_speaks_is_still_understood():
    ended = buf("breaking", PROTO, "--against", BASELINE)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_field_that_gets_another_number_is_noticed(tmp_path):
    changed = tmp_path / "proto"
    shutil.copytree(PROTO, changed)
    services = changed / "rechunk" / "v1" / "rechunk_service.proto"
    text = services.read_text()
    assert RENUMBERED[0] in text
    services.write_text(text.replace(*RENUMBERED, 1))
    ended = buf("breaking", changed, "--against", BASELINE)
    assert ended.returncode != 0
    assert '"job_id"' in ended.stdout
