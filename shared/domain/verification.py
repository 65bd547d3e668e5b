"""Whether rows of the log are what Airlock wrote: seals and chains recomputed, and held against the anchors.

A row stands by the digest that it claims even where it was changed, so that one change is named once and does not
break everything behind it.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, pairwise

from shared.domain.anchor import Anchor
from shared.domain.body import JsonObject
from shared.domain.ledger import REMEMBERED
from shared.domain.link import NEVER, Link, examine, shown
from shared.domain.record import FORGOTTEN_AFTER, GENESIS

# The chain of a problem that is one of the anchors themselves. No chain of rows is called so.
ANCHORS = "anchors"
# Rows stand in their chain as they were written, which is not always the order of their times: a long fix, for one,
# is told with the time of its end. So close to the beginning of a window nothing is taken for missing.
_UNREST = timedelta(hours=1)


class Kind(StrEnum):
    """What is wrong with a row, or with an anchor."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    CUT_OFF = "cut-off"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that is not as Airlock wrote it, or is not there.

    `record_id` is empty where nobody can know it, and `time` where the row tells none: it is the row's own sealed time,
    of what is missing that of the row behind it, of what was cut off that of its anchor. `text` says the rest.
    """

    kind: Kind
    chain: str
    record_id: str
    text: str
    time: str = ""

    def as_json(self) -> JsonObject:
        """The problem as programs read it."""
        place: JsonObject = {"chain": self.chain, "recordId": self.record_id, "time": self.time}
        return {"kind": self.kind.value, **place, "text": self.text}


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what is wrong with it.

    `copies` are rows that were sent again as they were. `heads` are the anchored digests that rows were looked for,
    `anchored` the chains that had any, `last_anchor` the time of the newest. `cut` are the chains that begin before
    the window, `anew` the times that a forgotten chain began anew, `late` the rows whose TimeGenerated is the time
    of their receipt.
    """

    rows: int = 0
    copies: int = 0
    chains: int = 0
    anchors: int = 0
    heads: int = 0
    anchored: int = 0
    last_anchor: datetime | None = None
    cut: int = 0
    anew: int = 0
    late: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def records(self) -> int:
        """How many rows there are without the copies."""
        return self.rows - self.copies

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(rows: Iterable[object], anchors: Iterable[Anchor] = (), since: datetime | None = None) -> Report:
    """Judges rows in any order, as any tool exports them; what is not a row at all is a problem too.

    `since` says that the rows are only those since then: what the first row of a chain follows is not missed, and
    heads that may be older are not looked for.
    """
    return judge(map(examine, rows), anchors, since)


@dataclass(frozen=True, slots=True)
class _Chain:
    """Each record once, in the order of their times.

    `known` are the digests that rows stand by, `following` the rows that say they follow a digest, `gaps` those of
    them that follow one no row has.
    """

    key: str
    links: tuple[Link, ...]
    known: Mapping[str, Link]
    following: Mapping[str, Sequence[Link]]
    gaps: tuple[Link, ...]
    heads: Mapping[str, datetime]

    def behind(self, link: Link) -> Iterator[Link]:
        """The rows that follow the row."""
        for digest in {link.digest, link.told} - {""}:
            yield from self.following.get(digest, ())

    def is_trusted(self, link: Link) -> bool:
        """Whether something else vouches for the row."""
        return link.digest in self.heads or any(True for _ in self.behind(link))

    def suspects(self, rivals: Sequence[Link]) -> Sequence[Link]:
        """Those of the rows of which only one can be real that are not: all where nobody can tell."""
        trusted = [link for link in rivals if self.is_trusted(link)]
        return [link for link in rivals if link is not trusted[0]] if len(trusted) == 1 else rivals


def judge(links: Iterable[Link], anchors: Iterable[Anchor] = (), since: datetime | None = None) -> Report:
    """`verify` for rows that were examined already, which take far less room than whole ones."""
    by_chain: defaultdict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_chain[link.chain].append(link)
    given = sorted({anchor.digest: anchor for anchor in anchors}.items(), key=lambda item: (item[1].time, item[0]))
    heads = _heads(given, since)
    problems = [*_of_anchors(given, windowed=since is not None)]
    counts = Counter(chains=len(by_chain), anchors=len(given))
    for key in by_chain.keys() | heads.keys():
        rows = by_chain.pop(key, [])
        found, counted = _judge(_chain(key, rows, heads.get(key, {})), rows, since)
        problems += found
        counts.update(counted)
    problems.sort(key=lambda each: (each.chain, each.time, each.kind, each.record_id))
    return Report(**counts, last_anchor=given[-1][1].time if given else None, problems=tuple(problems))


