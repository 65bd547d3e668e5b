"""Everything that can be seen from outside of what Airlock did to some resources."""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from local.arm.service import ArmRequest
from local.azure import APP
from local.host.log import LogLine
from local.storage.database import Database
from shared.domain.catalogue import Catalogue
from shared.domain.settings import Settings

type Body = dict[str, Any]

_TAGS = "/providers/microsoft.resources/tags/"
# What a provider changes by itself.
_PROVIDERS_OWN = frozenset({"provisioningState", "status", "keyCreationTime", "privateEndpointConnections"})
# What the row keys begin with of rows that wait for the log or the topic. Intentions begin with `i|`.
_WAITING = ("o|", "n|")
# The same of rows that name the month after which nobody needs them.
_DATED = ("x|", "d|", "e|")
_ROWS = "SELECT row_key, properties FROM entities"


@dataclass(frozen=True, slots=True)
class Write:
    """One write that ARM carried out: what of it people can see, before and after (None: there was nothing)."""

    resource: str
    own: bool
    before: Body | None
    after: Body | None
    time: float


@dataclass(frozen=True, slots=True)
class LedgerRows:
    """The ledger: what is open, by row key with the entry that it belongs to; and of each entry the head of its chain
    and the time (ISO 8601) of its last look. `budgets` is how many fixes each hour began with, by the row of the
    subscription; `dated` are the keys of the rows that are to be forgotten some day."""

    open: Mapping[str, str]
    heads: Mapping[str, str]
    watermarks: Mapping[str, str]
    budgets: Mapping[str, tuple[datetime, int]] = field(default_factory=dict)
    dated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A message that nobody could deliver or deal with: the id of its event, and how it is to be kept."""

    event: str
    text: str


@dataclass(slots=True, kw_only=True)
class Order:
    """What an operator ordered, again and again until it was answered well or refused.

    `answers` are the HTTP statuses, each with the RecordIds that it gave; 0 stands for no answer at all. Carried out
    once it leaves so many records with that outcome on the resource, of a rule that begins so.
    """

    act: str
    resource: str
    outcome: str
    rule: str = ""
    records: int = 1
    answers: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What happened to some resources, from the first event until all was quiet.

    `events` are those that Event Grid was given, `lost` the ids of those that it never delivered. `rows` is the log as
    it was ingested, `told` what the topic was told. `live` are the resources as they are now, by id in lower case;
    `excused` maps such an id to the rules that may stay violated with a record that gives the reason. `regenerations`
    counts by account and slot, `causes` how many reasons there were to rotate an account. `secrets` are all keys that
    were ever in force. `stale` says that ARM answered reads that were behind. `repeated` are the requests that came of
    events that were delivered once more, when everything was done. `earlier` are the digests of the records that the
    log had before.

    `struck` is how many requests about them were struck at most; None where nobody can tell. `dead` is what nobody
    could deliver or deal with, `unburied` what still lies where such things are put, `buried` what is kept, by
    RecordId. `untold` are resources that drifted without an event. `anchors` are those that were written so far, the
    oldest first; None where nobody waited for the hour to end. `awaits_sign` says that a sign of life has to be there,
    `orders` are those of operators.
    """

    events: Sequence[Body]
    rows: Sequence[Mapping[str, Any]]
    told: Sequence[Body]
    writes: Sequence[Write]
    requests: Sequence[ArmRequest]
    live: Mapping[str, Body]
    estate: Sequence[Body]
    ledger: LedgerRows
    regenerations: Mapping[tuple[str, str], int]
    logged: Sequence[LogLine]
    settings: Settings
    catalogue: Catalogue
    lost: frozenset[str] = frozenset()
    excused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    causes: Mapping[str, int] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    stale: bool = False
    repeated: Sequence[ArmRequest] = ()
    earlier: frozenset[str] = frozenset()
    struck: int | None = None
    dead: Sequence[Dead] = ()
    unburied: Sequence[str] = ()
    buried: Mapping[str, str] = field(default_factory=dict)
    untold: frozenset[str] = frozenset()
    anchors: Sequence[bytes] | None = None
    awaits_sign: bool = False
    orders: Sequence[Order] = ()

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """The log as a query sees it: one row for each RecordId, in the order they came."""
        return list({str(row["RecordId"]): row for row in reversed(self.rows)}.values())[::-1]

    def records_of(self, resource: str) -> list[Mapping[str, Any]]:
        """The records on that resource, as they follow one another in its chain where they can be put in order."""
        own = [row for row in self.records if str(row.get("ResourceId") or "").lower() == resource]
        return sorted(own, key=lambda row: str(row["TimeGenerated"]))


