"""The vault that consumers read their keys from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.azure.failures import odd_answers_as_failures, told_as_failures
from shared.domain.act import PublishKey
from shared.domain.secret import Secret

if TYPE_CHECKING:
    from azure.keyvault.secrets.aio import SecretClient


class KeyVault:
    """`ports.Vault` over azure-keyvault-secrets. `connect` makes the client with the first key."""

    def __init__(self, connect: "Callable[[], SecretClient]") -> None:
        self._connect = connect
        self._client: SecretClient | None = None

    async def publish(self, act: PublishKey, key: Secret) -> str:
        """Writes the key as a new version of the secret, and answers that version. Raises TryAgain or Refused."""
        self._client = self._client or self._connect()
        async with told_as_failures("vault"), odd_answers_as_failures("vault"):
            written = await self._client.set_secret(act.secret_name, key.value, permit=act)
            return written.properties.version or ""
