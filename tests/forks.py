"""The process that `tests.nursery` starts: it has imported what workers import, and forks one for each request.

Run as `python -m tests.forks FD VARIABLES`. A request comes through the socket FD: the folder of the app and the
environment as JSON, and with it the worker's channel to the host, its stdout and stderr, and a pipe that is told the
worker's pid and, when it has ended, its exit code. The end of the socket is the end of this process.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import socket
import sys
from dataclasses import dataclass

import coverage

_WORKER = "local.host.worker"
# What a worker imports besides the app's own packages; what is missing here only takes longer.
_LIBRARIES = (
    _WORKER,
    "azure.data.tables.aio",
    "azure.eventgrid.aio",
    "azure.identity.aio",
    "azure.keyvault.secrets.aio",
    "azure.mgmt.cognitiveservices.aio",
    "azure.mgmt.core",
    "azure.mgmt.search.aio",
    "azure.mgmt.storage.aio",
    "azure.monitor.ingestion.aio",
    "azure.storage.blob.aio",
    "azure.storage.queue.aio",
    "jwt",
    "tenacity",
)
_PACKAGES = ("shared", "remediations")
LARGEST_REQUEST = 128 * 1024
_DESCRIPTORS = 4


@dataclass(frozen=True, slots=True)
class _Order:
    """What a forked process is to become."""

    directory: str
    environment: dict[str, str]
    channel: int
    out: int
    error: int


class _Parent:
    """Forks, and tells of each child's end."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)
        # By the descriptor that tells of a child's end: its pid, and the pipe that is told.
        self._children: dict[int, tuple[int, int]] = {}

    def attend(self) -> _Order | None:
        """Serve until the requests end: None. In a child it returns at once, with what the child is to become."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._requests:
                    self._bury(key.fd)
                    continue
                request, descriptors, _, _ = socket.recv_fds(self._requests, LARGEST_REQUEST, _DESCRIPTORS)
                if not request:
                    return None
                if (order := self._fork(request, descriptors)) is not None:
                    return order

    def _fork(self, request: bytes, descriptors: list[int]) -> _Order | None:
        channel, out, error, told = descriptors
        pid = os.fork()
        if pid == 0:
            # Pipes end for their readers only when nobody holds their other end.
            self._selector.close()
            self._requests.close()
            for descriptor in (
                told,
                *(each for watched, (_, pipe) in self._children.items() for each in (watched, pipe)),
            ):
                os.close(descriptor)
            return _Order(**json.loads(request), channel=channel, out=out, error=error)
        for descriptor in (channel, out, error):
            os.close(descriptor)
        _tell(told, pid)
        watched = os.pidfd_open(pid)
        self._children[watched] = (pid, told)
        self._selector.register(watched, selectors.EVENT_READ)
        return None

    def _bury(self, watched: int) -> None:
        self._selector.unregister(watched)
        os.close(watched)
        pid, told = self._children.pop(watched)
        _, status = os.waitpid(pid, 0)
        _tell(told, os.waitstatus_to_exitcode(status))
        os.close(told)


def _tell(pipe: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever asked for the worker may have gone
        os.write(pipe, b"%d\n" % number)


def _load() -> None:
    """Import all of it. Of the app's own packages coverage learns here, for all children; a child saves what it knew
    from the start with the rest."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    coverage.process_startup()
    for name in _PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            importlib.import_module(module.name)
    # What is there by now stays: a child need not look at it, and so need not copy it.
    gc.collect()
    gc.freeze()


def _become(order: _Order) -> None:
    """Be the worker that the host would have started."""
    for source, target in ((order.out, 1), (order.error, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv[1:] = [str(order.channel), order.directory]
    runpy.run_module(_WORKER, run_name="__main__", alter_sys=True)


def _main(descriptor: int, variables: dict[str, str]) -> None:
    os.environ.update(variables)
    _load()
    order = _Parent(socket.socket(fileno=descriptor)).attend()
    if order is not None:
        _become(order)


if __name__ == "__main__":
    _main(int(sys.argv[1]), json.loads(sys.argv[2]))
