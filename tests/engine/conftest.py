"""Airlock as it ships, in workers that are spared their cold start."""

from collections.abc import Iterator

import pytest

from tests.tracing import untraced


@pytest.fixture(autouse=True)
def _forked(forked: None) -> None:
    """Every test of a promise starts several workers."""


@pytest.fixture(autouse=True)
def _untraced() -> Iterator[None]:
    """What coverage is to learn of runs in the workers; in this process there is only the Azure around them."""
    with untraced():
        yield
