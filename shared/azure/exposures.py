"""Tells an Event Grid custom topic of exposed keys, with an Entra token of whoever runs the command."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.messaging import CloudEvent

from shared.azure.chunks import LARGEST
from shared.azure.failures import told_as_failures
from shared.domain.body import JsonObject
from shared.domain.exposure import SECRET_EXPOSED, Exposure
from shared.domain.failure import Cause, Refused
from shared.domain.redact import redact
from shared.patience import patience

# Codes of what a person can mend; a command says how.
NO_TOKEN = "topic.no-token"  # noqa: S105 - a reason code
NOT_ALLOWED = "topic.not-allowed"
NOT_FOUND = "topic.not-found"
NOT_TAKEN = "topic.not-taken"
_SERVICE = "topic"
_SOURCE = "airlock/leak"
_NO_RESOURCE = "unknown"
_CODES = {400: NOT_TAKEN, 401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
_BUDGET = timedelta(seconds=30)
# Seconds. Someone waits at a terminal; what takes longer is better tried again.
_CONNECT, _READ = 5, 30


async def publish_exposures(
    topic: str, exposures: Sequence[Exposure], now: datetime, budget: timedelta = _BUDGET
) -> None:
    """Publishes one event for each exposure. Returns only when the topic has taken all of them.

    `topic` is the https address that events are posted to. An exposure has the same event id each time, so that
    publishing it again changes nothing. Repeats what can still succeed until the budget is spent, for each call; then
    raises TryAgain, or Refused at once: some of many may have been taken by then.
    """
    # 300 ms that only publishing needs, not asking for help.
    from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415 - as above
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above

    # It would follow redirects, and a topic has no reason to send anyone elsewhere.
    options: dict[str, Any] = {"retry_total": 0, "permit_redirects": False}
    options |= {"connection_timeout": _CONNECT, "read_timeout": _READ}
    async with (
        DefaultAzureCredential(retry_total=0) as credential,
        EventGridPublisherClient(topic, credential, **options) as client,
    ):

        async def send(batch: list[CloudEvent[JsonObject]]) -> None:
            async with _told_as_failures():
                await client.send(batch)

        for batch in _batches([_event(exposure, now) for exposure in exposures]):
            await patience(budget)(send, batch)


def _event(exposure: Exposure, now: datetime) -> CloudEvent[JsonObject]:
    about = hashlib.sha256(f"{exposure.cause}\n{exposure.found_at}".encode()).hexdigest()[:32]
    subject = exposure.resource.path if exposure.resource else _NO_RESOURCE
    return CloudEvent(_SOURCE, SECRET_EXPOSED, id=about, time=now, subject=subject, data=exposure.as_json())


def _batches(events: Sequence[CloudEvent[JsonObject]]) -> Iterator[list[CloudEvent[JsonObject]]]:
    """The events in lists of which each fits one call, were all as long as the longest."""
    longest = max((len(json.dumps([event.subject, event.data])) for event in events), default=0)
    # What stands around subject and data is the same for all, some 300 bytes.
    for batch in batched(events, LARGEST // (longest + 512), strict=False):
        yield list(batch)


@asynccontextmanager
async def _told_as_failures() -> AsyncIterator[None]:
    """As for every service, but a missing token or role is a person's to mend: waiting would not help."""
    async with told_as_failures(_SERVICE):
        try:
            yield
        except HttpResponseError as error:
            code = _code(error)
            if code is None:
                raise
            raise Refused(Cause(code, redact(error.message, 512))) from error


def _code(error: HttpResponseError) -> str | None:
    # The SDK replaces a 404 by an error without a status, and the credential's own errors never had one.
    if isinstance(error, ResourceNotFoundError):
        return NOT_FOUND
    if isinstance(error, ClientAuthenticationError) and error.status_code is None:
        return NO_TOKEN
    return _CODES.get(error.status_code or 0)
