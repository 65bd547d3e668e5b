"""What every answer of Azure means: another try, or a person."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.failures import failure, own_store, told_as_failures
from shared.domain.failure import AirlockError, Cause, Refused, TryAgain
from tests.domain.making import namespaces

JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJhdWQiOiJtZSJ9.c2ln"
STORAGE_KEY = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYg=="
AI_KEY = "0123456789abcdef0123456789ABCDEF"
SIX_HOURS = timedelta(hours=6)


def error(code: object, message: object = "It went wrong.") -> bytes:
    """A body in ARM's form."""
    return json.dumps({"error": {"code": code, "message": message}}).encode()


@pytest.mark.parametrize(
    "status,code,kind,reason",
    [
        (400, "BadRequest", Refused, "arm.bad-request"),
        (400, "InvalidParameter", Refused, "arm.invalid-parameter"),
        (400, "AccountProvisioningStateInvalid", TryAgain, "arm.account-provisioning-state-invalid"),
        (400, "ACCOUNTPROVISIONINGSTATEINVALID", TryAgain, "arm.accountprovisioningstateinvalid"),
        (401, "ExpiredAuthenticationToken", TryAgain, "arm.expired-authentication-token"),
        (402, "", Refused, "arm.http-402"),
        (403, "AuthorizationFailed", Refused, "arm.authorization-failed"),
        (403, "RequestDisallowedByPolicy", Refused, "arm.request-disallowed-by-policy"),
        (403, "RequestConflict", TryAgain, "arm.request-conflict"),
        (404, "ResourceNotFound", Refused, "arm.resource-not-found"),
        (404, "SubscriptionNotFound", Refused, "arm.subscription-not-found"),
        (405, "MethodNotAllowed", Refused, "arm.method-not-allowed"),
        (408, "RequestTimeout", TryAgain, "arm.request-timeout"),
        (409, "Conflict", TryAgain, "arm.conflict"),
        (409, "", TryAgain, "arm.http-409"),
        (409, "AnotherOperationInProgress", TryAgain, "arm.another-operation-in-progress"),
        (409, "RequestConflict", TryAgain, "arm.request-conflict"),
        (409, "ScopeLocked", Refused, "arm.scope-locked"),
        (409, "ReadOnlyDisabledSubscription", Refused, "arm.read-only-disabled-subscription"),
        (409, "MissingSubscriptionRegistration", Refused, "arm.missing-subscription-registration"),
        (409, "RequestDisallowedByPolicy", Refused, "arm.request-disallowed-by-policy"),
        (410, "Gone", Refused, "arm.gone"),
        (412, "PreconditionFailed", TryAgain, "arm.precondition-failed"),
        (413, "RequestContentTooLarge", Refused, "arm.request-content-too-large"),
        (429, "TooManyRequests", TryAgain, "arm.too-many-requests"),
        (429, "SubscriptionRequestsThrottled", TryAgain, "arm.subscription-requests-throttled"),
        (500, "InternalServerError", TryAgain, "arm.internal-server-error"),
        (502, "", TryAgain, "arm.http-502"),
        (503, "ServerTimeout", TryAgain, "arm.server-timeout"),
        (503, "ScopeLocked", Refused, "arm.scope-locked"),
        (504, "GatewayTimeout", TryAgain, "arm.gateway-timeout"),
        (599, "", TryAgain, "arm.http-599"),
    ],
)
def test_code_first_status_second(status: int, code: str, kind: type[AirlockError], reason: str) -> None:
    told = failure("arm", status, {"x-ms-request-id": "7"}, error(code))
    assert type(told) is kind
    assert told.cause == Cause(reason, f"{status} {code}: It went wrong.", "7", status)


