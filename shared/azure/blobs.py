"""The blobs of our own storage: dead letters, what is buried, anchors."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from shared.azure.failures import odd_answers_as_failures, own_store

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient

# How the service refuses to write over a blob, in a container that is immutable too (learn.microsoft.com/rest/api/
# storageservices/blob-service-error-codes, read 2026-11-24).
_THERE_ALREADY = frozenset({"BlobAlreadyExists", "BlobImmutableDueToPolicy"})
# The most names in one answer (learn.microsoft.com/rest/api/storageservices/list-blobs, read 2026-11-24).
_PAGE = 5000


class BlobStore:
    """`ports.Blobs` over Azure Blob Storage. `connect` makes the client when the first blob is asked for."""

    def __init__(self, connect: "Callable[[], BlobServiceClient]") -> None:
        self._connect = connect
        self._client: BlobServiceClient | None = None

    async def create(self, container: str, name: str, data: bytes) -> bool:
        """Writes the blob, in a container that is created when absent; False, and nothing written, where it is there.

        A blob of an earlier call whose answer was lost is there too. Raises TryAgain.
        """
        client = self._container(container)
        async with own_store("blobs"):
            try:
                return await _upload(client, name, data)
            except ResourceNotFoundError:
                await _make(client)
                return await _upload(client, name, data)

    async def read(self, container: str, name: str) -> bytes | None:
        """The blob's content; None where there is no such blob. Raises TryAgain."""
        client = self._container(container)
        async with own_store("blobs"), odd_answers_as_failures("blobs"):
            try:
                return await (await client.download_blob(name, max_concurrency=1)).readall()
            except ResourceNotFoundError:
                return None

    async def names(self, container: str, prefix: str = "", most: int = 1000) -> list[str]:
        """The names of up to so many blobs that begin with the prefix, in order; none where there is no container.

        Raises TryAgain.
        """
        client = self._container(container)
        found: list[str] = []
        async with own_store("blobs"), odd_answers_as_failures("blobs"):
            pages = client.list_blob_names(name_starts_with=prefix, results_per_page=min(most, _PAGE)).by_page()
            try:
                async for page in pages:
                    found += [name async for name in page]
                    if len(found) >= most:
                        break
            except ResourceNotFoundError:
                return []
        return found[:most]

    async def delete(self, container: str, name: str) -> None:
        """Deletes the blob, if it is there. Raises TryAgain."""
        client = self._container(container)
        async with own_store("blobs"):
            try:
                await client.delete_blob(name)
            except ResourceNotFoundError:
                return

    def _container(self, name: str) -> "ContainerClient":
        self._client = self._client or self._connect()
        return self._client.get_container_client(name)


async def _make(client: "ContainerClient") -> None:
    try:
        await client.create_container()
    except ResourceExistsError as error:
        # Another worker may have come first. While a container is being deleted the SDK raises the same.
        if _code(error) != "ContainerAlreadyExists":
            raise


async def _upload(client: "ContainerClient", name: str, data: bytes) -> bool:
    """Without `overwrite` the SDK sends If-None-Match: *, so that the service decides."""
    try:
        await client.upload_blob(name, data, overwrite=False, max_concurrency=1)
    except HttpResponseError as error:
        if _code(error) in _THERE_ALREADY:
            return False
        raise
    return True


def _code(error: HttpResponseError) -> str:
    """The service's error code, which the storage SDKs keep in an attribute of their own."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))
