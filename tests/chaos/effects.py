"""The matrix: every effect of the pipeline, every fault that its service may answer with, and where its worker dies.

A new effect is one more row of `EFFECTS`: the story in which it happens, and the requests that it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from local.faults import Fault, label
from shared.azure.entities import budget_row, entry_row
from shared.domain.arm_id import parse_arm_id
from shared.domain.stores import ANCHORS, BURIED, DEAD_LETTERS, POISON_QUEUE
from shared.domain.vault import secret_name
from tests.chaos import stories
from tests.chaos.session import OURS
from tests.chaos.stories import REPLAYED, Buried, Hour, Ordered, Replayed, Story, Tell
from tests.chaos.wire import Place

type Crash = Literal["", "before", "after"]
# Effects that one worker has one of at a time: they can hang only behind all others.
type Lane = Literal["", "strike", "strike of published", "topic", "log", "bury", "hourly", "ours", "budget"]
# What the app is told: `quick` looks at once and trusts every read, `slow` waits for quiet and looks twice.
type Pace = Literal["quick", "slow"]

PACES: tuple[Pace, ...] = ("quick", "slow")
CRASHES: tuple[Crash, ...] = ("", "before", "after")
# What hangs here hangs alone, since a timer does one thing after another, as does whoever counts a fix or writes to the
# chain that belongs to nobody. Those that hang later need nothing of those that hang before them.
APART: tuple[Lane, ...] = ("bury", "hourly", "ours", "budget")
# An aiohttp client repeats these silently when a connection breaks, so it sees only the second reset.
_REPEATED = frozenset({"GET", "PUT", "DELETE"})
_RETRY = {"Retry-After": "1"}

_ALWAYS: tuple[Fault, ...] = (
    Fault(status=408, code="RequestTimeout"),
    Fault(status=409, code="RequestConflict"),
    Fault(status=412, code="PreconditionFailed"),
    Fault(status=429, code="TooManyRequests", headers=_RETRY),
    Fault(status=429, code="TooManyRequests"),
    Fault(status=500, code="InternalServerError"),
    Fault(status=502, code="BadGateway"),
    Fault(status=503, code="ServiceUnavailable"),
    Fault(kind="reset"),
    Fault(kind="truncate"),
    Fault(kind="hang", seconds=1.0),
)
# A read has no effect that could come before its answer.
_WRITES: tuple[Fault, ...] = (
    Fault(status=500, code="InternalServerError", after_effect=True),
    Fault(status=504, code="GatewayTimeout", after_effect=True),
    Fault(kind="reset", after_effect=True),
)
_READS: tuple[Fault, ...] = (Fault(status=504, code="GatewayTimeout"),)
_LOGS: tuple[Fault, ...] = (
    Fault(status=403, code="OperationFailed"),
    Fault(status=413, code="ContentLengthLimitExceeded"),
)
STALE = Fault(kind="stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One kind of request that the pipeline makes.

    `place` tells, for the story of one scenario, which requests it is; `again` which one it is after the worker died
    before it (None: the same, whichever comes first), `then` which one once it died with that done (None: whatever is
    asked about the subject next; of what a timer does, the same again). `stale` is the story in which a read of it can
    be behind. After the `last` one nothing is left to do that a fault could meet.
    """

    name: str
    story: Tell
    place: Callable[[Story], Place]
    again: Callable[[Story], Place] | None = None
    then: Callable[[Story], Place] | None = None
    stale: Tell | None = None
    lane: Lane = ""
    pace: Pace = "quick"
    last: bool = False

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What its service may answer."""
        place = self.place(self.story("x"))
        own = _LOGS if place.service == "logs" else ()
        return _ALWAYS + (_READS if place.method == "GET" else _WRITES) + own + ((STALE,) if self.stale else ())

    @property
    def is_apart(self) -> bool:
        """Whether it is one of `APART`."""
        return self.lane in APART

    @property
    def is_ordered(self) -> bool:
        """Whether something has to come before its story, for an operator to order something about it."""
        return isinstance(self.story("x"), Ordered)


def _subject(story: Story) -> str:
    return str(story.subject["id"])


def _row(body_id: str) -> str:
    return entry_row(body_id.lower())


def _arm(method: str, *texts: str, skip: int = 0, last: bool = True) -> Callable[[Story], Place]:
    """Requests for the subject itself, or with `texts` for something below it."""

    def place(story: Story) -> Place:
        end = "" if texts or not last else "?"
        named = (f"{_subject(story)}{end}", *texts)
        return Place(service="arm", method=method, texts=named, skip=skip)

    return place


def _behind(method: str, *before: str, texts: tuple[str, ...] = ()) -> Callable[[Story], Place]:
    """Reads of the subject that follow a write of it."""

    def place(story: Story) -> Place:
        first = Place(service="arm", method=method, texts=(_subject(story), *before))
        return Place(service="arm", method="GET", texts=(f"{_subject(story)}?", *texts), behind=first)

    return place


def _commit(number: int) -> Callable[[Story], Place]:
    """The commit of the subject's entry with that number, from 0."""

    def place(story: Story) -> Place:
        texts = ("$batch", f'"{_row(_subject(story))}"')
        return Place(service="tables", method="POST", texts=texts, skip=number)

    return place


