"""Tamper evidence: what Airlock wrote verifies however it was exported, and one change of anything is named."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.anchor import Anchor
from shared.domain.body import as_text
from shared.domain.ledger import REMEMBERED, Entry
from shared.domain.link import examine
from shared.domain.record import FORGOTTEN_AFTER, GENESIS, Outcome, Record, canonical, seal
from shared.domain.verification import ANCHORS, Kind, Problem, Report, judge, verify
from tests.domain.making import NOW, SUBSCRIPTION, TARGET, record
from tests.hostile import NASTY, anything

type Columns = dict[str, object]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# One of a resource, one of a subscription, one of neither.
ABOUT: tuple[dict[str, object], ...] = (
    {"resource_id": TARGET.path},
    {"resource_id": TARGET.path.replace("stmlprodweu", "Other")},
    {"resource_id": "", "changes": None, "evidence": {"half": "\ud800", "list": [True, 1, 0.5, None, "é"]}},
    {"resource_id": "", "subscription_id": "", "outcome": Outcome.HEARTBEAT, "detect_ms": 12, "fix_ms": 0},
)


def chain(about: Mapping[str, object] = ABOUT[0], count: int = 4, begin: datetime = NOW) -> list[Columns]:
    """So many rows of one chain, a minute apart."""
    records = [record(cause=f"event-{at}", time_generated=begin + at * MINUTE, **about) for at in range(count)]
    _, rows = Entry(records[0].chain).append(records)
    return [dict(row.columns) for row in rows]


def log(count: int = 4) -> list[list[Columns]]:
    """A chain of each kind."""
    return [chain(about, count) for about in ABOUT]


def flat(chains: Sequence[Sequence[Columns]]) -> list[Columns]:
    return [row for rows in chains for row in rows]


def key(row: Mapping[str, object]) -> str:
    return str(row.get("ResourceId") or row.get("SubscriptionId") or "-").lower()


def anchored(chains: Sequence[Sequence[Columns]], *lengths: int) -> list[Anchor]:
    """Anchors an hour apart: each of when every chain was so long."""
    anchors: list[Anchor] = []
    for hour, length in enumerate(lengths, 1):
        previous = anchors[-1].digest if anchors else GENESIS
        heads = {key(rows[0]): str(rows[length - 1]["Digest"]) for rows in chains}
        anchors.append(Anchor(NOW + hour * HOUR, previous, heads))
    return anchors


def resealed(row: Columns, **changes: object) -> Columns:
    """What a forger makes of a row who knows how rows are sealed: there is no secret in it."""
    previous = str(changes.pop("PreviousDigest", row["PreviousDigest"]))
    told = {**json.loads(str(row["Sealed"])), **changes}
    sealed = canonical(told)
    digest = hashlib.sha256((previous + sealed).encode()).hexdigest()
    return {**told, "Sealed": sealed, "PreviousDigest": previous, "Digest": digest}


def kinds(report: Report) -> list[str]:
    return [problem.kind.value for problem in report.problems]


def named(report: Report, row: Mapping[str, object]) -> list[Problem]:
    """The problems that name the row: by its chain, its RecordId and its time."""
    sealed = json.loads(str(row["Sealed"]))
    wanted = (key(sealed), sealed["RecordId"], sealed["TimeGenerated"])
    return [each for each in report.problems if (each.chain, each.record_id, each.time) == wanted]


# As tools export rows.


def in_ticks(row: Columns) -> Columns:
    """As the query API tells it: 100 nanoseconds, dynamic columns as text, columns of the service's own."""
    told: Columns = {name: _in_ticks(name, value) for name, value in row.items()}
    own = {"TenantId": "9" * 8, "Type": "AirlockRemediation_CL", "_ResourceId": "", "_BilledSize": 1024, "Location": ""}
    return {**told, **own, "_IsBillable": "True", "SourceSystem": "RestAPI", "MG": None, "FixMs": row.get("FixMs")}


