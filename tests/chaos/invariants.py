"""What must hold at the end, whatever broke: each a pure function that answers a sentence for each violation."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cli.files import resources_to_judge
from cli.promised import EXCUSES
from shared.azure.entities import budget_row
from shared.domain.anchor import parse_anchor
from shared.domain.arm_id import parse_arm_id
from shared.domain.drift import evaluate
from shared.domain.mode import Mode
from shared.domain.record import GENESIS
from shared.domain.resource_types import judged_ancestor
from shared.domain.signal import Signal, SignalKind, Unreadable, parse_message
from tests.chaos.seen import Body, Order, Seen, Write, counted, is_own

type Invariant = Callable[[Seen], Iterator[str]]

_DONE = frozenset({"Fixed", "FixUnverified", "Failed", "Undone", "Unconfirmed"})
_SAS = re.compile(
    r"[?&;\s\"']sig=[A-Za-z0-9%+/]{16,}|SharedAccessSignature|AccountKey=(?!\[)|eyJ[\w-]{10,}\.[\w-]{10,}"
)
# What is logged as an error although nothing is wrong with the app: its worker was killed, or a service failed that it
# asks for the host to try again.
_EXPECTED = re.compile(
    r"^worker \d+ ended; the host starts another"
    r"|the worker process (has )?ended"
    r"|^Failed to upload chunk containing \d+ log entries$"
    r"|TryAgain: (ledger|queue|arm|vault|log|topic|budget|blobs?|poison|archive|anchor)\.",
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_ERRORS = frozenset({"Error", "Critical"})
# Seconds.
_TURN_OF_THE_HOUR = 120.0
# Nothing that happens in a rehearsal is filed under a month before.
_LONG_OVER = "202101"
_TAKEN = range(200, 300)
# After these nobody knows whether an order was carried out.
_DOUBTFUL = frozenset({0, *range(500, 600)})


def unaccounted(seen: Seen) -> Iterator[str]:
    """Every event has a record, or is covered by a record of a later look at its resource."""
    ids = {str(row.get("SignalId")) for row in seen.rows}
    signals = [parse_message(json.dumps(event), datetime.now(UTC)) for event in seen.events]
    causes: defaultdict[str, set[str]] = defaultdict(set)
    for signal in signals:
        causes[signal.cause].add(signal.id)
    for signal in signals:
        if signal.id in seen.lost or ids & causes[signal.cause] or _is_covered(signal, seen):
            continue
        yield f"event {signal.id} has no record and is not covered"


def _is_covered(signal: Signal | Unreadable, seen: Seen) -> bool:
    """Whether a later look at the resource left a record. That of an interrupted fix has the time of its beginning, so
    there the time of the look counts."""
    target = judged_ancestor(signal.target) if isinstance(signal, Signal) and signal.target else None
    if target is None or not isinstance(signal, Signal) or signal.kind is not SignalKind.RESOURCE_CHANGE:
        return False
    rows = seen.records_of(target.key)
    times = [str(row["TimeGenerated"]) for row in rows]
    if any((row.get("Evidence") or {}).get("interrupted") for row in rows):
        times.append(seen.ledger.watermarks.get(target.key, ""))
    return any(datetime.fromisoformat(time) >= signal.time for time in times if time)


def left_open(seen: Seen) -> Iterator[str]:
    """Every resource in scope is as the mode promises."""
    for resource in resources_to_judge(list(seen.estate)):
        if resource.id.key not in seen.live or not resource.in_scope:
            continue
        # What an operator had put back is excused by the hold that comes with the order, and by nothing else.
        told = [row for row in seen.records_of(resource.id.key) if row["Outcome"] != "Undone"]
        last = {str(row.get("Rule") or ""): str(row["Outcome"]) for row in told}
        for finding in evaluate(resource, seen.catalogue, seen.settings.baseline):
            mode = seen.settings.mode_of(finding.remediation, finding.rule)
            if mode is Mode.OFF:
                continue
            may_stay = mode is Mode.AUDIT or finding.rule_id in seen.excused.get(resource.id.key, ())
            if not may_stay or last.get(finding.rule_id) not in EXCUSES[mode]:
                said = last.get(finding.rule_id)
                yield f"{resource.id.name} still violates {finding.rule_id}, and the last record says {said}"


def needless_writes(seen: Seen) -> Iterator[str]:
    """Every write that ARM carried out changed something: none was made twice."""
    for write in seen.writes:
        # A read that is behind may show drift that is mended already; the write that follows changes nothing.
        if write.own and write.before == write.after and not seen.stale and not _shown_by_another(write, seen):
            yield f"{_name(write.resource)} was written although nothing of it had to change"


def _shown_by_another(write: Write, seen: Seen) -> bool:
    """Whether somebody else wrote between our request and the event of its end: what that event shows as theirs holds
    our change already."""
    sent = [
        request.time
        for request in seen.requests
        if request.method in {"PATCH", "PUT"} and request.path.lower() == write.resource and request.time <= write.time
    ]
    since = max(sent, default=write.time)
    return any(
        other.resource == write.resource and not other.own and since <= other.time <= write.time
        for other in seen.writes
    )


def forbidden_writes(seen: Seen) -> Iterator[str]:
    """Nothing is written unless something enforces."""
    if not any(Mode.ENFORCE is mode for mode in _modes(seen)):
        for event in seen.events:
            if is_own(event):
                yield f"nothing enforces, and Airlock did {event['data'].get('operationName')}"


def unrecorded_writes(seen: Seen) -> Iterator[str]:
    """Every change that a write of ours made stands in a record that says so."""
    for write in seen.writes:
        if write.own:
            told = [row for row in seen.records_of(write.resource) if row["Outcome"] in _DONE]
            paths = {str(change["path"]) for row in told for change in row.get("Changes") or []}
            for path in _differing(write):
                if not any(path == each or path.startswith(f"{each}.") for each in paths):
                    yield f"{path} of {_name(write.resource)} was written, and no record says so"


def unread_fixes(seen: Seen) -> Iterator[str]:
    """A fix is called Fixed only after a read that followed the write."""
    for row in seen.records:
        by_act = str(row.get("Remediation")) == "rotate-exposed-keys"
        if row["Outcome"] != "Fixed" or by_act or (row.get("Evidence") or {}).get("interrupted"):
            continue
        resource, told = str(row["ResourceId"]).lower(), _seconds(row["TimeGenerated"])
        own = [each for each in seen.requests if each.path.lower().startswith(resource) and each.time <= told]
        written = max((each.time for each in own if each.method in {"PATCH", "PUT"}), default=None)
        if written is None:
            yield f"{_name(resource)} is called fixed by {row.get('Rule')}, and nobody wrote to it before"
        elif not any(each.method == "GET" and each.path.lower() == resource and each.time >= written for each in own):
            yield f"{_name(resource)} is called fixed by {row.get('Rule')}, and nobody read it after the write"


def broken_chains(seen: Seen) -> Iterator[str]:
    """Each chain is one line from its beginning, and each row's digest is that of what it seals."""
    following: Counter[str] = Counter()
    known = {GENESIS} | seen.earlier | {str(row["Digest"]) for row in seen.records}
    for row in seen.records:
        told, name = str(row["Sealed"]), f"record {row['RecordId']} of {_name(_chain(row))}"
        if hashlib.sha256((str(row["PreviousDigest"]) + told).encode()).hexdigest() != row["Digest"]:
            yield f"{name} has another digest than what it seals"
        sealed = json.loads(told)
        if {key: _plain(row.get(key)) for key in sealed} != {key: _plain(value) for key, value in sealed.items()}:
            yield f"{name} shows other columns than it seals"
        if str(row["PreviousDigest"]) not in known:
            yield f"{name} follows one that the log does not have"
        following[f"{_chain(row)} {row['PreviousDigest']}"] += 1
    for chain, count in following.items():
        if count > 1:
            yield f"{count} records of {_name(chain.partition(' ')[0])} follow the same one"


