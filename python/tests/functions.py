"""Functions that tests send to engines: importable by name, in any process."""

import pathlib

import rechunk


def write(place, number):
    """Writes a file, and counts it."""
    (pathlib.Path(place) / str(number)).write_text(str(number))
    return rechunk.Counts(put_requests=1, peak_task_memory=number)


def sum_up(place):
    """Sums what `write` wrote; fails where a file is missing."""
    numbers = [int((pathlib.Path(place) / str(number)).read_text()) for number in range(20)]
    (pathlib.Path(place) / "sum").write_text(str(sum(numbers)))


def fail(_number):
    raise ValueError("a function of one's own failed")


def run_twice(function, *arguments):
    """Runs a call twice, as an engine does that lost an answer."""
    function(*arguments)
    return function(*arguments)