def _in_ticks(name: str, value: object) -> object:
    if name in {"TimeGenerated", "SignalTime"}:
        return str(value).replace("Z", "0Z")
    return json.dumps(value, indent=1).replace("\\ud800", "\\ufffd") if isinstance(value, list | dict) else value


def trimmed(row: Columns) -> Columns:
    """As short as times can be told."""
    return {name: _trimmed(value) if name.startswith(("Time", "Sig")) else value for name, value in row.items()}


def _trimmed(value: object) -> object:
    return str(value).replace(".000000Z", "Z").replace("Z", "+00:00").replace("T", " ")


def by_cli(row: Columns) -> Columns:
    """As `az monitor log-analytics query` prints it: nothing but text, None for null."""
    told = {name: str(value) for name, value in in_ticks(row).items()}
    return {"TableName": "PrimaryResult", **told, "Actor": "None", "TotalMs": "None"}


def received_late(row: Columns) -> Columns:
    return {**row, "TimeGenerated": "2026-11-27T08:00:00.1234567Z"}


SPELLINGS: tuple[Callable[[Columns], Columns], ...] = (dict, in_ticks, trimmed, by_cli, received_late)
spellings = st.sampled_from(SPELLINGS)


@given(st.data(), st.integers(0, 2**32))
def test_what_airlock_wrote_verifies_however_it_was_exported(data: st.DataObject, seed: int) -> None:
    chains = log()
    rows = flat(chains)
    again = data.draw(st.lists(st.sampled_from(rows), max_size=5))
    exported = [data.draw(spellings)(row) for row in (*rows, *again)]
    Random(seed).shuffle(exported)  # noqa: S311 - repeatable, nothing secret
    report = verify(exported, anchored(chains, 1, 3, 4))
    assert report.problems == ()
    assert report.intact
    assert (report.rows, report.records, report.copies) == (16 + len(again), 16, len(again))
    assert (report.chains, report.anchors, report.heads, report.anchored) == (4, 3, 12, 4)
    assert report.late == sum(str(row["TimeGenerated"]).startswith("2026-11-27") for row in exported)


def test_nothing_is_intact() -> None:
    assert verify([]) == Report()
    assert verify([]).intact


@given(st.data(), st.sampled_from([dict, in_ticks, by_cli]))
def test_one_changed_column_is_named(data: st.DataObject, spelling: Callable[[Columns], Columns]) -> None:
    rows = flat(log(3))
    at = data.draw(st.integers(0, len(rows) - 1))
    victim = rows[at]
    name = data.draw(st.sampled_from([*victim, "Location", "Invented"]))
    value = data.draw(st.sampled_from(NASTY) | anything | st.just(f"{victim.get(name)}x"))
    changed = spelling(victim) | {name: value}
    exported = [changed if other is victim else spelling(other) for other in rows]
    report = verify(exported)
    if says_the_same(value, victim.get(name)):
        assert report.intact
    elif name == "Sealed":
        assert kinds(report).count("changed") + kinds(report).count("unreadable") == 1
    else:
        (problem,) = report.problems
        assert (problem.record_id, problem.time) == (str(victim["RecordId"]), str(victim["TimeGenerated"]))
        assert name in problem.text or problem.text.startswith("Digest is not that of PreviousDigest and Sealed")
        assert problem.chain == key(victim)


def says_the_same(value: object, sealed: object) -> bool:
    """Whether some tool would have spelled what was sealed like that."""
    if sealed is None:
        return value in (None, "", "None")
    return json.dumps(value) == json.dumps(sealed) or (value == str(sealed) and isinstance(sealed, int))


