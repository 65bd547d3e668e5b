"""The two failures say their cause."""

from datetime import timedelta

import pytest

from shared.domain.failure import AirlockError, Cause, Refused, TryAgain

CAUSE = Cause("arm.scope-locked", "409 ScopeLocked: there is a lock", "request-1")


@pytest.mark.parametrize("failure", [TryAgain(CAUSE), TryAgain(CAUSE, timedelta(seconds=5)), Refused(CAUSE)])
def test_cause(failure: AirlockError) -> None:
    assert failure.cause == CAUSE
    assert str(failure) == "arm.scope-locked: 409 ScopeLocked: there is a lock"


def test_how_long_to_wait() -> None:
    assert TryAgain(CAUSE).after is None
    assert TryAgain(CAUSE, timedelta(seconds=5)).after == timedelta(seconds=5)
