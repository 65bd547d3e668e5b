"""`python -m tests.infra`: what is wrong with infra/. With FILE [name=value ...]: what one Bicep file deploys."""

import json
import sys
from pathlib import Path

from tests.infra.bicep import Value, check, evaluate
from tests.infra.checks import problems
from tests.infra.estate import REPOSITORY
from tests.infra.types import problems_of, type_data


def main(arguments: list[str]) -> int:
    """Prints the problems or the resources, and answers the exit code."""
    return _file(Path(arguments[0]).resolve(), _given(arguments[1:])) if arguments else _told(problems(REPOSITORY))


def _given(assignments: list[str]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        try:
            given[name] = json.loads(value)
        except ValueError:
            given[name] = value
    return given


def _file(path: Path, given: dict[str, Value]) -> int:
    evaluated = evaluate(path, given)
    found = [str(problem) for problem in sorted({*check(path), *evaluated.problems})]
    data = type_data()
    for resource in evaluated.deployment.resources if data else ():
        if data and not resource.existing:
            found += [f"{resource.place}: {problem}" for problem in problems_of(data, resource)]
    if not found:
        sys.stdout.write(f"{evaluated.deployment}\n")
    return _told(found)


def _told(found: list[str]) -> int:
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
