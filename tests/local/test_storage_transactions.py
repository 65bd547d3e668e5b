"""Entity group transactions through azure-data-tables, against this repository's storage and against Azurite."""

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from tests.storage_account import Storage


def keyed(row_key: str, partition_key: str = "p", **properties: object) -> dict[str, object]:
    return {"PartitionKey": partition_key, "RowKey": row_key, **properties}


async def contents(table: TableClient) -> dict[str, dict[str, object]]:
    return {entity["RowKey"]: dict(entity) async for entity in table.list_entities()}


async def test_all_kinds_of_operation_happen_together(storage: Storage) -> None:
    table = await storage.table()
    for row_key in ("merged", "replaced", "deleted", "upserted"):
        await table.create_entity(keyed(row_key, old=1))
    etag = (await table.get_entity("p", "merged")).metadata["etag"]
    answers = await table.submit_transaction(
        [
            ("create", keyed("created", text="ünï \U0001f512 'quoted'")),
            ("update", keyed("merged", new=2), {"etag": etag, "match_condition": MatchConditions.IfNotModified}),
            ("update", keyed("replaced", new=2), {"mode": UpdateMode.REPLACE}),
            ("upsert", keyed("upserted", new=2)),
            ("upsert", keyed("new", new=2), {"mode": UpdateMode.REPLACE}),
            ("delete", keyed("deleted")),
        ]
    )
    assert await contents(table) == {
        "created": keyed("created", text="ünï \U0001f512 'quoted'"),
        "merged": keyed("merged", old=1, new=2),
        "new": keyed("new", new=2),
        "replaced": keyed("replaced", new=2),
        "upserted": keyed("upserted", old=1, new=2),
    }
    written = ("created", "merged", "replaced", "upserted", "new")
    for row_key, answer in zip(written, answers, strict=False):
        assert answer["etag"] == (await table.get_entity("p", row_key)).metadata["etag"]


@pytest.mark.parametrize(
    "failing,status,code",
    [
        (("create", keyed("there")), 409, "EntityAlreadyExists"),
        (("update", keyed("absent")), 404, "ResourceNotFound"),
        (("delete", keyed("absent")), 404, "ResourceNotFound"),
        (("create", keyed("big", text="x" * 32769)), 400, "PropertyValueTooLarge"),
        (("upsert", keyed("first")), 400, "InvalidDuplicateRow"),
    ],
)
async def test_one_failure_undoes_all_and_is_named(
    storage: Storage, failing: tuple[str, dict[str, object]], status: int, code: str
) -> None:
    table = await storage.table()
    for row_key in ("there", "changed"):
        await table.create_entity(keyed(row_key, n=1))
    before = await contents(table)
    with pytest.raises(TableTransactionError, match=f"ErrorCode:{code}") as refused:
        await table.submit_transaction(
            [("create", keyed("first")), ("upsert", keyed("changed", n=2)), failing, ("create", keyed("last"))]
        )
    assert (refused.value.status_code, refused.value.index) == (status, 2)
    assert await contents(table) == before


async def test_a_stale_etag_inside_a_transaction(storage: Storage) -> None:
    table = await storage.table()
    stale = (await table.create_entity(keyed("r", n=1)))["etag"]
    await table.update_entity(keyed("r", n=2))
    guarded = {"etag": stale, "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(TableTransactionError, match="ErrorCode:UpdateConditionNotSatisfied") as refused:
        await table.submit_transaction([("create", keyed("a")), ("update", keyed("r", n=3), guarded)])
    assert refused.value.index == 1
    assert await contents(table) == {"r": keyed("r", n=2)}


async def test_a_table_that_is_not_there(storage: Storage) -> None:
    table = storage.tables.get_table_client(f"absent{storage.unique}")
    with pytest.raises((TableTransactionError, ResourceNotFoundError), match="ErrorCode:TableNotFound"):
        await table.submit_transaction([("create", keyed("r"))])
