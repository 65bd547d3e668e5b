"""Which records are no end: what excuses an outcome that no fix should have, and what an event that was lost needs."""

from datetime import UTC, datetime

import pytest

from cli.ending import judge
from cli.rehearsal import Played
from local import contoso
from remediations import load_catalogue
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.settings import Settings
from tests.engine.running import Body, account, storage

SOUND = storage(minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)
BAD_OUTCOMES = [Outcome.FAILED, Outcome.FIX_UNVERIFIED, Outcome.UNCONFIRMED, Outcome.DEAD_LETTERED]
RULE = "AIR-004/storage"


def broken(played: Played) -> list[str]:
    """What is not as promised, of resources and overall."""
    verdict = judge(played, Settings(mode=Mode.ENFORCE), load_catalogue())
    assert verdict.exit == int(bool(verdict.broken or any(each.broken for each in verdict.endings)))
    return [*verdict.broken, *(each.broken for each in verdict.endings if each.broken)]


def row(number: int, outcome: Outcome, resource: Body = SOUND, **columns: str) -> Body:
    """A record; those of a higher number are later."""
    known = {"RecordId": str(number), "ResourceId": resource["id"], "Outcome": outcome.value, "Rule": RULE}
    return known | {"TimeGenerated": f"2026-11-24T10:00:{number:02}.000000Z"} | columns


def played(estate: list[Body], *rows: Body) -> Played:
    """Somebody wrote the sound resource, and the log says that."""
    return Played(estate=estate, events=[contoso.write_event(SOUND, datetime.now(UTC))], rows=list(rows))


@pytest.mark.parametrize("outcome", BAD_OUTCOMES)
class TestResourcesThatWent:
    def test_a_record_that_it_is_gone_excuses_what_became_of_a_fix(self, outcome: Outcome) -> None:
        assert not broken(played([], row(1, outcome), row(2, Outcome.GONE)))

    def test_without_one_nothing_does(self, outcome: Outcome) -> None:
        assert broken(played([], row(1, outcome))) == [f"1 records say {outcome.value}"]

    def test_one_that_is_there_again_is_not_excused(self, outcome: Outcome) -> None:
        assert broken(played([SOUND], row(1, outcome), row(2, Outcome.GONE)))

    def test_neither_is_another_one(self, outcome: Outcome) -> None:
        other = storage("stother")
        assert broken(played([], row(1, outcome, other), row(2, Outcome.GONE)))


class TestInterruptedFixes:
    INTERRUPTED = row(1, Outcome.FIX_UNVERIFIED, ReasonCode="fix.interrupted")

    def test_a_later_fix_by_the_same_rule_is_an_end(self) -> None:
        assert not broken(played([SOUND], self.INTERRUPTED, row(2, Outcome.FIXED)))

    @pytest.mark.parametrize(
        "other",
        [row(0, Outcome.FIXED), row(2, Outcome.FIXED, Rule="AIR-007/storage"), row(2, Outcome.COMPLIANT)],
        ids=["an earlier one", "one by another rule", "another outcome"],
    )
    def test_nothing_else_is(self, other: Body) -> None:
        assert broken(played([SOUND], self.INTERRUPTED, other)) == ["1 records say FixUnverified"]

    def test_a_fix_that_later_reads_did_not_show_stays_one(self) -> None:
        unseen = row(1, Outcome.FIX_UNVERIFIED, ReasonCode="fix.unverified")
        assert broken(played([SOUND], unseen, row(2, Outcome.FIXED)))


class TestLostEvents:
    def test_an_event_that_was_delivered_needs_a_record(self) -> None:
        assert broken(played([SOUND])) == ["no record says what became of it"]

    def test_one_that_was_lost_needs_none(self) -> None:
        seen = played([SOUND])
        seen.lost = {str(seen.events[0]["id"])}
        assert not broken(seen)

    def test_its_resource_is_as_the_mode_promises_all_the_same(self) -> None:
        seen = Played(estate=[account()], events=[contoso.write_event(account(), datetime.now(UTC))])
        seen.lost = {str(seen.events[0]["id"])}
        assert "is still open" in broken(seen)[0]