def _judge(chain: _Chain, rows: Sequence[Link], since: datetime | None) -> tuple[list[Problem], dict[str, int]]:
    cut = _cut_by_window(chain, since)
    missed = [link for link in chain.gaps if link.digest not in cut]
    places, beginnings = _places(chain)
    anew, rivals = _beginnings(beginnings, chain)
    problems = [
        *_faults(rows, chain, {link.digest for link in missed}),
        *_missing(missed, chain),
        *_forks(chain),
        *rivals,
        *_repeated(chain, places),
        *_cut_off(chain, {link.previous for link in missed}),
    ]
    whole = [link.digest for link in rows if not link.fault]
    return problems, {
        "rows": len(rows),
        "copies": len(whole) - len(set(whole)),
        "late": sum(link.late for link in rows),
        "heads": len(chain.heads),
        "anchored": int(bool(chain.heads and rows)),
        "cut": int(bool(cut)),
        "anew": anew,
    }


def _chain(key: str, rows: Iterable[Link], heads: Mapping[str, datetime]) -> _Chain:
    distinct: dict[str, Link] = {}
    for link in rows:
        if link.digest and (link.digest not in distinct or (link.sealed and not distinct[link.digest].sealed)):
            distinct[link.digest] = link
    links = tuple(sorted(distinct.values(), key=_order))
    known = {link.told: link for link in links if link.told} | {link.digest: link for link in links}
    following: defaultdict[str, list[Link]] = defaultdict(list)
    for link in links:
        following[link.previous].append(link)
    gaps = tuple(link for link in links if link.previous not in known and link.previous not in {GENESIS, ""})
    return _Chain(key, links, known, following, gaps, heads)


def _order(link: Link) -> tuple[datetime, str]:
    return link.time, link.digest


def _faults(rows: Iterable[Link], chain: _Chain, missed: set[str]) -> Iterator[Problem]:
    """What is wrong with rows by themselves."""
    for link in rows:
        if link.fault:
            lost = not link.sealed and link.digest in missed
            text = f"{link.fault}; no row has the digest that it follows" if lost else link.fault
            kind = Kind.CHANGED if link.readable else Kind.UNREADABLE
            yield Problem(kind, chain.key, link.record_id, text, shown(link.time))


def _cut_by_window(chain: _Chain, since: datetime | None) -> set[str]:
    """The rows that may follow one before the window: the first of the chain's, and what is as good as the first."""
    if since is None or not chain.gaps:
        return set()
    begun = [link.time for link in chain.following.get(GENESIS, ()) if link.sealed]
    first = chain.gaps[0]
    cut = {link.digest for link in chain.gaps if link.time < since + _UNREST}
    return cut if begun and min(begun) < first.time else cut | {first.digest}


def _missing(missed: Sequence[Link], chain: _Chain) -> Iterator[Problem]:
    """Not for a row that was changed itself: whether the one before it is gone cannot be known, and it is told of."""
    if not missed:
        return
    ends = [link for link in chain.links if not any(True for _ in chain.behind(link))]
    times = [link.time for link in ends]
    for link in missed:
        if link.sealed:
            before = [end for end in ends[: bisect_right(times, link.time)][-2:] if end is not link]
            where = f"the last row before the gap is {before[-1].named}" if before else "nothing is before the gap"
            held = chain.heads.get(link.previous)
            anchored = f", which the anchor of {shown(held)} holds" if held else ""
            text = (
                f"no row has the digest that it follows, {_short(link.previous)}{anchored}: at least one was removed, "
                f"or changed and sealed anew; {where}"
            )
            yield Problem(Kind.MISSING, chain.key, link.record_id, text, shown(link.time))


def _forks(chain: _Chain) -> Iterator[Problem]:
    """Rows of which only one can follow what they follow."""
    for digest, links in chain.following.items():
        rivals = [link for link in links if link.sealed]
        if digest != GENESIS and len(rivals) > 1:
            behind = chain.known[digest].named if digest in chain.known else _short(digest)
            for link in chain.suspects(rivals):
                yield _inserted(link, f"follows {behind}, and so does {_others(link, rivals)}")


def _others(link: Link, rivals: Sequence[Link]) -> str:
    return " and ".join(other.named for other in islice((each for each in rivals if each is not link), 2))


def _inserted(link: Link, text: str) -> Problem:
    return Problem(Kind.INSERTED, link.chain, link.record_id, text, shown(link.time))


