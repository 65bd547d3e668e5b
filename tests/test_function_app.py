"""The app as the Functions host indexes it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

from local.host.function import EventGridTrigger, HttpTrigger, QueueTrigger, TimerTrigger
from shared.domain.stores import SIGNALS_QUEUE
from tests.local.hosting import hosting
from tests.storage_account import Authority

REPOSITORY = Path(__file__).resolve().parents[1]
# What an event on its way to the queue has no need of.
HEAVY = (
    "azure.identity",
    "azure.data.tables",
    "azure.eventgrid",
    "azure.keyvault",
    "azure.mgmt",
    "azure.monitor",
    "azure.storage.blob",
    "azure.storage.queue",
    "jwt",
)


async def test_the_functions_are_these(authority: Authority) -> None:
    async with hosting(authority) as case, case.host(str(REPOSITORY)) as host:
        found = {function.name: function for function in host.functions}
    timers = {"settle", "bury", "sweep", "hourly"}
    assert set(found) == {"on_defender_alert", "on_resource_change", "remediate", "operate", *timers}
    for name in ("on_defender_alert", "on_resource_change"):
        assert isinstance(found[name].trigger, EventGridTrigger)
        assert dict(found[name].outputs) == {"signals": SIGNALS_QUEUE}
    remediate = found["remediate"].trigger
    assert isinstance(remediate, QueueTrigger)
    assert remediate.queue == SIGNALS_QUEUE
    for name in timers:
        trigger = found[name].trigger
        assert isinstance(trigger, TimerTrigger)
        assert not trigger.run_on_startup
    operate = found["operate"].trigger
    assert isinstance(operate, HttpTrigger)
    assert operate.methods == {"POST"}
    assert operate.route == "operate"
    assert {function.retry for function in found.values()} == {None}


def test_the_host_reads_the_queue_as_we_write_it() -> None:
    settings = json.loads((REPOSITORY / "host.json").read_text())
    queues = settings["extensions"]["queues"]
    assert queues["messageEncoding"] == "base64"
    assert (queues["batchSize"], queues["newBatchThreshold"]) == (16, 16)
    # A signal that is held up for as long as a worker may be must not outlive its function.
    assert settings["functionTimeout"] == "00:10:00"
    assert queues["maxDequeueCount"] > 1


def test_nothing_heavy_is_loaded_before_the_first_message() -> None:
    probe = "import json, sys, function_app; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=REPOSITORY, check=True, capture_output=True)  # noqa: S603 - ours
    assert [name for name in json.loads(done.stdout) if name.startswith(HEAVY)] == []


def test_records_name_the_version_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f'_APP_VERSION = "{project["version"]}"' in (REPOSITORY / "function_app.py").read_text()