@dataclass
class Watcher:
    """Hears of every event, and of what each write changed. `find` shows a resource as ARM has it now."""

    events: list[Body] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    logged: list[LogLine] = field(default_factory=list)
    known: dict[str, Body | None] = field(default_factory=dict)

    def note(self, bodies: Iterable[Body]) -> None:
        """Remembers resources as they are before anything happens."""
        self.known |= {str(body["id"]).lower(): visible(body) for body in bodies}

    def hear(self, event: Body, now: Body | None, time: float) -> None:
        """Notes an event; `now` is the resource that it names, as it is."""
        self.events.append(event)
        resource, after = carrier(str(event.get("subject"))), visible(now)
        if str(event.get("eventType")).endswith(("WriteSuccess", "DeleteSuccess")):
            self.writes.append(Write(resource, is_own(event), self.known.get(resource), after, time))
            self.known[resource] = after


def is_own(event: Body) -> bool:
    """Whether Airlock itself did what the event tells of."""
    return APP.object_id in json.dumps(event.get("data"))


def carrier(subject: str) -> str:
    """The resource that an id names, or that carries the tags that it names; in lower case."""
    return subject.lower().partition(_TAGS)[0]


def visible(body: Body | None) -> Body | None:
    """What of a body a write can change."""
    if body is None:
        return None
    properties = {name: value for name, value in body.get("properties", {}).items() if name not in _PROVIDERS_OWN}
    return {"properties": properties, "tags": body.get("tags"), "sku": body.get("sku")}


def subscription_of(token: str) -> str:
    """The subscription that a scenario has for itself, where it needs one."""
    return str(uuid5(NAMESPACE_OID, token))


def ledger_rows(database: Database) -> LedgerRows:
    """The ledger as it stands in the local Table service."""
    found = {row: json.loads(kept) for row, kept in database.connection.execute(_ROWS).fetchall()}
    entries = {row: _unpacked(kept) for row, kept in found.items() if row.startswith("r|") and row.count("|") == 1}
    keys = {row: str(kept.get("key") or found[row]["Key"][1]) for row, kept in entries.items()}
    waiting = {row: str(_unpacked(kept)["chain"]) for row, kept in found.items() if row.startswith(_WAITING)}
    begun = {row: keys.get(f"r|{row[2:]}", "") for row in found if row.startswith("i|")}
    heads = {keys[row]: str(kept["state"].get("head", "")) for row, kept in entries.items()}
    looks = {keys[row]: str(kept["state"].get("watermark") or "") for row, kept in entries.items()}
    counted = {row: _counted(kept) for row, kept in found.items() if row.startswith("b|")}
    dated = frozenset(row for row in found if row.startswith(_DATED))
    return LedgerRows(waiting | begun, {key: head for key, head in heads.items() if head}, looks, counted, dated)


def _counted(properties: Mapping[str, Sequence[str]]) -> tuple[datetime, int]:
    count = int(properties["Common"][1]) + int(properties["Critical"][1])
    return datetime.fromisoformat(properties["Hour"][1]), count


def _unpacked(properties: Mapping[str, Sequence[str]]) -> Body:
    parts = sorted((name for name in properties if name.startswith("Data")), key=lambda name: int(name[4:]))
    kept: Body = json.loads(zlib.decompress(b"".join(base64.b64decode(properties[name][1]) for name in parts)))
    return kept


def counted(requests: Iterable[ArmRequest]) -> Counter[str]:
    """The requests by method and path."""
    return Counter(f"{request.method} {request.path}" for request in requests)
