"""How many resources one core judges in a second."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median

from benchmarks.figure import Figure, at_least
from cli.files import resources_to_judge
from local.contoso import estate
from remediations import load_catalogue
from shared.domain.drift import evaluate
from shared.domain.settings import read_settings

_ROUNDS = 9
_SECONDS = 0.3
_GOAL = 30_000


def measure() -> tuple[Figure, ...]:
    """Rules alone over parsed bodies, and with the parsing."""
    catalogue = load_catalogue()
    baseline = read_settings({}, catalogue).baseline
    resources = resources_to_judge(estate(datetime.now(UTC).date()))
    texts = [(resource, json.dumps(resource.body)) for resource in resources]
    findings = sum(len(evaluate(resource, catalogue, baseline)) for resource in resources)

    def rules() -> None:
        for resource in resources:
            evaluate(resource, catalogue, baseline)

    def parsed() -> None:
        for resource, text in texts:
            evaluate(replace(resource, body=json.loads(text)), catalogue, baseline)

    size = sum(len(text) for _, text in texts) / len(texts)
    note = (
        f"The {len(resources)} judged resources of the bundled estate in turn ({size:.0f} bytes of JSON on average, "
        f"{findings} findings among them), every rule of their type; by processor time; median of {_ROUNDS} rounds."
    )
    return (
        _figure("Resources judged, one core", rules, len(resources), note),
        _figure("Resources parsed and judged, one core", parsed, len(resources), ""),
    )


def _figure(name: str, work: Callable[[], None], resources: int, note: str) -> Figure:
    rates = [_rate(work, resources) for _ in range(_ROUNDS)]
    return at_least(name, median(rates), "/s", _GOAL, rates, note)


def _rate(work: Callable[[], None], resources: int) -> float:
    times = 0
    began = time.process_time()
    while (spent := time.process_time() - began) < _SECONDS:
        work()
        times += 1
    return times * resources / spent
