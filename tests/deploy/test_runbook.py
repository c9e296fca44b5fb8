"""The runbook names only commands, flags and values that exist."""

import functools
import re
import subprocess

import pytest
from chart import default_of
from conftest import PROGRAMS, ROOT

RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()

# In blocks of commands, and in the text.
SAID = [*re.findall(r"^(rechunk\S* .*?)(?:  +#.*|\s*&.*)?$", RUNBOOK, re.MULTILINE),
        *re.findall(r"`(rechunk [^`]+)`", RUNBOOK)]


@functools.cache
def help_of(*command):
    ended = subprocess.run([PROGRAMS / command[0], *command[1:], "--help"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}: {ended.stderr}"
    return ended.stdout


def test_there_is_something_to_check():
    assert len(SAID) > 15


@pytest.mark.parametrize("line", sorted(set(SAID)))
def test_a_command_of_the_runbook_exists(line):
    program, *words = line.split()
    command = [program, words[0]] if program == "rechunk" else [program]
    known = re.findall(r"(?<![\w-])--[a-z-]+", help_of(*command))
    for flag in re.findall(r"(?<![\w-])--[a-z-]+", line):
        assert flag in known, f"{flag} is no flag of {' '.join(command)}"


def test_flags_in_the_text_are_flags_of_some_program():
    known = "".join(help_of(*command) for command in [
        ("rechunk-coordinator",), ("rechunk-worker",), ("rechunk", "submit"), ("rechunk", "watch")])
    flags = re.findall(r"`(--[a-z-]+)`", RUNBOOK)
    assert len(set(flags)) >= 6
    for flag in flags:
        assert re.search(rf"{flag}\b", known), flag


def test_values_in_the_text_are_values_of_the_chart():
    values = re.findall(r"`((?:worker|coordinator)\.[A-Za-z.]+)`", RUNBOOK)
    assert values
    for value in values:
        default_of(value.split("."))


def test_the_tests_that_it_names_exist():
    for name in re.findall(r"`(?:tests/cluster/)?(test_\w+\.py)`", RUNBOOK):
        assert (ROOT / "tests" / "cluster" / name).exists(), name
