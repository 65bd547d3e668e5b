"""Promise 3 under load: many deliveries of one cause, four workers on one ledger, and all of them dying anywhere."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest

from local.faults import Fault
from shared.domain.record import GENESIS
from tests.engine.alerts import alert, exposed, told
from tests.engine.azurite_ledger import Commits, over
from tests.engine.running import Body, Running, account, airlock, assert_chained, until_settled
from tests.local.azurite import Azurite

WORKERS = 4
# Longer than any test: what hangs until its worker is killed is never carried out afterwards.
FOR_EVER = 600.0
PATIENCE = 90.0
PRE_APPROVED = {"airlock-containment": "auto"}


def death(service: str, method: str, path: str, skip: int = 0, *, after: bool) -> Fault:
    """The place where a worker dies: before a request was carried out, or before it heard of it."""
    return Fault(
        kind="hang",
        service=service,
        method=method,
        path_contains=path,
        skip=skip,
        seconds=FOR_EVER,
        after_effect=after,
    )


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.05)


async def kill_all(running: Running, workers: int = WORKERS) -> None:
    for index in range(workers):
        await running.azure.host.kill_worker(index)


async def deliver(running: Running, events: Sequence[Body]) -> None:
    """Gives Event Grid all the deliveries at once."""
    await asyncio.gather(*(running.azure.publish_alert(event) for event in events))


async def end(running: Running, bodies: Iterable[Body], unseen: int = 0) -> None:
    """Lets everything come to its end, with the timer for what no message brings back; then each key must have been
    regenerated exactly once, with one record each, in unbroken chains.

    Of so many `unseen` accounts the keys may have been turned off before anybody could claim them.
    """
    bodies = tuple(bodies)
    async with asyncio.timeout(PATIENCE):
        while not (is_whole(running) and all(len(fixed(running, body)) == 2 or lost(running, body) for body in bodies)):
            await running.azure.host.run_timer("settle")
            running.azure.hurry()
            await asyncio.sleep(1)  # the timer's own pace is a minute
    await running.advance()
    # What was written with a fix that was interrupted leaves with the timer, once its lease is over.
    await until_settled(running, lambda: is_whole(running))
    seen = [body for body in bodies if not lost(running, body)]
    assert len(bodies) - len(seen) <= unseen
    counted = running.azure.arm.regenerations
    assert counted == {(str(body["id"]).lower(), slot): 1 for body in seen for slot in ("key1", "key2")}
    for body in seen:
        assert fixed(running, body) == ["keys.Key1", "keys.Key2"]
    assert_chained(running.azure.logs.rows)


def lost(running: Running, body: Body) -> bool:
    """Whether a look turned the keys off before they were claimed, and a record says that nobody could match them."""
    told = {str(row["ReasonCode"]) for row in running.records(body) if row.get("SignalKind") == "SecretExposed"}
    return "secret.no-match" in told and running.live(body).get("disableLocalAuth") is True and not fixed(running, body)


def is_whole(running: Running) -> bool:
    """Whether every row that another one follows has been sent."""
    known = {str(row["Digest"]) for row in running.azure.logs.rows} | {GENESIS}
    return all(str(row["PreviousDigest"]) in known for row in running.azure.logs.rows)


def fixed(running: Running, body: Body) -> list[str]:
    """The keys that a record says to be regenerated."""
    rows = [row for row in running.records(body) if row.get("Ref") == "AIR-101" and row["Outcome"] == "Fixed"]
    return sorted(str(row["Changes"][0]["path"]) for row in rows)


def findings(running: Running, body: Body, count: int) -> list[Body]:
    """So many deliveries of one finding, each with an id of its own."""
    event = exposed(running.azure.key_of(body["id"], "key1"), body)
    return [event | {"id": f"leak-{body['name']}-{number}"} for number in range(count)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_every_worker_dies_at_every_boundary_at_once(after: bool, emulator: Azurite) -> None:  # noqa: FBT001 - an axis
    """One account for each boundary of the acts; all wait there when the workers are killed."""
    deaths: list[Fault] = []
    commits = Commits()
    bodies: list[Body] = []

    def new() -> Body:
        bodies.append(account(f"oai-{len(bodies):02}"))
        return bodies[-1]

    # The lease, the claims, the acts begun, each key; claims that never reach the ledger have a test of their own.
    for number in range(5) if after else (0, 2, 3, 4):
        commits.hangs[str(new()["id"]).lower()] = (number, after)
    for path, skip, method in (
        ("listKeys", 1, "POST"),
        ("regenerateKey", 0, "POST"),
        ("regenerateKey", 1, "POST"),
        ("providers/Microsoft.Resources/tags/default", 0, "PATCH"),
    ):
        deaths.append(death("arm", method, f"{new()['name']}/{path}", skip, after=after))
    deaths.append(death("arm", "PATCH", str(new()["name"]), skip=1, after=after))
    async with airlock(bodies, *deaths, workers=WORKERS, local=over(emulator, commits)) as running:
        # The host has 32 messages under way at once: one for each account and what follows, the rest after the crash.
        events = [findings(running, body, 4) for body in bodies]
        await deliver(running, [first for first, *_ in events])
        await wait_for(lambda: running.faults.done["hang"] == len(deaths) and commits.hung == commits.hangs.keys())
        await kill_all(running)
        await deliver(running, [event for _, *rest in events for event in rest])
        # The leases of this test are short: on a busy machine one may lapse between listing and claiming.
        await end(running, bodies, unseen=2)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "where",
    # The vault's first answer is the challenge; the log's first rows are of the finding's own record.
    [("vault", "PUT", "/secrets/", 1), ("logs", "POST", "dataCollectionRules", 0)],
    ids=["publish", "log"],
)
async def test_the_worker_dies_at_the_vault_or_the_log(
    where: tuple[str, str, str, int],
    after: bool,  # noqa: FBT001 - one of the axes
    emulator: Azurite,
) -> None:
    body = account()
    place = death(*where, after=after)
    async with airlock([body], place, vault=True, local=over(emulator)) as running:
        await deliver(running, findings(running, body, 4))
        await wait_for(lambda: running.faults.done["hang"] == 1)
        await kill_all(running, 1)
        await end(running, [body])


async def test_a_worker_that_dies_between_listing_and_claiming_rotates_no_key_twice(emulator: Azurite) -> None:
    """The event of the listing may have keys turned off before anybody can list them again: then they open nothing,
    and the record says that they could not be matched."""
    body = account()
    place = death("arm", "POST", "listKeys", after=True)
    async with airlock([body], place, local=over(emulator)) as running:
        await deliver(running, findings(running, body, 4))
        await wait_for(lambda: running.faults.done["hang"] == 1)
        await kill_all(running, 1)
        await running.finish()
        counted = running.azure.arm.regenerations
        assert max(counted.values(), default=0) <= 1
        assert running.live(body)["disableLocalAuth"] is True
        codes = {str(row["ReasonCode"]) for row in running.records(body) if row["SignalKind"] == "SecretExposed"}
        assert codes & {"secret.no-match", "key.regenerated"}


async def test_a_hundred_deliveries_of_one_alert_and_workers_that_die_again_and_again(emulator: Azurite) -> None:
    body = account(customSubDomainName=None)
    body["tags"] = PRE_APPROVED
    report = alert(body)
    places = [death("arm", "POST", "regenerateKey", after=False), death("arm", "POST", "regenerateKey", after=True)]
    async with airlock([body], *places, workers=WORKERS, local=over(emulator)) as running:
        running.azure.report_alert(report)
        await deliver(running, [told(report, f"alert-{number}") for number in range(100)])
        for _ in places:
            await wait_for(lambda: running.faults.done["hang"] > 0)
            running.faults.done.clear()
            await kill_all(running)
        await end(running, [body])