@pytest.mark.parametrize(
    "name, value",
    [
        ("TimeGenerated", "2026-11-23T12:00:00.0000001Z"),
        ("TimeGenerated", "2026-11-23T12:00:00.000001Z"),
        ("TimeGenerated", "2026-11-25T12:00:00.000000Z"),
        ("TimeGenerated", "2026-11-20T12:00:00.000000Z"),
        ("TimeGenerated", "0001-01-01T00:00:00+14:00"),
        ("TimeGenerated", 1764000000),
        ("SignalTime", "2026-11-30T12:00:00.000000Z"),
        ("SignalTime", None),
        ("Outcome", "fixUnverified"),
        ("Outcome", ""),
        ("Attempt", 2),
        ("Attempt", "1.5"),
        ("Attempt", True),
        ("Attempt", "9" * 5000),
        ("Changes", [{"path": "properties.isSftpEnabled", "actual": 1, "desired": False}]),
        ("Changes", '[{"path":"properties.isSftpEnabled","actual":1,"desired":false}]'),
        ("Changes", "[" * 100_000),
        ("Changes", "[]"),
        ("Location", "westeurope"),
        ("Invented", 0),
    ],
)
def test_a_value_that_only_looks_alike_is_a_change(name: str, value: object) -> None:
    rows = chain()
    rows[0][name] = value
    (problem,) = verify(rows).problems
    assert (problem.kind, problem.record_id) == (Kind.CHANGED, rows[0]["RecordId"])
    assert name in problem.text


@given(st.data())
def test_a_row_that_is_gone_is_named_by_the_one_behind_it(data: st.DataObject) -> None:
    chains = log()
    rows = data.draw(st.sampled_from(chains))
    first = data.draw(st.integers(0, 2))
    count = data.draw(st.integers(1, 3 - first))
    behind = rows[first + count]
    gone = [rows.pop(first) for _ in range(count)]
    report = verify(flat(chains))
    (problem,) = report.problems
    assert [problem] == named(report, behind)
    assert problem.kind is Kind.MISSING
    assert str(gone[-1]["Digest"])[:12] in problem.text
    assert ("nothing is before the gap" in problem.text) == (first == 0)
    if first:
        assert f"the last row before the gap is {rows[first - 1]['RecordId']} of" in problem.text


@given(st.data())
def test_a_tail_that_was_cut_below_an_anchor_is_named(data: st.DataObject) -> None:
    chains = log()
    anchors = anchored(chains, 1, 2, 4)
    rows = data.draw(st.sampled_from(chains))
    chain_key, left = key(rows[0]), data.draw(st.integers(0, 3))
    gone = [str(row["Digest"]) for row in rows[left:]]
    del rows[left:]
    report = verify(flat(chains), anchors)
    lost = [(digest, anchor) for anchor in anchors if (digest := anchor.heads[chain_key]) in gone]
    assert [(each.kind, each.chain, each.record_id) for each in report.problems] == [
        (Kind.CUT_OFF, chain_key, "") for _ in lost
    ]
    for problem, (digest, anchor) in zip(report.problems, lost, strict=True):
        assert digest[:12] in problem.text
        assert datetime.fromisoformat(problem.time) == anchor.time


def test_a_tail_that_was_cut_above_the_last_anchor_cannot_be_seen() -> None:
    chains = log()
    anchors = anchored(chains, 3)
    del chains[0][3:]
    report = verify(flat(chains), anchors)
    assert report.intact
    assert report.last_anchor == NOW + HOUR


def test_a_gap_says_that_its_row_was_anchored() -> None:
    rows = chain()
    anchors = anchored([rows], 2)
    del rows[1]
    (problem,) = verify(rows, anchors).problems
    assert problem.kind is Kind.MISSING
    assert "which the anchor of 2026-11-23T13:00:00.000000Z holds" in problem.text


@given(st.data())
def test_a_row_that_was_put_in_is_named(data: st.DataObject) -> None:
    chains = log()
    rows = data.draw(st.sampled_from(chains))
    at = data.draw(st.integers(0, 3))
    forged = resealed(rows[at], Reason="nobody did anything", RecordId="f" * 32)
    place = data.draw(st.sampled_from(["beside", "anew", "nowhere", "unsealed"]))
    if place == "anew":
        forged = resealed(rows[at], Reason="nobody did anything", RecordId="f" * 32, PreviousDigest=GENESIS)
    elif place == "nowhere":
        forged = resealed(rows[at], Reason="nobody did anything", RecordId="f" * 32, PreviousDigest="f" * 64)
    elif place == "unsealed":
        forged = {**rows[at], "RecordId": "f" * 32}
    report = verify([*flat(chains), forged], anchored(chains, 4))
    assert named(report, forged), (place, report.problems)
    assert {each.chain for each in report.problems} == {key(forged)}
    others = [each for each in report.problems if each.record_id != json.loads(str(forged["Sealed"]))["RecordId"]]
    assert others == [], "none but the forged row is accused"