def lost_records(seen: Seen) -> Iterator[str]:
    """Nothing waits in the ledger, and the log has the newest record of every chain."""
    for row in seen.ledger.open:
        yield f"the ledger still holds {row}"
    digests = seen.earlier | {str(row["Digest"]) for row in seen.rows}
    for key, head in seen.ledger.heads.items():
        if head != GENESIS and head not in digests:
            yield f"the newest record of {_name(key)} is not in the log"


def altered_records(seen: Seen) -> Iterator[str]:
    """Whatever is sent again is sent as it was, to the log and to the topic."""
    first: dict[str, str] = {}
    for row in seen.rows:
        text = json.dumps(row, sort_keys=True, default=str)
        if first.setdefault(str(row["RecordId"]), text) != text:
            yield f"record {row['RecordId']} was sent twice and not the same"
    events: dict[str, str] = {}
    for event in seen.told:
        text = json.dumps(event, sort_keys=True)
        if events.setdefault(str(event["id"]), text) != text:
            yield f"the topic was told {event['id']} twice and not the same"
    by_id = {str(row["RecordId"]): row for row in seen.rows}
    for event in seen.told:
        logged = by_id.get(str(event["id"]))
        if logged is None:
            yield f"the topic was told of record {event['id']}, which the log does not have"
        elif logged["Digest"] != event["data"]["Digest"]:
            yield f"the topic and the log have record {event['id']} in different forms"


