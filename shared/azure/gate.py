"""What may leave this process: reads of Azure, fixes in mode enforce, and anything to our own stores."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import HttpRequest

from shared.domain.failure import Cause, Refused
from shared.domain.fix import Fix
from shared.domain.mode import Mode

_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Gate:
    """`own_hosts` are the hosts of our own ledger, queue and log, which are written to in every mode; `arm_host` is
    where fixes go, and nowhere else."""

    own_hosts: frozenset[str]
    arm_host: str = "management.azure.com"

    def refusal(self, method: str, url: str, permit: Fix | None) -> str | None:
        """Why the request may not leave; None if it may.

        A write to anywhere but our own stores needs a Fix in mode enforce, made for the very resource it goes to.
        """
        parts = urlsplit(url)
        if method in _READS or (parts.netloc and parts.netloc in self.own_hosts):
            return None
        if permit is None:
            return f"a {method} without a fix"
        if permit.mode is not Mode.ENFORCE:
            return f"a {method} for a fix in mode {permit.mode.value}"
        if parts.netloc != self.arm_host:
            return f"a {method} to another host than Azure Resource Manager's"
        # An escaped slash would name another resource than the path that it unescapes to.
        if method != "PATCH" or "%2f" in parts.path.lower() or unquote(parts.path) != permit.target.path:
            return f"a {method} that is not the fix it carries"
        return None


class GatedTransport(AioHttpTransport):  # type: ignore[misc] # azure-core loads the class late and so untyped
    """The one way out for every Azure client, below all of their policies."""

    def __init__(self, gate: Gate, **config: Any) -> None:  # noqa: ANN401 - azure-core's own signature
        # Without this aiohttp looks for .netrc and proxies with every request, a quarter of an event's processor time.
        super().__init__(use_env_settings=False, **config)
        self._gate = gate

    async def send(self, request: HttpRequest, *, permit: Fix | None = None, **config: Any) -> Any:  # noqa: ANN401 - as above
        """Sends the request, or raises Refused where the gate is closed for it."""
        refusal = self._gate.refusal(request.method, request.url, permit)
        if refusal is not None:
            raise Refused(Cause("gate.write-refused", f"not sent: {refusal}"))
        return await super().send(request, **config)
