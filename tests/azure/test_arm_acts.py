"""Lists, commands and whole resources on Azure Resource Manager: what acts need beside reads and fixes."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from local.faults import Fault, Faults
from shared.domain.act import Command
from shared.domain.arm_id import ArmId, parse_arm_id
from shared.domain.body import JsonObject
from shared.domain.failure import AirlockError, Refused, TryAgain
from shared.domain.fix import Fix
from shared.domain.mode import Mode
from tests.azure.making import API_VERSION, TARGET, Answer, arm_client, arm_of, scripted
from tests.local.arm_world import ACCOUNT, GROUP, SEARCH, SUBSCRIPTION, ArmWorld, account, arm_world, resource

pytestmark = pytest.mark.usefixtures("identity")

PREVIEW = "2026-09-15-preview"
PIN = "2025-09-01"
DEPLOYMENT = f"{ACCOUNT}/deployments/gpt"
POLICY = f"{ACCOUNT}/raiPolicies/strict"
TAGS = "/providers/Microsoft.Resources/tags/default"
ELSEWHERE = "aaaaaaaa-2222-3333-4444-555555555555"

type Body = dict[str, Any]


def deployment(name: str = "gpt", sku: str = "GlobalStandard", **properties: object) -> Body:
    """A model deployment at rest."""
    known = {"provisioningState": "Succeeded", "model": {"name": "gpt-4o"}}
    return resource(f"{ACCOUNT}/deployments/{name}", known | properties, sku={"name": sku, "capacity": 100})


def policy() -> Body:
    """A content policy with one filter that only annotates."""
    hate = {"name": "Hate", "source": "Completion", "enabled": True, "blocking": False, "severityThreshold": "Medium"}
    return resource(POLICY, {"type": "UserManaged", "mode": "Blocking", "contentFilters": [hate]})


def command(
    method: Literal["PATCH", "POST"],
    target: str = ACCOUNT,
    suffix: str = "",
    body: JsonObject | None = None,
    version: str = PIN,
) -> Command:
    """An act in mode enforce."""
    return Command(
        target=parse_arm_id(target),
        api_version=version,
        method=method,
        suffix=suffix,
        body=body,
        what="does something",
        changes=(),
        shown={},
        read_api_version=version,
        mode=Mode.ENFORCE,
    )


def merge_tags(**tags: str) -> Command:
    """The act that tags the account."""
    body: JsonObject = {"operation": "Merge", "properties": {"tags": {**tags}}}
    return command("PATCH", suffix=TAGS, body=body, version="2021-04-01")


CAP = command("PATCH", DEPLOYMENT, body={"sku": {"name": "GlobalStandard", "capacity": 1}})
PAUSE = command("POST", DEPLOYMENT, "/pause", version=PREVIEW)


class TestLists:
    @pytest.mark.parametrize("page_size,pages", [(None, 1), (1, 5), (2, 3), (5, 1), (4, 2)])
    async def test_the_children_of_a_resource_on_however_many_pages(self, page_size: int | None, pages: int) -> None:
        found = [deployment(f"gpt-{number}") for number in range(5)]
        others = [policy(), resource(f"{ACCOUNT}2"), resource(f"{ACCOUNT}2/deployments/gpt")]
        settings = {} if page_size is None else {"page_size": page_size}
        async with arm_world([account(), *found, *others], **settings) as world, arm_of(world) as arm:  # type: ignore[arg-type] # one of ArmConfig's
            assert await arm.children(TARGET, "deployments", PIN) == found
            lines = world.service.requests
            assert [line.path for line in lines] == [f"{ACCOUNT}/deployments"] * pages
            assert {(line.method, line.api_version) for line in lines} == {("GET", PIN)}

    @pytest.mark.parametrize("page_size", [1, 2, 100])
    async def test_all_resources_of_a_type_in_a_subscription(self, page_size: int) -> None:
        own = [account(), resource(f"{ACCOUNT}2"), resource(ACCOUNT.replace("rg-ai", "rg-other"))]
        others = [resource(SEARCH), deployment(), resource(ACCOUNT.replace(SUBSCRIPTION, ELSEWHERE))]
        async with arm_world([*own, *others], page_size=page_size) as world, arm_of(world) as arm:
            found = await arm.children(ArmId(SUBSCRIPTION), "Microsoft.CognitiveServices/accounts", PIN)
            assert {str(body["id"]) for body in found} == {str(body["id"]) for body in own}
            path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts"
            assert {line.path for line in world.service.requests} == {path}

    async def test_where_there_are_none(self) -> None:
        async with arm_world([account()]) as world, arm_of(world) as arm:
            assert await arm.children(TARGET, "deployments", PIN) == []
            assert await arm.children(ArmId(SUBSCRIPTION), "Microsoft.Search/searchServices", PIN) == []

    async def test_the_children_of_what_is_not_there_cannot_be_listed(self) -> None:
        async with arm_world([account()]) as world, arm_of(world) as arm:
            with pytest.raises(Refused) as refused:
                await arm.children(parse_arm_id(f"{ACCOUNT}2"), "deployments", PIN)
            assert refused.value.cause.code in {"arm.resource-not-found", "arm.parent-resource-not-found"}

    @pytest.mark.parametrize("page_size", [1, 10])
    async def test_the_subscriptions_that_there_are(self, page_size: int) -> None:
        bodies = [account(), resource(ACCOUNT.replace(SUBSCRIPTION, ELSEWHERE))]
        async with arm_world(bodies, page_size=page_size) as world, arm_of(world) as arm:
            assert {found.subscription for found in await arm.subscriptions()} == {SUBSCRIPTION, ELSEWHERE}
            assert {found.path for found in await arm.subscriptions()} == {
                f"/subscriptions/{SUBSCRIPTION}",
                f"/subscriptions/{ELSEWHERE}",
            }

    @pytest.mark.parametrize("skip", [0, 1, 2])
    @pytest.mark.parametrize(
        "fault,kind",
        [
            (Fault(status=429, code="TooManyRequests", headers={"Retry-After": "7"}, times=None), TryAgain),
            (Fault(status=500, times=None), TryAgain),
            (Fault(kind="truncate", times=None), TryAgain),
            (Fault(kind="reset", times=None), TryAgain),
            (Fault(status=403, code="AuthorizationFailed", times=None), Refused),
        ],
    )
    async def test_a_page_that_cannot_be_had_is_no_shorter_list(
        self, fault: Fault, skip: int, kind: type[AirlockError]
    ) -> None:
        found = [deployment(f"gpt-{number}") for number in range(3)]
        faults = Faults([replace(fault, skip=skip)])
        async with arm_world([account(), *found], faults=faults, page_size=1) as world, arm_of(world) as arm:
            with pytest.raises(kind) as told:
                await arm.children(TARGET, "deployments", PIN)
            if fault.headers:
                assert isinstance(told.value, TryAgain)
                assert told.value.after == timedelta(seconds=7)

    @pytest.mark.parametrize(
        "link",
        [
            "https://evil.example/subscriptions",
            "{url}.evil.example/subscriptions",
            "{url}@evil.example/subscriptions",
            "{url}1/subscriptions",
            "http://127.0.0.1/subscriptions",
            "//evil.example/subscriptions",
            "/subscriptions",
            "nonsense",
            "",
            None,
            7,
            ["https://evil.example"],
        ],
    )
    async def test_a_page_elsewhere_is_never_asked_for(self, link: Any) -> None:  # noqa: ANN401 - a column
        """Whoever stands there would be shown our token."""
        async with scripted() as server, arm_client(server.url, server.ca_file) as arm:
            told = link.replace("{url}", server.url) if isinstance(link, str) else link
            server.answers = [Answer(200, {"value": [deployment()], "nextLink": told})]
            if isinstance(told, str) and told:
                # Half a list is not taken for the whole.
                with pytest.raises(Refused) as refused:
                    await arm.children(TARGET, "deployments", PIN)
                assert refused.value.cause.code == "arm.foreign-link"
            else:
                assert await arm.children(TARGET, "deployments", PIN) == [deployment()]
            assert len(server.asked) == 1

    async def test_pages_without_an_end_are_given_up(self) -> None:
        async with scripted() as server, arm_client(server.url, server.ca_file) as arm:
            server.answers = [Answer(200, {"value": [], "nextLink": f"{server.url}/again"})]
            with pytest.raises(Refused) as refused:
                await arm.children(TARGET, "deployments", PIN)
            assert refused.value.cause.code == "arm.too-many-pages"

    @pytest.mark.parametrize("body", [b"", b"{", b"<html/>", [], "text", 7, None])
    async def test_a_page_that_is_none_is_another_try(self, body: object) -> None:
        async with scripted(Answer(200, body)) as server, arm_client(server.url, server.ca_file) as arm:
            for call in (arm.children(TARGET, "deployments", PIN), arm.subscriptions()):
                with pytest.raises(TryAgain):
                    await call

    @pytest.mark.parametrize(
        "item", [{}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "nonsense"}, {"id": "/subscriptions/../x"}, None, []]
    )
    async def test_a_subscription_without_an_id_is_no_crash(self, item: object) -> None:
        """The port promises TryAgain or Refused; whatever else is raised makes a poison message of the signal."""
        page = {"value": [item, {"id": f"/subscriptions/{SUBSCRIPTION}"}]}
        async with scripted(Answer(200, page)) as server, arm_client(server.url, server.ca_file) as arm:
            with suppress(AirlockError):
                assert ArmId(SUBSCRIPTION) in await arm.subscriptions()


class TestCommands:
    async def test_tags_are_merged_at_once(self) -> None:
        async with arm_world([{**account(), "tags": {"owner": "data"}}], operation_seconds=60) as world:
            async with arm_of(world) as arm:
                receipt = await arm.perform(merge_tags(incident="2518"))
            assert receipt.failure is None
            assert len(receipt.request_ids) == 1
            assert (await world.send("GET", ACCOUNT)).body["tags"] == {"owner": "data", "incident": "2518"}
            assert [(line.method, line.path, line.api_version) for line in world.service.requests[:1]] == [
                ("PATCH", f"{ACCOUNT}{TAGS}", "2021-04-01")
            ]

    async def test_a_capped_deployment_is_waited_for(self) -> None:
        async with arm_world([account(), deployment()], operation_seconds=0.3) as world, arm_of(world) as arm:
            receipt = await arm.perform(CAP)
            assert receipt.failure is None
            live = (await world.send("GET", DEPLOYMENT)).body
            assert live["sku"] == {"name": "GlobalStandard", "capacity": 1}
            assert live["properties"] == deployment()["properties"]
            methods = [line.method for line in world.service.requests]
            assert methods[0] == "PATCH"
            assert len(methods) > 2, "the operation was asked for, more than once"

    async def test_a_paused_deployment(self) -> None:
        async with arm_world([account(), deployment()]) as world, arm_of(world) as arm:
            for _ in range(2):
                assert (await arm.perform(PAUSE)).failure is None
            assert (await world.properties(DEPLOYMENT))["deploymentState"] == "Paused"
            assert [(line.method, line.path) for line in world.service.requests[:2]] == [
                ("POST", f"{DEPLOYMENT}/pause"),
                ("POST", f"{DEPLOYMENT}/pause"),
            ]

    async def test_an_operation_that_fails_is_told(self) -> None:
        fault = Fault(kind="fail_operation", code="InsufficientQuota", message="no quota")
        bodies = [account(), deployment()]
        async with arm_world(bodies, faults=Faults([fault]), operation_seconds=0) as world, arm_of(world) as arm:
            receipt = await arm.perform(CAP)
            assert receipt.failure == "the operation failed: InsufficientQuota no quota"
            assert (await world.send("GET", DEPLOYMENT)).body["sku"]["capacity"] == 100

    @pytest.mark.parametrize("act", [merge_tags(a="b"), CAP, PAUSE], ids=["tag", "cap", "pause"])
    @pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
    async def test_nothing_leaves_in_another_mode(self, act: Command, mode: Mode) -> None:
        async with arm_world([account(), deployment()]) as world, arm_of(world) as arm:
            with pytest.raises(Refused) as refused:
                await arm.perform(replace(act, mode=mode))
            assert refused.value.cause.code == "gate.write-refused"
            assert world.service.requests == []

    @pytest.mark.parametrize("act", [merge_tags(a="b"), CAP, PAUSE], ids=["tag", "cap", "pause"])
    @pytest.mark.parametrize(
        "fault,code,after",
        [
            (Fault(status=403, code="AuthorizationFailed", times=None), "arm.authorization-failed", None),
            (Fault(status=409, code="ScopeLocked", times=None), "arm.scope-locked", None),
            (
                Fault(status=429, code="TooManyRequests", headers={"Retry-After": "7"}, times=None),
                "arm.too-many-requests",
                timedelta(seconds=7),
            ),
            (Fault(status=500, times=None), "arm.internal-server-error", None),
            (Fault(kind="reset", method="POST", times=None), "arm.unreachable", None),
        ],
    )
    async def test_a_failure_is_told_and_asked_for_once(
        self, act: Command, fault: Fault, code: str, after: timedelta | None
    ) -> None:
        if fault.kind == "reset":
            fault = replace(fault, method=act.method)
        bodies = [account(), deployment()]
        async with arm_world(bodies, faults=Faults([fault])) as world, arm_of(world) as arm:
            with pytest.raises(AirlockError) as told:
                await arm.perform(act)
            assert told.value.cause.code == code
            assert getattr(told.value, "after", None) == after
            assert len(world.service.requests) == 1
            assert world.service.estate.export() == bodies

    @pytest.mark.parametrize("target,code", [(f"{DEPLOYMENT}2", "arm.resource-not-found")])
    async def test_what_is_not_there_is_refused(self, target: str, code: str) -> None:
        async with arm_world([account(), deployment()]) as world, arm_of(world) as arm:
            for act in (CAP, PAUSE):
                with pytest.raises(Refused) as refused:
                    await arm.perform(replace(act, target=parse_arm_id(target)))
                assert refused.value.cause.code == code

    async def test_a_deployment_that_cannot_be_paused_is_refused(self) -> None:
        async with arm_world([account(), deployment(sku="ProvisionedManaged")]) as world, arm_of(world) as arm:
            with pytest.raises(Refused) as refused:
                await arm.perform(PAUSE)
            assert refused.value.cause.code == "arm.bad-request"

    async def test_a_command_while_the_account_is_updated_can_be_tried_again(self) -> None:
        async with arm_world([account(), deployment()], operation_seconds=60) as world, arm_of(world) as arm:
            assert (await world.send("PATCH", ACCOUNT, {"tags": {"a": "b"}})).status == 202
            for act in (merge_tags(a="c"), CAP, PAUSE):
                with pytest.raises(TryAgain):
                    await arm.perform(act)

    @pytest.mark.parametrize("header", ["Azure-AsyncOperation", "Location"])
    async def test_an_operation_elsewhere_is_never_called(self, header: str) -> None:
        accepted = Answer(202, {}, {header: "https://evil.example/operation"})
        async with scripted(accepted) as server, arm_client(server.url, server.ca_file) as arm:
            assert (await arm.perform(CAP)).failure is None
            assert server.asked == [f"PATCH {DEPLOYMENT}"]

    @pytest.mark.parametrize("name", ["gpt with blanks", "gpt-(west)", "Größe", "a.b-c_d"])
    async def test_names_are_quoted(self, name: str) -> None:
        odd = f"{ACCOUNT}/deployments/{name}"
        async with arm_world([account(), deployment(name)]) as world, arm_of(world) as arm:
            assert (await arm.perform(replace(PAUSE, target=parse_arm_id(odd)))).failure is None
            assert (await world.properties(odd))["deploymentState"] == "Paused"


class TestWholeResources:
    def replacement(self, **more: Any) -> Fix:  # noqa: ANN401 - any field of Fix
        """The fix that makes the policy block."""
        known = policy()["properties"]
        blocking = [each | {"blocking": True} for each in known["contentFilters"]]
        body: JsonObject = {"properties": {"mode": "Blocking", "contentFilters": blocking}}
        told = Fix(parse_arm_id(POLICY), PIN, body, None, Mode.ENFORCE, ("AIR-007/rai-policies",), method="PUT")
        return replace(told, **more)

    async def test_a_policy_is_put_as_a_whole(self) -> None:
        async with arm_world([account(), policy()]) as world, arm_of(world) as arm:
            receipt = await arm.send(self.replacement())
            assert receipt.failure is None
            assert len(receipt.request_ids) == 1
            assert [(line.method, line.path) for line in world.service.requests] == [("PUT", POLICY)]
            live = await world.properties(POLICY)
            assert [each["blocking"] for each in live["contentFilters"]] == [True]
            assert live["type"] == "UserManaged"

    @pytest.mark.parametrize("mode", [Mode.AUDIT, Mode.OFF])
    async def test_nothing_leaves_in_another_mode(self, mode: Mode) -> None:
        async with arm_world([account(), policy()]) as world, arm_of(world) as arm:
            with pytest.raises(Refused) as refused:
                await arm.send(self.replacement(mode=mode))
            assert refused.value.cause.code == "gate.write-refused"
            assert world.service.requests == []

    async def test_a_put_with_an_old_entity_tag_can_be_tried_again(self) -> None:
        bodies = [account(), {**policy(), "etag": '"0001"'}]
        async with arm_world(bodies) as world, arm_of(world) as arm:
            assert (await arm.send(self.replacement(if_match='"0001"'))).failure is None
            with pytest.raises(TryAgain) as late:
                await arm.send(self.replacement(if_match='"0001"'))
            assert late.value.cause.code == "arm.precondition-failed"

    async def test_a_policy_of_the_system_is_refused(self) -> None:
        managed = policy()
        managed["properties"]["type"] = "SystemManaged"
        async with arm_world([account(), managed]) as world, arm_of(world) as arm:
            with pytest.raises(Refused):
                await arm.send(self.replacement())
            assert world.service.estate.export() == [account(), managed]


async def test_a_group_is_no_subscription() -> None:
    """Below a group the short form of a type is asked for, as below a resource."""
    async with arm_world([account()]) as world, arm_of(world) as arm:
        with suppress(AirlockError):
            await arm.children(parse_arm_id(GROUP), "deployments", API_VERSION)
        assert paths(world) == [f"{GROUP}/deployments"]


def paths(world: ArmWorld) -> list[str]:
    return [line.path for line in world.service.requests]
