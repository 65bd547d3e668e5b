"""The vault through the real client: keys are published by their own act, at the vault, and nowhere shown."""

import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.keyvault.secrets._shared import http_challenge_cache
from azure.keyvault.secrets.aio import SecretClient

from local.certificate import Certificate
from local.faults import Fault, Faults
from local.vault import LIMIT_BYTES, VaultService
from shared.azure.vault import KeyVault
from shared.domain.act import PublishKey, RegenerateKey
from shared.domain.arm_id import parse_arm_id
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.mode import Mode
from shared.domain.permit import Permit
from shared.domain.resource_types import COGNITIVE_ACCOUNTS
from shared.domain.secret import Secret
from shared.domain.settings import HostStorage, Operational
from shared.domain.vault import secret_name
from tests.azure.making import Answer, Identity, TrustingClients, fix, scripted
from tests.azure.test_keys import told_by
from tests.local.arm_world import ACCOUNT, TENANT, serve

NAME = secret_name(parse_arm_id(ACCOUNT))
PUBLISH = PublishKey(NAME, Mode.ENFORCE)
KEY = "k" * 52 + "JQQJ99BCAC" + "k" * 22


@dataclass(frozen=True)
class Served:
    """A vault, and our way to it."""

    service: VaultService
    vault: KeyVault
    client: SecretClient
    made: list[SecretClient]

    @property
    def statuses(self) -> list[int]:
        """What each request was answered."""
        return [line.status for line in self.service.requests]


@asynccontextmanager
async def vault_at(url: str, ca_file: Path) -> AsyncIterator[tuple[KeyVault, SecretClient, list[SecretClient]]]:
    """Our vault at that address, through the factory that ships."""
    # The SDK remembers the challenge of each port for as long as the process lives, and ports are given out again.
    http_challenge_cache.remove_challenge_for_url(url)
    made = list[SecretClient]()
    clients = TrustingClients(Operational(key_vault_uri=url), HostStorage(), ca_file)
    async with clients, clients.vault() as client:

        def connect() -> SecretClient:
            made.append(client)
            return client

        yield KeyVault(connect), client, made


@asynccontextmanager
async def served(*faults: Fault) -> AsyncIterator[Served]:
    """A local vault. Its first answer to a new client is the challenge."""
    with tempfile.TemporaryDirectory() as directory:
        certificate = Certificate.issue(Path(directory))
        service = VaultService(TENANT, time.time, Faults(faults))
        async with (
            serve(service.application(), certificate.server) as url,
            vault_at(url, certificate.ca_file) as (vault, client, made),
        ):
            yield Served(service, vault, client, made)


async def test_a_key_is_published_as_a_new_version(identity: Identity) -> None:
    async with served() as at:
        first = await at.vault.publish(PUBLISH, Secret("one"))
        second = await at.vault.publish(PUBLISH, Secret("two"))
        assert at.service.versions(NAME) == ["one", "two"]
        assert first != second
        read: Any = await at.client.get_secret(NAME, first)
        assert (read.value, read.properties.version) == ("one", first)
        assert (await at.client.get_secret(NAME)).properties.version == second
        assert at.statuses[:3] == [401, 200, 200], "one challenge, then straight on"
        assert {line.path for line in at.service.requests[:3]} == {PUBLISH.path}
        assert len(identity.asked) == 1


@pytest.mark.usefixtures("identity")
async def test_the_client_is_made_with_the_first_key() -> None:
    async with served() as at:
        assert at.made == []
        for value in ("one", "two"):
            await at.vault.publish(PUBLISH, Secret(value))
        assert len(at.made) == 1


@pytest.mark.usefixtures("identity")
async def test_the_challenge_is_asked_for_without_the_key() -> None:
    """Nobody knows yet who answers there."""
    bodies = list[bytes]()

    @web.middleware
    async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
        bodies.append(await request.read())
        return await handler(request)

    with tempfile.TemporaryDirectory() as directory:
        certificate = Certificate.issue(Path(directory))
        app = VaultService(TENANT, time.time, Faults()).application()
        app.middlewares.append(listen)
        async with (
            serve(app, certificate.server) as url,
            vault_at(url, certificate.ca_file) as (vault, _, _),
        ):
            await vault.publish(PUBLISH, Secret(KEY))
    assert KEY.encode() not in bodies[0]
    assert KEY.encode() in bodies[1]


@pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
@pytest.mark.usefixtures("identity")
async def test_nothing_leaves_in_another_mode(mode: Mode) -> None:
    async with served() as at:
        with pytest.raises(Refused) as refused:
            await at.vault.publish(replace(PUBLISH, mode=mode), Secret(KEY))
        assert refused.value.cause.code == "gate.write-refused"
        assert at.service.requests == []


def regenerate() -> Permit:
    """An act that is none of the vault's."""
    scheme = COGNITIVE_ACCOUNTS.keys
    assert scheme is not None
    return RegenerateKey(parse_arm_id(ACCOUNT), scheme, "Key1", Mode.ENFORCE)


@pytest.mark.parametrize(
    "permit",
    [
        None,
        PublishKey(f"{NAME}2", Mode.ENFORCE),
        PublishKey(NAME[:-1], Mode.ENFORCE),
        PublishKey("", Mode.ENFORCE),
        PublishKey(f"{NAME}/versions", Mode.ENFORCE),
        regenerate(),
        fix(),
    ],
    ids=["none", "longer", "shorter", "empty", "deeper", "of ARM", "fix"],
)
@pytest.mark.usefixtures("identity")
async def test_a_write_without_its_own_act_never_leaves(permit: Permit | None) -> None:
    async with served() as at:
        with pytest.raises(Refused) as refused:
            await at.client.set_secret(NAME, KEY, permit=permit)
        assert refused.value.cause.code == "gate.write-refused"
        assert at.service.requests == []


@pytest.mark.usefixtures("identity")
async def test_an_act_of_the_vault_opens_no_other_write() -> None:
    async with served() as at:
        await at.vault.publish(PUBLISH, Secret("one"))
        count = len(at.service.requests)
        for write in (
            at.client.delete_secret(NAME, permit=PUBLISH),
            at.client.update_secret_properties(NAME, enabled=False, permit=PUBLISH),
            at.client.backup_secret(NAME, permit=PUBLISH),
            at.client.restore_secret_backup(b"x", permit=PUBLISH),
        ):
            with pytest.raises(Refused):
                await write
        assert len(at.service.requests) == count


@pytest.mark.parametrize("status,code", [(403, "Forbidden"), (400, "BadParameter"), (404, "SecretNotFound")])
@pytest.mark.usefixtures("identity")
async def test_a_refusal_is_told_and_asked_for_once(status: int, code: str) -> None:
    async with served(Fault(service="vault", status=status, code=code, skip=1, times=None)) as at:
        with pytest.raises(Refused) as refused:
            await at.vault.publish(PUBLISH, Secret(KEY))
        words = {"Forbidden": "forbidden", "BadParameter": "bad-parameter", "SecretNotFound": "secret-not-found"}
        assert refused.value.cause.code == f"vault.{words[code]}"
        assert at.statuses == [401, status]
        assert at.service.versions(NAME) == []


@pytest.mark.parametrize(
    "fault,after",
    [
        (Fault(status=429, code="Throttled", headers={"Retry-After": "7"}), timedelta(seconds=7)),
        (Fault(status=429, code="Throttled"), None),
        (Fault(status=500), None),
        (Fault(status=503, code="ServiceUnavailable", headers={"Retry-After": "90"}), timedelta(seconds=90)),
        (Fault(status=409, code="Conflict"), None),
    ],
)
@pytest.mark.parametrize("after_effect,kept", [(False, []), (True, [KEY])], ids=["before", "after"])
@pytest.mark.usefixtures("identity")
async def test_what_may_pass_is_left_to_another_try_and_asked_for_once(
    fault: Fault,
    after: timedelta | None,
    after_effect: bool,  # noqa: FBT001 - one of the axes
    kept: list[str],
) -> None:
    async with served(replace(fault, service="vault", skip=1, times=None, after_effect=after_effect)) as at:
        with pytest.raises(TryAgain) as again:
            await at.vault.publish(PUBLISH, Secret(KEY))
        assert again.value.after == after
        assert again.value.cause.code.startswith("vault.")
        assert at.statuses == [401, fault.status]
        assert at.service.versions(NAME) == kept


@pytest.mark.usefixtures("identity")
async def test_a_vault_that_breaks_off() -> None:
    # The client sends a PUT once more by itself, which only makes another version of the same key.
    async with served(Fault(kind="reset", service="vault", skip=1, times=None)) as at:
        with pytest.raises(TryAgain) as again:
            await at.vault.publish(PUBLISH, Secret(KEY))
        assert again.value.cause.code == "vault.unreachable"


