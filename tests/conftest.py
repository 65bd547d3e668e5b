"""The storage accounts that tests of the local Azure and of the adapters run against, one Azurite for all of them."""

from hypothesis import settings

from tests.storage_account import authority, clock, emulator, local, storage

__all__ = ["authority", "clock", "emulator", "local", "storage"]

# Half of Hypothesis's own number: thousands of properties and laws run each time, and the whole suite has five minutes.
settings.register_profile("suite", max_examples=50)
settings.load_profile("suite")
