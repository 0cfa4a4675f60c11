"""Masks secrets in the errors that Dagster keeps: of steps, sensors, schedules, resources and of loading the code.

What does not belong here: the secrets and their forms (`core.masking`), and log records (`settings.output`).
"""

import traceback

from dagster_shared.error import SerializableErrorInfo

from pairs_platform.core.masking import masked

_whole = SerializableErrorInfo.from_traceback.__func__  # type: ignore[attr-defined]


def mask_errors() -> None:
    """Let every error that Dagster writes down in this process be masked, with its stack and its causes.

    Dagster makes each of them by one function and offers no place of its own to look at it before (1.13); it can only
    redact all errors as a whole. To be removed when there is such a place.
    """
    SerializableErrorInfo.from_traceback = classmethod(_masked_error)  # type: ignore[method-assign, assignment]


def _masked_error(cls: type[SerializableErrorInfo], error: traceback.TracebackException) -> SerializableErrorInfo:
    info: SerializableErrorInfo = _whole(cls, error)  # its causes come through here too
    return SerializableErrorInfo(
        message=masked(info.message),
        stack=[masked(line) for line in info.stack],
        cls_name=info.cls_name,
        cause=info.cause,
        context=info.context,
    )
