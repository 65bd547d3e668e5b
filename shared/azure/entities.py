"""How the ledger stands in its table: one partition per shard, so that what must change together can.

A shard is the first hex digit of a key's hash. In it stand, by row key: `r|{hash}` the entry, `r|{hash}|a|{hash}`
one row for every AI resource that names it, `r|{hash}|q` the burst it waits out, `i|{hash}` that its intention is
open, `h|{hash}` that its chain grew since heads were anchored, `x|{month}|{hash}` the month in which it was touched
last, `d|{month}|{record id}` what operators may come back to, `e|{month}|{hash}` what a message failed with, `b|{hash}`
a subscription's budget, `o|{time}|{record id}` a row that the log is not known to have taken, and
`n|{time}|{record id}` one that is to be published.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.budget import Budget
from shared.domain.contest import Attempt
from shared.domain.kept import Kept
from shared.domain.ledger import Entry, Intention, Version
from shared.domain.orders import Approval, Hold, Undo, changes_of
from shared.domain.record import GENESIS, Outcome, Outlet, Row, record_from_json
from shared.domain.rotation import Rotation

type Entity = dict[str, Any]

SHARDS = "0123456789abcdef"
_LISTS = {Outlet.LOG: "o|", Outlet.TOPIC: "n|"}
# A binary property holds 64 KiB (learn.microsoft.com/rest/api/storageservices/, "Understanding the Table service data
# model", read 2026-11-23).
_CHUNK = 60 * 1024


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def shard(key: str) -> str:
    """The partition of an entry."""
    return _hash(key)[0]


def entry_row(key: str) -> str:
    """The row key of an entry; the rows beside it begin with it."""
    return entry_row_of(_hash(key))


def entry_row_of(name: str) -> str:
    """The same, of the entry whose key has that hash."""
    return f"r|{name}"


def attachment_row(key: str, owner: ArmId) -> str:
    """The row key of the note that the owner names the entry's resource."""
    return f"{entry_row(key)}|a|{_hash(owner.key)}"


def quiet_row(key: str) -> str:
    """The row key of the burst that the entry's resource waits out."""
    return f"{entry_row(key)}|q"


def intention_row(key: str) -> str:
    """The row key that lists the entry's intention as open."""
    return f"i|{_hash(key)}"


def head_row(key: str) -> str:
    """The row key that lists the entry's chain as one that grew."""
    return f"h|{_hash(key)}"


def month_of(now: datetime) -> str:
    """The month that things are filed under: `202611`."""
    return f"{now:%Y%m}"


def filed_row(month: str, key: str) -> str:
    """The row key that lists the entry under the month in which it was touched last."""
    return f"x|{month}|{_hash(key)}"


def kept_row(month: str, record_id: str) -> str:
    """The row key of what is kept of a record."""
    return f"d|{month}|{record_id}"


def crash_row(month: str, message: str) -> str:
    """The row key of what a message failed with."""
    return f"e|{month}|{_hash(message)}"


def budget_row(subscription: str) -> str:
    """The row key of a subscription's budget."""
    return f"b|{_hash(subscription)}"


def unsent_list(outlet: Outlet) -> str:
    """What the row keys begin with of the rows that wait to be sent there."""
    return _LISTS[outlet]


def unsent_row(row: Row, outlet: Outlet = Outlet.LOG) -> str:
    """The row key of a row that waits to be sent there: older ones sort first."""
    return f"{unsent_list(outlet)}{as_text(row.columns.get('TimeGenerated'))}|{row.record_id}"


def entry_entity(entry: Entry) -> Entity:
    """The entry as its row holds it."""
    state: JsonObject = {
        "watermark": _iso(entry.watermark),
        "heldUntil": _iso(entry.held_until),
        "holder": entry.holder,
        "head": entry.head,
        "remembered": [*entry.remembered],
        "names": [*sorted(entry.names)],
        "settingsDigest": entry.settings_digest,
        "history": [[attempt.rule, attempt.begun.isoformat()] for attempt in entry.history],
        "rotations": [_rotation_json(rotation) for rotation in entry.rotations],
        "performed": [*entry.performed],
        "returns": [moment.isoformat() for moment in entry.returns],
        "holds": [_hold_json(hold) for hold in entry.holds],
        "approvals": [_approval_json(approval) for approval in entry.approvals],
        "undos": [_undo_json(undo) for undo in entry.undos],
        "filed": entry.filed,
    }
    # Most are empty most of the time, and there is an entry for every resource.
    state = {name: value for name, value in state.items() if value}
    kept: JsonObject = {"key": entry.key, "state": state}
    if entry.intention is not None:
        kept["intention"] = _intention_json(entry.intention)
    return {"PartitionKey": shard(entry.key), "RowKey": entry_row(entry.key)} | _pack(kept)