def untold_records(seen: Seen) -> Iterator[str]:
    """The topic is told of every record of severity medium and up."""
    told = {str(event["id"]) for event in seen.told}
    for row in seen.records:
        if row.get("Severity") in {"medium", "high", "critical"} and row["RecordId"] not in told:
            yield f"the topic was not told of record {row['RecordId']}"


def keys_turned_twice(seen: Seen) -> Iterator[str]:
    """A key is regenerated at most once for one cause, and its record says so."""
    recorded = Counter(
        (str(row["ResourceId"]).lower(), str(change["path"]).lower())
        for row in seen.records
        if row.get("Remediation") == "rotate-exposed-keys" and row["Outcome"] in _DONE
        for change in row.get("Changes") or []
    )
    for (account, slot), times in seen.regenerations.items():
        if times > seen.causes.get(account, 0):
            yield f"{slot} of {_name(account)} was regenerated {times} times"
        if recorded[account, f"keys.{slot}"] < times:
            yield f"{slot} of {_name(account)} was regenerated, and no record says so"


def leaked_secrets(seen: Seen) -> Iterator[str]:
    """No key, signature or token is in a record, a log line or an event of ours."""
    places = {
        "a record": (json.dumps(row, default=str) for row in seen.rows),
        "a log line": (line.message for line in seen.logged),
        "an event of the topic": map(json.dumps, seen.told),
    }
    for place, texts in places.items():
        for text in texts:
            if any(secret in text for secret in seen.secrets) or _SAS.search(text):
                yield f"a secret is in {place}"


def errors(seen: Seen) -> Iterator[str]:
    """Nothing fails in a way that no fault explains."""
    for line in seen.logged:
        if line.level in _ERRORS and not _EXPECTED.search(line.message):
            yield f"{line.level.lower()} in {line.function or 'the host'}: {_last_line(line.message)}"


def unanswered(seen: Seen) -> Iterator[str]:
    """Every confirmed incident left its tag on the resource that it is about."""
    for row in seen.records:
        live = seen.live.get(str(row.get("ResourceId")).lower())
        is_here = row.get("ReasonCode") == "incident.confirmed" and live is not None
        if is_here and "airlock-incident" not in ((live or {}).get("tags") or {}):
            yield f"{_name(str(row['ResourceId']))} does not carry the tag of its incident"


