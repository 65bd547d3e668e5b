"""The generated page is what the code says now."""

from cli.reference import FILE, reference


def test_the_reference_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == reference(), "run `make generate`"