def read_entry(key: str, entities: Iterable[Mapping[str, Any]]) -> Entry:
    """The entry that the rows of one key hold; a new one if there are none.

    Raises ValueError or KeyError for rows that `entry_entity` did not write.
    """
    rows = {str(entity["RowKey"]): entity for entity in entities}
    prefix = f"{entry_row(key)}|a|"
    attached = frozenset(parse_arm_id(str(row["Owner"])) for name, row in rows.items() if name.startswith(prefix))
    quiet = rows.get(quiet_row(key), {})
    main = rows.get(entry_row(key))
    first, last = _time(quiet.get("First")), _time(quiet.get("Last"))
    if main is None:
        return Entry(key, attached_to=attached, first_signal=first, last_signal=last)
    kept = _unpack(main)
    state, intention = as_object(kept.get("state")), kept.get("intention")
    return Entry(
        key=key,
        watermark=_time(state.get("watermark")),
        held_until=_time(state.get("heldUntil")),
        holder=as_text(state.get("holder")),
        intention=_read_intention(as_object(intention)) if intention is not None else None,
        head=as_text(state.get("head")) or GENESIS,
        remembered=tuple(as_text(name) for name in as_list(state.get("remembered"))),
        names=frozenset(as_text(name) for name in as_list(state.get("names"))),
        attached_to=attached,
        settings_digest=as_text(state.get("settingsDigest")),
        history=tuple(_read_attempt(as_list(pair)) for pair in as_list(state.get("history"))),
        rotations=tuple(_read_rotation(as_list(kept)) for kept in as_list(state.get("rotations"))),
        performed=tuple(as_text(token) for token in as_list(state.get("performed"))),
        returns=tuple(datetime.fromisoformat(as_text(moment)) for moment in as_list(state.get("returns"))),
        first_signal=first,
        last_signal=last,
        holds=tuple(_read_hold(as_list(kept)) for kept in as_list(state.get("holds"))),
        approvals=tuple(_read_approval(as_list(kept)) for kept in as_list(state.get("approvals"))),
        undos=tuple(_read_undo(as_object(kept)) for kept in as_list(state.get("undos"))),
        filed=as_text(state.get("filed")),
        version=Version(str(main.metadata["etag"]), intention is not None or bool(state.get("undos"))),  # type: ignore[attr-defined] # a TableEntity
    )


def read_key(entity: Mapping[str, Any]) -> str:
    """The key of the entry that `entry_entity` wrote."""
    return as_text(_unpack(entity).get("key"))


def _rotation_json(rotation: Rotation) -> Json:
    return [rotation.cause, rotation.slot, rotation.fingerprint, rotation.begun.isoformat(), rotation.ended]


def _read_rotation(kept: list[Json]) -> Rotation:
    cause, slot, fingerprint, begun, ended = kept
    told = (as_text(cause), as_text(slot), as_text(fingerprint))
    return Rotation(*told, datetime.fromisoformat(as_text(begun)), ended is True)


def _read_attempt(pair: list[Json]) -> Attempt:
    rule, begun = pair
    return Attempt(as_text(rule), datetime.fromisoformat(as_text(begun)))


def _hold_json(hold: Hold) -> Json:
    return [hold.rule, hold.until.isoformat(), hold.by, *sorted(hold.paths)]


def _read_hold(kept: list[Json]) -> Hold:
    rule, until, by, *paths = map(as_text, kept)
    return Hold(rule, datetime.fromisoformat(until), by, frozenset(paths))