def _note(kind: str) -> Callable[[Story], Place]:
    """A note beside the subject's entry."""

    def place(story: Story) -> Place:
        return Place(service="tables", method="POST", texts=("$batch", f"{_row(_subject(story))}|{kind}"))

    return place


def _entry_read(story: Story) -> Place:
    return Place(service="tables", method="GET", texts=(f"'{_row(_subject(story))}'",))


def _entry_asked(story: Story) -> Place:
    """Whatever the ledger is asked about the subject."""
    return Place(service="tables", texts=(_row(_subject(story)),))


def _struck(kind: str) -> Callable[[Story], Place]:
    """The strike of the subject's rows from the list of those that wait."""

    def place(story: Story) -> Place:
        texts = ("$batch", "delete ", f"'{kind}|", _row(_subject(story)))
        return Place(service="tables", method="POST", texts=texts, without=(f'"{_row(_subject(story))}"',))

    return place


def _queued(*texts: str) -> Callable[[Story], Place]:
    """A message of Airlock's own about the subject."""

    def place(story: Story) -> Place:
        return Place(service="queues", method="POST", texts=('"airlock"', _subject(story), *texts))

    return place


def _endpoint_read(story: Story) -> Place:
    return Place(service="arm", method="GET", texts=(str(story.others[0]["id"]),))


def _anything(story: Story) -> Place:
    """Whatever ARM is asked about the subject."""
    return Place(service="arm", texts=(_subject(story),))


def _poll(story: Story) -> Place:
    return Place(service="arm", method="GET", texts=("/operationStatuses/", _subject(story)))


def _alert_read(story: Story) -> Place:
    return Place(service="arm", method="GET", texts=(str((story.alert or {})["id"]),))


def _published(story: Story) -> Place:
    # The first answer of a vault is a challenge, to a request without a body.
    texts = (f"/secrets/{secret_name(parse_arm_id(_subject(story)))}", '"value"')
    return Place(service="vault", method="PUT", texts=texts)


def _sent(service: str) -> Callable[[Story], Place]:
    def place(story: Story) -> Place:
        return Place(service=service, method="POST", texts=(_subject(story),))

    return place


def _of_budget(method: str, *texts: str) -> Callable[[Story], Place]:
    """Requests for the budget of the subject's subscription."""

    def place(story: Story) -> Place:
        row = budget_row(parse_arm_id(_subject(story)).subscription.lower())
        return Place(service="tables", method=method, texts=(*texts, row))

    return place


def _search(number: int) -> Callable[[Story], Place]:
    """A search of the whole estate, from 0."""

    def place(_story: Story) -> Place:
        return Place(service="arm", method="POST", texts=("/Microsoft.ResourceGraph/resources?",), skip=number)

    return place


def _table(method: str, *texts: str) -> Callable[[Story], Place]:
    """Requests of the ledger's table that name no subject."""
    return lambda _story: Place(service="tables", method=method, texts=texts)


def _chain_commit(chain: Callable[[Story], str]) -> Callable[[Story], Place]:
    """The commit of a chain that is no resource's."""

    def place(story: Story) -> Place:
        return Place(service="tables", method="POST", texts=("$batch", f'"{_row(chain(story))}"'))

    return place


def _chain_asked(chain: Callable[[Story], str]) -> Callable[[Story], Place]:
    """Whatever the ledger is asked about such a chain."""
    return lambda story: Place(service="tables", texts=(_row(chain(story)),))


