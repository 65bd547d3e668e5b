"""The storage accounts that tests of the local Azure and of the adapters run against, one Azurite for all of them."""

from tests.storage_account import authority, clock, emulator, local, storage

__all__ = ["authority", "clock", "emulator", "local", "storage"]