def _approval_json(approval: Approval) -> Json:
    return [approval.rule, approval.wanted, approval.until.isoformat(), approval.by, approval.record_id]


def _read_approval(kept: list[Json]) -> Approval:
    rule, wanted, until, by, record_id = map(as_text, kept)
    return Approval(rule, wanted, datetime.fromisoformat(until), by, record_id)


def _undo_json(undo: Undo) -> JsonObject:
    changes: list[Json] = [change.as_json() for change in undo.changes]
    return {
        "rule": undo.rule,
        "changes": changes,
        "record": undo.record_id,
        "by": undo.by,
        "request": undo.request,
    }


def _read_undo(kept: JsonObject) -> Undo:
    told = (as_text(kept.get(name)) for name in ("record", "by", "request"))
    return Undo(as_text(kept.get("rule")), changes_of(as_list(kept.get("changes"))), *told)


def kept_entity(kept: Kept, row: Row) -> Entity:
    """What is kept of a record, filed under the month of the record."""
    month = as_text(row.columns.get("TimeGenerated"))[:7].replace("-", "")
    told: JsonObject = {
        "resource": kept.resource_id,
        "rule": kept.rule,
        "outcome": kept.outcome.value,
        "changes": [change.as_json() for change in kept.changes],
        "message": kept.message,
    }
    return {"PartitionKey": shard(row.chain), "RowKey": kept_row(month, kept.record_id)} | _pack(told)


def read_kept(record_id: str, entity: Mapping[str, Any]) -> Kept:
    """What `kept_entity` wrote. Raises ValueError for anything else."""
    told = _unpack(entity)
    return Kept(
        record_id=record_id,
        resource_id=as_text(told.get("resource")),
        rule=as_text(told.get("rule")),
        outcome=Outcome(as_text(told.get("outcome"))),
        changes=changes_of(as_list(told.get("changes"))),
        message=as_text(told.get("message")),
    )


def budget_entity(subscription: str, budget: Budget) -> Entity:
    """The subscription's budget."""
    told = {"Hour": budget.hour.isoformat(), "Common": budget.common, "Critical": budget.critical}
    return {"PartitionKey": shard(subscription), "RowKey": budget_row(subscription)} | told


def read_budget(entity: Mapping[str, Any]) -> Budget:
    """What `budget_entity` wrote."""
    hour = datetime.fromisoformat(str(entity["Hour"]))
    return Budget(hour, int(entity["Common"]), int(entity["Critical"]))


def row_entity(row: Row, outlet: Outlet = Outlet.LOG) -> Entity:
    """A row of the log as it waits to be sent there."""
    kept: JsonObject = {"chain": row.chain, "id": row.record_id, "digest": row.digest, "columns": row.columns}
    return {"PartitionKey": shard(row.chain), "RowKey": unsent_row(row, outlet)} | _pack(kept)


def read_row(entity: Mapping[str, Any]) -> Row:
    """The row that `row_entity` wrote. Raises ValueError for anything else."""
    kept = _unpack(entity)
    told = (as_text(kept.get("chain")), as_text(kept.get("id")), as_text(kept.get("digest")))
    return Row(*told, as_object(kept.get("columns")))


def _intention_json(intention: Intention) -> JsonObject:
    return {
        "message": intention.message,
        "begun": intention.begun.isoformat(),
        "drafts": [draft.as_json() for draft in intention.drafts],
    }


def _read_intention(kept: JsonObject) -> Intention:
    return Intention(
        message=as_text(kept.get("message")),
        begun=datetime.fromisoformat(as_text(kept.get("begun"))),
        drafts=tuple(record_from_json(as_object(draft)) for draft in as_list(kept.get("drafts"))),
    )


def _pack(value: JsonObject) -> Entity:
    """The value compressed, in as many properties as it takes."""
    data = zlib.compress(json.dumps(value).encode())
    return {f"Data{at // _CHUNK}": data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)}


def _unpack(entity: Mapping[str, Any]) -> JsonObject:
    names = sorted((name for name in entity if name.startswith("Data")), key=lambda name: int(name[4:]))
    data = b"".join(entity[name] for name in names)
    return as_object(json.loads(zlib.decompress(data)))


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
