"""What SECURITY.md says is there: every test that it names, a control for every threat, and a source without tricks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeIs

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SECURITY = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
STRIDE = {
    "Spoofing": "S",
    "Tampering": "T",
    "Repudiation": "R",
    "Information disclosure": "I",
    "Denial of service": "D",
    "Elevation of privilege": "E",
}
LABELS = ("Threat", "Attack", "Control", "Shown by")
ROW = re.compile(r"\| (?:\*\*([A-Z]\d+)\*\* )?\| (?:([A-Z][a-z ]+) )?\| (.+) \|")
NOT_SHOWN = "not shown: "
# What is deployed, and the operator's command.
FOLDERS = ("shared", "remediations", "cli")
SOURCES = [
    REPOSITORY / "function_app.py",
    *sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")),
]
RUN_A_TEXT = {"eval", "exec", "compile", "__import__"}
SHELLS = re.compile(
    r"os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?)|subprocess\.get(status)?output|\w+\.eval|yaml\..+"
)
UNPICKLE = {"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "code", "codeop", "pty"}
CHECKS = {"verify", "verify_ssl", "connection_verify", "ssl", "check_hostname", "verify_signature", "verify_exp"}
UNCHECKED = {"CERT_NONE", "_create_unverified_context", "_create_stdlib_context"}

type Threat = dict[str, list[str]]


def tables() -> dict[str, dict[str, Threat]]:
    """The threats of each table, by its title: what stands under each label, line by line."""
    found: dict[str, dict[str, Threat]] = {}
    for block in SECURITY.partition("\n## Threats\n")[2].split("\n\n"):
        if not block.startswith("| "):
            continue
        head, rule, *rows = [ROW.fullmatch(line) for line in block.strip().splitlines()]
        assert head is not None
        assert rule is None
        threats = found.setdefault(head[3], {})
        threat: Threat = {}
        label = ""
        for row in rows:
            assert row is not None, f"a row of {head[3]} is none"
            if row[1]:
                assert row[1] not in threats
                threats[row[1]] = threat = {}
            label = row[2] or label
            threat.setdefault(label, []).append(row[3])
    return found


TABLES = tables()
THREATS = {name: threat for threats in TABLES.values() for name, threat in threats.items()}
every_threat = pytest.mark.parametrize("name", THREATS)


def named(threat: Threat) -> Iterator[tuple[str, str]]:
    """The tests that show the control: file and name. `::name` stands in the file that was named last."""
    file = ""
    for reference in re.findall(r"`([^`]+)`", " ".join(threat["Shown by"])):
        before, _, name = reference.partition("::")
        file = before or file
        if name:
            yield file, name


@cache
def defined_in(file: str) -> set[str]:
    """The tests that the file defines, as pytest names them."""
    found: set[str] = set()
    for node in ast.parse((REPOSITORY / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if is_test(inner)}
        elif is_test(node):
            found.add(node.name)
    return found


def is_test(node: ast.stmt) -> TypeIs[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")


class TestThreatModel:
    def test_every_letter_of_stride_has_its_threats(self) -> None:
        assert list(TABLES) == list(STRIDE)
        for title, threats in TABLES.items():
            assert list(threats) == [f"{STRIDE[title]}{number}" for number in range(1, len(threats) + 1)]

    @every_threat
    def test_every_threat_has_an_attack_a_control_and_what_shows_it(self, name: str) -> None:
        threat = THREATS[name]
        assert tuple(label for label in threat if label != "Left") == LABELS
        for label in LABELS[:-1]:
            assert " ".join(threat[label]).endswith("."), label
        shown = threat["Shown by"]
        assert list(named(threat)) or shown[0].startswith(NOT_SHOWN)

    @every_threat
    def test_every_test_that_is_named_exists(self, name: str) -> None:
        for file, test in named(THREATS[name]):
            assert test in defined_in(file), f"{file}::{test}"

    @every_threat
    def test_no_test_is_named_twice_for_one_threat(self, name: str) -> None:
        found = list(named(THREATS[name]))
        assert len(set(found)) == len(found)

    def test_every_risk_that_is_left_is_numbered_and_led_to(self) -> None:
        risks = re.findall(r"^\* \*\*(L\d+)\*\* ", SECURITY, re.MULTILINE)
        assert risks == [f"L{number}" for number in range(1, len(risks) + 1)]
        led_to = {risk for threat in THREATS.values() for risk in re.findall(r"L\d+", str(threat))}
        assert led_to == set(risks)
        assert f"L1 to {risks[-1]} are" in SECURITY

    def test_every_threat_that_is_mentioned_is_there(self) -> None:
        assert {*re.findall(r"\b[STRIDE]\d+\b", SECURITY)} == set(THREATS)

    def test_links_lead_somewhere(self) -> None:
        for link in re.findall(r"\]\(([^)]+)\)", SECURITY):
            heading = link.removeprefix("#").replace("-", " ")
            assert f"\n## {heading.capitalize()}\n" in SECURITY if link[0] == "#" else (REPOSITORY / link).is_file()

    def test_lines_are_short(self) -> None:
        assert max(map(len, SECURITY.splitlines())) <= 120


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[Path, Any]]:
    """All nodes of those kinds in the source."""
    return (
        (path.relative_to(REPOSITORY), node) for path in SOURCES for node in parsed(path) if isinstance(node, kinds)
    )


@cache
def parsed(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {module.partition(".")[0] for module in modules}


def test_the_source_is_looked_at() -> None:
    assert len(SOURCES) > 80
    assert len({path.relative_to(REPOSITORY).parts[0] for path in SOURCES}) == len(FOLDERS) + 1


def test_no_source_runs_a_text_as_code() -> None:
    for path, node in nodes(ast.Name, ast.Attribute):
        # A method may be called so: `re.compile` makes no code.
        assert not (isinstance(node, ast.Name) and node.id in RUN_A_TEXT), f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert not SHELLS.fullmatch(f"{node.value.id}.{node.attr}"), f"{path}:{node.lineno}"
    for path, node in nodes(ast.Import, ast.ImportFrom):
        assert not imported(node) & UNPICKLE, f"{path}:{node.lineno}"
    for path, node in nodes(ast.keyword):
        assert node.arg != "shell", f"{path}:{node.lineno}"


def test_what_is_deployed_starts_no_process() -> None:
    for path, node in nodes(ast.Import, ast.ImportFrom):
        assert path.parts[0] == "cli" or "subprocess" not in imported(node), f"{path}:{node.lineno}"


def test_no_source_turns_off_a_check_of_certificates_or_signatures() -> None:
    for path, node in nodes(ast.keyword):
        is_off = isinstance(node.value, ast.Constant) and node.value.value in {False, None}
        assert not (node.arg in CHECKS and is_off), f"{path}:{node.value.lineno}"
    for path, node in nodes(ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            is_check = isinstance(key, ast.Constant) and key.value in CHECKS
            assert not (is_check and isinstance(value, ast.Constant)), f"{path}:{node.lineno}"
    for path, node in nodes(ast.Attribute):
        assert node.attr not in UNCHECKED, f"{path}:{node.lineno}"


def test_the_security_rules_of_the_linter_are_on() -> None:
    lint = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    ours = {where: rules for where, rules in lint["per-file-ignores"].items() if where != "tests/**"}
    for rules in (lint["ignore"], *ours.values()):
        assert not [rule for rule in rules if re.fullmatch(r"S\d*", rule)]


def locked() -> dict[str, list[dict[str, Any]]]:
    """The distributions of the lock file by package and version, the project itself left out."""
    packages = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))["package"]
    own = [package for package in packages if package["source"] == {"editable": "."}]
    assert [package["name"] for package in own] == ["airlock"]
    return {
        f"{package['name']}=={package['version']}": [*package.get("wheels", []), package.get("sdist", {})]
        for package in packages
        if package not in own
    }


def test_every_distribution_of_the_lock_file_has_its_hash() -> None:
    assert len(locked()) > 40
    for package, distributions in locked().items():
        found = [each for each in distributions if each]
        assert found, package
        for each in found:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", each["hash"]), package
            assert each["url"].startswith("https://files.pythonhosted.org/"), package


def test_every_requirement_has_hashes_of_the_lock_file() -> None:
    """In the form that `pip install --require-hashes` and `pip-audit --require-hashes` read."""
    text = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", "").splitlines() if not line.lstrip().startswith("#")]
    known = locked()
    assert len(lines) > 20
    for line in lines:
        found = re.fullmatch(
            r"([a-z0-9-]+)(?:\[[a-z,]+\])?(==\S+)(?: ; [^\\#]+?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line
        )
        assert found is not None, line[:80]
        hashes = set(re.findall(r"--hash=(\S+)", found[3]))
        assert hashes == {each["hash"] for each in known[found[1] + found[2]] if each}, line[:80]