@given(st.data())
def test_a_row_that_was_changed_and_sealed_anew_breaks_the_chain_behind_it(data: st.DataObject) -> None:
    chains = log()
    rows = data.draw(st.sampled_from(chains))
    at = data.draw(st.integers(0, 2))
    rows[at] = resealed(rows[at], Outcome="Compliant")
    report = verify(flat(chains))
    (problem,) = report.problems
    assert [problem] == named(report, rows[at + 1])
    assert problem.kind is Kind.MISSING
    assert f"the last row before the gap is {rows[at]['RecordId']} of" in problem.text


def test_a_chain_that_was_rewritten_from_a_row_on_contradicts_its_anchors() -> None:
    rows = chain()
    anchors = anchored([rows], 1, 3, 4)
    forged = resealed(rows[1], Outcome="Compliant")
    third = resealed(rows[2], PreviousDigest=forged["Digest"])
    fourth = resealed(rows[3], PreviousDigest=third["Digest"])
    report = verify([rows[0], forged, third, fourth], anchors)
    assert kinds(report) == ["cut-off", "cut-off"]
    assert verify([rows[0], forged, third, fourth]).intact, "without anchors nobody can tell"


@given(st.data())
def test_values_that_changed_places_are_named(data: st.DataObject) -> None:
    chains = log(3)
    rows = flat(chains)
    one, other = data.draw(st.lists(st.sampled_from(rows), min_size=2, max_size=2, unique_by=id))
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    name = data.draw(st.sampled_from(names))
    one[name], other[name] = other.get(name), one.get(name)
    assert len(verify(rows).problems) >= 2


def test_two_rows_of_one_record_id_are_named() -> None:
    rows = chain()
    forged = resealed(rows[3], Reason="another", PreviousDigest=rows[3]["Digest"])
    report = verify([*rows, forged])
    assert [each.text[:39] for each in named(report, forged)] == ["another row has the same RecordId and s"]
    assert kinds(report) == ["changed"]


def test_a_record_that_the_ledger_forgot_may_be_written_again() -> None:
    records = [record(cause=f"event-{at}", time_generated=NOW + at * MINUTE) for at in range(REMEMBERED + 1)]
    again = replace(records[0], time_generated=NOW + DAY)
    entry, rows = Entry(TARGET.key).append([*records[:-1], again])
    assert len(rows) == REMEMBERED, "it is still remembered"
    _, more = entry.append([records[-1], again])
    assert len(more) == 2, "it is remembered no more"
    report = verify([row.columns for row in (*rows, *more)])
    assert report.problems == ()
    assert report.records == REMEMBERED + 2
    _, close = Entry(TARGET.key).append(records[:-1])
    repeated = seal(again, TARGET.key, close[-1].digest)
    assert kinds(verify([row.columns for row in (*close, repeated)])) == ["changed"]


def test_a_chain_begins_anew_only_once_it_was_forgotten() -> None:
    old = chain()
    last = NOW + 3 * MINUTE
    anew = chain(begin=last + FORGOTTEN_AFTER)
    report = verify([*old, *anew])
    assert (report.problems, report.anew, report.chains) == ((), 1, 1)
    early = chain(begin=last + FORGOTTEN_AFTER - timedelta(microseconds=1))
    report = verify([*old, *early])
    assert (report.anew, set(kinds(report))) == (0, {"inserted"})
    assert {each.record_id for each in report.problems} == {old[0]["RecordId"], early[0]["RecordId"]}
    report = verify([*old, early[0]])
    assert [each.record_id for each in report.problems] == [early[0]["RecordId"]]


