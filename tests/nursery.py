"""Workers without their cold start, which would be most of what they do in a test: forked, not started.

Such a worker is a process of its own all the same, with its own environment and its own function app, and it dies of
SIGKILL; only what it imports besides was imported before. That a worker also starts from nothing, the tests of the host
and of `airlock rehearse` show.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest

from local.certificate import Certificate
from local.host.process import Launch, Process
from tests.forks import LARGEST_REQUEST

_ROOT = Path(__file__).resolve().parents[1]


class Forked:
    """A forked worker, as the host sees it."""

    def __init__(self, pid: int, told: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._transport = transport

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):  # it has just ended, and `wait` does not know yet
            os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end; its exit code."""
        if self.returncode is None:
            self.returncode = int(await self._told.readline())
            self._transport.close()
        return self.returncode


@dataclass(frozen=True, slots=True)
class Nursery:
    """Forks workers. The SDKs in them trust the certificate that was there when they were imported."""

    certificate: Certificate
    requests: socket.socket

    def take_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let every host of this app start its workers here, and every local Azure serve what they trust."""

        cold = Launch.start

        async def start(launch: Launch, channel: socket.socket, out: FileIO, error: FileIO) -> Process:
            # An app in another folder has packages of its own, which are not those that were imported here.
            if launch.app_directory != _ROOT:
                return await cold(launch, channel, out, error)
            return await self._fork(launch, (channel.fileno(), out.fileno(), error.fileno()))

        monkeypatch.setattr(Launch, "start", start)
        monkeypatch.setattr(Certificate, "issue", lambda _directory: self.certificate)

    async def _fork(self, launch: Launch, descriptors: tuple[int, int, int]) -> Forked:
        reading, writing = (FileIO(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        told = asyncio.StreamReader()
        with writing:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(told), reading
            )
            wanted = {"directory": str(launch.app_directory), "environment": launch.variables()}
            request = json.dumps(wanted).encode()
            assert len(request) <= LARGEST_REQUEST
            socket.send_fds(self.requests, [request], [*descriptors, writing.fileno()])
        try:
            return Forked(int(await told.readline()), told, transport)
        except BaseException:
            transport.close()
            raise


@contextmanager
def _running(folder: Path) -> Iterator[Nursery]:
    certificate = Certificate.issue(folder)
    trusted = {name: str(certificate.ca_file) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    # Told apart from the environment, which would have coverage trace the import of all the SDKs.
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                [sys.executable, "-m", "tests.forks", str(theirs.fileno()), json.dumps(measured)],
                pass_fds=(theirs.fileno(),),
                cwd=_ROOT,
                # As little as a worker of the host would find.
                env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"} | trusted,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield Nursery(certificate, ours)
        finally:
            ours.close()
            process.wait()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """One for all tests of this process."""
    with _running(tmp_path_factory.mktemp("nursery")) as started:
        yield started


@pytest.fixture
def forked(nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the workers of the test forked."""
    nursery.take_over(monkeypatch)
