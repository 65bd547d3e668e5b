"""Containers and blobs in SQLite: what each operation does to the rows, without HTTP."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.storage.database import Database
from local.storage.moment import Moment
from local.storage.parameters import check_name
from local.storage.service import StorageError
from local.storage.xml_form import NOT_XML

# learn.microsoft.com, "Naming and referencing containers, blobs, and metadata", read 2026-11-24; which code the service
# answers for a longer name is not documented.
LONGEST_NAME = 1024
_ALL = 2**31


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `headers` are those that it was given, metadata with its prefix."""

    name: str
    changed: Moment
    headers: Mapping[str, str]
    immutable: bool

    @property
    def etag(self) -> str:
        """The version, with its quotes."""
        return _etag(self.changed)


@dataclass(frozen=True, slots=True)
class Listed:
    """One blob without its content. `headers` are those that it is answered with, metadata with its prefix."""

    name: str
    changed: Moment
    headers: Mapping[str, str]
    size: int

    @property
    def etag(self) -> str:
        """The version, with its quotes."""
        return _etag(self.changed)


@dataclass(frozen=True, slots=True)
class Blob(Listed):
    """One blob with its content."""

    content: bytes


class BlobStore:
    """The containers of one account. Every method raises StorageError in the service's words."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    def create_container(self, name: str, headers: Mapping[str, str]) -> Container:
        """Create a container, with no policy: 409 ContainerAlreadyExists."""
        check_name(name)
        container = Container(name, self._database.stamp(), headers, immutable=False)
        try:
            self._run(
                "INSERT INTO containers (account, name, ticks, headers) VALUES (?, ?, ?, ?)",
                *(self._account, name, container.changed.ticks, json.dumps(headers)),
            )
        except sqlite3.IntegrityError as error:
            raise StorageError(409, "ContainerAlreadyExists", "The specified container already exists.") from error
        return container

    def container(self, name: str) -> Container:
        """Return a container: 404 ContainerNotFound."""
        return self._container(name)[1]

    def set_immutable(self, name: str) -> None:
        """Put a container under a time-based retention policy that never ends: its blobs stay as they are."""
        self._run("UPDATE containers SET immutable = TRUE WHERE id = ?", self._container(name)[0])

    def put(self, container: str, name: str, content: bytes, headers: Mapping[str, str]) -> Listed:
        """Write a blob, or write it anew: 409 BlobImmutableDueToPolicy where its container is immutable."""
        container_id, within = self._container(container)
        _check_blob_name(name)
        if within.immutable and self._listed(container_id, name) is not None:
            raise _immutable()
        blob = Listed(name, self._database.stamp(), headers, len(content))
        self._run(
            "REPLACE INTO blobs (container_id, name, ticks, headers, content) VALUES (?, ?, ?, ?, ?)",
            *(container_id, name, blob.changed.ticks, json.dumps(headers), content),
        )
        return blob

    def find(self, container: str, name: str) -> Listed | None:
        """Return a blob without its content; None where there is none."""
        return self._listed(self._container(container)[0], name)

    def get(self, container: str, name: str) -> Blob:
        """Return a blob: 404 BlobNotFound."""
        container_id, _ = self._container(container)
        row = self._run(
            "SELECT name, ticks, headers, content FROM blobs WHERE container_id = ? AND name = ?", container_id, name
        ).fetchone()
        if row is None:
            raise blob_not_found()
        name, ticks, headers, content = row
        return Blob(name, Moment(ticks), json.loads(headers), len(content), content)

    def delete(self, container: str, name: str) -> None:
        """Delete a blob: 404 BlobNotFound, 409 BlobImmutableDueToPolicy where its container is immutable."""
        container_id, within = self._container(container)
        if self._listed(container_id, name) is None:
            raise blob_not_found()
        if within.immutable:
            raise _immutable()
        self._run("DELETE FROM blobs WHERE container_id = ? AND name = ?", container_id, name)

    def page(self, container: str, prefix: str, start: str, limit: int) -> tuple[Sequence[Listed], str | None]:
        """Return up to `limit` blobs by name from `start` on, and the name to start the next page with."""
        rows = self._run(
            "SELECT name, ticks, headers, length(content) FROM blobs"
            " WHERE container_id = ? AND name >= ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
            *(self._container(container)[0], start, len(prefix), prefix, limit + 1),
        ).fetchall()
        blobs = [_listed(row) for row in rows]
        return blobs[:limit], blobs[limit].name if len(blobs) > limit else None

    def _listed(self, container_id: int, name: str) -> Listed | None:
        row = self._run(
            "SELECT name, ticks, headers, length(content) FROM blobs WHERE container_id = ? AND name = ?",
            *(container_id, name),
        ).fetchone()
        return None if row is None else _listed(row)

    def _container(self, name: str) -> tuple[int, Container]:
        check_name(name)
        row = self._run(
            "SELECT id, ticks, headers, immutable FROM containers WHERE account = ? AND name = ?", self._account, name
        ).fetchone()
        if row is None:
            raise StorageError(404, "ContainerNotFound", "The specified container does not exist.")
        container_id, ticks, headers, immutable = row
        return container_id, Container(name, Moment(ticks), json.loads(headers), bool(immutable))

    def _run(self, statement: str, *parameters: object) -> sqlite3.Cursor:
        return self._database.connection.execute(statement, parameters)


class Shelves:
    """The blobs of one account as plain values, for whoever rehearses: what is missing is made or empty, not refused.

    Names that the service refuses still raise StorageError.
    """

    def __init__(self, database: Database, account: str) -> None:
        self._store = BlobStore(database, account)

    def names(self, container: str, prefix: str = "") -> list[str]:
        """The names of all blobs, in order; none where there is no container."""
        if not self._has(container):
            return []
        blobs, _ = self._store.page(container, prefix, "", _ALL)
        return [blob.name for blob in blobs]

    def read(self, container: str, name: str) -> bytes | None:
        """The content of a blob; None where there is none."""
        if not self._has(container) or self._store.find(container, name) is None:
            return None
        return self._store.get(container, name).content

    def put(self, container: str, name: str, content: bytes) -> None:
        """Writes a blob. Raises StorageError for one that stands in a container that is immutable."""
        self._make(container)
        self._store.put(container, name, content, {"Content-Type": "application/octet-stream"})

    def set_immutable(self, container: str) -> None:
        """Lets nobody change or delete what is written to the container, from now on."""
        self._make(container)
        self._store.set_immutable(container)

    def _make(self, container: str) -> None:
        if not self._has(container):
            self._store.create_container(container, {})

    def _has(self, container: str) -> bool:
        try:
            self._store.container(container)
        except StorageError as error:
            if error.status != 404:
                raise
            return False
        return True


def blob_not_found() -> StorageError:
    """Return the refusal of what needs a blob that is not there."""
    return StorageError(404, "BlobNotFound", "The specified blob does not exist.")


def _immutable() -> StorageError:
    return StorageError(
        409, "BlobImmutableDueToPolicy", "This operation is not permitted as the blob is immutable due to a policy."
    )


def _check_blob_name(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise StorageError(
            400, "OutOfRangeInput", "The specified resource name length is not within the permissible limits."
        )
    if NOT_XML.search(name):
        raise StorageError(400, "InvalidUri", "The requested URI does not represent any resource on the server.")


def _etag(changed: Moment) -> str:
    return f'"0x{changed.ticks:X}"'


def _listed(row: tuple[str, int, str, int]) -> Listed:
    name, ticks, headers, size = row
    return Listed(name, Moment(ticks), json.loads(headers), size)
