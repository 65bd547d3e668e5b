"""Each invariant on input made by hand: none is violated by a fix as it should be, and each by what it is there for."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.arm.service import ArmRequest
from local.azure import APP
from local.contoso import write_event
from local.host.log import LogLine
from remediations import load_catalogue
from shared.azure.entities import budget_row
from shared.domain.anchor import Anchor
from shared.domain.arm_id import parse_arm_id
from shared.domain.mode import Mode
from shared.domain.record import GENESIS, Outcome, Record, seal
from shared.domain.settings import Settings
from tests.chaos import invariants
from tests.chaos.invariants import ALL, Invariant, violations
from tests.chaos.seen import Body, Dead, LedgerRows, Order, Seen, Write, visible
from tests.engine.running import account, storage

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
SOUND = storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
BAD = storage(supportsHttpsTrafficOnly=True)
KEY = str(SOUND["id"]).lower()
EVENT = write_event(BAD, NOW)
SECRET = "k" * 40
TLS = "properties.minimumTlsVersion"
ACCOUNT = account()
ACCOUNT_KEY = str(ACCOUNT["id"]).lower()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


FIXED = Record(
    time_generated=after(4),
    outcome=Outcome.FIXED,
    signal_id=str(EVENT["id"]),
    resource_id=str(SOUND["id"]),
    remediation="enforce-tls",
    rule="AIR-004/storage",
    severity="medium",
    mode="enforce",
    changes=[{"path": TLS, "actual": "TLS1_0", "desired": "TLS1_2"}],
    cause="the event",
)


def row(record: Record, previous: str = GENESIS) -> Body:
    return dict(seal(record, KEY, previous).columns)


def outcome_event(told: Body) -> Body:
    return {"id": told["RecordId"], "subject": told["ResourceId"], "data": {"Digest": told["Digest"]}}


def request(method: str, seconds: float, path: str = str(SOUND["id"])) -> ArmRequest:
    return ArmRequest(method, path, "2025-01-01", 200, after(seconds).timestamp())


HOUR = NOW - timedelta(hours=1)


def counted(fixes: int) -> dict[str, tuple[datetime, int]]:
    """The budget of the resource's subscription."""
    return {budget_row(parse_arm_id(KEY).subscription): (HOUR, fixes)}


WRITE = Write(KEY, own=True, before=visible(BAD), after=visible(SOUND), time=after(2).timestamp())
ROW = row(FIXED)
GOOD = Seen(
    events=[EVENT],
    rows=[ROW],
    told=[outcome_event(ROW)],
    writes=[WRITE],
    requests=[request("GET", 1), request("PATCH", 2), request("GET", 3)],
    live={KEY: SOUND},
    estate=[SOUND],
    ledger=LedgerRows({}, {KEY: str(ROW["Digest"])}, {KEY: after(1).isoformat()}, counted(1)),
    regenerations={},
    logged=[LogLine("remediate", "Warning", "put back: TryAgain: arm.http-503")],
    settings=Settings(mode=Mode.ENFORCE),
    catalogue=load_catalogue(),
)


def logged(*records: Record, **more: object) -> Seen:
    """The good end, with these records in the chain instead."""
    rows: list[Body] = []
    for record in records:
        rows.append(row(record, str(rows[-1]["Digest"]) if rows else GENESIS))
    ledger = LedgerRows({}, {KEY: str(rows[-1]["Digest"]) if rows else GENESIS}, {}, counted(1))
    return replace(GOOD, **{"rows": rows, "told": [*map(outcome_event, rows)], "ledger": ledger} | more)  # type: ignore[arg-type]  # a test's shorthand


def own(event: Body) -> Body:
    """The event as one that Airlock's own write raised."""
    return event | {"data": event["data"] | {"claims": {"oid": APP.object_id}}}


def rotated(slot: str) -> Record:
    return replace(
        FIXED,
        resource_id=str(ACCOUNT["id"]),
        remediation="rotate-exposed-keys",
        rule="AIR-101/cognitive-accounts",
        changes=[{"path": f"keys.{slot}", "actual": None, "desired": "regenerated"}],
    )