def test_a_window_cuts_chains_and_says_how_many() -> None:
    chains = log(6)
    since = NOW - DAY
    windowed = [rows[at:] for rows, at in zip(chains, (0, 1, 2, 3), strict=True)]
    report = verify(flat(windowed), since=since)
    assert (report.problems, report.cut, report.chains) == ((), 3, 4)
    assert kinds(verify(flat(windowed))) == ["missing"] * 3
    del windowed[3][1]
    report = verify(flat(windowed), since=since)
    assert (kinds(report), report.cut) == (["missing"], 3)
    del windowed[0][0]
    assert verify(flat(windowed), since=since).cut == 4


def test_rows_close_to_the_beginning_of_a_window_may_be_out_of_order() -> None:
    records = [record(cause=f"{at}", time_generated=NOW - (at % 2) * MINUTE + at * HOUR / 30) for at in range(6)]
    _, rows = Entry(TARGET.key).append(records)
    seen = [row.columns for row in rows if as_text(row.columns["TimeGenerated"]) >= "2026-11-23T12:02"]
    assert len(seen) == 4
    assert verify(seen, since=NOW + 2 * MINUTE).problems == ()
    assert kinds(verify([seen[0], *seen[2:]], since=NOW - DAY)) == ["missing"]


def test_a_beginning_within_the_window_is_not_cut_by_it() -> None:
    rows = chain()
    report = verify([rows[0], *rows[2:]], since=NOW - DAY)
    assert (kinds(report), report.cut) == (["missing"], 0)


def test_heads_of_before_the_window_are_not_looked_for() -> None:
    rows = chain(count=30)
    times = [NOW + 10 * HOUR * at for at in range(4)]
    anchors: list[Anchor] = []
    for time, head in zip(times, (5, 10, 20, 29), strict=True):
        heads = {TARGET.key: str(rows[head]["Digest"])}
        anchors.append(Anchor(time, anchors[-1].digest if anchors else GENESIS, heads))
    # The first stands before the window, the second may hold what is older, and the fourth the third's once more.
    report = verify(rows[15:], anchors[1:], since=times[1] - 2 * HOUR)
    assert (report.problems, report.heads) == ((), 2)
    report = verify(rows[25:], anchors[1:], since=times[1] - 2 * HOUR)
    assert kinds(report) == ["cut-off"]
    repeated = replace(anchors[3], heads=anchors[1].heads)
    assert verify(rows[15:], [*anchors[1:3], repeated], since=times[1] - 2 * HOUR).intact


def test_an_anchor_that_is_gone_or_was_changed_is_named() -> None:
    chains = log()
    anchors = anchored(chains, 1, 2, 3, 4)
    rows = flat(chains)
    assert verify(rows, anchors[::-1]).intact
    assert verify(rows, anchors + anchors).anchors == 4
    changed = replace(anchors[1], heads={})
    for given_ in ([anchors[0], *anchors[2:]], anchors[1:], [anchors[0], changed, *anchors[2:]]):
        (problem,) = verify(rows, given_).problems
        assert (problem.kind, problem.chain, problem.record_id) == (Kind.MISSING, ANCHORS, "")
    (problem,) = verify(rows, [anchors[0], changed, *anchors[2:]]).problems
    assert problem.time == "2026-11-23T15:00:00.000000Z"
    assert problem.text.endswith("the last one given before it is of 2026-11-23T14:00:00.000000Z")
    assert verify(rows, anchors[1:], since=NOW - DAY).intact


def test_an_anchor_that_was_put_in_is_named() -> None:
    chains = log()
    anchors = anchored(chains, 1, 2)
    forged = replace(anchors[1], time=NOW + 9 * HOUR)
    assert kinds(verify(flat(chains), [*anchors, forged])) == ["inserted", "inserted"]
    anew = Anchor(NOW + 9 * HOUR, GENESIS, {})
    assert Kind.INSERTED in [each.kind for each in verify(flat(chains), [*anchors, anew]).problems]
    backwards = Anchor(NOW, anchors[1].digest, {})
    told = [(each.kind, each.time) for each in verify(flat(chains), [*anchors, backwards]).problems]
    assert (Kind.CHANGED, "2026-11-23T12:00:00.000000Z") in told


