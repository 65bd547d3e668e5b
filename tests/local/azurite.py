"""Azurite, Microsoft's own emulator, which proves that the local storage behaves like the service's."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "devstoreaccount1"
# The well-known key of every Azurite (learn.microsoft.com, "Use the Azurite emulator", reviewed 2026-11): no secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EXECUTABLE = Path(__file__).parents[2] / "node_modules" / ".bin" / "azurite"

_START_SECONDS = 30
_STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running Azurite: the ports of its services."""

    blob_port: int
    queue_port: int
    table_port: int


def missing() -> str | None:
    """Return why Azurite cannot run here; None when it can."""
    if not EXECUTABLE.exists() or shutil.which("node") is None:
        return "Azurite is not installed: run `make azurite`"
    return None


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Run an Azurite of its own, in memory, until the block ends; `folder` takes its log."""
    ports = blob_port, queue_port, table_port = _free_ports(3)
    options = (f"--blobPort={blob_port}", f"--queuePort={queue_port}", f"--tablePort={table_port}")
    flags = ("--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence", "--silent")
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 # the command is ours
            [EXECUTABLE, *flags, *options], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            for port in ports:
                _wait_for(port, process)
            yield Azurite(*ports)
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Azurite does not listen on {port}; exit code {process.poll()}") from error
            time.sleep(0.05)
        else:
            return
