"""A local Azure whose tables are Azurite's: the ledger that many workers share is Microsoft's own emulator."""

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from uuid import uuid4

from aiohttp import ClientSession, web
from yarl import URL

from local.azure import LocalAzure
from local.storage.database import Database
from shared.azure.entities import entry_row
from tests.local import azurite
from tests.storage_account import served

_TABLE = "AirlockLedger"
# Headers that belong to one connection, or that the signature replaces.
_OWN = {"host", "authorization", "content-length", "transfer-encoding", "connection", "x-ms-date", "date"}


@dataclass
class Commits:
    """Where the ledger's worker dies: at a commit of one entry, before or after Azurite has it.

    `hangs` maps an entry's key to the number of its commit, from 0, and whether it is carried out. `hung` are the keys
    whose commit hangs; their requests are never answered.
    """

    hangs: dict[str, tuple[int, bool]] = field(default_factory=dict)
    hung: set[str] = field(default_factory=set)
    _seen: Counter[str] = field(default_factory=Counter)

    def strikes(self, body: bytes) -> bool | None:
        """Whether the commit is to be carried out before it hangs; None for one that passes."""
        for key, (number, after) in self.hangs.items():
            if f'"{entry_row(key)}"'.encode() in body:
                self._seen[key] += 1
                if self._seen[key] == number + 1:
                    self.hung.add(key)
                    return after
        return None


def over(emulator: azurite.Azurite, commits: Commits | None = None) -> type[LocalAzure]:
    """LocalAzure with that Azurite in place of its own Table service, in a table of its own."""

    class OverAzurite(LocalAzure):
        async def _tables(self, run: AsyncExitStack, database: Database) -> str:
            del database
            session = await run.enter_async_context(ClientSession(auto_decompress=False))
            there = _There(session, emulator.table_port, f"{_TABLE}{uuid4().hex}", commits or Commits())
            proxy = web.Application()
            proxy.router.add_route("*", "/{path:.*}", partial(_forward, there=there))
            address = await run.enter_async_context(served(proxy, self.certificate.server))
            return f"{address.rpartition('/')[0]}/{azurite.ACCOUNT}"

    return OverAzurite


@dataclass(frozen=True)
class _There:
    """Where requests are passed on to."""

    session: ClientSession
    port: int
    table: str
    commits: Commits


async def _forward(request: web.Request, *, there: _There) -> web.Response:
    body = await request.read()
    hangs = there.commits.strikes(body) if request.method == "POST" else None
    if hangs is None:
        return await _send(request, body, there)
    if hangs:
        await _send(request, body, there)
    await asyncio.Event().wait()
    raise web.HTTPServiceUnavailable


async def _send(request: web.Request, body: bytes, there: _There) -> web.Response:
    """Signs with the account's key in place of the identity's token."""
    address = f"http://127.0.0.1:{there.port}"
    path = request.raw_path.replace(_TABLE, there.table)
    # The parts of a batch name the host that they were meant for.
    body = body.replace(str(request.url.origin()).encode(), address.encode())
    body = body.replace(_TABLE.encode(), there.table.encode())
    date = format_datetime(datetime.now(UTC), usegmt=True)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
    headers |= {"x-ms-date": date, "Authorization": _signature(path.partition("?")[0], date)}
    url = URL(f"{address}{path}", encoded=True)
    async with there.session.request(request.method, url, data=body, headers=headers) as answer:
        told = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN}
        return web.Response(status=answer.status, body=await answer.read(), headers=told)


def _signature(path: str, date: str) -> str:
    """Shared Key Lite of the Table service (learn.microsoft.com, "Authorize with Shared Key", read 2026-11-24)."""
    signed = f"{date}\n/{azurite.ACCOUNT}{path}".encode()
    digest = hmac.new(base64.b64decode(azurite.KEY), signed, hashlib.sha256).digest()
    return f"SharedKeyLite {azurite.ACCOUNT}:{base64.b64encode(digest).decode()}"