@pytest.mark.parametrize(
    "asked,after",
    [
        ("1", timedelta(seconds=1)),
        ("17", timedelta(seconds=17)),
        ("007", timedelta(seconds=7)),
        ("21600", SIX_HOURS),
        ("21601", SIX_HOURS),
        ("999999999", SIX_HOURS),
        ("0", None),
        ("00", None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("1 second", None),
        ("soon", None),
        ("²", None),
        ("9" * 5000, None),
        ("Mon, 23 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after(asked: str, after: timedelta | None) -> None:
    told = failure("arm", 429, {"Retry-After": asked}, error("TooManyRequests"))
    assert isinstance(told, TryAgain)
    assert told.after == after


def test_without_retry_after_nothing_was_asked() -> None:
    told = failure("arm", 503, {}, b"")
    assert isinstance(told, TryAgain)
    assert told.after is None
    assert told.cause.request_id is None


@pytest.mark.parametrize(
    "body,reason,text",
    [
        (b"", "arm.http-400", "400 : the answer is not JSON"),
        (b"<html>Bad Gateway</html>", "arm.http-400", "400 : the answer is not JSON"),
        (b"\xff\xfe\x00", "arm.http-400", "400 : the answer is not JSON"),
        (b"[" * 100_000, "arm.http-400", "400 : the answer is not JSON"),
        (b"9" * 5000, "arm.http-400", "400 : the answer is not JSON"),
        (b"null", "arm.http-400", "400 : "),
        (b"[]", "arm.http-400", "400 : "),
        (b'"Conflict"', "arm.http-400", "400 : "),
        (b"{}", "arm.http-400", "400 : "),
        (b'{"error": null}', "arm.http-400", "400 : "),
        (b'{"error": "broken"}', "arm.http-400", "400 : "),
        (error(None, None), "arm.http-400", "400 : "),
        (error(7, ["x"]), "arm.http-400", "400 : "),
        (error({"value": "x"}), "arm.http-400", "400 : It went wrong."),
        (error("\u2603"), "arm.http-400", "400 \u2603: It went wrong."),
        (error("X" * 200), f"arm.{'x' * 64}", "400 [redacted]: It went wrong."),
        (error("a\nb\x00c", "two\r\nlines\ud800"), "arm.a-b-c", "400 a b c: two lines "),
        (b'{"code": "NotFound", "message": "bare"}', "arm.not-found", "400 NotFound: bare"),
        (b'{"odata.error": {"code": "A", "message": {"lang": "en", "value": "odata"}}}', "arm.a", "400 A: odata"),
    ],
)
def test_bodies_of_every_form(body: bytes, reason: str, text: str) -> None:
    told = failure("arm", 400, {}, body)
    assert (told.cause.code, told.cause.text) == (reason, text)


@given(
    st.integers(400, 599),
    st.dictionaries(st.sampled_from(["Retry-After", "x-ms-request-id"]), st.text()),
    st.binary() | st.text().map(error) | st.builds(error, st.text() | namespaces, st.text(max_size=2000)),
)
def test_whatever_comes_becomes_one_of_the_two(status: int, headers: Mapping[str, str], body: bytes) -> None:
    told = failure("arm", status, headers, body)
    assert isinstance(told, TryAgain | Refused)
    assert re.fullmatch(r"arm\.[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?", told.cause.code)
    assert len(told.cause.text) <= 512
    assert told.cause.text.isprintable() or "\n" not in told.cause.text
    after = told.after if isinstance(told, TryAgain) else None
    assert after is None or timedelta() < after <= SIX_HOURS


@pytest.mark.parametrize(
    "secret,text",
    [
        (JWT, f"the token {JWT} has expired"),
        (JWT, f"Authorization: Bearer {JWT}"),
        (STORAGE_KEY, f"DefaultEndpointsProtocol=https;AccountName=st;AccountKey={STORAGE_KEY};"),
        (STORAGE_KEY, f"the key '{STORAGE_KEY}' is not the account's"),
        ("c2lnbmF0dXJl%3D", "GET https://st.queue.core.windows.net/q?sv=2026&sig=c2lnbmF0dXJl%3D&se=2027 failed"),
        (AI_KEY, f'access denied for "{AI_KEY}"'),
        ("hostkeyhostkey", "https://func.azurewebsites.net/api/x?code=1&key=hostkeyhostkey"),
    ],
)
class TestSecrets:
    def test_in_an_answer(self, secret: str, text: str) -> None:
        assert secret not in shown(failure("arm", 400, {}, error("BadRequest", text)))

    async def test_in_what_the_sdks_raise(self, secret: str, text: str) -> None:
        for raised in (ServiceRequestError(text), ClientAuthenticationError(text), HttpResponseError(text)):
            with pytest.raises(AirlockError) as told:
                async with told_as_failures("arm"):
                    raise raised
            assert secret not in shown(told.value)
        with pytest.raises(AirlockError) as told:
            async with own_store("ledger"):
                raise answered(400, text)
        assert secret not in shown(told.value)


def shown(problem: AirlockError) -> str:
    return f"{problem} {problem!r} {problem.cause}"


def answered(status: int, message: str, code: object = None, headers: Mapping[str, str] | None = None) -> AzureError:
    """The error that a storage SDK makes of an answer: the code stands in an attribute of its own."""
    problem = HttpResponseError(message)
    problem.status_code = status
    problem.response = SimpleNamespace(headers=headers or {})
    problem.error_code = code  # type: ignore[attr-defined] # as the storage SDKs do
    return problem


@pytest.mark.parametrize(
    "raised,reason",
    [
        (ServiceRequestError("no route"), "log.unreachable"),
        (ServiceRequestTimeoutError("slow"), "log.unreachable"),
        (ServiceResponseError("reset"), "log.unreachable"),
        (ServiceResponseTimeoutError("slow"), "log.unreachable"),
        (AzureError("anything"), "log.unreachable"),
        (ClientAuthenticationError("no identity"), "log.no-token"),
        (CredentialUnavailableError("no identity"), "log.no-token"),
        (HttpResponseError("no status"), "log.unreadable-answer"),
        (DecodeError("no JSON"), "log.unreadable-answer"),
        (IncompleteReadError("half"), "log.unreadable-answer"),
        (answered(200, "half of a JSON"), "log.unreadable-answer"),
        (answered(206, "half of an XML"), "log.unreadable-answer"),
        (answered(503, "down"), "log.http-503"),
        (answered(503, "down", "ServerBusy"), "log.server-busy"),
        (answered(500, "down", SimpleNamespace(value="OperationTimedOut")), "log.operation-timed-out"),
    ],
)
@pytest.mark.parametrize("within", [told_as_failures, own_store])
async def test_what_the_sdks_raise_can_be_tried_again(within: object, raised: AzureError, reason: str) -> None:
    with pytest.raises(TryAgain) as told:
        async with within("log"):  # type: ignore[operator] # either of the two
            raise raised
    assert told.value.cause.code == reason
    assert told.value.__cause__ is raised


async def test_what_a_service_asked_for_is_kept() -> None:
    with pytest.raises(TryAgain) as told:
        async with own_store("queue"):
            raise answered(503, "busy", "ServerBusy", {"Retry-After": "9", "x-ms-request-id": "7"})
    assert told.value.after == timedelta(seconds=9)
    assert told.value.cause.request_id == "7"


@pytest.mark.parametrize("status,code", [(400, "InvalidInput"), (403, "AuthorizationFailure"), (404, "TableNotFound")])
async def test_what_our_own_stores_refuse_is_tried_again_and_what_arm_refuses_is_not(status: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        async with told_as_failures("arm"):
            raise answered(status, "no", code)
    with pytest.raises(TryAgain) as told:
        async with own_store("ledger"):
            raise answered(status, "no", code)
    assert told.value.cause.code.removeprefix("ledger") == refused.value.cause.code.removeprefix("arm")


async def test_failures_and_mistakes_go_through() -> None:
    cause = Cause("gate.write-refused", "no")
    with pytest.raises(Refused):
        async with told_as_failures("arm"):
            raise Refused(cause)
    with pytest.raises(TryAgain):
        async with own_store("arm"):
            raise Refused(cause)
    for within in (told_as_failures, own_store):
        with pytest.raises(KeyError):
            async with within("arm"):
                raise KeyError("a mistake of ours")
        async with within("arm"):
            assert True
