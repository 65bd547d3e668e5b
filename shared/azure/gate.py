"""What may leave this process: reads of Azure, fixes and acts in mode enforce, and anything to our own stores."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from shared.domain.failure import Cause, Refused
from shared.domain.mode import Mode
from shared.domain.permit import Permit

_READS = frozenset({"GET", "HEAD"})
# The one POST that only reads: a query of Azure Resource Graph.
SEARCH_PATH = "/providers/Microsoft.ResourceGraph/resources"


@dataclass(frozen=True, slots=True)
class Gate:
    """`own_hosts` are the hosts of our own ledger, queue and log, which are written to in every mode; `permitted_host`
    is where fixes and acts go, and nowhere else: Azure Resource Manager, or the vault. `may_search` says whether it
    answers queries of Resource Graph."""

    own_hosts: frozenset[str]
    permitted_host: str = "management.azure.com"
    may_search: bool = True

    def refusal(self, method: str, url: str, permit: Permit | None) -> str | None:
        """Why the request may not leave; None if it may.

        Nothing leaves for any other host: not even a read, since it would carry our token. A write to anywhere but our
        own stores needs a fix or an act in mode enforce that is this very request.
        """
        parts = urlsplit(url)
        if parts.netloc and parts.netloc in self.own_hosts:
            return None
        if parts.netloc != self.permitted_host:
            return f"a {method} to another host than the client is for"
        if method in _READS or (self.may_search and method == "POST" and parts.path == SEARCH_PATH):
            return None
        return _unpermitted(method, parts.path, permit)


def _unpermitted(method: str, path: str, permit: Permit | None) -> str | None:
    if permit is None:
        return f"a {method} without a fix"
    if permit.mode is not Mode.ENFORCE:
        return f"a {method} for a fix in mode {permit.mode.value}"
    # An escaped slash would name another resource than the path that it unescapes to. Azure compares ids without case,
    # and typed SDKs spell the types in their own way.
    named = unquote(path).rstrip("/").lower()
    if method != permit.method or "%2f" in path.lower() or named != permit.path.lower():
        return f"a {method} that is not the fix it carries"
    return None


class GatedTransport(AioHttpTransport):  # type: ignore[misc] # azure-core loads the class late and so untyped
    """The one way out for every Azure client, below all of their policies."""

    def __init__(self, gate: Gate, **config: Any) -> None:  # noqa: ANN401 - azure-core's own signature
        # Without this aiohttp looks for .netrc and proxies with every request, a quarter of an event's processor time.
        super().__init__(use_env_settings=False, **config)
        self._gate = gate

    async def open(self) -> None:
        """Opens the session. aiohttp would send a PUT again when the connection breaks, also one that was carried out:
        whether anything is sent again is not decided down here."""
        await super().open()
        if self.session is not None:
            self.session._retry_connection = False  # noqa: SLF001 - aiohttp has no public name for it

    async def send(self, request: HttpRequest, *, permit: Permit | None = None, **config: Any) -> Any:  # noqa: ANN401 - as above
        """Sends the request, or raises Refused where the gate is closed for it."""
        refusal = self._gate.refusal(request.method, request.url, permit)
        if refusal is not None:
            raise Refused(Cause("gate.write-refused", f"not sent: {refusal}"))
        return await super().send(request, **config)