@pytest.mark.parametrize("column", ["Sealed", "PreviousDigest", "Digest"])
def test_a_row_without_its_seal_is_unreadable(column: str) -> None:
    rows = chain()
    del rows[1][column]
    report = verify(rows)
    assert report.problems[0] == Problem(
        Kind.UNREADABLE,
        TARGET.key,
        str(rows[1]["RecordId"]),
        f"has no {column}",
        "2026-11-23T12:01:00.000000Z",
    )


@pytest.mark.parametrize(
    "sealed",
    [
        "x",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5_000,
        "\ud800",
        '{"RecordId": "r"}',
        '{"RecordId":"r","TimeGenerated":"soon"}',
        '{"RecordId":"r","RecordId":"r","TimeGenerated":"2026-11-23T12:00:00.000000Z"}',
    ],
)
def test_what_is_sealed_is_the_canonical_json_of_a_record(sealed: str) -> None:
    digest = hashlib.sha256((GENESIS + sealed).encode(errors="surrogatepass")).hexdigest()
    report = verify([{**chain()[0], "Sealed": sealed, "PreviousDigest": GENESIS, "Digest": digest}])
    assert [each.text for each in report.problems] == ["Sealed is not the canonical JSON of a record"]


@given(
    st.lists(anything | st.dictionaries(st.sampled_from(["Sealed", "Digest", "PreviousDigest", "RecordId"]), anything))
)
def test_whatever_rows_are_they_are_judged(rows: list[object]) -> None:
    report = verify(rows)
    assert report.rows == len(rows) == len(report.problems)


@given(st.data())
def test_whatever_becomes_of_columns_they_are_judged(data: st.DataObject) -> None:
    rows = flat(log(3))
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.sampled_from(rows))
        other = data.draw(st.sampled_from(rows))
        name = data.draw(st.sampled_from([*row]))
        row[name] = data.draw(st.sampled_from(NASTY) | st.sampled_from([other.get(name), other.get("Digest")]))
    assert verify(rows).rows == len(rows)


def test_very_many_rows_that_follow_nothing_are_judged_in_time() -> None:
    rows = [resealed(row, PreviousDigest=f"{at:064x}") for at, row in enumerate(chain(count=2_000))]
    beside = [resealed(row, PreviousDigest="e" * 64) for row in rows]
    report = verify([*rows, *beside])
    assert len(report.problems) >= 4_000
    assert max(len(each.text) for each in report.problems) < 400


def test_judging_what_was_examined_is_verifying() -> None:
    rows = flat(log())
    assert judge([examine(row) for row in rows]) == verify(rows)


def test_a_problem_as_programs_read_it() -> None:
    assert Problem(Kind.CUT_OFF, "-", "", "gone", "2026-11-23T12:00:00.000000Z").as_json() == {
        "kind": "cut-off",
        "chain": "-",
        "recordId": "",
        "time": "2026-11-23T12:00:00.000000Z",
        "text": "gone",
    }


def test_the_log_of_another_subscription_is_another_chain() -> None:
    told = {**ABOUT[2], "subscription_id": SUBSCRIPTION[::-1]}
    report = verify([*chain(ABOUT[2]), *chain(told)])
    assert (report.problems, report.chains) == ((), 2)


def test_the_record_of_every_outcome_verifies() -> None:
    records: list[Record] = [record(outcome=outcome) for outcome in Outcome]
    _, rows = Entry(TARGET.key).append(records)
    report = verify([row.columns for row in rows])
    assert (report.problems, report.records) == ((), len(Outcome))
    assert {as_text(row.columns["Outcome"]) for row in rows} == {outcome.value for outcome in Outcome}