def looked_again(seen: Seen) -> Iterator[str]:
    """An event that comes once more when its change is dealt with costs no request to Azure Resource Manager."""
    for request, times in sorted(counted(seen.repeated).items()):
        yield f"an event that came again led to {request} ({times})"


def miscounted_budgets(seen: Seen) -> Iterator[str]:
    """An hour has counted every fix that it saw, no more than it may have, and where everything that was struck is
    known, no more than could be begun again."""
    limit = seen.settings.operational.max_fixes_per_hour
    fixed: defaultdict[str, set[str]] = defaultdict(set)
    for write in seen.writes:
        is_fix = (write.before or {}).get("properties") != (write.after or {}).get("properties")
        row = budget_row(parse_arm_id(write.resource).subscription)
        hour, _ = seen.ledger.budgets.get(row, (None, 0))
        # Shortly after the hour may be written what was counted before it.
        if write.own and is_fix and (hour is None or write.time >= hour.timestamp() + _TURN_OF_THE_HOUR):
            fixed[row].add(write.resource)
    for row, resources in fixed.items():
        _, count = seen.ledger.budgets.get(row, (None, 0))
        if count < len(resources):
            yield f"the hour counts {count} fixes of {len(resources)}: {', '.join(map(_name, sorted(resources)))}"
    for row, (_, count) in seen.ledger.budgets.items():
        if count > limit:
            yield f"an hour counts {count} fixes and may have {limit}"
        if seen.struck is not None and fixed[row] and count > len(fixed[row]) + seen.struck:
            yield f"an hour counts {count} fixes of {len(fixed[row])}, and only {seen.struck} requests were struck"


def unburied_dead(seen: Seen) -> Iterator[str]:
    """What nobody could deliver or deal with has exactly one record, is kept under its RecordId, and lies nowhere
    else any more."""
    for dead in seen.dead:
        told = [row for row in seen.records if row["Outcome"] == "DeadLettered" and row.get("SignalId") == dead.event]
        if len(told) != 1:
            yield f"{len(told)} records say that {dead.event} was buried"
        for row in told:
            if seen.buried.get(str(row["RecordId"])) != dead.text:
                yield f"{dead.event} is not kept as it was"
        if any(dead.event in text for text in seen.unburied):
            yield f"{dead.event} still lies where it was"


def unfound_drift(seen: Seen) -> Iterator[str]:
    """What drifted without an event has a record of a sweep that found it."""
    for resource in sorted(seen.untold):
        if not any(row.get("SignalKind") == "SweepHit" for row in seen.records_of(resource)):
            yield f"no sweep found {_name(resource)}"


def unfinished_sweeps(seen: Seen) -> Iterator[str]:
    """Where something was to be found, the last sweep says that it saw everything."""
    told = [row for row in seen.records if row["Outcome"] == "SweepCompleted"]
    if told and max(told, key=lambda row: str(row["TimeGenerated"])).get("ReasonCode") != "sweep.completed":
        yield "the last sweep was broken off"


def loose_anchors(seen: Seen) -> Iterator[str]:
    """Each anchor names the one before it, and the log has every head of it. The last anchor of each chain that grew
    has its newest head."""
    if seen.anchors is None:
        return
    known = seen.earlier | {str(row["Digest"]) for row in seen.records}
    previous, heads = GENESIS, dict[str, str]()
    for data in seen.anchors:
        anchor = parse_anchor(data)
        if anchor.previous != previous:
            yield f"the anchor of {anchor.time:%T} does not name the one before it"
        previous = anchor.digest
        heads |= anchor.heads
        for chain in sorted(name for name, head in anchor.heads.items() if head not in known):
            yield f"the anchor of {anchor.time:%T} has a head of {_name(chain)} that the log does not have"
    for chain in sorted({_chain(row) for row in seen.records}):
        if heads.get(chain) != seen.ledger.heads.get(chain):
            yield f"the newest record of {_name(chain)} is not anchored"


