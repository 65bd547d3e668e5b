"""A ledger on each storage, and the identity endpoint that the factory's credential asks."""

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.data.tables.aio import TableClient

from local.identity import PATH, IdentityService
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable
from tests.azure.making import Identity
from tests.local.arm_world import DEV, OURS, serve
from tests.storage_account import Storage


@pytest.fixture
def table(storage: Storage) -> TableClient:
    """A table that nobody has created yet."""
    return storage.tables.get_table_client(f"Ledger{storage.unique}")


@pytest.fixture
async def ledger(table: TableClient) -> TableLedger:
    """A ledger whose table is there."""
    await table.create_table()
    return TableLedger(LedgerTable(table))


@pytest.fixture
async def identity(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Identity]:
    """The endpoint of the managed identities OURS (the system-assigned one) and DEV, as the environment names it."""
    asked: list[dict[str, str]] = []

    @web.middleware
    async def listen(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked.append(dict(request.query))
        return await handler(request)

    service = IdentityService([OURS, DEV], "header", time.time).application()
    service.middlewares.append(listen)
    async with serve(service) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url + PATH)
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield Identity(asked)
