"""The words that queries look for, held against the code that writes them: what nothing writes finds nothing."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from remediations import load_catalogue
from shared.domain.mode import Mode
from shared.domain.record import Outcome
from shared.domain.remediation import Severity
from shared.domain.settings import valid_names
from shared.domain.signal import SignalKind

_SHARED = Path(__file__).parents[2] / "shared"
_COMPARED = re.compile(
    r"\b(?P<column>Outcome|ReasonCode|RefusedBy|SignalKind|Severity|Mode|Value|Remediation|Setting)"
    r"\s*(?P<operator>==|!=|startswith|!?in)\s*(?P<values>\([^()]*\)|\"[^\"]*\")"
)
_WORD = re.compile(r'"([^"]*)"')
_EVIDENCE = re.compile(r"\bEvidence((?:\.\w+)+)")
_MEMBER = re.compile(r"\.(\w+)")
_OF_REASON = re.compile(r'extract\(@"([^"]*)", 1, Reason\)')
# How f-strings spell a time, and what stands for it and for any other value.
_TIME_SPELT = "%F %T"
_TIME = "2026-11-24 21:12:46"
_ANY = "7"


def unknown_words(text: str) -> Iterator[str]:
    """What is wrong with the words in the query's text."""
    for compared in _COMPARED.finditer(text):
        known = _known(compared["column"])
        for word in _WORD.findall(compared["values"]):
            begins = compared["operator"] == "startswith" and any(each.startswith(word) for each in known)
            if word not in known and not begins:
                yield f"nothing writes {compared['column']} '{word}'"
    for path in _EVIDENCE.findall(text):
        for member in _MEMBER.findall(path):
            if member not in _words():
                yield f"no evidence has a member '{member}'"
    for pattern in _OF_REASON.findall(text):
        if not any(re.search(pattern, sentence) for sentence in _sentences()):
            yield f"no reason reads like '{pattern}'"


@cache
def _known(column: str) -> frozenset[str]:
    """What the column may say. Reason codes are texts in the code that is deployed."""
    catalogue = load_catalogue()
    said = {
        "Outcome": {*Outcome},
        "SignalKind": {*SignalKind},
        "Severity": {*Severity},
        "Mode": {*Mode},
        "Value": {*Mode, "true", "false"},
        "Remediation": {each.name for each in catalogue.remediations} | {each.name for each in catalogue.responses},
        "Setting": {*valid_names(catalogue)},
    }
    return frozenset(said.get(column, _words()))


@cache
def _nodes() -> tuple[ast.AST, ...]:
    files = sorted(_SHARED.rglob("*.py"))
    return tuple(node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


@cache
def _words() -> frozenset[str]:
    """Every text, and every name of an argument, in the code that is deployed."""
    texts = {node.value for node in _nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(texts | {node.arg for node in _nodes() if isinstance(node, ast.keyword) and node.arg})


@cache
def _sentences() -> tuple[str, ...]:
    """Every f-string in the code that is deployed, with something in the place of its values."""
    return tuple(_sentence(node) for node in _nodes() if isinstance(node, ast.JoinedStr))


def _sentence(text: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else _value(part) for part in text.values)


def _value(part: ast.expr) -> str:
    spec = part.format_spec if isinstance(part, ast.FormattedValue) else None
    return _TIME if isinstance(spec, ast.JoinedStr) and _sentence(spec) == _TIME_SPELT else _ANY
