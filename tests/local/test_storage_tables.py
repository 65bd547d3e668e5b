"""Tables and entities through azure-data-tables, against this repository's storage and against Azurite."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import EdmType, EntityProperty, UpdateMode
from azure.data.tables.aio import TableClient

from tests.storage_account import Storage


def keyed(row_key: str, partition_key: str = "p", /, **properties: object) -> dict[str, object]:
    return {"PartitionKey": partition_key, "RowKey": row_key, **properties}


async def row_keys(table: TableClient, query: str) -> list[str]:
    return [entity["RowKey"] async for entity in table.query_entities(query)]


async def test_an_entity_comes_back_with_every_edm_type(storage: Storage) -> None:
    table = await storage.table()
    properties: dict[str, Any] = {
        "binary": bytes(range(256)) * 240,  # 60 KiB
        "boolean": False,
        "date": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "double": 2.0,
        "guid": UUID("c9da6455-213d-42c9-9a79-3e9149a57833"),
        "int32": -(2**31),
        "int64": EntityProperty(2**63 - 1, EdmType.INT64),
        "text": "quotes ' \" & ümlaut \U0001f512 \n",
        "nothing": None,
    }
    await table.create_entity(keyed("r", **properties))
    entity = await table.get_entity("p", "r")
    del properties["nothing"]
    assert dict(entity) == keyed("r", **properties)
    assert type(entity["double"]) is float


async def test_doubles_that_json_cannot_write(storage: Storage) -> None:
    table = await storage.table()
    await table.create_entity(keyed("r", big=float("inf"), small=float("-inf"), none=float("nan")))
    entity = await table.get_entity("p", "r")
    assert (entity["big"], entity["small"]) == (float("inf"), float("-inf"))
    assert entity["none"] != entity["none"]


async def test_keys_with_quotes_spaces_and_other_scripts(storage: Storage) -> None:
    table = await storage.table()
    keys = ("it's a key", "ключ (+%25, =) \U0001f511")
    await table.create_entity({"PartitionKey": keys[0], "RowKey": keys[1], "n": 1})
    await table.update_entity({"PartitionKey": keys[0], "RowKey": keys[1], "n": 2})
    assert (await table.get_entity(*keys))["n"] == 2
    assert await row_keys(table, "PartitionKey eq 'it''s a key'") == [keys[1]]
    await table.delete_entity(*keys)
    assert await row_keys(table, "") == []


async def test_inserting_twice_conflicts_and_keeps_the_first(storage: Storage) -> None:
    table = await storage.table()
    await table.create_entity(keyed("r", n=1))
    with pytest.raises(ResourceExistsError, match="EntityAlreadyExists") as conflict:
        await table.create_entity(keyed("r", n=2))
    assert conflict.value.status_code == 409
    assert (await table.get_entity("p", "r"))["n"] == 1


@pytest.mark.parametrize("mode", [UpdateMode.MERGE, UpdateMode.REPLACE])
async def test_merge_keeps_other_properties_and_replace_drops_them(storage: Storage, mode: UpdateMode) -> None:
    table = await storage.table()
    await table.upsert_entity(keyed("r", kept="k", changed=1), mode)
    await table.update_entity(keyed("r", changed="text now"), mode)
    await table.upsert_entity(keyed("r", added=True), mode)
    kept: Mapping[str, Any] = {"kept": "k", "changed": "text now"} if mode is UpdateMode.MERGE else {}
    assert dict(await table.get_entity("p", "r")) == keyed("r", **kept, added=True)


async def test_updating_what_is_not_there(storage: Storage) -> None:
    table = await storage.table()
    with pytest.raises(ResourceNotFoundError, match="ErrorCode:ResourceNotFound"):
        await table.update_entity(keyed("r", n=1))
    with pytest.raises(ResourceNotFoundError):
        await table.get_entity("p", "r")
    await table.delete_entity("p", "r")


async def test_only_the_holder_of_the_current_etag_may_write(storage: Storage) -> None:
    table = await storage.table()
    first = (await table.create_entity(keyed("r", n=1)))["etag"]
    guarded: dict[str, Any] = {"match_condition": MatchConditions.IfNotModified}
    second = (await table.update_entity(keyed("r", n=2), UpdateMode.REPLACE, etag=first, **guarded))["etag"]
    assert first != second
    for stale in (
        table.update_entity(keyed("r", n=3), UpdateMode.REPLACE, etag=first, **guarded),
        table.update_entity(keyed("r", n=3), UpdateMode.MERGE, etag=first, **guarded),
        table.delete_entity("p", "r", etag=first, **guarded),
    ):
        with pytest.raises(ResourceModifiedError, match="ErrorCode:UpdateConditionNotSatisfied") as conflict:
            await stale
        assert conflict.value.status_code == 412
    entity = await table.get_entity("p", "r")
    assert (entity["n"], entity.metadata["etag"]) == (2, second)
    await table.delete_entity("p", "r", etag=second, **guarded)
    assert await row_keys(table, "") == []


@pytest.mark.parametrize(
    "query,expected",
    [
        ("PartitionKey eq 'p' and RowKey ge 'b' and RowKey lt 'c'", ["b", "b1", "bz"]),
        ("PartitionKey eq 'p' and (RowKey gt 'b' and RowKey le 'bz')", ["b1", "bz"]),
        ("RowKey eq 'b1' or RowKey eq 'a'", ["a", "b1"]),
        ("PartitionKey gt 'p'", ["b"]),
        ("PartitionKey ne 'p'", ["b"]),
        ("'c' le RowKey", ["c"]),
        ("n ge 2", ["b", "c"]),
        ("n gt 1 and n lt 3", ["b"]),
        ("wide eq 5000000000L", ["b1"]),
        ("when lt datetime'2026-01-02T00:00:00Z'", ["bz"]),
        ("id eq guid'c9da6455-213d-42c9-9a79-3e9149a57833'", ["a"]),
        ("on eq true", ["bz"]),
        ("ratio gt 0.5", ["c"]),
        ("name eq 'o''clock'", ["a"]),
        ("name ne 'nobody'", ["a"]),
        ("not (n ge 2) and PartitionKey eq 'p'", ["a", "b1", "bz"]),
        ("name eq 5", []),
        ("Timestamp lt datetime'2000-01-01T00:00:00Z'", []),
    ],
)
async def test_queries(storage: Storage, query: str, expected: list[str]) -> None:
    table = await storage.table()
    await table.submit_transaction(
        ("create", entity)
        for entity in (
            keyed("c", n=3, ratio=0.75),
            keyed("bz", on=True, when=datetime(2026, 1, 1, tzinfo=UTC)),
            keyed("b1", wide=EntityProperty(5_000_000_000, EdmType.INT64)),
            keyed("b", n=2, ratio=0.25),
            keyed("a", n=1, name="o'clock", id=UUID("c9da6455-213d-42c9-9a79-3e9149a57833")),
        )
    )
    await table.create_entity(keyed("b", "q"))
    assert await row_keys(table, query) == expected


async def test_order_is_by_partition_then_row_and_select_narrows(storage: Storage) -> None:
    table = await storage.table()
    for partition_key, row_key in (("b", "1"), ("a", "2"), ("B", "1"), ("a", "10"), ("a", "")):
        await table.create_entity(keyed(row_key, partition_key, n=1, m=2))
    listed = [dict(entity) async for entity in table.list_entities(select=["PartitionKey", "RowKey", "m"])]
    keys = [("B", "1"), ("a", ""), ("a", "10"), ("a", "2"), ("b", "1")]
    assert listed == [keyed(row_key, partition_key, m=2) for partition_key, row_key in keys]


async def test_more_than_a_thousand_entities_come_in_pages(storage: Storage) -> None:
    table = await storage.table()
    numbers = [f"{number:04}" for number in range(1100)]
    for start in range(0, len(numbers), 100):
        await table.submit_transaction([("create", keyed(number)) for number in numbers[start : start + 100]])
    pages = [[entity["RowKey"] async for entity in page] async for page in table.list_entities().by_page()]
    assert [len(page) for page in pages] == [1000, 100]
    assert [number for page in pages for number in page] == numbers
    small = table.query_entities("RowKey ge '1095'", results_per_page=2).by_page()
    assert [[entity["RowKey"] async for entity in page] async for page in small] == [
        ["1095", "1096"],
        ["1097", "1098"],
        ["1099"],
    ]


async def test_the_largest_string_and_binary_fit_and_one_more_does_not(storage: Storage) -> None:
    table = await storage.table()
    await table.create_entity(keyed("r", text="x" * 32768, data=b"x" * 65536))
    # Strings count as UTF-16: 64 KiB are 32768 characters.
    for row_key, value in (("s", "x" * 32769), ("b", b"x" * 65537)):
        with pytest.raises(HttpResponseError, match="PropertyValueTooLarge"):
            await table.create_entity(keyed(row_key, value=value))
    assert await row_keys(table, "") == ["r"]


async def test_tables_are_listed_and_go_with_their_entities(storage: Storage) -> None:
    table = await storage.table()
    await table.create_entity(keyed("r"))
    with pytest.raises(ResourceExistsError, match="ErrorCode:TableAlreadyExists"):
        await storage.tables.create_table(table.table_name)
    found = storage.tables.query_tables(f"TableName eq '{table.table_name}'")
    assert [each.name async for each in found] == [table.table_name]
    await table.delete_table()
    with pytest.raises(ResourceNotFoundError, match="ErrorCode:TableNotFound"):
        await table.get_entity("p", "r")
    await table.create_table()
    assert await row_keys(table, "") == []


@pytest.mark.parametrize("query", ["n eq", "n eq 1 or", "(n eq 1", "n like 'x'", "n eq 1 trailing"])
async def test_a_filter_that_is_none_is_refused(storage: Storage, query: str) -> None:
    table = await storage.table()
    with pytest.raises(HttpResponseError, match="ErrorCode:InvalidInput") as refused:
        await row_keys(table, query)
    assert refused.value.status_code == 400