def confirmed(live: Body) -> Seen:
    record = replace(FIXED, outcome=Outcome.ADVISED, rule="", reason_code="incident.confirmed", changes=None)
    return logged(record, live={KEY: live}, writes=[])


def cut(*lines: str) -> Seen:
    """The good end with these errors in the log of the host."""
    return replace(GOOD, logged=[LogLine("remediate", "Error", line) for line in lines])


def ledger(**parts: object) -> Seen:
    """The good end with another ledger."""
    return replace(GOOD, ledger=replace(GOOD.ledger, **parts))  # type: ignore[arg-type]  # a test's shorthand


def buried(*records: Record, **more: object) -> Seen:
    """An event was given up, and these records say so; it is kept under the id of the first one."""
    kept = {record.record_id: DEAD.text for record in records[:1]}
    return logged(FIXED, *records, **{"dead": [DEAD], "buried": kept} | more)


def anchored(*anchors: Anchor, **more: object) -> Seen:
    """The good end with these anchors."""
    return replace(GOOD, **{"anchors": [anchor.to_bytes() for anchor in anchors]} | more)  # type: ignore[arg-type]  # as above


def ordered(*answers: tuple[int, tuple[str, ...]], done: int = 1) -> Seen:
    """An operator was answered so, and what was ordered was done so many times."""
    order = Order(act="undo", resource=KEY, outcome="Undone", rule="AIR-004", answers=[*answers])
    undone = [replace(FIXED, outcome=Outcome.UNDONE, cause=f"undo {number}") for number in range(done)]
    return logged(FIXED, HELD, *undone, orders=[order])


DEAD = Dead(event="event-9", text='{"id": "event-9"}')
BURIED = replace(FIXED, outcome=Outcome.DEAD_LETTERED, rule="", signal_id="event-9", changes=None, cause="a blob")
HELD = replace(FIXED, outcome=Outcome.HELD, reason_code="operator.undo", changes=None, cause="an order")
TAKEN = (202, (HELD.record_id,))
SWEPT = replace(FIXED, outcome=Outcome.SWEEP_COMPLETED, rule="", reason_code="sweep.completed", changes=None)
ALIVE = replace(FIXED, outcome=Outcome.HEARTBEAT, rule="", changes=None, cause="an hour")
FIRST = Anchor(NOW, GENESIS, {KEY: str(ROW["Digest"])})
ADVISED = replace(FIXED, outcome=Outcome.ADVISED, cause="another")
AUDITED = Settings(mode=Mode.AUDIT)
TURNED = {(ACCOUNT_KEY, "key1"): 1}
ONE_CAUSE = {ACCOUNT_KEY: 1}
CHANGED = {**ROW, "Severity": "low"}

