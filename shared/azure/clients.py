"""The one factory of Azure clients: each behind the gate, with the SDK's own retries off.

Imported with the first message, not with the app; SDKs that not every message needs are imported by the method that
makes their client.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.pipeline.policies import (
    AsyncHTTPPolicy,
    ContentDecodePolicy,
    HeadersPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.data.tables.aio import TableClient
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from shared.azure.gate import Gate, GatedTransport
from shared.azure.keys import Sdk
from shared.domain.resource_types import COGNITIVE_ACCOUNTS, SEARCH, STORAGE, ResourceType
from shared.domain.settings import HostStorage, Operational
from shared.domain.stores import LEDGER_TABLE, POISON_QUEUE, SIGNALS_QUEUE

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient
    from azure.keyvault.secrets.aio import SecretClient
    from azure.monitor.ingestion.aio import LogsIngestionClient
    from azure.storage.blob.aio import BlobServiceClient
    from azure.storage.queue.aio import QueueClient

# The clouds with token audiences of their own, Resource Manager's and beside it Azure Monitor's (learn.microsoft.com/
# azure/azure-government/compare-azure-government-global-azure, and the same for China, read 2026-11-23).
_SOVEREIGN = {
    "https://management.usgovcloudapi.net": "https://monitor.azure.us",
    "https://management.chinacloudapi.cn": "https://monitor.azure.cn",
}
_PUBLIC_MONITOR = "https://monitor.azure.com"
_PUBLIC = "https://management.azure.com"
# Seconds. Every call is a small request; what takes longer is better tried again.
_CONNECT, _READ = 5, 30


class Clients:
    """Makes the clients. They live as long as the process; `credential` caches its tokens for all of them."""

    def __init__(self, options: Operational, storage: HostStorage) -> None:
        self._options = options
        self._storage = storage
        self._credential = ManagedIdentityCredential(client_id=options.client_id or None, retry_total=0)

    def arm(self) -> AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse]:
        """Azure Resource Manager; only fixes in mode enforce get through as writes."""
        endpoint = self._options.arm_endpoint
        return AsyncARMPipelineClient(endpoint, policies=self._arm_policies(), transport=self._transport())

    def ledger(self) -> TableClient:
        """The ledger's table."""
        if connection := self._storage.connection:
            own = self._transport(TableClient.from_connection_string(connection, LEDGER_TABLE).url)
            return TableClient.from_connection_string(connection, LEDGER_TABLE, transport=own, retry_total=0)
        own = self._transport(self._storage.tables)
        return TableClient(
            self._storage.tables, LEDGER_TABLE, credential=self._credential, transport=own, retry_total=0
        )

    def signals(self) -> "QueueClient":
        """The queue of signals, encoded as the Functions host reads it."""
        from azure.storage.queue import TextBase64EncodePolicy  # noqa: PLC0415 - 250 ms that most messages never need

        return self._queue(SIGNALS_QUEUE, message_encode_policy=TextBase64EncodePolicy())

    def poison(self) -> "QueueClient":
        """The queue of messages that made the function crash; nothing is decoded, since anything may stand there."""
        return self._queue(POISON_QUEUE)

    def blobs(self) -> "BlobServiceClient":
        """The blob service of our own storage."""
        from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415 - only what runs on a timer needs it

        if connection := self._storage.connection:
            own = self._transport(BlobServiceClient.from_connection_string(connection).url)
            return BlobServiceClient.from_connection_string(connection, transport=own, retry_total=0)
        address = self._storage.blobs
        own = self._transport(address)
        return BlobServiceClient(address, credential=self._credential, transport=own, retry_total=0)

    def logs(self) -> "LogsIngestionClient":
        """The Logs Ingestion endpoint."""
        from azure.monitor.ingestion.aio import LogsIngestionClient  # noqa: PLC0415 - after the fix, not before it

        own = self._transport(self._options.logs_endpoint)
        scopes = [f"{_SOVEREIGN.get(self._options.arm_endpoint, _PUBLIC_MONITOR)}/.default"]
        return LogsIngestionClient(
            self._options.logs_endpoint, self._credential, credential_scopes=scopes, transport=own, retry_total=0
        )

    def topic(self) -> "EventGridPublisherClient":
        """The Event Grid topic that is told of records."""
        from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415 - after the fix, not before it

        endpoint = self._options.notify_topic
        own = self._transport(endpoint)
        # A redirect may make a GET of a POST, and its answer would be taken for the topic's.
        return EventGridPublisherClient(
            endpoint, self._credential, transport=own, retry_total=0, permit_redirects=False
        )

    def keys(self, kind: ResourceType, subscription: str) -> Sdk:
        """The typed management client of the type's provider, for one subscription; only acts get through as writes.

        Raises ValueError for a type without keys.
        """
        options: dict[str, Any] = {
            "base_url": self._options.arm_endpoint,
            "policies": [*self._arm_policies(), ContentDecodePolicy()],
            "transport": self._transport(),
        }
        match kind.name:
            case COGNITIVE_ACCOUNTS.name:
                from azure.mgmt.cognitiveservices.aio import CognitiveServicesManagementClient  # noqa: PLC0415 - as above

                return CognitiveServicesManagementClient(self._credential, subscription, **options)
            case SEARCH.name:
                from azure.mgmt.search.aio import SearchManagementClient  # noqa: PLC0415 - as above

                return SearchManagementClient(self._credential, subscription, **options)
            case STORAGE.name:
                from azure.mgmt.storage.aio import StorageManagementClient  # noqa: PLC0415 - as above

                return StorageManagementClient(self._credential, subscription, **options)
            case _:
                raise ValueError(f"resources of type {kind.name} have no keys")

    def vault(self) -> "SecretClient":
        """The vault of AIRLOCK_KEY_VAULT_URI; only acts get through as writes."""
        from azure.keyvault.secrets.aio import SecretClient  # noqa: PLC0415 - as above

        address = self._options.key_vault_uri
        own = self._transport(permitted=address)
        return SecretClient(address, self._credential, transport=own, retry_total=0)

    def _queue(self, name: str, **options: Any) -> "QueueClient":  # noqa: ANN401 - the SDK's own options
        from azure.storage.queue.aio import QueueClient  # noqa: PLC0415 - as above

        options["retry_total"] = 0
        if connection := self._storage.connection:
            own = self._transport(QueueClient.from_connection_string(connection, name).url)
            return QueueClient.from_connection_string(connection, name, transport=own, **options)
        own = self._transport(self._storage.queues)
        return QueueClient(self._storage.queues, name, credential=self._credential, transport=own, **options)

    def _arm_policies(self) -> list[AsyncHTTPPolicy[Any, Any] | SansIOHTTPPolicy[Any, Any]]:
        """Azure Resource Manager's, without retries, without registering providers, and without logging."""
        audience = _audience(self._options.arm_endpoint)
        return [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(base_user_agent="airlock"),
            AsyncARMChallengeAuthenticationPolicy(self._credential, f"{audience}/.default"),
        ]

    def _transport(self, *own_addresses: str, permitted: str = "") -> GatedTransport:
        own_hosts = frozenset(urlsplit(address).netloc for address in own_addresses)
        gate = Gate(own_hosts, urlsplit(permitted or self._options.arm_endpoint).netloc, may_search=not permitted)
        return GatedTransport(gate, connection_timeout=_CONNECT, read_timeout=_READ)


def _audience(endpoint: str) -> str:
    return endpoint if endpoint in _SOVEREIGN else _PUBLIC
