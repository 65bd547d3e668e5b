"""How much room the ledger takes, measured on what it really writes and counted as the service counts."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from shared.azure.archive import TableArchive
from shared.azure.entities import SHARDS, read_entry, read_key
from shared.azure.ledger import TableLedger
from shared.azure.ledger_table import LedgerTable, Operation
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json
from shared.domain.ledger import Intention
from shared.domain.record import Outcome, Outlet, Record
from shared.domain.signal import Signal, SignalKind, put_back
from tests.azure.making import NOW, SECOND
from tests.domain.events import EVENT

DAY = timedelta(days=1)
RESOURCES = 400
# What is promised: so many resources, in so many bytes.
MANY, MOST_BYTES = 100_000, 100 * 1000 * 1000
REPLACED: Sequence[tuple[str, str, Json, Json]] = (
    ("AIR-001", "properties.publicNetworkAccess", "Enabled", "Disabled"),
    ("AIR-002", "properties.networkAcls.defaultAction", "Allow", "Deny"),
    ("AIR-003", "properties.disableLocalAuth", False, True),
)


class Stored(dict[str, Any]):
    """An entity as the SDK answers it."""

    metadata: Mapping[str, str] = {"etag": "tag"}


class Shelf(LedgerTable):
    """A table in memory, whose entities can be counted."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, Stored]] = {name: {} for name in SHARDS}

    async def range(self, partition: str, first: str, until: str) -> AsyncIterator[Any]:
        rows = self.partitions[partition]
        for name in sorted(name for name in rows if first <= name < until):
            yield rows[name]

    async def get(self, partition: str, name: str) -> Stored | None:
        return self.partitions[partition].get(name)

    async def submit(self, operations: Sequence[Operation]) -> list[Any]:
        for kind, entity, *_ in operations:
            if kind == "delete":
                await self.delete(entity["PartitionKey"], [entity["RowKey"]])
            else:
                self.partitions[entity["PartitionKey"]][entity["RowKey"]] = Stored(entity)
        return [{"etag": "tag"}] * len(operations)

    async def delete(self, partition: str, names: Sequence[str]) -> None:
        for name in names:
            self.partitions[partition].pop(name, None)

    async def delete_unless_changed(self, partition: str, rows: Mapping[str, str]) -> None:
        await self.delete(partition, [*rows])

    def bytes_by_kind(self) -> Counter[str]:
        """What the rows of each kind take together, by the first letter of their keys; `a` are the notes of owners."""
        sizes: Counter[str] = Counter()
        for rows in self.partitions.values():
            for name, entity in rows.items():
                sizes["a" if "|a|" in name else name[0]] += size(entity)
        return sizes


def size(entity: Mapping[str, Any]) -> int:
    """The bytes that an entity counts for: 4, which cover its time stamp, twice the letters of its keys, and for every
    property 8, twice the letters of its name, and its value. Source: learn.microsoft.com/archive/blogs/avkashchauhan/
    how-the-size-of-an-entity-is-caclulated-in-windows-azure-table-storage, read 2026-11-24."""
    told = 4 + 2 * (len(entity["PartitionKey"]) + len(entity["RowKey"]))
    for name, value in entity.items():
        if name not in {"PartitionKey", "RowKey"}:
            told += 8 + 2 * len(name) + _value(value)
    return told


def _value(value: object) -> int:
    match value:
        case bytes():
            return 4 + len(value)
        case str():
            return 4 + 2 * len(value)
        case int():
            return 4
        case _:
            raise TypeError(type(value))


