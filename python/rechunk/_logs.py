"""What Rust logs, in `logging`: under `rechunk`, by module, with the event's fields as the record's `fields`."""

from __future__ import annotations

import logging

ROOT = logging.getLogger("rechunk")
# As libraries do: who wants to see it says so.
ROOT.addHandler(logging.NullHandler())


def level() -> int:
    """The lowest level that any of our loggers lets through; asked by Rust, which then makes no others."""
    loggers = logging.root.manager.loggerDict
    below = (loggers[name] for name in list(loggers) if name.startswith("rechunk."))
    levels = [logger.level for logger in below if isinstance(logger, logging.Logger) and logger.level]
    return max(0, min([ROOT.getEffectiveLevel(), *levels, 255]))


def deliver(records: list[tuple[int, str, str, list[tuple[str, str]]]], dropped: int) -> None:
    """Logs events of Rust; called from there. `dropped` were too many to be kept."""
    for number, target, message, fields in records:
        logger = logging.getLogger(_name(target))
        if logger.isEnabledFor(number):
            text = " ".join([message, *(f"{name}={value}" for name, value in fields)])
            logger.log(number, "%s", text, extra={"fields": dict(fields)})
    if dropped:
        ROOT.warning("%d events came too fast to be logged", dropped)


def _name(target: str) -> str:
    # rechunk_worker::session::attempt is rechunk.worker.session.attempt
    crate, _, module = target.partition("::")
    crate = crate.removeprefix("rechunk_") if crate.startswith("rechunk_") else "module"
    return ".".join(["rechunk", crate, *module.split("::")]).rstrip(".")
