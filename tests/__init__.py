"""The tests. Other people's work shares the machine, so no generated example fails for being slow."""

import pytest
from hypothesis import settings

settings.register_profile("airlock", deadline=None)
settings.load_profile("airlock")
# Its asserts are told apart like those of a test.
pytest.register_assert_rewrite("tests.laws")