BAD_ENDS: list[tuple[Invariant, str, Callable[[], Seen]]] = [
    (invariants.unaccounted, "no record", lambda: logged(ledger=GOOD.ledger)),
    (
        invariants.unaccounted,
        "only an earlier one",
        lambda: logged(replace(FIXED, signal_id="x", time_generated=after(-9))),
    ),
    (invariants.left_open, "no record says why", lambda: replace(GOOD, live={KEY: BAD}, estate=[BAD])),
    (
        invariants.left_open,
        "refused, and nobody expected that",
        lambda: logged(replace(FIXED, outcome=Outcome.REFUSED), live={KEY: BAD}, estate=[BAD]),
    ),
    (
        invariants.left_open,
        "excused, and no record",
        lambda: replace(GOOD, live={KEY: BAD}, estate=[BAD], excused={KEY: frozenset({"AIR-004/storage"})}),
    ),
    (invariants.left_open, "not audited", lambda: replace(GOOD, live={KEY: BAD}, estate=[BAD], settings=AUDITED)),
    (
        invariants.needless_writes,
        "written twice",
        lambda: replace(GOOD, writes=[WRITE, replace(WRITE, before=WRITE.after)]),
    ),
    (invariants.forbidden_writes, "in audit mode", lambda: replace(GOOD, events=[own(EVENT)], settings=AUDITED)),
    (invariants.unrecorded_writes, "no record", lambda: logged(ledger=GOOD.ledger)),
    (invariants.unrecorded_writes, "one that nothing was done", lambda: logged(ADVISED)),
    (
        invariants.unrecorded_writes,
        "one of another path",
        lambda: logged(replace(FIXED, changes=[{"path": "properties.minimum"}])),
    ),
    (invariants.unread_fixes, "never read", lambda: replace(GOOD, requests=[request("PATCH", 2)])),
    (
        invariants.unread_fixes,
        "read before the write alone",
        lambda: replace(GOOD, requests=[request("GET", 1), request("PATCH", 2)]),
    ),
    (
        invariants.unread_fixes,
        "read after the record alone",
        lambda: replace(GOOD, requests=[request("PATCH", 2), request("GET", 5)]),
    ),
    (invariants.unread_fixes, "never written", lambda: replace(GOOD, requests=[request("GET", 3)])),
    (
        invariants.unread_fixes,
        "another one read",
        lambda: replace(GOOD, requests=[request("PATCH", 2), request("GET", 3, f"{SOUND['id']}2")]),
    ),
    (invariants.broken_chains, "another digest", lambda: replace(GOOD, rows=[ROW | {"Digest": "f" * 64}])),
    (invariants.broken_chains, "another column", lambda: replace(GOOD, rows=[CHANGED])),
    (invariants.broken_chains, "one missing", lambda: replace(GOOD, rows=[row(FIXED, "f" * 64)])),
    (invariants.broken_chains, "two behind the same", lambda: replace(GOOD, rows=[ROW, row(ADVISED)])),
    (
        invariants.lost_records,
        "still waits",
        lambda: replace(GOOD, ledger=replace(GOOD.ledger, open={"o|1|2": KEY})),
    ),
    (
        invariants.lost_records,
        "the newest missing",
        lambda: replace(GOOD, ledger=replace(GOOD.ledger, heads={KEY: "f" * 64})),
    ),
    (invariants.altered_records, "sent otherwise again", lambda: replace(GOOD, rows=[ROW, CHANGED])),
    (
        invariants.altered_records,
        "told otherwise again",
        lambda: replace(GOOD, told=[*GOOD.told, {**GOOD.told[0], "subject": "x"}]),
    ),
    (invariants.altered_records, "told and not in the log", lambda: replace(GOOD, rows=[])),
    (
        invariants.altered_records,
        "told in another form",
        lambda: replace(GOOD, told=[{**GOOD.told[0], "data": {"Digest": "f" * 64}}]),
    ),
    (invariants.untold_records, "never told", lambda: replace(GOOD, told=[])),
    (
        invariants.keys_turned_twice,
        "twice for one cause",
        lambda: logged(rotated("Key1"), regenerations={(ACCOUNT_KEY, "key1"): 2}, causes=ONE_CAUSE),
    ),
    (invariants.keys_turned_twice, "for none", lambda: logged(rotated("Key1"), regenerations=TURNED)),
    (
        invariants.keys_turned_twice,
        "without a record",
        lambda: logged(rotated("Key2"), regenerations=TURNED, causes=ONE_CAUSE),
    ),
    (
        invariants.leaked_secrets,
        "in a record",
        lambda: replace(GOOD, rows=[ROW | {"Reason": f"a {SECRET}"}], secrets=frozenset({SECRET})),
    ),
    (
        invariants.leaked_secrets,
        "in a log line",
        lambda: replace(GOOD, logged=[LogLine("", "Information", SECRET)], secrets=frozenset({SECRET})),
    ),
    (
        invariants.leaked_secrets,
        "in an event",
        lambda: replace(GOOD, told=[{"id": SECRET}], secrets=frozenset({SECRET})),
    ),
    (invariants.leaked_secrets, "a signature", lambda: cut(f"https://st/c?sv=1&sig={'a' * 20}")),
    (invariants.leaked_secrets, "a token", lambda: cut(f"eyJ{'a' * 12}.{'b' * 12}")),
    (invariants.errors, "a mistake of ours", lambda: cut("Traceback\n  KeyError: 'x'")),
    (invariants.unanswered, "no tag", lambda: confirmed(SOUND)),
    (invariants.looked_again, "one more read", lambda: replace(GOOD, repeated=[request("GET", 9)])),
    (invariants.miscounted_budgets, "a fix that no hour counts", lambda: ledger(budgets={})),
    (invariants.miscounted_budgets, "fewer than there were", lambda: ledger(budgets=counted(0))),
    (invariants.miscounted_budgets, "more than an hour may have", lambda: ledger(budgets=counted(101))),
    (
        invariants.miscounted_budgets,
        "more than were begun",
        lambda: replace(ledger(budgets=counted(3)), struck=1),
    ),
    (invariants.unburied_dead, "no record", buried),
    (invariants.unburied_dead, "two records", lambda: buried(BURIED, replace(BURIED, cause="another blob"))),
    (invariants.unburied_dead, "not kept", lambda: buried(BURIED, buried={})),
    (
        invariants.unburied_dead,
        "kept as something else",
        lambda: buried(BURIED, buried={BURIED.record_id: "{}"}),
    ),
    (invariants.unburied_dead, "still there", lambda: buried(BURIED, unburied=[f"[{DEAD.text}]"])),
    (invariants.unfound_drift, "found by an event alone", lambda: replace(GOOD, untold=frozenset({KEY}))),
    (
        invariants.unfinished_sweeps,
        "broken off at last",
        lambda: logged(
            SWEPT, replace(SWEPT, reason_code="sweep.broken-off", time_generated=after(9)), ledger=GOOD.ledger
        ),
    ),
    (
        invariants.loose_anchors,
        "two without a predecessor",
        lambda: anchored(FIRST, replace(FIRST, time=after(3600))),
    ),
    (
        invariants.loose_anchors,
        "a head that is not in the log",
        lambda: anchored(replace(FIRST, heads={KEY: "f" * 64}), Anchor(NOW, "f" * 64, FIRST.heads)),
    ),
    (invariants.loose_anchors, "the newest record left out", lambda: anchored(replace(FIRST, heads={}))),
    (invariants.silent_hours, "none", lambda: replace(GOOD, awaits_sign=True)),
    (
        invariants.silent_hours,
        "two",
        lambda: logged(ALIVE, replace(ALIVE, cause="the same hour"), awaits_sign=True),
    ),
    (
        invariants.unforgotten,
        "a row of long ago",
        lambda: replace(ledger(dated=frozenset({"x|202001|0f"})), anchors=[FIRST.to_bytes()]),
    ),
    (invariants.astray_orders, "refused and done", lambda: ordered((409, ()))),
    (invariants.astray_orders, "never taken", lambda: ordered((503, ()), (500, ()), done=0)),
    (invariants.astray_orders, "taken and not done", lambda: ordered(TAKEN, done=0)),
    (invariants.astray_orders, "taken once and done twice", lambda: ordered(TAKEN, done=2)),
    (invariants.astray_orders, "taken and not recorded", lambda: ordered((202, ("f" * 32,)))),
    (invariants.astray_orders, "taken, and no record is named", lambda: ordered((202, ()))),
]