def _own_chain(story: Story) -> str:
    return parse_arm_id(_subject(story)).subscription.lower()


def _ours(_story: Story) -> str:
    return OURS


def _poison(method: str) -> Callable[[Story], Place]:
    return lambda _story: Place(service="queues", method=method, texts=(f"/{POISON_QUEUE}/messages",))


def _listed(container: str) -> Callable[[Story], Place]:
    """The list of the blobs of a container."""
    return lambda _story: Place(service="blobs", method="GET", texts=(f"/{container}?", "comp=list"))


def _blob(method: str, container: str, *texts: str) -> Callable[[Story], Place]:
    """Any blob of a container; with `texts` one whose name or content has them."""
    return lambda _story: Place(service="blobs", method=method, texts=(f"/{container}/", *texts))


def _letter(method: str) -> Callable[[Story], Place]:
    """The subject's dead letter."""

    def place(story: Story) -> Place:
        return Place(service="blobs", method=method, texts=(f"/{DEAD_LETTERS}/", f"{story.subject['name']}.json"))

    return place


def _buried_read(_story: Story) -> Place:
    """The look for what is buried already; those for a replay are no such."""
    return Place(service="blobs", method="GET", texts=(f"/{BURIED}/",), without=(f"/{BURIED}/{REPLAYED}",))


def _kept(story: Story) -> Place:
    """The put of what is to be buried of the subject."""
    return Place(service="blobs", method="PUT", texts=(f"/{BURIED}/", _subject(story)))


def _cut_down(story: Story) -> Place:
    event = story.event if isinstance(story, Buried | Replayed) else {}
    return Place(service="queues", method="POST", texts=(str(event.get("id")),))


def _again(method: str) -> Callable[[Story], Place]:
    """The blob of an event that is to be replayed."""

    def place(story: Story) -> Place:
        named = story.record if isinstance(story, Replayed) else ""
        return Place(service="blobs", method=method, texts=(f"/{BURIED}/{named}.json",))

    return place


def _known_record(story: Story) -> Place:
    """The search for what is kept of the record that an order names."""
    named = story.record if isinstance(story, Ordered) else ""
    return Place(service="tables", method="GET", texts=("='d|", f"|{named}'"))


def _old(method: str, form: str) -> Callable[[Story], Place]:
    """A request that names the old entry's row in that form."""

    def place(story: Story) -> Place:
        name = _row(story.old_key).removeprefix("r|") if isinstance(story, Hour) else ""
        return Place(service="tables", method=method, texts=(form.format(name),))

    return place


_TAGS = "/providers/Microsoft.Resources/tags/default"
_KEY2, _KEY1 = '"keyname": "key2"', '"keyname": "key1"'

