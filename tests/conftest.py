"""What tests share: storage accounts for the local Azure and the adapters, and the workers of the app."""

import pytest
from hypothesis import settings

from tests.nursery import forked, nursery
from tests.storage_account import authority, clock, emulator, local, storage

__all__ = ["authority", "clock", "emulator", "forked", "local", "nursery", "storage"]

# Half of Hypothesis's own number: thousands of properties and laws run each time, and the whole suite has five minutes.
settings.register_profile("suite", max_examples=15)
settings.load_profile("suite")

# As many as pytest has workers: each begins with its share of what waits and of what computes.
_SHARES = 5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deals the modules out like cards, so that no worker gets all the tests that mostly wait."""
    places = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (places[item.path] % _SHARES, places[item.path]))