GOOD_ENDS: list[tuple[str, Callable[[], Seen]]] = [
    ("a fix", lambda: GOOD),
    (
        "an event that was lost",
        lambda: logged(
            replace(FIXED, signal_id="x", time_generated=after(-9)),
            lost=frozenset({EVENT["id"]}),
            requests=[request("PATCH", -12), request("GET", -11)],
        ),
    ),
    ("an event that a later look covers", lambda: logged(replace(FIXED, signal_id="x"))),
    (
        "an event that the look of an interrupted fix covers",
        lambda: logged(
            replace(FIXED, signal_id="x", time_generated=after(-9), evidence={"interrupted": True}),
            ledger=LedgerRows({}, {}, {KEY: after(1).isoformat()}, counted(1)),
        ),
    ),
    (
        "drift that is excused with a record",
        lambda: logged(
            replace(FIXED, outcome=Outcome.REFUSED),
            live={KEY: BAD},
            estate=[BAD],
            writes=[],
            excused={KEY: frozenset({"AIR-004/storage"})},
        ),
    ),
    (
        "drift that is audited",
        lambda: logged(
            replace(FIXED, outcome=Outcome.AUDITED), live={KEY: BAD}, estate=[BAD], writes=[], settings=AUDITED
        ),
    ),
    (
        "a needless write after reads that are behind",
        lambda: replace(GOOD, writes=[WRITE, replace(WRITE, before=WRITE.after)], stale=True),
    ),
    (
        "a write that somebody else's event showed first",
        lambda: replace(GOOD, writes=[replace(WRITE, own=False), replace(WRITE, before=WRITE.after)]),
    ),
    ("somebody else's write", lambda: replace(GOOD, writes=[WRITE, replace(WRITE, own=False, after=None)])),
    ("a row that was sent twice", lambda: replace(GOOD, rows=[ROW, ROW], told=[*GOOD.told, *GOOD.told])),
    (
        "keys that were turned once",
        lambda: logged(rotated("Key1"), writes=[], regenerations=TURNED, causes=ONE_CAUSE),
    ),
    ("an incident's tag", lambda: confirmed(SOUND | {"tags": {"airlock": "protect", "airlock-incident": "1"}})),
    ("a fix that was begun again", lambda: replace(ledger(budgets=counted(2)), struck=1)),
    (
        "a fix that the hour before counted",
        lambda: ledger(budgets=dict.fromkeys(counted(0), (NOW, 0))),
    ),
    ("an event that was buried", lambda: buried(BURIED)),
    (
        "drift that a sweep found",
        lambda: logged(FIXED, replace(SWEPT, signal_kind="SweepHit"), untold=frozenset({KEY})),
    ),
    (
        "a sweep that was broken off, and another one",
        lambda: logged(
            FIXED,
            replace(SWEPT, reason_code="sweep.broken-off"),
            replace(SWEPT, cause="the next one", time_generated=after(9)),
        ),
    ),
    (
        "anchors behind one another",
        lambda: anchored(FIRST, Anchor(after(3600), FIRST.digest, {KEY: str(ROW["Digest"])})),
    ),
    ("an hour with its sign of life", lambda: logged(FIXED, ALIVE, awaits_sign=True)),
    (
        "a ledger that holds what is new",
        lambda: replace(ledger(dated=frozenset({"d|202611|0f"})), anchors=[FIRST.to_bytes()]),
    ),
    ("an order that was taken", lambda: ordered(TAKEN)),
    ("an order that was given again after a crash", lambda: ordered((500, ()), TAKEN, done=2)),
    ("an order that was done before a crash, and refused then", lambda: ordered((500, ()), (409, ()))),
    ("errors that faults explain", lambda: cut("worker 7 ended; the host starts another", "TryAgain: ledger.http-503")),
]


@pytest.mark.parametrize("make", [make for _, make in GOOD_ENDS], ids=[name for name, _ in GOOD_ENDS])
def test_a_good_end_violates_nothing(make: Callable[[], Seen]) -> None:
    assert violations(make()) == []


@pytest.mark.parametrize(
    "invariant,make",
    [(invariant, make) for invariant, _, make in BAD_ENDS],
    ids=[f"{invariant.__name__}: {name}" for invariant, name, _ in BAD_ENDS],
)
def test_a_bad_end_violates_its_invariant(invariant: Invariant, make: Callable[[], Seen]) -> None:
    assert list(invariant(make()))


def test_every_invariant_has_a_bad_end() -> None:
    assert {invariant for invariant, _, _ in BAD_ENDS} == {*ALL}


def test_what_is_said_never_holds_a_secret() -> None:
    seen = replace(GOOD, rows=[ROW | {"Reason": SECRET}], secrets=frozenset({SECRET}))
    assert SECRET not in json.dumps(violations(seen))
