"""The engine's own tests are what coverage learns from; here it counts how things end."""

import os
from collections.abc import Iterator

import pytest

from tests.tracing import untraced


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        monkeypatch.delenv(name)
    with untraced():
        yield