def _places(chain: _Chain) -> tuple[dict[str, tuple[int, int]], list[tuple[Link, datetime]]]:
    """Where each row stands, by digest: behind which beginning, and how far. And the beginnings, with their last times.

    A beginning is a row that follows none: the first of the chain, or one behind a gap.
    """
    places: dict[str, tuple[int, int]] = {}
    beginnings: list[tuple[Link, datetime]] = []
    for root in sorted((*chain.following.get(GENESIS, ()), *chain.gaps), key=_order):
        last, waiting = root.time, [(root, 0)]
        while waiting:
            link, depth = waiting.pop()
            if link.digest not in places:
                places[link.digest] = (len(beginnings), depth)
                last = max(last, link.time)
                waiting += [(behind, depth + 1) for behind in chain.behind(link)]
        beginnings.append((root, last))
    return places, beginnings


def _beginnings(beginnings: Sequence[tuple[Link, datetime]], chain: _Chain) -> tuple[int, list[Problem]]:
    """How often the chain rightly began anew, and the beginnings that it cannot have."""
    anew = 0
    problems: list[Problem] = []
    before, until = beginnings[0] if beginnings else (None, NEVER)
    for root, last in beginnings[1:]:
        if before is not None and root.previous == GENESIS and root.sealed:
            if root.time - until >= FORGOTTEN_AFTER:
                anew += 1
            else:
                problems += [_begun(link, (before, root)) for link in chain.suspects((before, root))]
        if last > until:
            before, until = root, last
    return anew, problems


def _begun(link: Link, rivals: Sequence[Link]) -> Problem:
    days = FORGOTTEN_AFTER.days
    return _inserted(link, f"begins the chain beside {_others(link, rivals)}, less than {days} days after its last row")


def _repeated(chain: _Chain, places: Mapping[str, tuple[int, int]]) -> Iterator[Problem]:
    """Different rows with one RecordId, too close to one another for the ledger to have forgotten the first."""
    by_id: defaultdict[str, list[Link]] = defaultdict(list)
    for link in chain.links:
        if link.sealed and link.digest in places:
            by_id[link.record_id].append(link)
    for links in by_id.values():
        if len(links) > 1:
            links.sort(key=lambda link: places[link.digest])
            close = [pair for pair in pairwise(links) if _is_close(*(places[link.digest] for link in pair))]
            rivals = [*{link.digest: link for pair in close for link in pair}.values()]
            for link in chain.suspects(rivals):
                text = f"another row has the same RecordId and says something else: {_others(link, rivals)}"
                yield Problem(Kind.CHANGED, chain.key, link.record_id, text, shown(link.time))


def _is_close(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] == other[0] and other[1] - one[1] <= REMEMBERED


def _cut_off(chain: _Chain, told: set[str]) -> Iterator[Problem]:
    """Heads that no row has, but for those that are told of as missing before another row."""
    for digest, time in chain.heads.items():
        if digest not in chain.known and digest not in told:
            text = f"no row has the digest {_short(digest)} that this anchor holds: it was removed, or sealed anew"
            yield Problem(Kind.CUT_OFF, chain.key, "", text, shown(time))


def _short(digest: str) -> str:
    return f"{digest[:12]}..."


# The anchors.


def _heads(given: Sequence[tuple[str, Anchor]], since: datetime | None) -> dict[str, dict[str, datetime]]:
    """Which digests rows are looked for, by chain, each with the time of the first anchor that holds it.

    Within a window those count that no anchor holds which may be older: an anchor holds what changed since the one
    before it, and now and then a head once more.
    """
    times = {digest: anchor.time for digest, anchor in given}
    heads: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
    old: set[str] = set()
    for _, anchor in given:
        begun = times.get(anchor.previous)
        if since is not None and (begun is None or begun < since + _UNREST):
            old.update(anchor.heads.values())
            continue
        for chain, head in anchor.heads.items():
            if head not in old:
                heads[chain].setdefault(head, anchor.time)
    return heads


def _of_anchors(given: Sequence[tuple[str, Anchor]], *, windowed: bool) -> Iterator[Problem]:
    """What is wrong with the chain of the anchors themselves."""
    known = dict(given)
    followed = Counter(anchor.previous for _, anchor in given)
    for at, (_, anchor) in enumerate(given):
        time, previous = shown(anchor.time), known.get(anchor.previous)
        last = f"; the last one given before it is of {shown(given[at - 1][1].time)}" if at else ""
        if anchor.previous != GENESIS and previous is None and not (windowed and at == 0):
            text = f"the anchor before this one, {_short(anchor.previous)}, is missing or was changed{last}"
            yield Problem(Kind.MISSING, ANCHORS, "", text, time)
        if previous is not None and previous.time >= anchor.time:
            yield Problem(Kind.CHANGED, ANCHORS, "", "this anchor is not younger than the one before it", time)
        if followed[anchor.previous] > 1 or (at and anchor.previous == GENESIS):
            yield Problem(Kind.INSERTED, ANCHORS, "", "another anchor stands in the same place as this", time)
