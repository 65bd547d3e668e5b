"""The two ways in which work ends without its result, told apart by whether another try can help."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Cause:
    """What was wrong, in words that may be recorded: never a body, a key or a token.

    `code` is a dotted reason code (`arm.scope-locked`); `request_id` is ARM's, where there is one, and `status` that of
    the HTTP answer.
    """

    code: str
    text: str
    request_id: str | None = None
    status: int | None = None


class AirlockError(Exception):
    """Either of the two."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(f"{cause.code}: {cause.text}")
        self.cause = cause


class TryAgain(AirlockError):  # noqa: N818 - the design's word for it
    """Another try later can succeed. `after` is how long the service asked to be left alone; None if it did not say."""

    def __init__(self, cause: Cause, after: timedelta | None = None) -> None:
        super().__init__(cause)
        self.after = after


class Refused(AirlockError):  # noqa: N818 - the design's word for it
    """Another try would end the same way; a person has to change something first."""
