"""How the ledger stands in its table: one partition per shard, so that what must change together can.

A shard is the first hex digit of a key's hash. In it stand, by row key: `r|{hash}` the entry, `r|{hash}|a|{hash}`
one row for every AI resource that names it, `r|{hash}|q` the burst it waits out, `i|{hash}` that its intention is
open, `o|{time}|{record id}` a row that the log is not known to have taken, and `n|{time}|{record id}` one that is to be
published.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import Json, JsonObject, as_list, as_object, as_text
from shared.domain.contest import Attempt
from shared.domain.ledger import Entry, Intention, Version
from shared.domain.record import GENESIS, Outlet, Row, record_from_json
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
    return f"r|{_hash(key)}"


def attachment_row(key: str, owner: ArmId) -> str:
    """The row key of the note that the owner names the entry's resource."""
    return f"{entry_row(key)}|a|{_hash(owner.key)}"


def quiet_row(key: str) -> str:
    """The row key of the burst that the entry's resource waits out."""
    return f"{entry_row(key)}|q"


def intention_row(key: str) -> str:
    """The row key that lists the entry's intention as open."""
    return f"i|{_hash(key)}"


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
        "returns": _iso(entry.returns),
    }
    kept: JsonObject = {"state": state}
    if entry.intention is not None:
        kept["intention"] = _intention_json(entry.intention)
    return {"PartitionKey": shard(entry.key), "RowKey": entry_row(entry.key), "Key": entry.key} | _pack(kept)


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
        returns=_time(state.get("returns")),
        first_signal=first,
        last_signal=last,
        version=Version(str(main.metadata["etag"]), intention is not None),  # type: ignore[attr-defined] # a TableEntity
    )


def _rotation_json(rotation: Rotation) -> Json:
    return [rotation.cause, rotation.slot, rotation.fingerprint, rotation.begun.isoformat(), rotation.ended]


def _read_rotation(kept: list[Json]) -> Rotation:
    cause, slot, fingerprint, begun, ended = kept
    told = (as_text(cause), as_text(slot), as_text(fingerprint))
    return Rotation(*told, datetime.fromisoformat(as_text(begun)), ended is True)


def _read_attempt(pair: list[Json]) -> Attempt:
    rule, begun = pair
    return Attempt(as_text(rule), datetime.fromisoformat(as_text(begun)))


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
