"""What the deployment is told of the code is what the code says now."""

import pytest

from cli.infra.events import MOST_VALUES, event_filters
from cli.infra.generated import DIRECTORY, generated
from cli.infra.roles import READER, needed, roles
from remediations import load_catalogue
from shared.domain.catalogue import Catalogue
from shared.domain.remediation import Remediation
from shared.domain.resource_types import ENGINE_READS, RESOURCE_TYPES
from shared.domain.response import Response


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def test_generated_files_are_current() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.json")}
    assert written == generated(), "run `make generate`"


def test_the_roles_grant_what_is_declared_and_nothing_else(catalogue: Catalogue) -> None:
    acts: tuple[Remediation | Response, ...] = (*catalogue.remediations, *catalogue.responses)
    declared = {action for act in acts for action in needed(act)}
    reads = {f"{kind.name}/read" for kind in RESOURCE_TYPES} | set(ENGINE_READS)
    granted = {action for role in roles(catalogue) for action in role.actions}
    assert granted == declared | reads


def test_the_reader_only_reads_and_needs_no_switch(catalogue: Catalogue) -> None:
    reader, *writers = roles(catalogue)
    assert reader.name == READER
    assert not reader.switches
    assert all(action.endswith("/read") for action in reader.actions)
    assert all(role.switches for role in writers)
    assert not any(action.endswith("/read") for role in writers for action in role.actions)


def test_no_role_has_a_wildcard_and_each_action_is_whole(catalogue: Catalogue) -> None:
    for role in roles(catalogue):
        for action in role.actions:
            assert "*" not in action
            assert action.split("/")[-1] in {"read", "write", "delete", "action"}, action


def test_a_writer_is_tied_to_the_switches_of_the_one_act_it_is_for(catalogue: Catalogue) -> None:
    by_switch: dict[str, set[str]] = {}
    for role in roles(catalogue)[1:]:
        by_switch.setdefault(role.switches[0], set()).update(role.actions)
    acts: tuple[Remediation | Response, ...] = (*catalogue.remediations, *catalogue.responses)
    for act in acts:
        writes = {action for action in needed(act) if not action.endswith("/read")}
        assert by_switch.get(f"AIRLOCK_{act.name.upper().replace('-', '_')}", set()) == writes


def test_listing_and_regenerating_keys_are_apart_from_each_other_and_all_else(catalogue: Catalogue) -> None:
    for role in roles(catalogue):
        kinds = {_kind(action) for action in role.actions}
        assert len(kinds) == 1 or not kinds & {"list keys", "regenerate"}, role.name


def _kind(action: str) -> str:
    last = action.lower().removesuffix("/action").rpartition("/")[2]
    if last.startswith("list"):
        return "list keys"
    return "regenerate" if last.startswith("regenerate") else "other"


def test_each_family_of_events_fits_into_what_event_grid_takes() -> None:
    for family in event_filters():
        assert isinstance(family, dict)
        match family["filter"]:
            case {"advancedFilters": [*filters]}:
                values = [value for each in filters if isinstance(each, dict) for value in _listed(each["values"])]
                assert 0 < len(values) <= MOST_VALUES
                assert all(len(value) <= 512 for value in values)
            case other:
                pytest.fail(f"{family['name']}: {other}")


def _listed(values: object) -> list[str]:
    assert isinstance(values, list)
    return [str(value) for value in values]
