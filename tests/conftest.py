"""What tests share: storage accounts for the local Azure and the adapters, and the workers of the app."""

from hypothesis import settings

from tests.nursery import forked, nursery
from tests.storage_account import authority, clock, emulator, local, storage

__all__ = ["authority", "clock", "emulator", "forked", "local", "nursery", "storage"]

# Half of Hypothesis's own number: thousands of properties and laws run each time, and the whole suite has five minutes.
settings.register_profile("suite", max_examples=15)
settings.load_profile("suite")
