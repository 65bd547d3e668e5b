"""The catalogue."""

from dataclasses import replace

from shared.domain.catalogue import Catalogue
from shared.domain.resource_types import SEARCH, STORAGE
from tests.domain.making import RULE, remediation


def test_rules_of_a_type_come_in_the_catalogue_s_order() -> None:
    search = replace(RULE, type=SEARCH)
    first, second = remediation("first", "AIR-901", (search, RULE)), remediation("second", "AIR-902")
    catalogue = Catalogue((first, second))
    assert list(catalogue.rules(STORAGE)) == [(first, RULE), (second, RULE)]
    assert list(catalogue.rules(SEARCH)) == [(first, search)]


def test_rule_id() -> None:
    assert remediation().rule_id(RULE) == "AIR-900/storage"
