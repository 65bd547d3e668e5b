"""What the harness is worth: it finds bugs that are planted, each in a copy of the app, and nothing without them.

Those that take longer to show are planted by `python -m tests.chaos --only bugs` alone.
"""

from pathlib import Path

import pytest

from tests.chaos.bugs import BUGS, Bug, Replacement, copy, stages, trial, trial_of_none, trial_of_rest

QUICK = [bug for bug in BUGS if bug.quick]
OPEN_GATE = next(bug for bug in BUGS if bug.name == "the gate is open")


@pytest.mark.parametrize("bug", QUICK, ids=lambda bug: bug.name)
async def test_a_planted_bug_is_found(bug: Bug) -> None:
    found = await trial(bug)
    assert found.is_of_copy, found.made_by
    assert not found.result.idle
    assert found.finds(bug), found.said


@pytest.mark.parametrize("stage", stages(QUICK))
async def test_the_same_scenarios_find_nothing_without_a_bug(stage: str) -> None:
    clean = await trial_of_none(stage, QUICK)
    assert clean.is_of_copy, clean.made_by
    assert clean.result.is_good, (clean.said, clean.result.idle)


async def test_it_is_the_gate_that_keeps_audit_mode_from_writing() -> None:
    closed = await trial_of_rest(OPEN_GATE)
    assert closed.is_of_copy, closed.made_by
    assert not [sentence for sentence in closed.said if OPEN_GATE.says in sentence]
    # It had something to refuse: the record that audit mode excuses drift with was not written.
    assert any("the last record says Refused" in sentence for sentence in closed.said), closed.said


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_replacement_fits_the_app_as_it_is(bug: Bug, tmp_path: Path) -> None:
    copy(tmp_path, bug.replacements)
    for replacement in bug.replacements:
        assert replacement.new in (tmp_path / replacement.file).read_text()


@pytest.mark.parametrize("old,count", [("never there", 0), ("import ", 18)])
def test_a_replacement_that_does_not_fit_is_told_by_file_and_text(old: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("import this\n" * count)
    with pytest.raises(ValueError, match=rf"module\.py has {count} times .*'{old}'"):
        Replacement("module.py", old, "").apply(tmp_path)
