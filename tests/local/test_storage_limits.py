"""What the Table service documents and Azurite 3.35.0 does not do: proven on the local storage alone."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables import EdmType, EntityProperty, TableTransactionError

from tests.storage_account import Clock, Storage


def numbered(count: int) -> dict[str, Any]:
    return {f"n{number}": number for number in range(count)}


# Azurite counts no properties; the documented limit is 255, of which three are the system's.
# Azurite takes any name; the documented rule is that of C# identifiers.
# Azurite answers InvalidInput for a key with forbidden characters, which are documented without a code.
@pytest.mark.parametrize(
    "properties,code",
    [
        (numbered(253), "TooManyProperties"),
        ({f"text{number}": "x" * 32000 for number in range(17)}, "EntityTooLarge"),
        ({"not-a-name": 1}, "PropertyNameInvalid"),
        ({"n" * 256: 1}, "PropertyNameTooLong"),
        ({"PartitionKey": "a/b"}, "OutOfRangeInput"),
        ({"RowKey": "line\nbreak"}, "OutOfRangeInput"),
        ({"RowKey": "x" * 513}, "PropertyValueTooLarge"),
        ({"n": EntityProperty("yesterday", EdmType.DATETIME)}, "InvalidInput"),
        ({"n": EntityProperty("not a guid", EdmType.GUID)}, "InvalidInput"),
    ],
)
async def test_entities_over_the_documented_limits(local: Storage, properties: dict[str, Any], code: str) -> None:
    table = await local.table()
    with pytest.raises(HttpResponseError, match=code) as refused:
        await table.create_entity({"PartitionKey": "p", "RowKey": "r", **properties})
    assert refused.value.status_code == 400
    assert [entity async for entity in table.list_entities()] == []


async def test_the_most_properties_that_fit(local: Storage) -> None:
    table = await local.table()
    await table.create_entity({"PartitionKey": "p", "RowKey": "r", **numbered(252)})
    assert len(await table.get_entity("p", "r")) == 254


async def test_merging_cannot_grow_an_entity_past_its_limits(local: Storage) -> None:
    table = await local.table()
    await table.create_entity({"PartitionKey": "p", "RowKey": "r", **numbered(252)})
    with pytest.raises(HttpResponseError, match="ErrorCode:TooManyProperties"):
        await table.update_entity({"PartitionKey": "p", "RowKey": "r", "one_more": 1})


async def test_more_than_fifteen_comparisons(local: Storage) -> None:
    # Documented; Azurite takes any number.
    table = await local.table()
    await table.create_entity({"PartitionKey": "p", "RowKey": "r", "n": 14})
    fifteen = " or ".join(f"n eq {number}" for number in range(15))
    assert len([entity async for entity in table.query_entities(fifteen)]) == 1
    with pytest.raises(HttpResponseError, match="ErrorCode:InvalidInput"):
        _ = [entity async for entity in table.query_entities(f"{fifteen} or n eq 15")]


async def test_a_transaction_holds_at_most_a_hundred_operations(local: Storage) -> None:
    # Azurite answers this with a malformed multipart body.
    table = await local.table()
    operations = [("upsert", {"PartitionKey": "p", "RowKey": str(number)}) for number in range(101)]
    with pytest.raises(TableTransactionError, match="ErrorCode:InvalidInput") as refused:
        await table.submit_transaction(operations)
    assert refused.value.index == 100
    assert [entity async for entity in table.list_entities()] == []
    await table.submit_transaction(operations[:100])
    assert len([entity async for entity in table.list_entities()]) == 100


async def test_an_empty_transaction_does_nothing(local: Storage) -> None:
    # The SDK reads 400 as "nothing to do"; Azurite answers 500.
    table = await local.table()
    assert await table.submit_transaction([]) == []


async def test_etags_differ_although_the_clock_stands_still(local: Storage, clock: Clock) -> None:
    table = await local.table()
    before = clock()
    etags = {(await table.upsert_entity({"PartitionKey": "p", "RowKey": "r"}))["etag"] for _ in range(5)}
    assert clock() == before
    assert len(etags) == 5


async def test_a_number_beyond_32_bits_needs_its_suffix(local: Storage) -> None:
    # Azurite finds nothing instead, and fails with 500 for `n eq 5L` on a 32-bit property.
    table = await local.table()
    await table.create_entity({"PartitionKey": "p", "RowKey": "r", "n": 5})
    assert len([entity async for entity in table.query_entities("n eq 5L")]) == 1
    with pytest.raises(HttpResponseError, match="ErrorCode:InvalidInput"):
        _ = [entity async for entity in table.query_entities("n eq 12345678901")]


async def test_a_queue_message_whose_xml_is_too_large(local: Storage) -> None:
    # The service reads 131584 bytes of XML (Azure/azure-sdk-for-net issue 32663); Azurite measures the text only.
    queue = await local.queue()
    with pytest.raises(HttpResponseError, match="ErrorCode:RequestBodyTooLarge") as refused:
        await queue.send_message("<" * 65536)
    assert refused.value.status_code == 413
