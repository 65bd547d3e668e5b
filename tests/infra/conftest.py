"""What is judged here is no Python: coverage has nothing to learn."""

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