@pytest.mark.usefixtures("identity")
async def test_nobody_there() -> None:
    async with served() as gone:
        url = gone.client.vault_url
    with tempfile.TemporaryDirectory() as directory:
        ca_file = Certificate.issue(Path(directory)).ca_file
        async with vault_at(url, ca_file) as (vault, _, _):
            with pytest.raises(TryAgain) as again:
                await vault.publish(PUBLISH, Secret(KEY))
            assert again.value.cause.code == "vault.unreachable"


@pytest.mark.usefixtures("identity")
async def test_without_a_token_nothing_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    async with served() as at:
        with pytest.raises(TryAgain) as again:
            await at.vault.publish(PUBLISH, Secret(KEY))
        assert again.value.cause.code == "vault.no-token"
        assert at.service.versions(NAME) == []


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.evil.example"',
        'Bearer authorization="https://login.microsoftonline.com/t", resource="https://0.0.2"',
        'Bearer authorization="https://login.microsoftonline.com/t"',
        "Basic",
        "",
    ],
)
async def test_a_challenge_of_somebody_else_gets_no_token_and_no_key(challenge: str, identity: Identity) -> None:
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    async with (
        scripted(Answer(401, {"error": {"code": "Unauthorized", "message": "who?"}}, headers)) as server,
        vault_at(server.url, server.ca_file) as (vault, _, _),
    ):
        with pytest.raises(AirlockError) as told:
            await vault.publish(PUBLISH, Secret(KEY))
        assert told.value.cause.code.startswith("vault.")
        assert len(server.asked) == 1
    assert identity.asked == []


@pytest.mark.usefixtures("identity")
async def test_a_key_that_no_vault_takes_is_refused() -> None:
    async with served() as at:
        with pytest.raises(Refused) as refused:
            await at.vault.publish(PUBLISH, Secret("k" * (LIMIT_BYTES + 1)))
        assert refused.value.cause.code == "vault.bad-parameter"


ECHO = f'{{"value": "{KEY}", "id": "https://kv.vault.azure.net/secrets/{NAME}/0123"'


@pytest.mark.parametrize("body", [{}, None, b"", b"{", b"<html/>", [], "text", 7, {"id": 7}, {"id": "no address"}])
@pytest.mark.usefixtures("identity")
async def test_an_odd_answer_is_another_try_or_no_version_and_never_a_crash(body: object) -> None:
    answer = Answer(200, body, {"Content-Type": "application/json"})
    async with scripted(answer) as server, vault_at(server.url, server.ca_file) as (vault, _, _):
        try:
            version = await vault.publish(PUBLISH, Secret(KEY))
        except TryAgain as again:
            assert again.cause.code == "vault.unreadable-answer"  # noqa: PT017 - no version is fine too
        else:
            assert version == ""


@pytest.mark.parametrize("status", [200, 202, 400, 403, 409, 429, 500])
@pytest.mark.parametrize("body", [ECHO, f"{ECHO}}}"], ids=["cut", "whole"])
@pytest.mark.usefixtures("identity")
async def test_neither_exception_nor_log_tells_the_key(
    status: int, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The vault answers with the value that it was sent, and azure-core shows an answer that it did not expect."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="azure")
    answer = Answer(status, body.encode(), {"Content-Type": "application/json"})
    async with scripted(answer) as server, vault_at(server.url, server.ca_file) as (vault, _, _):
        try:
            text = await vault.publish(PUBLISH, Secret(KEY))
        except AirlockError as failure:
            text = told_by(failure)
    assert KEY not in text
    assert KEY not in "\n".join(f"{line.getMessage()} {line.exc_text}" for line in caplog.records)


@pytest.mark.usefixtures("identity")
async def test_no_logger_tells_a_key_that_is_published(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="azure")
    async with served(Fault(service="vault", status=500, skip=2, after_effect=True)) as at:
        await at.vault.publish(PUBLISH, Secret(KEY))
        with pytest.raises(TryAgain) as again:
            await at.vault.publish(PUBLISH, Secret(KEY))
    said = "\n".join(line.getMessage() for line in caplog.records)
    assert said
    assert KEY not in said + told_by(again.value)