@dataclass
class Estate:
    """A ledger of many resources, and a clock."""

    now: datetime = NOW - 100 * DAY
    shelf: Shelf = field(default_factory=Shelf)
    dice: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - repeatable, nothing secret
    ledger: TableLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = TableLedger(self.shelf, lambda: self.now)

    async def live(self, count: int) -> None:
        """Each resource lives for a while: it is looked at, changed often, fixed once, and looked at again."""
        for number in range(count):
            await self._live(number)

    async def _live(self, number: int) -> None:
        target = self._target(number)
        await self._look(target, *(f"{number}-{look}" for look in range(16)))
        await self._fix(target, f"{number}-fix")
        if number % 10 == 0:
            store = self._target(number, "Microsoft.Storage/storageAccounts")
            await self.ledger.attach(target, [store.key], [])
            entry = await self.ledger.open(target.key)
            await self.ledger.commit(replace(entry, names=frozenset({store.key})))
        await self._look(target, f"{number}-last")

    async def settle(self) -> None:
        """All rows are sent, and all heads are anchored."""
        archive = TableArchive(self.shelf)
        await archive.strike_heads(await archive.heads())
        for outlet in Outlet:
            while rows := await self.ledger.unsent(self.now + DAY, outlet):
                await self.ledger.strike(rows, outlet)

    def _target(self, number: int, kind: str = "Microsoft.CognitiveServices/accounts") -> ArmId:
        subscription = f"{number % 50:08x}-2222-3333-4444-555555555555"
        group = f"rg-team{number % 97}-prod-westeurope"
        return parse_arm_id(
            f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{kind}/ai{number:06}{self._hex(6)}"
        )

    def _hex(self, digits: int) -> str:
        return f"{self.dice.randrange(16**digits):0{digits}x}"

    def _record(self, target: ArmId, cause: str, **changes: object) -> Record:
        told = Record(
            time_generated=self.now,
            signal_time=self.now,
            resource_id=target.path,
            outcome=Outcome.COMPLIANT,
            cause=cause,
        )
        return replace(told, **changes)  # type: ignore[arg-type] # each change names a field of Record

    async def _look(self, target: ArmId, *causes: str) -> None:
        entry = await self.ledger.open(target.key)
        await self.ledger.commit(*entry.conclude([self._record(target, cause) for cause in causes], self.now))

    async def _fix(self, target: ArmId, cause: str) -> None:
        records = [
            self._record(
                target,
                cause,
                rule=f"{ref}/cognitive-accounts",
                outcome=Outcome.FIXED,
                severity="high",
                changes=[{"path": path, "actual": actual, "desired": desired}],
            )
            for ref, path, actual, desired in REPLACED
        ]
        heard = Signal(SignalKind.RESOURCE_CHANGE, cause, cause, self.now, self.now, target, EVENT)
        intention = Intention(put_back(heard), self.now, tuple(records))
        entry = await self.ledger.open(target.key)
        entry = await self.ledger.commit(entry.intend(intention, self._hex(32), self.now + 120 * SECOND))
        await self.ledger.commit(*entry.conclude(records, self.now))


async def test_a_hundred_thousand_resources_stay_under_a_hundred_megabytes() -> None:
    """Those whose fixes can still be taken back take more for two months: one in five of them has room."""
    estate = Estate()
    await estate.live(RESOURCES)
    await estate.settle()
    lately = estate.shelf.bytes_by_kind()
    estate.now = NOW
    while await TableArchive(estate.shelf).forget(NOW):
        continue
    later = estate.shelf.bytes_by_kind()
    assert {*lately} == {"r", "x", "d", "a"}, "nothing else is left of what was sent, anchored and done"
    assert {*later} == {"r", "x", "a"}
    # 692 bytes for a resource, and 1,040 more while three fixes of it can be taken back.
    assert later.total() / RESOURCES * MANY < MOST_BYTES
    assert (later.total() + lately["d"] / 5) / RESOURCES * MANY < MOST_BYTES


async def test_every_resource_remembers_what_a_busy_one_does() -> None:
    estate = Estate()
    await estate.live(1)
    (row,) = [
        row
        for rows in estate.shelf.partitions.values()
        for name, row in rows.items()
        if name.count("|") == 1 and name[0] == "r"
    ]
    entry = read_entry(read_key(row), [row])
    assert len(entry.remembered) == 20
    assert [attempt.rule[:7] for attempt in entry.history] == [ref for ref, *_ in REPLACED]
    assert (len(entry.names), entry.intention) == (1, None)


@pytest.mark.parametrize(
    "entity, told",
    [
        ({"PartitionKey": "a", "RowKey": "bc"}, 4 + 2 * 3),
        ({"PartitionKey": "a", "RowKey": "bc", "Data0": b"12345"}, 4 + 2 * 3 + 8 + 2 * 5 + 4 + 5),
        ({"PartitionKey": "a", "RowKey": "bc", "Key": "é1"}, 4 + 2 * 3 + 8 + 2 * 3 + 4 + 2 * 2),
        ({"PartitionKey": "", "RowKey": "", "Common": 7}, 4 + 8 + 2 * 6 + 4),
    ],
)
def test_bytes_are_counted_as_the_service_counts_them(entity: dict[str, object], told: int) -> None:
    assert size(entity) == told
