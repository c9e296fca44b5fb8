"""Functions that tests send to engines: importable by name, in any process."""

import pathlib
import time

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


def note(place, number, **labels):
    """Writes what it was called with."""
    (pathlib.Path(place) / str(len(list(pathlib.Path(place).iterdir())))).write_text(repr((number, labels)))
    return rechunk.Counts(get_requests=2, of_ones_own=1)


def fail_at_first(place):
    """Fails in its first call, and no more."""
    mark = pathlib.Path(place) / "mark"
    if not mark.exists():
        mark.write_text("")
        raise OSError("not yet")


def give_up(_number):
    raise rechunk.TaskFailedError("this never helps", reason="GIVE_UP_TASK")


def wait_for(place):
    """Says that it has begun, and returns when it may."""
    place = pathlib.Path(place)
    (place / "begun").write_text("")
    while not (place / "go").exists():
        time.sleep(0.02)
    (place / "done").write_text("")
