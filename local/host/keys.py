"""The access keys of a function app.

https://learn.microsoft.com/azure/azure-functions/function-keys-how-to (read 2026-11-23): a level is opened by a key of
exactly that level or by the master key.
"""

import secrets
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web

type Level = Literal["anonymous", "function", "system", "admin"]


def _new() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Random for every host. `system` opens webhooks, `function` every function, `master` all."""

    system: str = field(default_factory=_new)
    function: str = field(default_factory=_new)
    master: str = field(default_factory=_new)

    def admit(self, request: web.Request, level: str) -> bool:
        """Whether the request may enter: the key stands in header `x-functions-key` or query parameter `code`."""
        if level == "anonymous":
            return True
        given = (request.headers.get("x-functions-key") or request.query.get("code") or "").encode()
        fitting = {"system": (self.system,), "function": (self.function,)}.get(level, ())
        return any(secrets.compare_digest(given, key.encode()) for key in (*fitting, self.master))