EFFECTS: tuple[Effect, ...] = (
    Effect(name="signal read", story=stories.drift, place=_arm("GET"), stale=stories.reverted),
    Effect(name="guard read", story=stories.guarded, place=_endpoint_read, stale=stories.guarded_anew),
    Effect(name="patch", story=stories.drift, place=_arm("PATCH")),
    Effect(name="poll of the operation", story=stories.drift, place=_poll, again=_anything),
    Effect(name="verifying read", story=stories.drift, place=_behind("PATCH"), stale=stories.drift),
    Effect(name="patch of a search service", story=stories.search, place=_arm("PATCH")),
    Effect(name="put of a content filter", story=stories.policy, place=_arm("PUT")),
    Effect(name="read of one rule alone", story=stories.alone, place=_behind("PATCH")),
    Effect(name="patch of one rule alone", story=stories.alone, place=_arm("PATCH", skip=1), again=_arm("PATCH")),
    Effect(name="ledger entry read", story=stories.drift, place=_entry_read),
    Effect(name="intention commit", story=stories.drift, place=_commit(0)),
    Effect(name="concluding commit", story=stories.drift, place=_commit(1), again=_commit(0)),
    Effect(name="renewed intention", story=stories.alone, place=_commit(1), again=_commit(0)),
    Effect(name="attach note", story=stories.attached, place=_note("a|")),
    Effect(name="put for an attached one", story=stories.attached, place=_queued('"target"')),
    Effect(name="strike of sent rows", story=stories.drift, place=_struck("o"), lane="strike", last=True),
    Effect(
        name="strike of published rows",
        story=stories.drift,
        place=_struck("n"),
        lane="strike of published",
        last=True,
    ),
    Effect(name="put back", story=stories.put_back, place=_queued()),
    Effect(name="log post", story=stories.drift, place=_sent("logs"), lane="log"),
    Effect(name="topic post", story=stories.drift, place=_sent("topic"), lane="topic"),
    Effect(name="search for the key", story=stories.leak, place=_arm("POST", "/listKeys")),
    Effect(name="lease on the keys", story=stories.leak, place=_commit(0)),
    Effect(name="claim of the keys", story=stories.leak, place=_commit(1), again=_commit(0)),
    Effect(name="listing to rotate", story=stories.leak, place=_arm("POST", "/listKeys", skip=1)),
    Effect(name="read of children", story=stories.leak, place=_arm("GET", "/raiPolicies")),
    Effect(name="acts begun", story=stories.leak, place=_commit(2), again=_commit(0)),
    Effect(name="regenerate key 2", story=stories.leak, place=_arm("POST", "/regenerateKey", _KEY2)),
    Effect(name="end of key 2", story=stories.leak, place=_commit(3), again=_commit(0)),
    Effect(name="publish in the vault", story=stories.leak, place=_published),
    Effect(name="regenerate key 1", story=stories.leak, place=_arm("POST", "/regenerateKey", _KEY1)),
    Effect(name="end of key 1", story=stories.leak, place=_commit(4), again=_commit(0)),
    Effect(name="tags patch", story=stories.leak, place=_arm("PATCH", _TAGS)),
    Effect(name="read that shows the tag", story=stories.leak, place=_behind("PATCH", _TAGS), stale=stories.leak),
    Effect(name="end of the tag", story=stories.leak, place=_commit(5), again=_commit(0)),
    Effect(name="alert read back", story=stories.alarm, place=_alert_read),
    Effect(name="quiet note", story=stories.drift, place=_note("q"), again=_entry_asked, pace="slow"),
    Effect(name="put until quiet", story=stories.drift, place=_queued(), pace="slow"),
    Effect(name="budget read", story=stories.elsewhere, place=_of_budget("GET"), lane="budget"),
    Effect(name="budget claim", story=stories.elsewhere, place=_of_budget("POST", "$batch"), lane="budget"),
    Effect(name="record of an order", story=stories.held, place=_known_record),
    Effect(name="entry read for an order", story=stories.held, place=_entry_read),
    Effect(name="commit of a hold", story=stories.held, place=_commit(0)),
    Effect(name="commit of an undo", story=stories.taken_back, place=_commit(0)),
    Effect(name="put of an undo", story=stories.taken_back, place=_queued()),
    Effect(name="commit of an approval", story=stories.approved, place=_commit(0)),
    Effect(name="put of an approval", story=stories.approved, place=_queued(), then=_entry_asked),
    Effect(name="poison get", story=stories.poisoned, place=_poison("GET"), lane="bury"),
    Effect(name="read of a crash", story=stories.poisoned, place=_table("GET", "='e|"), lane="bury"),
    Effect(
        name="commit of a burial",
        story=stories.poisoned,
        place=_chain_commit(_own_chain),
        then=_chain_asked(_own_chain),
        lane="bury",
    ),
    Effect(name="put of a burial", story=stories.poisoned, place=_kept, lane="bury"),
    Effect(name="poison delete", story=stories.poisoned, place=_poison("DELETE"), then=_poison("GET"), lane="bury"),
    Effect(name="list of dead letters", story=stories.undelivered, place=_listed(DEAD_LETTERS), lane="bury"),
    Effect(name="dead letter read", story=stories.undelivered, place=_letter("GET"), lane="bury"),
    Effect(name="look for what is buried", story=stories.undelivered, place=_buried_read, lane="bury"),
    Effect(name="put of a dead letter", story=stories.too_large, place=_cut_down, lane="bury"),
    Effect(
        name="dead letter delete",
        story=stories.undelivered,
        place=_letter("DELETE"),
        then=_listed(DEAD_LETTERS),
        lane="bury",
    ),
    Effect(
        name="sign of life", story=stories.hour, place=_chain_commit(_ours), then=_chain_asked(_ours), lane="hourly"
    ),
    Effect(name="list of heads", story=stories.later_hour, place=_table("GET", "'h|'"), lane="hourly"),
    Effect(name="list of anchors", story=stories.later_hour, place=_listed(ANCHORS), lane="hourly"),
    Effect(name="anchor read", story=stories.later_hour, place=_blob("GET", ANCHORS), lane="hourly"),
    Effect(name="anchor put", story=stories.later_hour, place=_blob("PUT", ANCHORS), lane="hourly"),
    Effect(
        name="strike of heads",
        story=stories.later_hour,
        place=_table("POST", "$batch", "delete ", "'h|"),
        then=_table("GET", "'h|'"),
        lane="hourly",
    ),
    Effect(name="list of what is old", story=stories.old, place=_table("GET", "'x|'"), lane="hourly"),
    Effect(name="old entry read", story=stories.old, place=_old("GET", "rowkey='r|{}'"), lane="hourly"),
    Effect(
        name="old record delete",
        story=stories.old,
        place=_old("POST", "'d|202001|{}'"),
        then=_table("GET", "'d|'"),
        lane="hourly",
    ),
    Effect(
        name="old entry delete",
        story=stories.old,
        place=_old("POST", "'x|202001|{}'"),
        then=_table("GET", "'x|'"),
        lane="hourly",
    ),
    Effect(name="first search of a sweep", story=stories.unseen, place=_search(0), then=_search(0), lane="ours"),
    Effect(name="second search of a sweep", story=stories.unseen, place=_search(1), then=_search(0), lane="ours"),
    Effect(
        name="children in a sweep",
        story=stories.unseen,
        place=_arm("GET", "/raiPolicies"),
        then=_search(0),
        lane="ours",
    ),
    Effect(name="put of a sweep", story=stories.unseen, place=_queued(), then=_search(0), lane="ours"),
    Effect(name="record of a sweep", story=stories.unseen, place=_chain_commit(_ours), lane="ours"),
    Effect(name="read for a replay", story=stories.replayed, place=_again("GET"), lane="ours"),
    Effect(name="put of a replay", story=stories.replayed, place=_cut_down, lane="ours"),
    Effect(name="delete of a replay", story=stories.replayed, place=_again("DELETE"), then=_again("GET"), lane="ours"),
    Effect(
        name="record of a replay",
        story=stories.replayed,
        place=_chain_commit(_ours),
        again=_again("GET"),
        then=_again("GET"),
        lane="ours",
    ),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One effect that meets one fault (None: no fault), and whose worker dies around it or does not."""

    effect: Effect
    fault: Fault | None
    crash: Crash

    @property
    def name(self) -> str:
        """What it is replayed by: `patch/429, Retry-After 1/after`."""
        return f"{self.effect.name}/{label(self.fault) if self.fault else '-'}/{self.crash or '-'}"

    @property
    def story(self) -> Tell:
        """The story in which both can happen."""
        return self.effect.stale if self.fault == STALE and self.effect.stale else self.effect.story

    @property
    def pace(self) -> Pace:
        """Reads that are behind are caught by looking twice only."""
        return "slow" if self.fault == STALE else self.effect.pace

    @property
    def times(self) -> int:
        """How often in a row the fault has to strike to be felt."""
        broken = self.fault is not None and self.fault.kind in {"reset", "truncate"}
        return 2 if broken and self.effect.place(self.story("x")).method in _REPEATED else 1

    def after_death(self, story: Story) -> Place:
        """Where the fault strikes once the worker died: the effect again, or the service's next request about it."""
        place = self.effect.place(story)
        first = replace(place, skip=0, behind=None)
        if self.crash == "after" and self.effect.then:
            return self.effect.then(story)
        if self.fault == STALE or self.crash == "before" or self.effect.is_apart:
            return self.effect.again(story) if self.effect.again and self.fault != STALE else first
        named = str(story.alert["id"]) if story.alert else _subject(story)
        anything = {"arm": Place(service="arm", texts=(named,)), "tables": _entry_asked(story)}
        return anything.get(place.service, first)


def scenarios() -> Iterator[Scenario]:
    """The whole matrix."""
    for effect in EFFECTS:
        for crash in CRASHES:
            faults = () if effect.last and crash == "after" else effect.faults
            for fault in (None, *faults):
                if fault is not None or crash:
                    yield Scenario(effect, fault, crash)
