"""Asks a deployed Airlock for what only operators may order, with an Entra token of whoever runs the command."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from azure.core import AsyncPipelineClient
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, HeadersPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.azure.failures import retry_after, told_as_failures
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.failure import AirlockError, Cause, Refused, TryAgain
from shared.domain.operator import parse_record_id
from shared.domain.redact import redact
from shared.patience import patience

PATH = "/api/operate"
# Codes of what a person can mend and the app itself cannot tell; a command says how.
NO_TOKEN = "operate.no-token"  # noqa: S105 - a reason code
NOT_LET_IN = "operate.not-let-in"
NOT_AIRLOCK = "operate.not-airlock"
# The app's own, where its words leave open what to do.
NOT_ALLOWED = "operator.not-allowed"
_BUSY = "operate.busy"
_SERVICE = "operate"
_DONE = frozenset({200, 202})
_TRY_AGAIN = frozenset({408, 429})
_SHOWN = 512
_BUDGET = timedelta(seconds=30)
# Seconds. An app that slept takes its time, and then waits for its ledger as long as it can.
_CONNECT, _READ = 5, 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app did, in its own words, and the RecordIds that tell of it."""

    text: str
    records: tuple[str, ...]


async def order(app: str, audience: str, bodies: Iterable[bytes], budget: timedelta = _BUDGET) -> AsyncIterator[Answer]:
    """Sends the requests one after the other and yields what the app answers to each.

    `app` is the https address of the function app, `audience` what its operators get tokens for. Repeats what can still
    succeed until the budget is spent, for each request, since to order a thing twice does no harm. Then raises
    TryAgain, or at once Refused with the app's own code and words where it has any; what was answered before has been
    done.
    """
    # 300 ms that only a request needs, not asking for help.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - as above

    async with DefaultAzureCredential(retry_total=0) as credential:
        policies = [
            HeadersPolicy({"Content-Type": "application/json", "Accept-Encoding": "identity"}),
            UserAgentPolicy(base_user_agent="airlock"),
            AsyncBearerTokenCredentialPolicy(credential, f"{audience}/.default"),
        ]
        # Without a policy for redirects none is followed: the token goes to this address and no other.
        client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            app, policies=policies, transport=AioHttpTransport(connection_timeout=_CONNECT, read_timeout=_READ)
        )
        async with client:
            for body in bodies:
                yield await patience(budget)(_ask, client, app + PATH, body)


async def _ask(client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse], url: str, body: bytes) -> Answer:
    async with told_as_failures(_SERVICE):
        try:
            response = await client.send_request(HttpRequest("POST", url, content=body))
        except ClientAuthenticationError as error:
            raise Refused(Cause(NO_TOKEN, redact(error.message, _SHOWN))) from error
        told = _object(response.content)
    if response.status_code in _DONE and as_text(told.get("text")):
        return Answer(redact(as_text(told["text"]), _SHOWN), tuple(_record_ids(told.get("records"))))
    raise _failure(response, as_object(told.get("error")))


def _object(content: bytes) -> JsonObject:
    try:
        found: Json = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return as_object(found)


def _record_ids(found: Json) -> Iterator[str]:
    for record in as_list(found):
        with suppress(ValueError):
            yield parse_record_id(as_text(record))


def _failure(response: AsyncHttpResponse, error: JsonObject) -> AirlockError:
    """What the app says of why not; where nothing is from Airlock itself, what its status tells."""
    status, code = response.status_code, as_text(error.get("code"))
    message = redact(as_text(error.get("message")), _SHOWN)
    if status in _TRY_AGAIN or status >= 500:
        cause = Cause(redact(code, 64) or _BUSY, message or f"it answered {status}")
        return TryAgain(cause, retry_after(response.headers))
    if code:
        return Refused(Cause(redact(code, 64), message))
    if status in {401, 403}:
        return Refused(Cause(NOT_LET_IN, f"it answered {status}"))
    return Refused(Cause(NOT_AIRLOCK, f"it answered {status}"))
