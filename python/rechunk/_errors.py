"""What is raised. Each message is one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations


class RechunkError(Exception):
    """Anything that rechunk raises of itself.

    `code` is the class of the error as gRPC spells it, `reason` one stable upper-case word per cause, and `field` the
    argument at fault, where there is one.
    """

    code: str
    reason: str
    field: str | None
    message: str

    def __init__(self, message: str, *, code: str = "", reason: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Engines send exceptions from process to process.
        return (_rebuilt, (type(self), self.message, self.code, self.reason, self.field))


class RequestError(RechunkError, ValueError):
    """The request is wrong; nothing was written."""


class NotFoundError(RechunkError, FileNotFoundError):
    """There is no such source, or no such job."""


class ExistsError(RechunkError, FileExistsError):
    """The target is there already, or belongs to a job that is not finished."""


class AccessError(RechunkError, PermissionError):
    """A store said no."""


class UnreachableError(RechunkError, ConnectionError):
    """The coordinator cannot be reached."""


class JobFailedError(RechunkError):
    """The job was begun and failed."""


class TaskFailedError(JobFailedError):
    """A task on an engine failed."""

    @property
    def can_be_tried_again(self) -> bool:
        """Whether another attempt may succeed."""
        return self.reason in ("TRY_AGAIN", "TRY_ELSEWHERE")


class CancelledError(RechunkError):
    """The job was cancelled; what it had written is removed."""


_OF_KIND: dict[str, type[RechunkError]] = {
    "failed": JobFailedError,
    "task": TaskFailedError,
    "unreachable": UnreachableError,
    "cancelled": CancelledError,
}
_OF_CODE: dict[str, type[RechunkError]] = {
    "NOT_FOUND": NotFoundError,
    "ALREADY_EXISTS": ExistsError,
    "PERMISSION_DENIED": AccessError,
}


# Rust names the fields of its request; here are the arguments that they come from.
_ARGUMENTS = {
    "target": "target_store",
    "chunks": "target_chunks",
    "shards": "target_options",
    "codecs": "target_options",
    "zarr_format": "target_options",
    "consolidate": "target_options",
    "temp": "temp_store",
    "exchange_codec": "temp_options",
    "temp_limit": "temp_options",
}


def of_failure(kind: str, code: str, reason: str, field: str | None, message: str) -> RechunkError:
    """The exception for a failure that Rust reports; called from there."""
    error = _OF_KIND.get(kind) or _OF_CODE.get(code, RequestError)
    argument = None if field is None else _ARGUMENTS.get(field.partition("[")[0], field)
    return error(message, code=code, reason=reason, field=argument)


def refused(field: str, message: str) -> RequestError:
    """The exception for an argument that cannot be taken."""
    return RequestError(message, code="INVALID_ARGUMENT", reason="BAD_ARGUMENTS", field=field)


def _rebuilt(error: type[RechunkError], message: str, code: str, reason: str, field: str | None) -> RechunkError:
    return error(message, code=code, reason=reason, field=field)
