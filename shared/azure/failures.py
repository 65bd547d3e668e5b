"""What an Azure error means: another try, or a person. The error code decides, then the status."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.domain.body import as_object, as_text, at
from shared.domain.failure import AirlockError, Cause, Refused, TryAgain
from shared.domain.redact import redact

# Codes whose status would say the opposite. Source: the Azure Resource Manager error table at
# learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors, read 2026-11-23.
_PASSING = frozenset({"accountprovisioningstateinvalid", "requestconflict", "anotheroperationinprogress"})
_LASTING = frozenset(
    {
        "scopelocked",
        "requestdisallowedbypolicy",
        "readonlydisabledsubscription",
        "missingsubscriptionregistration",
        "subscriptionnotfound",
    }
)
_TRY_AGAIN = frozenset({401, 408, 409, 412, 429})
_LONGEST_RETRY_AFTER = timedelta(hours=6)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def failure(service: str, status: int, headers: Mapping[str, str], body: bytes) -> AirlockError:
    """The failure that an HTTP answer of 400 or more spells. `service` begins its reason code (`arm`)."""
    code, message = _error(body)
    name = _slug(code) or f"http-{status}"
    text = redact(f"{status} {code}: {message}", 512)
    cause = Cause(f"{service}.{name}", text, headers.get("x-ms-request-id"), status)
    lasting = code.lower() in _LASTING
    if not lasting and (code.lower() in _PASSING or status in _TRY_AGAIN or status >= 500):
        return TryAgain(cause, retry_after(headers))
    return Refused(cause)


@asynccontextmanager
async def own_store(service: str) -> AsyncIterator[None]:
    """Within it, what the SDKs of our own stores raise comes out as TryAgain.

    Nothing that our own stores answer settles a signal: it waits until the deployment is mended.
    """
    try:
        async with told_as_failures(service):
            yield
    except Refused as refused:
        raise TryAgain(refused.cause) from refused


@asynccontextmanager
async def told_as_failures(service: str) -> AsyncIterator[None]:
    """Within it, what the Azure SDKs raise comes out as TryAgain or Refused."""
    try:
        yield
    except ClientAuthenticationError as error:
        _forget_answer(error)
        raise TryAgain(Cause(f"{service}.no-token", redact(error.message, 512))) from error
    except HttpResponseError as error:
        failed = _failed(service, error)
        _forget_answer(error)
        raise failed from error
    except AzureError as error:
        # Neither an answer nor a refusal: the connection failed, timed out or broke off.
        _forget_text(error)
        raise TryAgain(Cause(f"{service}.unreachable", redact(error.message, 512))) from error


@asynccontextmanager
async def odd_answers_as_failures(service: str) -> AsyncIterator[None]:
    """Within it, what a typed SDK raises for an answer that it cannot make sense of comes out as TryAgain.

    Such exceptions quote the answer, which may hold keys: nothing of them is passed on.
    """
    odd = False
    try:
        yield
    except (TypeError, AttributeError, ValueError, KeyError, IndexError):
        odd = True
    if odd:
        raise TryAgain(Cause(f"{service}.unreadable-answer", "the answer is not what the SDK expects")) from None


def _failed(service: str, error: HttpResponseError) -> AirlockError:
    if error.status_code is None or error.status_code < 400:
        # What cannot be read is not told either: half a key is one too many.
        return TryAgain(
            Cause(f"{service}.unreadable-answer", f"an answer of status {error.status_code} is not to be read")
        )
    headers = getattr(error.response, "headers", {})
    return failure(service, error.status_code, headers, _body(error))


def _forget_answer(error: HttpResponseError) -> None:
    """azure-core shows the whole answer in the text of an exception, and whoever logs ours logs that one with it."""
    known = error.status_code is None or error.status_code >= 400
    error.response, error.model = None, None
    error.message = error.message if known else type(error).__name__
    _forget_text(error)


def _forget_text(error: AzureError) -> None:
    """Nothing that could be a secret is left in what a traceback shows of the error, and of those behind it."""
    error.message = redact(error.message, 512)
    error.args = (error.message,)
    error.inner_exception = error.exc_value = error.exc_traceback = None
    error.__cause__ = error.__context__ = None


def _body(error: HttpResponseError) -> bytes:
    """The answer in ARM's form. The storage SDKs keep the code in an attribute of their own."""
    code = error.error.code if error.error else getattr(error, "error_code", None)
    return json.dumps({"error": {"code": str(getattr(code, "value", code or "")), "message": error.message}}).encode()


def _error(body: bytes) -> tuple[str, str]:
    try:
        answer = as_object(json.loads(body))
    except (ValueError, RecursionError):
        return "", "the answer is not JSON"
    told = answer.get("error") or answer.get("odata.error") or answer
    message = at(told, "message")
    return as_text(at(told, "code")), as_text(message) or as_text(at(message, "value"))


def _slug(code: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", _WORD.sub("-", code).lower()).strip("-")[:64]


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Retry-After in whole seconds, as ARM sends it; anything else counts as not said."""
    text = headers.get("Retry-After", "")
    if not text.isdecimal() or len(text) > 9:
        return None
    return min(timedelta(seconds=int(text)), _LONGEST_RETRY_AFTER) or None