def silent_hours(seen: Seen) -> Iterator[str]:
    """Where a sign of life was waited for there is one, and no hour has two."""
    hours = Counter(f"{row['TimeGenerated']}"[:13] for row in seen.records if row["Outcome"] == "Heartbeat")
    if seen.awaits_sign and not hours:
        yield "nobody gave a sign of life"
    for hour, count in hours.items():
        if count > 1:
            yield f"the hour from {hour} had {count} signs of life"


def unforgotten(seen: Seen) -> Iterator[str]:
    """After the hour the ledger holds nothing of months that are long over."""
    if seen.anchors is None:
        return
    for row in sorted(seen.ledger.dated):
        if row.split("|")[1] < _LONG_OVER:
            yield f"the ledger still holds {row}"


def astray_orders(seen: Seen) -> Iterator[str]:
    """An order that was taken is in the log and was carried out, as often as it was given at most; one that was refused
    was not."""
    known = Counter(str(row["RecordId"]) for row in seen.records)
    for order in seen.orders:
        told = f"the order to {order.act} something of {_name(order.resource)}"
        done = sum(_shows(row, order) for row in seen.records_of(order.resource.lower()))
        taken = [ids for status, ids in order.answers if status in _TAKEN]
        doubtful = [status for status, _ in order.answers if status in _DOUBTFUL]
        if not taken and not doubtful and done:
            yield f"{told} was refused, and carried out"
        elif not taken and not done:
            yield f"{told} was never taken: {[status for status, _ in order.answers]}"
        elif done < order.records or done > order.records * (len(taken) + len(doubtful)):
            yield f"{told} left {done} records of {order.outcome}"
        if any(known[record] != 1 for ids in taken for record in ids) or not all(taken):
            yield f"{told} was taken, and no record says so"


def _shows(row: Mapping[str, Any], order: Order) -> bool:
    return row["Outcome"] == order.outcome and str(row.get("Rule") or "").startswith(order.rule)


ALL: tuple[Invariant, ...] = (
    unaccounted,
    left_open,
    needless_writes,
    forbidden_writes,
    unrecorded_writes,
    unread_fixes,
    broken_chains,
    lost_records,
    altered_records,
    untold_records,
    keys_turned_twice,
    leaked_secrets,
    errors,
    unanswered,
    looked_again,
    miscounted_budgets,
    unburied_dead,
    unfound_drift,
    unfinished_sweeps,
    loose_anchors,
    silent_hours,
    unforgotten,
    astray_orders,
)
# Those that hold of many scenarios together, also of what belongs to none of them.
OVERALL: tuple[Invariant, ...] = (
    errors,
    leaked_secrets,
    broken_chains,
    lost_records,
    altered_records,
    miscounted_budgets,
    unfinished_sweeps,
    loose_anchors,
    silent_hours,
    unforgotten,
)


def violations(seen: Seen) -> list[str]:
    """All of them."""
    return [sentence for invariant in ALL for sentence in invariant(seen)]


def _modes(seen: Seen) -> Iterator[Mode]:
    for remediation in seen.catalogue.remediations:
        yield from (seen.settings.mode_of(remediation, rule) for rule in remediation.rules)
    for response in seen.catalogue.responses:
        yield from (seen.settings.mode_for(response, kind) for kind in response.types)


def _differing(write: Write) -> list[str]:
    """The paths of the values that a write changed."""
    before, after = dict(_leaves(write.before or {})), dict(_leaves(write.after or {}))
    return [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]


def _leaves(value: Body, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{prefix}{name}"
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, f"{path}.")
        elif inner not in (None, {}, []):
            yield path, inner


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _chain(row: Mapping[str, Any]) -> str:
    return str(row.get("ResourceId") or row.get("SubscriptionId") or "-").lower()


def _seconds(moment: object) -> float:
    return datetime.fromisoformat(str(moment)).timestamp()


def _plain(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) and _MOMENT.fullmatch(value) else value


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{lines[0][:100]} ... {lines[-1][:160]}" if len(lines) > 1 else "".join(lines)[:260]
